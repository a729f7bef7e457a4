"""Copies read at a standby; and a database that is idle while its server is not."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

import pytest

from harness.bastion import free_port
from harness.compare import assert_same_table
from harness.instance import Instance, make_marker
from harness.postgres import PostgresServer
from harness.wait import wait_until

BIN = pathlib.Path("/usr/lib/postgresql/15/bin")


def as_server(*command):
    lent = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    done = subprocess.run([*lent, *command], capture_output=True, text=True, check=False, cwd="/",
                          stdin=subprocess.DEVNULL, timeout=120)
    assert done.returncode == 0, (command, done.stdout + done.stderr)


class Standby(PostgresServer):
    def __init__(self, primary):  # pylint: disable=super-init-not-called
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="biwa-test-pg-", dir="/tmp"))
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
        self.host, self.port = primary.host, free_port()
        self.user, self.password = primary.user, primary.password
        self.data = self.folder / "data"
        as_server(BIN / "pg_basebackup", "-D", self.data, "-R", "-c", "fast", "-d",
                  f"host={primary.host} port={primary.port} user={primary.user} "
                  f"password={primary.password}")
        as_server(BIN / "pg_ctl", "start", "-w", "-D", self.data, "-l", self.folder / "log", "-o",
                  f"-p {self.port} -k {self.folder} -c hot_standby_feedback=on")

    def stop(self):
        as_server(BIN / "pg_ctl", "stop", "-m", "immediate", "-D", self.data)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def primary():
    server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def standby(primary):
    server = Standby(primary)
    yield server
    server.stop()


@pytest.fixture
def database(primary):
    with primary.database() as made:
        make_marker(made)
        yield made


def connection(instance, **settings):
    more = "".join(f"{name}: '{value}'\n" for name, value in settings.items())
    instance.write("connections/app_db.yaml", "\n".join(
        line.strip() for line in instance.connection_file().splitlines()
        if not any(line.strip().startswith(f"{name}:") for name in settings)) + "\n" + more)


def test_a_copy_from_a_standby_is_exact_under_load_and_kills(database, standby, tmp_path):
    database.run("CREATE TABLE answers (id int PRIMARY KEY, mark int, remark text); "
                 "INSERT INTO answers SELECT i, i, repeat('r', 100) "
                 "FROM generate_series(1, 300000) i; "
                 "CREATE TABLE notes (text text); INSERT INTO notes VALUES ('n')")
    stop = threading.Event()
    loading = type(database)(database.server, database.name)

    def load():
        at = 0
        while not stop.is_set():
            at += 1
            loading.run(f"UPDATE answers SET mark = mark + 1 WHERE id % 997 = {at % 997};"
                        f"DELETE FROM answers WHERE id % 1009 = {at % 1009};"
                        f"INSERT INTO answers SELECT 400000 + {at} * 100 + i, i, 'new' "
                        "FROM generate_series(1, 100) i")
            time.sleep(0.02)

    with Instance(tmp_path / "project", database) as instance:
        connection(instance, snapshot_from=f"{standby.host}:{standby.port}")
        thread = threading.Thread(target=load)
        thread.start()
        there = standby.connect(database.name)
        read_there = False
        try:
            slow = {"BIWA_SNAPSHOT_SLICE_MS": "20"}
            instance.start(env=slow)
            for _ in range(3):
                for _ in range(150):
                    with there.cursor() as cursor:
                        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE "
                                       "application_name = 'biwa' AND xact_start IS NOT NULL")
                        read_there = read_there or cursor.fetchone()[0] > 0
                    time.sleep(0.01)
                instance.kill()
                instance.start(env=slow)
            instance.settle()
            assert instance.command("stream", "recopy", "app", "answers").returncode == 0
            instance.settle()
        finally:
            stop.set()
            thread.join()
            there.close()
            loading.connection.close()
        assert read_there
        instance.sync()
        assert assert_same_table(database, instance, "answers") > 200000
        done = instance.command("reconcile", "app.answers")
        assert done.returncode == 0, done.stdout + done.stderr
        notes = next(table for table in instance.stream()["tables"] if table["name"] == "notes")
        assert notes["state"] == "refused" and "cannot be read from the standby" in notes["notes"][0]
        assert instance.stop() == 0


def test_what_is_no_standby_of_the_server_is_refused(database, standby, server, tmp_path):
    with Instance(tmp_path / "project", database) as instance:
        for port, said in ((database.server.port, "snapshot_from is no standby"),
                           (server.port, "snapshot_from"),
                           (free_port(), "snapshot_from")):
            connection(instance, snapshot_from=f"127.0.0.1:{port}")
            done = instance.command("up", "--listen", "127.0.0.1:0", timeout=60)
            assert done.returncode == 1 and said in done.stderr, done.stderr
            done = instance.command("doctor")
            assert done.returncode == 1 and said in done.stderr, done.stderr
        connection(instance, snapshot_from=f"127.0.0.1:{standby.port}")
        done = instance.command("doctor")
        assert "has replayed what the primary wrote" in done.stderr, done.stderr


def test_of_several_hosts_the_primary_is_followed(database, standby, tmp_path):
    with Instance(tmp_path / "project", database) as instance:
        connection(instance, host="127.0.0.1,127.0.0.1",
                   port=f"{standby.port},{database.server.port}")
        instance.start()
        instance.sync()
        assert instance.stop() == 0
        connection(instance, port=standby.port, target_session_attrs="primary")
        database.run("CREATE TABLE more (id int PRIMARY KEY)")
        instance.write_stream(["public.*"], ["public.nothing"])
        done = instance.command("up", "--listen", "127.0.0.1:0", timeout=60)
        assert done.returncode == 1 and "target_session_attrs" in done.stderr, done.stderr


def test_an_idle_database_keeps_no_log_while_others_are_busy(database, primary, tmp_path):
    """A heartbeat: the server says how far it is, and is told that nothing of that is needed."""
    with Instance(tmp_path / "project", database) as instance, primary.database("busy") as busy:
        instance.start()
        instance.sync()
        start = database.value("SELECT pg_current_wal_insert_lsn()")
        busy.run("CREATE TABLE t AS SELECT i, repeat('x', 100) FROM generate_series(1, 300000) i")
        end = database.value("SELECT pg_current_wal_insert_lsn()")
        assert database.value(f"SELECT '{end}'::pg_lsn - '{start}'::pg_lsn") > 30_000_000

        def passed():
            database.run("CHECKPOINT")
            return database.value("SELECT restart_lsn > '" + end + "' AND confirmed_flush_lsn > '"
                                  + end + "' FROM pg_replication_slots "
                                  "WHERE slot_name = 'biwa_app'")

        wait_until(passed, lambda: database.run("SELECT restart_lsn, confirmed_flush_lsn "
                                                "FROM pg_replication_slots"), 60, every=0.5)
        wait_until(lambda: instance.stream()["retained_bytes"] < 1_000_000,
                   lambda: instance.stream()["retained_bytes"], 20)
        assert instance.stop() == 0
