"""The history of tables: kill -9 under load, queries of the past, a table that joins later, masks,
and a stream that goes."""
import os
import random
import signal
import threading
import time

import pytest

from harness.instance import HttpError, Instance, make_marker
from harness.mariadb import MariaDbInstance, MariaDbServer
from harness.mysql import MySqlServer
from harness.wait import wait_until

KILLS = int(os.environ.get("BIWA_KILLS", "20"))
SEED = int(os.environ.get("BIWA_SEED", str(time.time_ns() % 1_000_000)))


def stream_file(instance, more=""):
    instance.write("streams/app.yaml", "connection: app_db\ndataset: app\ntables: public.*\n"
                   "discover_every: 200ms\nmode: history\n" + more)


@pytest.fixture
def project(database, tmp_path):
    with Instance(tmp_path / "project", database) as instance:
        stream_file(instance)
        yield instance


def assert_replayed(instance, table):
    """The history's rows of now are those of the mirror, and no change is there twice."""
    for one, other in ((f"app.{table}", f"app_history.{table}(now())"),
                       (f"app_history.{table}(now())", f"app.{table}")):
        assert instance.value(f"SELECT count(*) FROM (FROM {one} EXCEPT ALL FROM {other})") == 0
    assert instance.query(
        f"SELECT _commit, _sequence, _op, count(*) FROM app_changes.{table} WHERE _op <> 'copy' "
        "GROUP BY ALL HAVING count(*) > 1") == []


class Load:
    """Changes by `run(seed)` on a thread of its own, until it is stopped."""

    def __init__(self, change):
        self.change, self.stopped, self.error, self.made = change, threading.Event(), None, 0
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        chance = random.Random(SEED)
        try:
            while not self.stopped.is_set():
                self.change(chance)
                self.made += 1
        except Exception as error:  # raised where it is waited for
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()
        if self.error:
            raise self.error


def change_sql(chance):
    key = chance.randrange(500)
    return chance.choice((
        f"INSERT INTO orders SELECT {key}, 0, '{chance.random()}' FROM (SELECT 1) AS one WHERE NOT EXISTS "
        f"(SELECT 1 FROM orders WHERE id = {key})",
        f"UPDATE orders SET n = n + 1 WHERE id BETWEEN {key} AND {key + 20}",
        f"UPDATE orders SET n = n + 1, note = '{chance.random()}' WHERE id = {key}",
        f"UPDATE orders SET id = id + 1000 WHERE id = {key} AND NOT EXISTS "
        f"(SELECT 1 FROM (SELECT * FROM orders) AS o WHERE id = {key + 1000})",
        f"DELETE FROM orders WHERE id = {key + 1000 * chance.randrange(2)}"))


def test_killed_under_load_each_change_is_there_once(database, project):
    print(f"BIWA_SEED={SEED} BIWA_KILLS={KILLS}")
    database.run("CREATE TABLE orders (id int PRIMARY KEY, n int, note text);"
                 "CREATE TABLE seen (number bigserial PRIMARY KEY, operation text, id int, n int);"
                 "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                 "INSERT INTO seen (operation, id, n) VALUES (lower(TG_OP), "
                 "CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END, "
                 "CASE TG_OP WHEN 'DELETE' THEN NULL ELSE NEW.n END); RETURN NULL; END $$;"
                 "CREATE TRIGGER see AFTER INSERT OR UPDATE OR DELETE ON orders "
                 "FOR EACH ROW EXECUTE FUNCTION see()")
    project.start()
    project.sync()
    chance = random.Random(SEED + 1)
    with Load(lambda chance: database.run(change_sql(chance))) as load:
        for _ in range(max(4, KILLS // 2)):
            time.sleep(chance.uniform(0.1, 0.8))
            project.kill()
            project.start()
    assert load.made > 100
    project.sync()
    for table in ("orders", "seen"):
        assert_replayed(project, table)
    # One by one, in the order of the source: what a trigger saw there.
    ours = project.query("SELECT _op, id, n FROM app_changes.orders WHERE _op NOT IN ('copy', 'moved') "
                         "ORDER BY _commit, _sequence")
    theirs = database.run("SELECT operation, id, n FROM seen ORDER BY number")
    assert ours == [list(row) for row in theirs]
    # Each transaction has one time, and time does not go back.
    assert project.query("SELECT _commit FROM app_changes.seen WHERE _op <> 'copy' GROUP BY ALL "
                         "HAVING count(DISTINCT _committed_at) > 1") == []
    assert project.value("SELECT count(*) FROM (SELECT _committed_at < lag(_committed_at) OVER "
                         "(ORDER BY _commit, _sequence) AS back FROM app_changes.seen) WHERE back") == 0


def test_what_the_catalogue_says_before_the_log_does_not_shorten_the_history(database, project):
    """Tables that have to be copied anew, while what was changed before that is still to be read."""
    database.run("".join(f"CREATE TABLE {table} (id int PRIMARY KEY, a text, b text, n int);"
                         f"INSERT INTO {table} VALUES (1, 'a', 'b', 1);"
                         for table in ("swapped", "rewritten", "made_anew")))
    project.start()
    project.sync()
    sender = database.value("SELECT active_pid FROM pg_replication_slots WHERE active AND "
                            f"database = '{database.name}'")
    os.kill(sender, signal.SIGSTOP)
    try:
        for table in ("swapped", "rewritten", "made_anew"):
            database.run(f"UPDATE {table} SET a = 'aa'; UPDATE {table} SET n = 2")
        database.run("ALTER TABLE swapped RENAME a TO x; ALTER TABLE swapped RENAME b TO a;"
                     "ALTER TABLE swapped RENAME x TO b")
        database.run("ALTER TABLE rewritten ALTER n TYPE text USING n + 100")
        database.run("DROP TABLE made_anew; CREATE TABLE made_anew (id int PRIMARY KEY, a text);"
                     "INSERT INTO made_anew VALUES (1, 'anew')")
        time.sleep(1.5)  # The tables are looked at in that time, and more than once.
    finally:
        os.kill(sender, signal.SIGCONT)
    project.sync()
    project.settle()
    assert project.query("SELECT b, a, n FROM app.swapped") == [["aa", "b", 2]]
    assert project.query("SELECT a, b, n FROM app.rewritten") == [["aa", "b", "102"]]
    assert project.query("SELECT a FROM app.made_anew") == [["anew"]]
    for table in ("swapped", "rewritten", "made_anew"):
        assert project.query(f"SELECT _op, a, b, n::text FROM app_changes.{table} WHERE _epoch = 1 "
                             "ORDER BY _commit, _sequence") == [
            ["copy", "a", "b", "1"], ["update", "aa", "b", "1"], ["update", "aa", "b", "2"]], table
        assert project.value("SELECT count(*) FROM _biwa.histories WHERE table_name = "
                             f"'{table}'") == 2, table
    for table, columns in (("swapped", "id, a, b, n"), ("rewritten", "id, a, b, n"), ("made_anew", "id, a")):
        assert project.query(f"SELECT {columns} FROM app_history.{table}(now())") == \
            project.query(f"SELECT {columns} FROM app.{table}"), table


def test_as_of_answers_with_the_rows_of_then(database, project):
    database.run("CREATE TABLE orders (id int PRIMARY KEY, n int); INSERT INTO orders VALUES (1, 10)")
    project.write("definitions/doubled.sqlx",
                  'config { type: "view" }\nSELECT id, n * 2 AS twice FROM ${ref("app", "orders")}\n')
    project.write("definitions/stored.sqlx",
                  'config { type: "table" }\nSELECT id FROM ${ref("app", "orders")}\n')
    project.start()
    project.sync()
    time.sleep(0.05)
    then = database.value("SELECT clock_timestamp()").isoformat()
    database.run("UPDATE orders SET n = 11; INSERT INTO orders VALUES (2, 20)")
    project.sync()
    project.wait_models(["mart.doubled", "mart.stored"])

    def ask(sql, moment=then):
        done = project.command("query", sql, "--as-of", moment, "--format", "csv")
        return done.returncode, (done.stdout + done.stderr).replace("\r", "")

    assert ask("SELECT id, n FROM app.orders ORDER BY id") == (0, "id,n\n1,10\n")
    assert ask("SELECT id, n FROM app.orders ORDER BY id", "2100-01-01") == (0, "id,n\n1,11\n2,20\n")
    assert ask("SELECT twice FROM mart.doubled") == (0, "twice\n20\n")
    code, said = ask("SELECT count(*) FROM mart.stored")
    assert code == 1 and "mart.stored has no history" in said, said
    code, said = ask("SELECT * FROM app.orders", "2020-01-01")
    assert code == 1 and "app.orders has no history of 2020-01-01" in said, said
    code, said = ask("SELECT 1", "soon")
    assert code == 1 and '"soon" is no time' in said, said
    # Without a server too.
    assert project.stop() == 0
    assert ask("SELECT id, n FROM app.orders ORDER BY id") == (0, "id,n\n1,10\n")


def test_a_table_that_joins_later_and_one_that_is_copied_anew(database, project):
    database.run("CREATE TABLE first (id int PRIMARY KEY, n int); INSERT INTO first VALUES (1, 1)")
    project.start()
    project.sync()
    database.run("CREATE TABLE later (id int PRIMARY KEY, n int);"
                 "INSERT INTO later SELECT i, 0 FROM generate_series(1, 20000) i")
    for _ in range(30):
        database.run("UPDATE later SET n = n + 1 WHERE id <= 10; UPDATE first SET n = n + 1")
    project.settle()
    database.run("UPDATE later SET n = 1000 WHERE id = 5; UPDATE first SET n = 1000")
    project.sync()
    assert_replayed(project, "later")
    assert_replayed(project, "first")
    assert project.command("stream", "recopy", "app", "first").returncode == 0
    project.settle()
    database.run("UPDATE first SET n = 1001")
    project.sync()
    assert_replayed(project, "first")
    spans = project.query("SELECT epoch, ended_at IS NULL, began_at < coalesce(ended_at, now()) FROM "
                          "_biwa.histories WHERE table_name = 'first' ORDER BY epoch")
    assert spans == [[1, False, True], [2, True, True]]
    # Of the time before both spans and of that between them nothing is said.
    gap = project.value("SELECT (min(ended_at))::VARCHAR FROM _biwa.histories WHERE table_name = 'first'")
    with pytest.raises(HttpError, match="there is no history of app.first"):
        project.query(f"SELECT * FROM app_history.first('{gap}')")


def test_masked_otherwise_nothing_clear_stays_in_the_history(database, project):
    database.run("CREATE TABLE pupils (id int PRIMARY KEY, name text, mail text);"
                 "INSERT INTO pupils VALUES (1, 'Hanako', 'h@example.org')")
    project.start()
    project.sync()
    database.run("UPDATE pupils SET name = 'Hana'")
    project.sync()
    assert project.value("SELECT count(*) FROM app_changes.pupils WHERE name LIKE 'Hana%'") == 2
    assert project.stop() == 0
    stream_file(project, "masks: { pupils.name: hash, pupils.mail: drop }\n"
                         "mask_key: ${file:secrets/mask.key}\n")
    project.write("secrets/mask.key", "0123456789abcdef0123456789abcdef", 0o600)
    project.start()
    project.settle()
    database.run("UPDATE pupils SET name = 'Hanae'")
    project.sync()
    assert project.value("SELECT count(*) FROM app_changes.pupils WHERE name LIKE 'Hana%'") == 0
    columns = [name for name, in project.query(
        "SELECT column_name FROM duckdb_columns() WHERE schema_name = 'app_changes'")]
    assert "mail" not in columns and "name" in columns
    assert_replayed(project, "pupils")


def test_history_is_kept_of_the_tables_that_are_named_and_ends_with_the_stream(database, project):
    database.run("CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE logs (id int PRIMARY KEY);"
                 "INSERT INTO orders VALUES (1); INSERT INTO logs VALUES (1)")
    stream_file(project, "history: [public.orders]\n")
    project.start()
    project.sync()
    assert project.query("SELECT table_name FROM _biwa.histories") == [["orders"]]
    # No history any more: what there is stays.
    assert project.stop() == 0
    project.write_stream()
    project.start()
    database.run("INSERT INTO orders VALUES (2)")
    project.sync()
    assert project.query("SELECT ended_at IS NULL FROM _biwa.histories") == [[False]]
    assert project.query("SELECT _op, id FROM app_changes.orders") == [["copy", 1]]
    assert project.stop() == 0
    # It goes with the stream.
    (project.folder / "streams/app.yaml").unlink()
    assert project.command("apply", "--yes").returncode == 0
    project.start()
    assert project.query("SELECT count(*) FROM _biwa.histories") == [[0]]
    assert project.query("SELECT schema_name FROM duckdb_schemas() WHERE schema_name LIKE 'app%'"
                         " AND schema_name <> 'app'") == []


@pytest.mark.parametrize("kind", [MariaDbServer, MySqlServer], ids=["mariadb", "mysql"])
def test_by_binary_log_killed_under_load_each_change_is_there_once(tmp_path, kind):
    server = kind()
    try:
        with server.database() as database, \
                MariaDbInstance(tmp_path / "project", database) as project:
            file = project.folder / "streams/app.yaml"
            file.write_text(file.read_text(encoding="utf-8") + "mode: history\n", encoding="utf-8")
            database.run("CREATE TABLE orders (id int PRIMARY KEY, n int, note varchar(40))")
            project.start()
            project.sync()
            chance = random.Random(SEED + 1)
            with Load(lambda chance: database.run(change_sql(chance))) as load:
                for _ in range(max(4, KILLS // 4)):
                    time.sleep(chance.uniform(0.1, 0.8))
                    project.kill()
                    project.start()
            assert load.made > 100
            database.run("TRUNCATE orders")
            database.run("INSERT INTO orders VALUES (1, 1, 'a')")
            project.sync()
            assert_replayed(project, "orders")
            assert project.value("SELECT count(*) FROM app_changes.orders WHERE _op = 'truncate'") == 1
            seconds = project.query("SELECT min(_committed_at) > now() - INTERVAL 10 MINUTE, "
                                    "max(_committed_at) <= now() + INTERVAL 2 SECOND "
                                    "FROM app_changes.orders")
            assert seconds == [[True, True]]
    finally:
        server.stop()
