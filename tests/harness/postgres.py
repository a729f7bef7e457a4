"""A private PostgreSQL, made by scripts/postgres, and databases in it."""
import contextlib
import itertools
import os
import pathlib
import shutil
import subprocess
import tempfile
import urllib.parse

import psycopg2
import psycopg2.sql

from harness.paths import ROOT
from harness.wait import wait_until

SCRIPT = ROOT / "scripts" / "postgres"


class PostgresServer:
    """Owned by whoever made it: stop() ends it and removes its folder."""

    def __init__(self, settings="fsync=off synchronous_commit=off", within="/tmp"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="biwa-test-pg-", dir=within))
        self.settings = settings
        started = self._start()
        if started.returncode != 0:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise RuntimeError(started.stderr)
        words = started.stdout.removeprefix("export ").split()
        found = dict(word.split("=", 1) for word in words)
        self.host, self.port = found["PGHOST"], int(found["PGPORT"])
        self.user, self.password = found["PGUSER"], found["PGPASSWORD"]
        self._numbers = itertools.count(1)

    def _start(self):
        return subprocess.run([SCRIPT, "start", self.folder],
                              env={**os.environ, "PG_SETTINGS": self.settings},
                              capture_output=True, text=True, timeout=120, check=False)

    def is_running(self):
        return subprocess.run([SCRIPT, "status", self.folder], capture_output=True, timeout=30,
                              check=False).returncode == 0

    def restart(self, mode):
        """`mode`: "fast", or "immediate", which is as a crash."""
        subprocess.run([SCRIPT, "stop", self.folder], check=False, capture_output=True, timeout=150,
                       env={**os.environ, "PG_STOP_MODE": mode})
        started = self._start()
        assert started.returncode == 0, started.stderr

    def use_tls(self):
        """From now on it can: with a certificate that it has signed itself."""
        key, certificate = self.folder / "tls.key", self.folder / "tls.crt"
        subprocess.run(["openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-subj",
                        "/CN=localhost", "-newkey", "rsa:2048", "-keyout", key, "-out", certificate],
                       check=True, capture_output=True)
        for file in (key, certificate):
            file.chmod(0o600)
            if os.geteuid() == 0:
                shutil.chown(file, "postgres")
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            for setting in (f"ssl_key_file = '{key}'", f"ssl_cert_file = '{certificate}'", "ssl = on"):
                cursor.execute(f"ALTER SYSTEM SET {setting}")
            cursor.execute("SELECT pg_reload_conf()")

    def stop(self):
        subprocess.run([SCRIPT, "stop", self.folder], capture_output=True, timeout=150, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, database="postgres"):
        connection = psycopg2.connect(host=self.host, port=self.port, user=self.user,
                                      password=self.password, dbname=database, connect_timeout=10)
        connection.autocommit = True
        return connection

    @contextlib.contextmanager
    def database(self, prefix="test"):
        """A fresh database; afterwards it is dropped, and its replication slots with it."""
        database = Database(self, f"{prefix}_{next(self._numbers)}")
        database.create()
        try:
            yield database
        finally:
            database.drop()


class Database:
    def __init__(self, server, name):
        self.server = server
        self.name = name
        self._connection = None

    @property
    def url(self):
        return (f"postgres://{self.server.user}:{self.server.password}"
                f"@{self.server.host}:{self.server.port}/{urllib.parse.quote(self.name)}")

    @property
    def connection(self):
        if self._connection is None:
            self._connection = self.server.connect(self.name)
        return self._connection

    def run(self, sql):
        """All of `sql` in one transaction, unless it says BEGIN and COMMIT itself."""
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else None

    def value(self, sql):
        return self.run(sql)[0][0]

    def advance_marker(self):
        return self.value("UPDATE biwa_test_marker SET number = number + 1 RETURNING number")

    def create(self):
        _on_server(self.server, psycopg2.sql.SQL("CREATE DATABASE {}").format(
            psycopg2.sql.Identifier(self.name)))

    def drop_slots(self):
        slots = ("SELECT slot_name, active_pid FROM pg_replication_slots "
                 f"WHERE database = '{self.name}'")
        for _, pid in self.run(slots):
            if pid:
                self.run(f"SELECT pg_terminate_backend({pid})")
        for slot, _ in self.run(slots):
            wait_until(lambda: not self.run(
                f"SELECT 1 FROM pg_replication_slots WHERE active AND slot_name = '{slot}'"),
                f"slot {slot} to be let go", 20)
            # One that its own process was just dropping may be gone by now.
            self.run("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE "
                     f"slot_name = '{slot}'")

    def drop(self):
        self.drop_slots()
        self._connection.close()
        self._connection = None
        _on_server(self.server, psycopg2.sql.SQL("DROP DATABASE {} WITH (FORCE)").format(
            psycopg2.sql.Identifier(self.name)))


def _on_server(server, statement):
    with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
