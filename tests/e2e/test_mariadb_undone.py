"""MariaDB and MySQL: what is in the log and was rolled back, what goes without a word in it, and masks whose
columns and tables get other names."""
import contextlib
import os
import random
import time

import pytest

from harness.either import database, instance, is_mysql, maria  # noqa: F401
from harness.mariadb import assert_same_table
from harness.wait import wait_until


SEED = int(os.environ.get("BIWA_SEED", str(time.time_ns() % 1_000_000)))


def logged(database, text):
    """Whether the log has that as a statement, in its last file."""
    file = database.run("SHOW BINARY LOGS")[-1][0]
    return any(text in str(event[5]) for event in database.run(f"SHOW BINLOG EVENTS IN '{file}'"))


def test_a_transaction_that_is_logged_and_rolled_back_leaves_nothing(database, instance, is_mysql):
    """MariaDB does so where a temporary table was made or dropped within it."""
    database.run("CREATE TABLE t (id int PRIMARY KEY, a varchar(20)); INSERT INTO t VALUES (1, 'one'), (2, 'two');"
                 "CREATE TABLE u LIKE t; FLUSH BINARY LOGS")
    instance.start()
    instance.sync()
    temporary = "CREATE TEMPORARY TABLE x (id int); INSERT INTO x VALUES (1); DROP TEMPORARY TABLE x"
    database.run(f"""
        BEGIN; INSERT INTO t VALUES (3, 'kept'); UPDATE t SET a = 'kept' WHERE id = 1; COMMIT;
        BEGIN; INSERT INTO t VALUES (4, NULL); UPDATE t SET id = 20, a = 'gone' WHERE id = 2;
        INSERT INTO u VALUES (1, 'gone'); {temporary}; DELETE FROM t WHERE id = 1; ROLLBACK;
        BEGIN; INSERT INTO u VALUES (2, 'kept'); SAVEPOINT `A b`; INSERT INTO u VALUES (3, 'gone'); INSERT INTO t VALUES (5, 'gone');
        {temporary}; ROLLBACK TO `A b`; INSERT INTO u VALUES (4, 'kept'); COMMIT;
        INSERT INTO t VALUES (6, NULL)""")
    instance.sync()
    if not is_mysql:
        assert logged(database, "ROLLBACK TO") and any(
            str(event[5]) == "ROLLBACK" for event in
            database.run(f"SHOW BINLOG EVENTS IN '{database.run('SHOW BINARY LOGS')[-1][0]}'"))
    assert instance.query("SELECT * FROM app.t ORDER BY id") == [[1, "kept"], [2, "two"], [3, "kept"], [6, None]]
    assert instance.query("SELECT * FROM app.u ORDER BY id") == [[2, "kept"], [4, "kept"]]
    assert instance.log().count("copying ") == 1, instance.log()
    # More than is held back: by then a part of it was given on.
    database.run(f"""
        BEGIN; INSERT INTO u SELECT seq + 100, 'gone' FROM seq_1_to_120000; {temporary}; ROLLBACK;
        INSERT INTO u VALUES (5, 'kept'); INSERT INTO t VALUES (7, NULL)""")
    instance.sync()
    wait_until(lambda: instance.query("SELECT id FROM app.u ORDER BY id") == [[2], [4], [5]], instance.log)
    database.run("INSERT INTO u VALUES (6, 'kept'); INSERT INTO t VALUES (8, NULL)")
    instance.sync()
    for table in "tu":
        assert_same_table(database, instance, table, ["id", "a"])


def test_whatever_is_undone_the_tables_are_the_same(database, instance):
    """Transactions of random changes, savepoints, temporary tables and ends, and kills in between."""
    print("BIWA_SEED =", SEED)
    chance = random.Random(SEED)
    database.run("CREATE TABLE keyed (id int PRIMARY KEY, a varchar(20), b varchar(200)); CREATE TABLE plain (id int, a varchar(20), b varchar(200));"
                 "CREATE TABLE pairs (id int, a varchar(20), b varchar(200), PRIMARY KEY (a, id))")
    instance.start()
    instance.sync()

    def change():
        table, key, more = chance.choice(["keyed", "plain", "pairs"]), chance.randrange(60), chance.choice(["NULL", "'ab'", "repeat('x', 150)"])
        return chance.choice([f"INSERT IGNORE INTO {table} VALUES ({key}, 'a{key % 5}', {more})",
                              f"UPDATE IGNORE {table} SET id = id + {chance.randrange(-5, 6)}, b = {more} WHERE id = {key}",
                              f"UPDATE {table} SET b = {more} WHERE id BETWEEN {key} AND {key + 8}",
                              f"DELETE FROM {table} WHERE id = {key}", f"REPLACE INTO {table} VALUES ({key}, 'a{key % 5}', {more})"])
    for number in range(400):
        statements, points = ["BEGIN"], []
        for _ in range(chance.randrange(1, 9)):
            roll = chance.random()
            if roll < 0.15:
                points.append(f"s{len(statements)}")
                statements.append(f"SAVEPOINT {points[-1]}")
            elif roll < 0.3 and points:
                back = chance.choice(points)
                points = points[:len(points) - points[::-1].index(back)]
                statements.append(f"ROLLBACK TO {back}")
            elif roll < 0.45:
                statements.append("CREATE TEMPORARY TABLE x (id int); DROP TEMPORARY TABLE x")
            else:
                statements.append(change())
        database.run("; ".join([*statements, chance.choice(["COMMIT", "COMMIT", "ROLLBACK"])]))
        if number % 100 == 50:
            instance.kill()
            instance.start()
    instance.sync()
    for table in ("keyed", "pairs"):
        assert_same_table(database, instance, table, ["id", "a", "b"], "id, a")
    assert_same_table(database, instance, "plain", ["id", "a", "b"], "id, a, coalesce(b, '')")
    assert instance.log().count("copying ") == 1, instance.log()


def test_a_savepoint_that_is_not_certain_has_the_tables_copied_anew(database, instance, is_mysql):
    """Those of a trigger are its own, by whatever name."""
    if is_mysql:
        pytest.skip("MySQL does not log what is rolled back")
    database.run("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY, a varchar(20));"
                 "CREATE TRIGGER x AFTER INSERT ON t FOR EACH ROW BEGIN INSERT INTO u VALUES (NEW.id, 'x'); SAVEPOINT s; "
                 "INSERT INTO u VALUES (NEW.id + 1000, 'y'); END")
    instance.start()
    instance.sync()
    database.run("BEGIN; INSERT INTO u VALUES (1, 'kept'); SAVEPOINT s; INSERT INTO t VALUES (7); CREATE TEMPORARY TABLE x (id int);"
                 "DROP TEMPORARY TABLE x; ROLLBACK TO s; INSERT INTO u VALUES (2, 'kept'); COMMIT; INSERT INTO t VALUES (9)")
    instance.sync()
    for table, rows in (("t", [[9]]), ("u", [[1], [2], [9], [1009]])):
        wait_until(lambda table=table, rows=rows: instance.query(f"SELECT id FROM app.{table} ORDER BY id") == rows, instance.log)


def test_an_xa_transaction_that_is_rolled_back_has_its_tables_copied_anew(database, instance):
    """After it was prepared, and over a kill in between; others' are none of ours."""
    database.run("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE `表 %` (id int PRIMARY KEY);"
                 "INSERT INTO t VALUES (1); INSERT INTO `表 %` VALUES (1)")
    instance.start()
    instance.sync()
    with database.server.database("other") as other, contextlib.closing(other.connect()) as theirs:
        other.run("CREATE TABLE o (id int PRIMARY KEY)")
        other.run("XA START 'theirs'; INSERT INTO o VALUES (1); XA END 'theirs'; XA PREPARE 'theirs'", theirs)
        with contextlib.closing(database.connect()) as ours:
            database.run("XA START 'ours', 'b'; INSERT INTO `表 %` VALUES (2); XA END 'ours', 'b'; XA PREPARE 'ours', 'b'", ours)
            wait_until(lambda: instance.query('SELECT * FROM app."表 %" ORDER BY id') == [[1], [2]], instance.log)
            instance.kill()
            instance.start()
            assert "xa=" in instance.wait_state("streaming")["position"]
            database.run("XA ROLLBACK 'ours', 'b'", ours)
            other.run("XA ROLLBACK 'theirs'", theirs)
        database.run("INSERT INTO t VALUES (2); INSERT INTO `表 %` VALUES (3)")
        instance.sync()
        wait_until(lambda: instance.query('SELECT * FROM app."表 %" ORDER BY id') == [[1], [3]], instance.log)
        assert instance.query("SELECT * FROM app.t ORDER BY id") == [[1], [2]]
        with contextlib.closing(database.connect()) as ours:
            database.run("XA START 'c'; INSERT INTO t VALUES (4); XA END 'c'; XA PREPARE 'c'; XA COMMIT 'c'", ours)
            database.run("XA START 'd'; INSERT INTO t VALUES (5); XA END 'd'; XA COMMIT 'd' ONE PHASE", ours)
        instance.sync()
        assert instance.query("SELECT * FROM app.t ORDER BY id") == [[1], [2], [4], [5]]
        assert "xa=" not in instance.stream()["position"]
        assert "rolled back" in instance.log()


def test_a_key_that_a_cascade_has_freed_may_come_again(database, instance, is_mysql):
    """MariaDB's log does not have what its foreign keys delete."""
    database.run("CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2);"
                 "CREATE TABLE c (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE);"
                 "INSERT INTO c VALUES (10, 1), (20, 2);"
                 "CREATE TABLE late (id int PRIMARY KEY, p int); INSERT INTO late VALUES (10, 1)")
    instance.start()
    instance.sync()
    database.run("ALTER TABLE late ADD FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE;"
                 "DELETE FROM p WHERE id = 1; INSERT INTO c VALUES (10, 2), (11, 2); INSERT INTO late VALUES (10, 2)")
    instance.sync()
    assert instance.query("SELECT * FROM app.c ORDER BY id") == [[10, 2], [11, 2], [20, 2]]
    assert instance.query("SELECT * FROM app.late") == [[10, 2]]


def test_a_table_that_keeps_its_former_rows_is_left_out(database, instance, is_mysql):
    if is_mysql:
        pytest.skip("MySQL has no system versioning")
    database.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)")
    instance.start()
    instance.sync()
    database.run("ALTER TABLE t ADD SYSTEM VERSIONING; UPDATE t SET a = 2; DELETE FROM t; INSERT INTO t VALUES (1, 3)")
    wait_until(lambda: "system-versioned" in str(instance.stream()["tables"]), instance.log)
    assert instance.query("SELECT * FROM app.t") == [[1, 1]], instance.log()
    database.run("ALTER TABLE t DROP SYSTEM VERSIONING; INSERT INTO t VALUES (2, 2)")
    wait_until(lambda: instance.query("SELECT * FROM app.t ORDER BY id") == [[1, 3], [2, 2]], instance.log)


def masks(instance, *lines):
    path = instance.folder / "streams" / "app.yaml"
    text = path.read_text(encoding="utf-8").split("masks:")[0]
    path.write_text(text + "masks:\n" + "".join(f"  {line}\n" for line in lines), encoding="utf-8")


@pytest.mark.parametrize("metadata", ["FULL", "MINIMAL"])
def test_the_name_of_a_masked_column_is_not_its_mask(database, instance, metadata):
    """Names exchanged, or given to another column, by one ALTER."""
    database.run(f"SET GLOBAL binlog_row_metadata = '{metadata}'")
    try:
        database.run("CREATE TABLE t (id int PRIMARY KEY, pub varchar(40), secret varchar(40));"
                     "INSERT INTO t VALUES (1, 'p', 'clear as day');"
                     "CREATE TABLE given (id int PRIMARY KEY, mail varchar(40)); INSERT INTO given VALUES (1, 'clear as day')")
        db = database.name
        masks(instance, f"{db}.t.secret: 'null'", f"{db}.given.mail: 'null'")
        instance.start()
        instance.sync()
        database.run("ALTER TABLE t RENAME COLUMN secret TO pub, RENAME COLUMN pub TO secret; UPDATE t SET id = 2")

        def stopped():
            return str(instance.wait_state("failed", 30)["error"])
        said = f"column secret of {db}.t was masked, and is called pub now"
        assert said in stopped()
        instance.kill()
        instance.start()
        assert said in stopped()
        assert "clear as day" not in str(instance.query("SELECT * FROM app.t"))
        instance.kill()
        masks(instance, f"{db}.t.pub: 'null'", f"{db}.given.mail: 'null'")
        instance.start()
        instance.sync()
        wait_until(lambda: instance.query("SELECT id, secret, pub FROM app.t") == [[2, "p", None]], instance.log)
        # In a mode in which a text may end with a backslash.
        database.run(r"SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'; ALTER TABLE given ADD other varchar(9) DEFAULT '\', "
                     "CHANGE Mail mail_old varchar(40), ADD mail varchar(40); SET SESSION sql_mode = DEFAULT; INSERT INTO given (id, mail_old, mail) VALUES (2, 'clear as day', 'm')")
        assert f"column mail of {db}.given was masked, and is called mail_old now" in stopped()
        instance.kill()
        masks(instance, f"{db}.t.pub: 'null'", f"{db}.given.mail: 'null'", f"{db}.given.mail_old: 'null'")
        instance.start()
        instance.sync()
        wait_until(lambda: instance.query("SELECT id, mail, mail_old FROM app.given ORDER BY id") == [[1, None, None], [2, None, None]],
                   instance.log)
        assert b"clear as day" not in b"".join(path.read_bytes() for path in (instance.folder / ".biwa").rglob("*") if path.is_file())
    finally:
        database.run("SET GLOBAL binlog_row_metadata = DEFAULT")


def test_what_is_left_of_a_masked_table_is_not_copied_in_clear(database, instance):
    database.run("CREATE TABLE users (id int PRIMARY KEY, name varchar(40), mail varchar(40)); INSERT INTO users VALUES (1, 'n', 'clear as day')")
    db = database.name
    masks(instance, f"{db}.users.mail: 'null'")
    instance.start()
    instance.sync()
    database.run("CREATE TABLE users_new LIKE users; INSERT INTO users_new VALUES (1, 'n', 'clear as day');"
                 "RENAME TABLE users TO users_before, users_new TO users; INSERT INTO users VALUES (2, 'o', 'clear as day')")
    instance.sync()
    wait_until(lambda: instance.query("SELECT * FROM app.users ORDER BY id") == [[1, "n", None], [2, "o", None]], instance.log)

    def refused():
        return [table for table in instance.stream()["tables"] if table["name"] == "users_before" and table["state"] == "refused"]
    wait_until(refused, instance.log)
    instance.restart()
    instance.sync()
    assert f"{db}.users.mail is masked" in str(refused())
    assert instance.query("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE '%before%'") == [[0]]
    assert instance.stop() == 0
    masks(instance, f"{db}.users.mail: 'null'", f"{db}.users_before.mail: 'null'")
    instance.start()
    instance.sync()
    wait_until(lambda: instance.query("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE '%before%'") == [[1]], instance.log)


@pytest.mark.parametrize("binlog_format", ["STATEMENT", "MIXED"])
@pytest.mark.parametrize("statement", ["UPDATE v SET a = 55 WHERE id = 1", "INSERT INTO w VALUES (8, 1)", "SELECT f()"],
                         ids=["view", "trigger", "function"])
def test_rows_that_a_logged_statement_changes_without_naming_their_table(database, instance, statement, binlog_format):
    database.run("SET GLOBAL log_bin_trust_function_creators = 1;"
                 "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1); CREATE TABLE w LIKE t;"
                 "INSERT INTO w VALUES (1, 1)")
    instance.start()
    instance.sync()
    # What is made below is looked for, though these names have been.
    with contextlib.closing(database.connect()) as other:
        database.run(f"SET SESSION binlog_format = '{binlog_format}'; UPDATE w SET a = 2 WHERE id = 1", other)
    instance.sync()
    database.run("CREATE VIEW v AS SELECT * FROM t;"
                 "CREATE TRIGGER g AFTER INSERT ON w FOR EACH ROW INSERT INTO t VALUES (NEW.id, 1);"
                 "CREATE FUNCTION f() RETURNS int MODIFIES SQL DATA BEGIN UPDATE t SET a = 9; RETURN 1; END;"
                 "FLUSH BINARY LOGS")
    with contextlib.closing(database.connect()) as other:
        database.run(f"SET SESSION binlog_format = '{binlog_format}'; {statement}", other)
    assert not logged(database, "table_id: "), "it was logged by rows"
    instance.sync()
    instance.settle()
    for table in ("t", "w"):
        assert_same_table(database, instance, table, ["id", "a"])
    assert "by a view, a trigger or a function" in instance.log()


def test_logged_statements_that_name_no_table_of_the_stream_cost_nothing(database, instance):
    database.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)")
    other_database = database.name + "_tools"
    database.run(f"CREATE DATABASE {other_database}; CREATE TABLE {other_database}.heartbeat (id int PRIMARY KEY, a int);"
                 f"CREATE TABLE {other_database}.notes (version int, user longtext)")
    try:
        instance.start()
        instance.sync()
        with contextlib.closing(database.connect()) as other:
            for i in range(5):
                database.run(f"SET SESSION binlog_format = 'STATEMENT'; REPLACE INTO {other_database}.heartbeat VALUES (1, {i})",
                             other)
            # Words that the server has views of, and texts that no name can be, or too many to ask for at once.
            many = ", ".join(f'({i}, "great 👍 {i} 山")' for i in range(2000))
            for values in (many, "(1, \"" + "x" * 1_000_000 + "\")", "(2, _latin1 \"\xe9\")"):
                database.run(f"SET SESSION binlog_format = 'STATEMENT'; INSERT INTO {other_database}.notes (version, user) VALUES {values}",
                             other)
        instance.sync()
        instance.settle()
        assert instance.log().count("copying ") == 1, instance.log()
    finally:
        database.run(f"DROP DATABASE {other_database}")
