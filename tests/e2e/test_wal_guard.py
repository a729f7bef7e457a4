"""The source's disk: what is kept there for a stream that does not get on."""
import pytest

from harness.compare import assert_same_table
from harness.wait import wait_until

SLOTS = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'biwa_app'"


@pytest.fixture
def guarded(database, instance):
    instance.write("streams/app.yaml", "connection: app_db\ndataset: app\ntables: public.*\n"
                   "wal_guard: { warn: 20MB, stop: 60MB, drop_slot: true }\nmasks: { t.memo: null }\n")
    database.run("CREATE TABLE t (id int PRIMARY KEY, n int, memo text);"
                 "INSERT INTO t VALUES (1, 1), (2, 2)")
    instance.start()
    instance.sync()
    return database, instance


def fail(database, instance):
    """A masked column that is renamed stops the stream."""
    database.run("ALTER TABLE t RENAME memo TO note; INSERT INTO t VALUES (9, 9)")
    instance.wait_state("failed")


def mend(database):
    database.run("DELETE FROM t WHERE id = 9; ALTER TABLE t RENAME note TO memo")


def write_log(database, megabytes):
    """Log that no stream needs, and that is kept with what one needs."""
    for _ in range(megabytes):
        database.run("SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000))")


def assert_given_up(instance):
    stream = instance.wait_state("failed", 30)
    wait_until(lambda: "its slot was dropped" in instance.stream()["error"]["message"],
               lambda: instance.stream()["error"], 20)
    stream = instance.stream()
    assert "more than wal_guard.stop (60.0 MB)" in stream["error"]["message"]
    assert "`biwa stream resume` it: the tables are copied anew" in stream["error"]["hint"]
    assert stream["warning"] is None
    assert "its slot was dropped" in instance.log()


def assert_begins_anew(database, instance):
    database.run("UPDATE t SET n = n + 10; INSERT INTO t VALUES (3, 3)")
    assert instance.command("stream", "resume", "app").returncode == 0
    instance.sync()
    assert database.value(SLOTS) == 1
    assert assert_same_table(database, instance, "t") == 3
    database.run("DELETE FROM t WHERE id = 1")
    instance.sync()
    assert assert_same_table(database, instance, "t") == 2


def test_a_stream_that_failed_is_warned_of_and_then_given_up(guarded):
    database, instance = guarded
    fail(database, instance)
    write_log(database, 25)
    warning = wait_until(lambda: instance.stream()["warning"], "the warning", 20)
    assert "more than wal_guard.warn (20.0 MB)" in warning
    assert "At 60.0 MB the stream is given up" in warning
    assert "warning: the source keeps" in instance.command("status").stdout
    assert database.value(SLOTS) == 1
    write_log(database, 45)
    assert_given_up(instance)
    assert database.value(SLOTS) == 0
    # What was there can still be read.
    assert instance.query("SELECT id, n FROM app.t ORDER BY id") == [[1, 1], [2, 2]]
    mend(database)
    assert_begins_anew(database, instance)


def test_a_stream_that_runs_is_given_up_too(guarded):
    """A transaction that stays open holds the log, though the stream follows."""
    database, instance = guarded
    with database.server.connect(database.name) as other:
        other.autocommit = False
        other.cursor().execute("INSERT INTO t VALUES (4, 4)")
        write_log(database, 70)
        assert_given_up(instance)
        wait_until(lambda: database.value(SLOTS) == 0, "the slot to be dropped", 20)
        other.rollback()
    assert_begins_anew(database, instance)


def test_killed_when_it_had_given_up_but_not_dropped_the_slot(guarded):
    """As after a crash in between: the state is gone from the warehouse, the slot is there."""
    database, instance = guarded
    fail(database, instance)
    # It is held up when it drops the publication; the slot is put back as if that had come first.
    with database.server.connect(database.name) as other:
        other.autocommit = False
        other.cursor().execute("LOCK TABLE pg_catalog.pg_publication IN ACCESS EXCLUSIVE MODE")
        write_log(database, 70)
        wait_until(lambda: database.value(SLOTS) == 0, "the slot to be dropped", 30)
        instance.kill()
        other.rollback()
    mend(database)
    database.run("SELECT pg_create_logical_replication_slot('biwa_app', 'pgoutput')")
    instance.start()
    instance.sync()
    assert_same_table(database, instance, "t")


def test_without_stop_nothing_is_given_up(database, instance):
    instance.write("streams/app.yaml", "connection: app_db\ndataset: app\ntables: public.*\n"
                   "wal_guard: { warn: 1MB }\n")
    database.run("CREATE TABLE t (id int PRIMARY KEY, n int)")
    instance.start()
    instance.sync()
    with database.server.connect(database.name) as other:
        other.autocommit = False
        other.cursor().execute("INSERT INTO t VALUES (4, 4)")
        write_log(database, 70)
        wait_until(lambda: instance.stream()["warning"], "the warning", 20)
        assert instance.stream()["state"] == "streaming"
        other.rollback()
    instance.sync()
    # The log goes once the stream is past it and the server has written a checkpoint.
    def is_well():
        database.run("CHECKPOINT")
        instance.sync()
        return instance.stream()["warning"] is None

    wait_until(is_well, lambda: instance.stream(), 60, every=1)
    assert database.value(SLOTS) == 1
