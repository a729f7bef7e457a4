"""What an operator does to a running stream: tables copied anew under load, with kills in between;
pausing and resuming; a slot that is lost."""
import os
import random
import time

import pytest

import harness.juku
from harness.compare import assert_same_table, tables_of
from harness.instance import Instance
from harness.wait import wait_until

SEED = int(os.environ.get("BIWA_SEED", str(time.time_ns() % 1_000_000)))


@pytest.fixture
def juku(server):
    with harness.juku.loaded(server, 200_000) as made:
        yield made


@pytest.fixture
def live(juku):
    with harness.juku.under_load(juku, 1000) as process:
        yield process


def stop_load(live):
    live.terminate()
    live.wait(timeout=20)


def table_state(instance, name):
    return next(table for table in instance.stream()["tables"] if table["name"] == name)["state"]


def slots(database):
    return {slot for slot, in database.run("SELECT slot_name FROM pg_replication_slots WHERE "
                                           f"database = '{database.name}'")}


def assert_equal(database, instance):
    for table in tables_of(database):
        assert_same_table(database, instance, table)


def test_a_table_is_copied_anew_under_load_and_kills_and_readers_never_miss_it(juku, live, tmp_path):
    chance = random.Random(SEED)
    print(f"BIWA_SEED={SEED}")
    with Instance(tmp_path / "project", juku) as instance:
        slow = {"BIWA_SNAPSHOT_SLICE_MS": "20"}
        instance.start(env=slow)
        instance.sync()
        rows = instance.value("SELECT count(*) FROM app.answers")
        kills = 0
        for _ in range(3):
            done = instance.command("stream", "recopy", "app", "answers", "study_sessions")
            assert done.returncode == 0, done.stderr
            for _ in range(2):
                time.sleep(chance.uniform(0, 0.4))
                seen = instance.value("SELECT count(*) FROM app.answers")
                assert seen >= rows * 0.9, "readers see the table whole, old or new"
                instance.kill()
                kills += 1
                instance.start(env=slow)
            instance.settle()
        assert live.poll() is None, "the load ended by itself"
        stop_load(live)
        instance.settle()
        instance.sync()
        assert_equal(juku, instance)
        assert "was copied and is followed from" in instance.log()
        # Nothing is left of the second line.
        wait_until(lambda: slots(juku) == {"biwa_app"}, lambda: slots(juku), 20)
        assert instance.query("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE "
                              "'\\_biwa\\_beside%' ESCAPE '\\'") == []
        assert instance.stop() == 0


def test_tables_and_streams_are_paused_and_resumed(juku, live, tmp_path):
    with Instance(tmp_path / "project", juku) as instance:
        instance.start()
        instance.sync()
        assert instance.command("stream", "pause", "app", "answers").returncode == 0
        assert table_state(instance, "answers") == "paused"
        instance.sync()
        stood = instance.value("SELECT count(*) FROM app.answers")
        instance.restart()
        instance.sync()
        assert instance.value("SELECT count(*) FROM app.answers") == stood
        assert instance.command("stream", "resume", "app", "answers").returncode == 0

        instance.settle()
        assert instance.command("stream", "pause", "app").returncode == 0
        instance.wait_state("paused")
        at = instance.stream()["position"]
        # A paused stream keeps its place over a restart, and asks nothing of the source.
        assert instance.stop() == 0
        instance.start()
        instance.wait_state("paused")
        time.sleep(0.5)
        assert instance.stream()["position"] == at
        assert instance.command("stream", "resume", "app").returncode == 0
        stop_load(live)
        instance.sync()
        assert_equal(juku, instance)

        for arguments, said in ((("recopy", "app", "answer"), 'Did you mean "answers"?'),
                                (("recopy", "ap"), 'Did you mean "app"?'),):
            done = instance.command("stream", *arguments)
            assert done.returncode == 1 and said in done.stderr, done.stderr
        assert instance.command("stream", "stop", "app").returncode == 64
        assert instance.stop() == 0
        done = instance.command("stream", "pause", "app")
        assert done.returncode == 1 and "not running" in done.stderr


def test_a_stream_that_is_removed_takes_away_what_it_made_and_nothing_else(database, instance):
    database.run("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE notes (body text);"
                 "CREATE PUBLICATION mine FOR TABLE t; CREATE PUBLICATION biwa_application FOR ALL TABLES")
    database.run("SELECT pg_create_logical_replication_slot('mine', 'pgoutput')")
    made = "SELECT pubname FROM pg_publication UNION ALL SELECT slot_name FROM pg_replication_slots WHERE " \
           "database = current_database() ORDER BY 1"
    theirs = database.run(made)
    tables = database.run("SELECT oid, relreplident, relacl FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    instance.start()
    instance.sync()
    assert len(database.run(made)) == len(theirs) + 3
    (instance.folder / "streams/app.yaml").unlink()
    done = instance.command("plan")
    assert done.returncode == 0 and "its slot are dropped" in done.stdout, done.stdout + done.stderr
    assert instance.command("apply", "--yes").returncode == 0
    assert database.run(made) == theirs
    assert tables == database.run(
        "SELECT oid, relreplident, relacl FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    assert instance.stop() == 0


@pytest.mark.parametrize("how", ["slot dropped", "slot made anew"])
def test_lost_changes_are_never_passed_over(juku, tmp_path, how):
    with Instance(tmp_path / "project", juku) as instance:
        instance.start()
        instance.sync()
        assert instance.stop() == 0
        juku.run("SELECT pg_drop_replication_slot('biwa_app')")
        juku.run("UPDATE students SET family_name = '失われた' WHERE id = 1")
        if how == "slot made anew":
            juku.run("SELECT pg_create_logical_replication_slot('biwa_app', 'pgoutput')")
        instance.start()
        stream = instance.wait_state("failed")
        assert "biwa_app" in stream["error"]["message"] and "recopy" in stream["error"]["hint"]
        # What is there stays readable.
        assert instance.value("SELECT count(*) FROM app.answers") == 200_000
        assert instance.stop() == 0

        file = instance.folder / "streams" / "app.yaml"
        file.write_text(file.read_text() + "when_lost: recopy\n")
        instance.start()
        instance.settle()
        instance.sync()
        assert instance.value("SELECT family_name FROM app.students WHERE id = 1") == "失われた"
        assert_equal(juku, instance)
        assert instance.stop() == 0


def test_readers_see_the_tables_though_it_is_killed_while_it_begins_again(juku, tmp_path):
    with Instance(tmp_path / "project", juku) as instance:
        file = instance.folder / "streams" / "app.yaml"
        file.write_text(file.read_text() + "when_lost: recopy\n")
        instance.start()
        instance.sync()
        assert instance.stop() == 0
        juku.run("SELECT pg_drop_replication_slot('biwa_app')")
        # To make a slot waits for the transactions that are open.
        with juku.server.connect(juku.name) as other:
            other.autocommit = False
            other.cursor().execute("SELECT pg_current_xact_id()")
            for _ in range(2):
                instance.start()
                wait_until(lambda: juku.value("SELECT count(*) FROM pg_stat_activity WHERE "
                                              "query LIKE 'CREATE_REPLICATION_SLOT%'"),
                           instance.log, 20)
                assert instance.value("SELECT count(*) FROM app.answers") == 200_000
                instance.kill()
            instance.start()
            other.rollback()
        for _ in range(20):
            assert instance.value("SELECT count(*) FROM app.answers") == 200_000
            time.sleep(0.05)
        instance.settle()
        instance.sync()
        assert_equal(juku, instance)
        assert instance.stop() == 0
