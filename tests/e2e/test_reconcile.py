"""A stream compared with its source while changes flow: what is equal is never called different,
what differs is named and repaired, exactly."""
import json
import os
import threading
import time

import pytest

import harness.juku
from harness.compare import assert_same_table, tables_of
from harness.instance import Instance
from harness.wait import wait_until

RUNS = int(os.environ.get("BIWA_RECONCILES", 6))


@pytest.fixture
def juku(server):
    with harness.juku.loaded(server, 200_000) as made:
        yield made


@pytest.fixture
def live(juku):
    with harness.juku.under_load(juku, 2000) as process:
        yield process


def reconcile(instance, *arguments, code=0):
    done = instance.command("reconcile", *arguments, "--json", timeout=180)
    assert done.returncode == code, done.stdout + done.stderr + instance.log()
    return {table["source"]: table for stream in json.loads(done.stdout)
            for table in stream["tables"]}


def unseen(database, table, *statements):
    """Changes a table in a way that its stream does not hear of."""
    database.run(f"BEGIN; ALTER PUBLICATION biwa_app DROP TABLE {table}; " + "; ".join(statements) +
                 f"; ALTER PUBLICATION biwa_app ADD TABLE ONLY {table}; COMMIT")


def named(result):
    return sorted((row["difference"], tuple(row["key"])) for row in result["keys"])


def test_equal_tables_are_equal_at_every_look_under_load(juku, live, tmp_path):
    # Rows that swing between two states: a value seen twice does not mean that nothing happened.
    juku.run("CREATE TABLE swing (id int PRIMARY KEY, side boolean);"
             "INSERT INTO swing SELECT g, true FROM generate_series(1, 40) g")
    stop = threading.Event()

    def swing():
        while not stop.is_set():
            juku.run("UPDATE swing SET side = NOT side WHERE id <= 20")
            juku.run("DELETE FROM swing WHERE id > 20")
            juku.run("INSERT INTO swing SELECT g, true FROM generate_series(21, 40) g")
            time.sleep(0.02)

    with Instance(tmp_path / "project", juku) as instance:
        instance.start()
        instance.settle()
        swinging = threading.Thread(target=swing)
        swinging.start()
        try:
            for _ in range(RUNS):
                for source, result in reconcile(instance).items():
                    assert result["outcome"] == "equal", (source, result)
                    assert result["keys"] == []
        finally:
            stop.set()
            swinging.join()
        assert live.poll() is None, "the load ended by itself"
        status = instance.stream()["reconciliation"]
        assert not status["running"] and len(status["results"]) == len(tables_of(juku))
        # What was found last is remembered.
        assert instance.stop() == 0
        instance.start()
        instance.settle()
        assert instance.stream()["reconciliation"]["results"] == status["results"]
        assert "equal" in instance.command("status").stdout


def test_what_differs_is_named_and_repaired_under_load(juku, live, tmp_path):
    juku.run("""CREATE TABLE things (a text, b int, name text, size double precision,
                                     at interval, PRIMARY KEY (a, b));"""
             """INSERT INTO things SELECT '鍵''' || g % 7, g, 'thing ' || g, 0, '30 days'
                FROM generate_series(1, 30000) g""")
    with Instance(tmp_path / "project", juku) as instance:
        instance.start()
        instance.settle()
        instance.sync()
        unseen(juku, "things",
               "UPDATE things SET name = 'another' WHERE b = 10",
               # Equal to what is here, and not the same.
               "UPDATE things SET size = '-0' WHERE b = 11",
               "UPDATE things SET at = '1 month' WHERE b = 12",
               "UPDATE things SET name = NULL WHERE b = 13",
               "DELETE FROM things WHERE b IN (20, 21)",
               "INSERT INTO things VALUES ('新しい', 1, 'new', 'NaN', NULL)")
        # Of a table that the load leaves alone: an update that the stream does see mends a row.
        unseen(juku, "units", "UPDATE units SET name = '見えない' WHERE id = 7")
        instance.sync()
        expected = sorted([("different", ("鍵'3", "10")), ("different", ("鍵'4", "11")),
                           ("different", ("鍵'5", "12")), ("different", ("鍵'6", "13")),
                           ("extra", ("鍵'6", "20")), ("extra", ("鍵'0", "21")),
                           ("missing", ("新しい", "1"))])
        for arguments in (), ("app.things", "app.public.units"):
            results = reconcile(instance, *arguments, code=1)
            assert named(results["public.things"]) == expected
            assert named(results["public.units"]) == [("different", ("7",))]
            assert {source for source, result in results.items()
                    if result["outcome"] == "differs"} == {"public.things", "public.units"}
        shown = instance.command("status").stdout
        assert "DIFFER: " in shown and "public.things" in shown
        assert instance.query("SELECT count(*) FROM _biwa.differing_rows") == [[8]]
        seen = instance.command("reconcile", "app.things", timeout=120)
        assert seen.returncode == 1 and "1 missing, 2 extra, 4 different" in seen.stdout

        # Changes go on, and may be those of the rows that are repaired.
        stop = threading.Event()

        def write():
            while not stop.is_set():
                juku.run("UPDATE things SET name = name || '!' WHERE b IN (10, 11, 14)")
                time.sleep(0.02)

        writing = threading.Thread(target=write)
        writing.start()
        try:
            results = reconcile(instance, "--repair")
        finally:
            stop.set()
            writing.join()
        assert results["public.things"]["outcome"] in ("repaired", "equal")
        assert results["public.units"]["outcome"] == "repaired"
        assert named(results["public.units"]) == [("different", ("7",))]
        assert live.poll() is None, "the load ended by itself"
        live.terminate()
        live.wait(timeout=20)
        instance.sync()
        assert all(result["outcome"] == "equal" for result in reconcile(instance).values())
        for table in tables_of(juku):
            if table != "things":
                assert_same_table(juku, instance, table)
        assert instance.query(
            'SELECT b, name, CAST(size AS text), CAST("at" AS text) FROM app.things '
            "WHERE b IN (1, 11, 12, 13, 20, 21) ORDER BY b, name") == [
            [1, "new", "nan", None], [1, "thing 1", "0.0", "30 days"],
            [11, juku.value("SELECT name FROM things WHERE b = 11"), "-0.0", "30 days"],
            [12, "thing 12", "0.0", "1 month"], [13, None, "0.0", "30 days"]]
        assert instance.stop() == 0


def test_masked_values_are_compared_as_they_are_here(juku, tmp_path):
    with Instance(tmp_path / "project", juku) as instance:
        instance.write("secrets/masks.key", "this is the key of the test\n", 0o600)
        file = instance.folder / "streams" / "app.yaml"
        file.write_text(file.read_text() + "mask_key: ${file:secrets/masks.key}\n"
                        "masks: { students.family_name: hash, students.email: email }\n")
        instance.start()
        instance.settle()
        assert reconcile(instance, "app.students")["public.students"]["outcome"] == "equal"
        unseen(juku, "students", "UPDATE students SET family_name = '見えない' WHERE id = 7",
               "UPDATE students SET email = 'other@' || split_part(email, '@', 2) WHERE id = 8")
        instance.sync()
        result = reconcile(instance, "app.students", "--repair")["public.students"]
        assert result["outcome"] == "repaired" and named(result) == [("different", ("7",))]
        assert "見えない" not in str(instance.query("FROM app.students"))
        assert reconcile(instance, "app.students")["public.students"]["outcome"] == "equal"


def test_a_hashed_key_is_compared_while_it_rests_and_named_by_nothing(juku, tmp_path):
    juku.run("CREATE TABLE secret (id text PRIMARY KEY, n int);"
             "INSERT INTO secret SELECT 'pupil ' || g, g FROM generate_series(1, 2000) g")
    with Instance(tmp_path / "project", juku) as instance:
        instance.write("secrets/masks.key", "this is the key of the test\n", 0o600)
        file = instance.folder / "streams" / "app.yaml"
        file.write_text(file.read_text() + "mask_key: ${file:secrets/masks.key}\n"
                        "masks: { secret.id: hash }\n")
        instance.start()
        instance.settle()
        assert reconcile(instance, "app.secret")["public.secret"]["outcome"] == "equal"
        unseen(juku, "secret", "UPDATE secret SET n = -1 WHERE id = 'pupil 7'")
        instance.sync()
        # It is not called equal, and nothing is taken away or put in on a guess.
        done = instance.command("reconcile", "app.secret", "--repair", "--json", timeout=180)
        result = json.loads(done.stdout)[0]["tables"][0]
        assert done.returncode == 1, (done.stdout, done.stderr)
        assert result["outcome"] != "equal" and result["repaired"] == 0 and result["reason"], result
        assert instance.query("SELECT count(*), count(*) FILTER (n = -1) FROM app.secret") == [[2000, 0]]
        assert "pupil" not in done.stdout + done.stderr
        assert instance.command("stream", "recopy", "app", "secret").returncode == 0
        instance.settle()
        assert reconcile(instance, "app.secret")["public.secret"]["outcome"] == "equal"
        assert instance.stop() == 0


def test_tables_without_a_key_are_compared_as_a_whole(juku, tmp_path):
    juku.run("CREATE TABLE log (line text); ALTER TABLE log REPLICA IDENTITY FULL;"
             "INSERT INTO log SELECT g % 100 FROM generate_series(1, 5000) g;"
             "CREATE TABLE only_inserts (line text); INSERT INTO only_inserts VALUES ('a')")
    with Instance(tmp_path / "project", juku) as instance:
        instance.start()
        instance.settle()
        results = reconcile(instance, "app.log", "app.only_inserts")
        assert results["public.log"]["outcome"] == "equal"
        assert results["public.only_inserts"]["outcome"] == "not_comparable"
        unseen(juku, "log", "UPDATE log SET line = 'x' WHERE ctid = '(0,1)'")
        instance.sync()
        result = reconcile(instance, "app.log", code=1)["public.log"]
        assert result["outcome"] == "differs" and "recopy" in result["reason"]
        assert instance.command("stream", "recopy", "app", "log").returncode == 0
        instance.settle()
        assert reconcile(instance, "app.log")["public.log"]["outcome"] == "equal"


def test_keys_with_backslashes_are_the_same_whatever_the_database_is_set_to(database, instance):
    """Old applications have backslashes escape in all of their database's literals."""
    keys = ["a\\\\b", "a\\b", "c:\\new\\table", "it's", "\\"]
    database.run("CREATE TABLE files (path text PRIMARY KEY, n int)")
    for key in keys:
        database.run("INSERT INTO files VALUES ($biwa$" + key + "$biwa$, 1)")
    database.run(f"ALTER DATABASE {database.name} SET standard_conforming_strings = off")
    instance.start()
    instance.settle()
    unseen(database, "files", "UPDATE files SET n = 2")
    instance.sync()
    result = reconcile(instance, "app.files", "--repair")["public.files"]
    assert result["outcome"] == "repaired" and result["repaired"] == len(keys), result
    assert assert_same_table(database, instance, "files") == len(keys)


def test_it_is_done_on_a_schedule_and_mistakes_are_told(juku, tmp_path):
    with Instance(tmp_path / "project", juku) as instance:
        file = instance.folder / "streams" / "app.yaml"
        written = file.read_text()
        file.write_text(written + "reconcile: { every: 10s, repair: true }\n")
        instance.start()
        instance.settle()
        unseen(juku, "students", "UPDATE students SET family_name = '見えない' WHERE id = 7")

        def repaired():
            return any(result["outcome"] == "repaired"
                       for result in instance.stream()["reconciliation"]["results"])

        until = time.monotonic() + 60
        while not repaired() and time.monotonic() < until:
            time.sleep(0.2)
        assert repaired(), instance.stream()["reconciliation"]
        assert instance.value("SELECT family_name FROM app.students WHERE id = 7") == "見えない"

        for name, said in (("ap", 'Did you mean "app"?'),
                           ("app.answer", 'Did you mean "answers"?')):
            until = time.monotonic() + 30
            while (done := instance.command("reconcile", name)).returncode == 1 and \
                    "being compared already" in done.stderr and time.monotonic() < until:
                time.sleep(0.2)
            assert done.returncode == 1 and said in done.stderr, done.stderr
        assert instance.stop() == 0
        done = instance.command("reconcile")
        assert done.returncode == 1 and "not running" in done.stderr
        file.write_text(written + "reconcile: { every: 1s }\n")
        done = instance.command("validate")
        assert done.returncode == 1 and "app.yaml:6:21" in done.stderr + done.stdout, done.stderr


def test_what_cannot_be_compared_is_no_success(database, instance):
    database.run("CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1)")
    instance.start()
    instance.sync()
    # The warehouse does not tell it from the other, which was there first.
    database.run('CREATE TABLE "Users" (id int PRIMARY KEY)')
    wait_until(lambda: len(instance.stream()["tables"]) == 3, lambda: instance.stream(), 30)
    done = instance.command("reconcile", "app.users")
    assert done.returncode == 0 and "equal" in done.stdout, done.stdout + done.stderr
    done = instance.command("reconcile")
    assert done.returncode == 0 and "cannot be compared" in done.stdout and "equal" in done.stdout, done.stdout + done.stderr
    instance.stop()
    instance.write_stream(tables=("public.users", "public.later"))
    database.run("CREATE UNLOGGED TABLE later (id int PRIMARY KEY)")
    instance.start()
    wait_until(lambda: any(table["name"] == "later" for table in instance.stream()["tables"]), lambda: instance.stream(), 30)
    done = instance.command("reconcile", "app.later")
    assert done.returncode == 1 and "is unlogged" in done.stdout and "No table was compared." in done.stderr, done.stdout + done.stderr


def test_a_stream_that_is_paused_from_the_start_knows_its_tables(database, instance):
    database.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    instance.start()
    instance.sync()
    assert instance.command("stream", "pause", "app").returncode == 0
    instance.restart()
    instance.wait_state("paused")
    assert any(table["name"] == "t" for table in instance.stream()["tables"]), instance.stream()
    done = instance.command("stream", "recopy", "app", "t")
    assert done.returncode == 0, done.stderr
