"""A source that is not what it was: restored from a backup, a standby that took over, another server
in its place. What the warehouse has then may never have been, and must not be gone on from."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from harness.bastion import free_port
from harness.compare import assert_same_table
from harness.instance import Instance, make_marker
from harness.postgres import SCRIPT, PostgresServer
from harness.wait import wait_until


class Cluster(PostgresServer):
    """Whose files can be copied and put back while it stands still."""

    @property
    def data(self):
        return self.folder / "data"

    def halt(self):
        subprocess.run([SCRIPT, "stop", self.folder], check=True, capture_output=True, timeout=150)

    def go_on(self, settings=""):
        """On the same port."""
        done = subprocess.run([SCRIPT, "start", self.folder, str(self.port)], capture_output=True,
                              text=True, timeout=120, check=False,
                              env={**os.environ, "PG_SETTINGS":
                                   "fsync=off synchronous_commit=off " + settings})
        assert done.returncode == 0, done.stderr

    def copy_files(self, name):
        copy = self.folder.parent / (self.folder.name + "-" + name)
        subprocess.run(["cp", "-a", self.data, copy], check=True)
        return copy

    def put_back(self, copy):
        shutil.rmtree(self.data)
        copy.rename(self.data)

    def recover(self):
        """As a standby that is promoted, or what is restored from a backup: a timeline of its own
        from the end of the log that is there."""
        signal = self.data / "recovery.signal"
        signal.touch()
        shutil.chown(signal, self.data.owner(), self.data.group())
        self.go_on("restore_command=/bin/false")

        def is_over():
            with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT NOT pg_is_in_recovery()")
                return cursor.fetchone()[0]

        wait_until(is_over, "recovery to end", 30)


class Standby(Cluster):
    """Made of a copy of the primary's files; holds copies of its slots, which takes PostgreSQL 17."""

    def __init__(self, primary, copy):  # pylint: disable=super-init-not-called
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="biwa-test-pg-", dir="/tmp"))
        self.host, self.port = primary.host, free_port()
        self.user, self.password = primary.user, primary.password
        copy.rename(self.data)
        for slot in (self.data / "pg_replslot").iterdir():  # as pg_basebackup leaves them out
            shutil.rmtree(slot)
        shutil.copy(primary.folder / "password", self.folder / "password")
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.write(f"primary_conninfo = 'host={primary.host} port={primary.port} user={primary.user} "
                       f"password={primary.password} dbname=postgres'\nprimary_slot_name = 'standby'\n"
                       "hot_standby_feedback = on\nsync_replication_slots = on\n")
        (self.data / "standby.signal").touch()
        for file in (self.folder, self.data / "standby.signal"):
            shutil.chown(file, self.data.owner(), self.data.group())
        self.go_on()


@pytest.fixture
def cluster():
    made = Cluster(settings="fsync=off synchronous_commit=off")
    yield made
    made.stop()
    for copy in made.folder.parent.glob(made.folder.name + "-*"):
        shutil.rmtree(copy)


@pytest.fixture
def followed(cluster, tmp_path):
    database = PostgresServer.database(cluster)
    with database as database:
        make_marker(database)
        database.run("CREATE TABLE t (id int PRIMARY KEY, text text);"
                     "INSERT INTO t VALUES (1, 'one'), (2, 'two')")
        with Instance(tmp_path / "project", database) as instance:
            instance.start()
            instance.sync()
            yield cluster, database, instance


def forget_connection(database):
    database._connection.close()
    database._connection = None


def write_log(database, megabytes):
    for _ in range(megabytes):
        database.run("SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000))")


def recopy_when_lost(instance):
    assert instance.stop() == 0
    file = instance.folder / "streams" / "app.yaml"
    file.write_text(file.read_text() + "when_lost: recopy\n")
    instance.start()
    instance.settle()
    instance.sync()


def test_a_standby_that_has_all_takes_over_and_nothing_is_copied(followed):
    cluster, database, instance = followed
    forget_connection(database)
    cluster.halt()
    cluster.recover()
    assert database.value("SELECT timeline_id FROM pg_control_checkpoint()") == 2
    database.run("INSERT INTO t VALUES (3, 'three')")
    instance.sync()
    assert assert_same_table(database, instance, "t") == 3
    assert "copied anew" not in instance.log()
    # And once more, with a start in between.
    assert instance.stop() == 0
    forget_connection(database)
    cluster.halt()
    cluster.recover()
    database.run("DELETE FROM t WHERE id = 1")
    instance.start()
    instance.sync()
    assert assert_same_table(database, instance, "t") == 2
    assert "copied anew" not in instance.log()


def test_a_standby_takes_over_with_the_slot(followed):
    cluster, database, instance = followed
    if int(database.value("SHOW server_version_num")) < 170_000:
        pytest.skip("standbys have slots from PostgreSQL 17 on")
    database.run("SELECT pg_create_physical_replication_slot('standby')")
    forget_connection(database)
    assert instance.stop() == 0
    cluster.halt()
    copy = cluster.copy_files("standby")
    cluster.go_on()
    standby = Standby(cluster, copy)
    try:
        instance.write("connections/app_db.yaml", instance.connection_file()
                       .replace("host: 127.0.0.1", "host: 127.0.0.1,127.0.0.1")
                       .replace(f"port: {cluster.port}", f"port: {cluster.port},{standby.port}"))
        instance.start()
        database.run("INSERT INTO t VALUES (3, 'three')")
        instance.sync()

        def has_slot():
            # A copy is of use once the slot has moved past the log that the standby began with.
            database.run("INSERT INTO t VALUES (0, 'moves'); DELETE FROM t WHERE id = 0; CHECKPOINT")
            with contextlib.closing(standby.connect()) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT slot_name FROM pg_replication_slots WHERE failover AND synced "
                               "AND NOT temporary AND invalidation_reason IS NULL")
                return cursor.fetchall() == [("biwa_app",)]

        wait_until(has_slot, lambda: (standby.folder / "server.log").read_text()[-3000:], 60)
        forget_connection(database)
        cluster.halt()
        with contextlib.closing(standby.connect()) as connection:
            connection.cursor().execute("SELECT pg_promote()")
        database.server = standby
        database.run("INSERT INTO t VALUES (4, 'four'); DELETE FROM t WHERE id = 1")
        instance.sync()
        assert assert_same_table(database, instance, "t") == 3
        assert "copied anew" not in instance.log()
        assert instance.stop() == 0
        database.drop_slots()
        forget_connection(database)
    finally:
        standby.stop()
        database.server = cluster
        cluster.go_on()


@pytest.mark.parametrize("while_it_runs", [True, False])
def test_a_source_that_was_restored_is_never_gone_on_from(followed, while_it_runs):
    """The slot is in the backup, and by the time that it is read the log is longer than before."""
    cluster, database, instance = followed
    forget_connection(database)
    cluster.halt()
    backup = cluster.copy_files("backup")
    cluster.go_on()
    database.run("UPDATE t SET text = 'never was' WHERE id = 1; INSERT INTO t VALUES (3, 'nor this')")
    instance.sync()
    if not while_it_runs:
        assert instance.stop() == 0
    forget_connection(database)
    cluster.halt()
    cluster.put_back(backup)
    # Not a moment without its new log, or it is the end of the log that tells.
    if while_it_runs:
        instance.process.send_signal(19)  # SIGSTOP
    cluster.recover()
    write_log(database, 20)
    if while_it_runs:
        instance.process.send_signal(18)  # SIGCONT
    else:
        instance.start()
    stream = instance.wait_state("failed")
    assert "timeline 2 and has left timeline 1" in stream["error"]["message"], stream["error"]
    assert "when_lost: recopy" in stream["error"]["hint"]
    # What is there can still be read.
    assert instance.value("SELECT count(*) FROM app.t") == 3
    recopy_when_lost(instance)
    assert assert_same_table(database, instance, "t") == 2
    database.run("INSERT INTO t VALUES (9, 'nine')")
    instance.sync()
    assert assert_same_table(database, instance, "t") == 3


def test_another_server_in_its_place_is_found_out(followed):
    cluster, database, instance = followed
    assert instance.stop() == 0
    forget_connection(database)
    cluster.halt()
    shutil.rmtree(cluster.data)
    cluster.go_on()
    database.create()
    make_marker(database)
    database.run("CREATE TABLE t (id int PRIMARY KEY, text text); INSERT INTO t VALUES (7, 'seven')")
    write_log(database, 30)
    # As somebody may who wants it to go on.
    database.run("CREATE PUBLICATION biwa_app FOR TABLE ONLY t, ONLY biwa_test_marker;"
                 "CREATE PUBLICATION biwa_app_inserts WITH (publish = 'insert, truncate')")
    database.run("SELECT pg_create_logical_replication_slot('biwa_app', 'pgoutput')")
    instance.start()
    stream = instance.wait_state("failed")
    assert "the server is another one than before" in stream["error"]["message"], stream["error"]
    assert instance.value("SELECT count(*) FROM app.t") == 2
    recopy_when_lost(instance)
    assert assert_same_table(database, instance, "t") == 1
