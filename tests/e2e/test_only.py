"""Parts of tables: compared, repaired and copied anew as whole ones are; keys read anew."""
import json
import threading
import time

import pytest

import harness.juku
from harness.compare import assert_same_table, tables_of
from harness.instance import Instance
from harness.wait import wait_until

ONLY = "{ columns: [id, mark], where: id % 3 <> 0 }"
PART = "SELECT count(*), sum(id), sum(mark) FROM {} WHERE id % 3 <> 0"


def write_only(instance, only=ONLY):
    instance.write("streams/app.yaml", "connection: app_db\ndataset: app\ntables: public.*\n"
                   f"discover_every: 200ms\nonly: {{ public.answers: {only} }}\n")


def assert_part(database, instance):
    instance.sync()
    assert instance.value("SELECT count(*) FROM app.answers WHERE id % 3 = 0") == 0
    here = [int(value) for value in instance.query(PART.format("app.answers"))[0]]
    assert here == [int(value) for value in database.run(PART.format("answers"))[0]]


def unseen(database, table, part, *statements):
    """Changes a table in a way that its stream does not hear of."""
    database.run(f"BEGIN; ALTER PUBLICATION biwa_app DROP TABLE {table}; " + "; ".join(statements) +
                 f"; ALTER PUBLICATION biwa_app ADD TABLE ONLY {table} {part}; COMMIT")


def test_a_part_is_compared_repaired_and_copied_anew_under_load(database, instance):
    database.run("CREATE TABLE answers (id int PRIMARY KEY, mark int, remark text); "
                 "INSERT INTO answers SELECT i, i, 'r' FROM generate_series(1, 3000) i")
    write_only(instance)
    instance.start(env={"BIWA_SNAPSHOT_SLICE_MS": "20"})
    instance.sync()

    def reconcile(*more):
        done = instance.command("reconcile", "app.answers", "--json", *more)
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout)[0]["tables"][0]

    result = reconcile()
    assert (result["outcome"], result["rows"]) == ("equal", 2000), result
    unseen(database, "answers", "(id, mark) WHERE (id % 3 <> 0)",
           "UPDATE answers SET mark = -1 WHERE id IN (1, 2, 3)",
           "UPDATE answers SET id = 3003 WHERE id = 4", "UPDATE answers SET id = 4001 WHERE id = 6",
           "UPDATE answers SET remark = 'other' WHERE id = 7")
    result = reconcile()
    assert sorted((row["difference"], *row["key"]) for row in result["keys"]) == [
        ("different", "1"), ("different", "2"), ("extra", "4"), ("missing", "4001")]
    assert reconcile("--repair")["outcome"] == "repaired"
    assert_part(database, instance)

    stop = threading.Event()

    def move():
        at = 0
        while not stop.is_set():
            at += 1
            database_of_thread.run(f"UPDATE answers SET id = -id, mark = {at} WHERE id % 7 = {at % 7};"
                                   f"UPDATE answers SET id = id + 100000 WHERE id % 11 = {at % 11}"
                                   " AND id < 100000")
            time.sleep(0.02)

    database_of_thread = type(database)(database.server, database.name)
    moving = threading.Thread(target=move)
    moving.start()
    try:
        for _ in range(3):
            assert instance.command("stream", "recopy", "app", "answers").returncode == 0
            instance.settle()
    finally:
        stop.set()
        moving.join()
        database_of_thread.connection.close()
    assert_part(database, instance)


@pytest.fixture
def juku(server):
    with harness.juku.loaded(server, 50_000) as made:
        yield made


@pytest.fixture
def live(juku):
    with harness.juku.under_load(juku, 1000) as process:
        yield process


def backfill(instance, *arguments):
    done = instance.command("stream", "backfill", "app", *arguments, "--json", timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr + instance.log()
    return json.loads(done.stdout)["keys"]


def test_a_range_of_keys_is_read_anew_under_load(juku, live, tmp_path):
    juku.run("CREATE TABLE things (a text, b int, name text, PRIMARY KEY (a, b)); "
             "INSERT INTO things SELECT CASE g % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'B' ELSE '鍵' END, g, "
             "'n' FROM generate_series(1, 9000) g; CREATE TABLE notes (text text)")
    with Instance(tmp_path / "project", juku) as instance:
        instance.start()
        instance.settle()
        instance.sync()
        unseen(juku, "things", "", "UPDATE things SET name = 'other' WHERE b IN (3, 6, 7, 8)",
               "DELETE FROM things WHERE b IN (9, 10)", "INSERT INTO things VALUES ('a', -5, 'new')")
        instance.sync()
        # From ('B', 5) to the end of 'B': of rows before and behind nothing is mended.
        assert backfill(instance, "things", "--from", "B", "5", "--to", "B") == 2998
        names = "SELECT b, name FROM app.things WHERE b IN (-5, 3, 6, 7, 8, 9, 10) ORDER BY b"
        assert instance.query(names) == [[3, "n"], [6, "n"], [7, "other"], [8, "n"], [9, "n"]]
        assert backfill(instance, "things", "--from=a", "--to", "a", "6") == 3
        assert instance.query(names) == [[-5, "new"], [3, "other"], [6, "other"], [7, "other"],
                                         [8, "n"], [9, "n"]]
        assert backfill(instance, "things", "--to", "鍵") == 9000
        assert_same_table(juku, instance, "things")
        # While the load changes the very rows.
        for _ in range(3):
            assert backfill(instance, "answers", "--from", "1", "--to", "30000") > 1000
        live.terminate()
        live.wait(timeout=20)
        instance.sync()
        for table in tables_of(juku):
            if table != "notes":
                assert_same_table(juku, instance, table)

        for arguments, said in ((("things",), "needs --from or --to"),
                                (("thing", "--from", "1"), 'Did you mean "things"?'),
                                (("notes", "--from", "1"), "has no key"),
                                (("things", "--from", "a", "1", "2"), "has 2 columns"),
                                (("things", "--from", "a", "x"), "invalid input syntax")):
            done = instance.command("stream", "backfill", "app", *arguments)
            assert done.returncode == 1 and said in done.stderr, (done.stdout, done.stderr)
        assert instance.stop() == 0


def test_a_right_that_is_missing_is_named_and_ends_nothing_that_is_published(database, instance):
    user = f"reader_{database.name}"
    database.run(f"CREATE ROLE {user} LOGIN REPLICATION PASSWORD 'p'; GRANT CREATE ON DATABASE {database.name} TO {user};"
                 "CREATE SCHEMA closed; CREATE TABLE closed.notes (id int PRIMARY KEY, mark int);"
                 "CREATE TABLE notes (id int PRIMARY KEY, mark int); INSERT INTO notes VALUES (1, 5), (2, 0);"
                 + "".join(f"ALTER TABLE {table} OWNER TO {user};" for table in ("closed.notes", "notes", "biwa_test_marker")))

    def state_of(table):
        return next(one for one in instance.stream()["tables"] if one["source"] == table)

    try:
        instance.connect_as(user, "p")
        instance.write("streams/app.yaml", "connection: app_db\ndataset: app\ntables: [public.*, closed.*]\n"
                       "discover_every: 200ms\nonly:\n  closed.notes: { where: id > 1 }\n")
        doctor = instance.command("doctor")
        assert doctor.returncode == 1
        assert f"is in schema closed, which role {user} may not use" in doctor.stderr
        assert f"GRANT USAGE ON SCHEMA closed TO {user};" in doctor.stderr.replace('"', "")
        applied = instance.command("apply", "--yes")
        assert applied.returncode == 1
        assert f"is in schema closed, which role {user} may not use" in applied.stderr
        assert f"GRANT USAGE ON SCHEMA closed TO {user};" in applied.stderr.replace('"', "")

        database.run(f"GRANT USAGE ON SCHEMA closed TO {user}; INSERT INTO closed.notes VALUES (1, 1), (2, 2)")
        instance.start()
        instance.sync()
        assert instance.query("SELECT id FROM app.closed__notes") == [[2]]
        # What is published stays so, without the rights that it took; as tables do of which all is wanted.
        database.run(f"REVOKE USAGE ON SCHEMA closed FROM {user}; REVOKE CREATE ON DATABASE {database.name} FROM {user};"
                     "ALTER TABLE closed.notes ADD more int; ALTER TABLE notes OWNER TO CURRENT_USER;"
                     "CREATE TABLE closed.others (id int PRIMARY KEY)")
        instance.kill()
        instance.start()
        database.run("INSERT INTO notes VALUES (3, 3); INSERT INTO closed.notes VALUES (0, 0, 0), (4, 4, 4)")
        instance.sync()
        assert instance.query("SELECT id FROM app.notes ORDER BY id") == [[1], [2], [3]]
        assert instance.query("SELECT id, more FROM app.closed__notes ORDER BY id") == [[2, None], [4, 4]]
        assert [state_of(table)["state"] for table in ("public.notes", "closed.notes")] == ["live", "live"]
        wait_until(lambda: "is in schema closed" in str(state_of("closed.others")), instance.stream)
        instance.write("streams/app.yaml", "connection: app_db\ndataset: app\ntables: [public.*, closed.*]\n"
                       "discover_every: 200ms\nonly:\n  closed.others: { where: id > 1 }\n")
        doctor = instance.command("doctor").stderr
        assert f"GRANT USAGE ON SCHEMA closed TO {user};" in doctor.replace('"', "")
        assert "says which right is missing" not in doctor
    finally:
        instance.kill()
        database.drop_slots()
        database.run(f"DROP OWNED BY {user} CASCADE; DROP ROLE {user}")


def test_where_columns_are_listed_the_mend_is_no_circle(database, instance):
    database.run("CREATE TABLE products (id int PRIMARY KEY, sku text NOT NULL, price int NOT NULL, note text);"
                 "INSERT INTO products VALUES (1, 'a', 1), (2, 'b', 9)")
    instance.write("streams/app.yaml", "connection: app_db\ndataset: app\ntables: public.*\n"
                   "only: { public.products: { columns: [id, sku, price], where: price > 5 and sku <> '' } }\n")
    done = instance.command("doctor")
    assert done.returncode == 1 and "FULL" not in done.stderr, done.stderr
    assert "products REPLICA IDENTITY USING INDEX" in done.stderr.replace('"', ""), done.stderr
    assert "has price, sku," in done.stderr or "has sku, price," in done.stderr, done.stderr
    database.run("CREATE UNIQUE INDEX told ON products (id, price, sku);"
                 "ALTER TABLE products REPLICA IDENTITY USING INDEX told")
    instance.start()
    instance.sync()
    assert instance.query("SELECT * FROM app.products") == [[2, "b", 9]]
