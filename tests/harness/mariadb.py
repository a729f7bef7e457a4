"""A private MariaDB, made by scripts/mariadb, databases in it, and instances that follow them."""
import contextlib
import itertools
import pathlib
import shutil
import subprocess
import tempfile
import weakref

import pymysql

from harness.instance import MARKER, Instance
from harness.paths import ROOT

servers = weakref.WeakSet()


class MariaDbServer:
    """Owned by whoever made it: stop() ends it and removes its folder."""

    script = ROOT / "scripts" / "mariadb"
    kind = "mariadb"
    durability = ("--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0")

    def __init__(self, *options):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="biwa-test-my-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.options = (*self.durability, *options)
        self._log_read = 0
        self.start(*self.options)
        self._numbers = itertools.count(1)
        servers.add(self)

    def start(self, *options):
        started = subprocess.run([self.script, "start", self.folder / "server", *options],
                                 capture_output=True, text=True, timeout=120, check=False)
        if started.returncode != 0:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise RuntimeError(started.stderr)
        words = started.stdout.removeprefix("export ").split()
        found = dict(word.split("=", 1) for word in words)
        self.socket, port, self.user, self.password = (
            found[f"{self.kind.upper()}_{name}"] for name in ("SOCKET", "PORT", "USER", "PASSWORD"))
        self.port = int(port)

    def stop(self):
        subprocess.run([self.script, "stop", self.folder / "server"], capture_output=True, timeout=150,
                       check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, database=None, **more):
        return pymysql.connect(unix_socket=self.socket, user=self.user, password=self.password,
                               database=database, autocommit=True, charset="utf8mb4",
                               client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS, **more)

    def revive(self):
        """Whether it had died: MariaDB 10.11 now and then falls over a client that was killed while
        it copied, after the test that killed it. The next one shall not pay for that."""
        try:
            self.connect().close()
            return False
        except pymysql.err.OperationalError as error:
            print(f"mariadbd does not answer, and is started anew: {error}")
            self.start(*self.options)
            return True

    def crash(self):
        """What the server said when it fell over by itself since the last look, or None: a test that fails by that
        has found nothing of ours (10.11 does so now and then)."""
        try:
            log = (self.folder / "server/server.log").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        at = log.find(" got signal ", self._log_read)
        self._log_read = len(log)
        return None if at < 0 else log[max(0, at - 300):at + 3000]

    def make_database(self, name):
        return MariaDb(self, name)

    @contextlib.contextmanager
    def database(self, prefix="test"):
        self.revive()
        database = self.make_database(f"{prefix}_{next(self._numbers)}")
        try:
            yield database
        finally:
            if not self.revive():
                database.drop()


class MariaDb:
    def __init__(self, server, name, is_there=False):
        self.server = server
        self.name = name
        if is_there:
            self.connection = self.connect()
            return
        with contextlib.closing(server.connect()) as connection:
            connection.cursor().execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        self.connection = self.connect()
        self.run(f"CREATE TABLE {MARKER} (id int PRIMARY KEY, number bigint NOT NULL);"
                 f"INSERT INTO {MARKER} VALUES (1, 0)")

    def connect(self):
        return self.server.connect(self.name)

    def run(self, sql, connection=None):
        """The rows of the last statement of `sql`; each is a transaction of its own."""
        with (connection or self.connection).cursor() as cursor:
            cursor.execute(sql)
            rows = cursor.fetchall()
            while cursor.nextset():
                rows = cursor.fetchall()
            return [list(row) for row in rows]

    def value(self, sql):
        return self.run(sql)[0][0]

    def advance_marker(self):
        self.run(f"UPDATE {MARKER} SET number = number + 1")
        return self.value(f"SELECT number FROM {MARKER}")

    def drop(self):
        self.connection.close()
        with contextlib.closing(self.server.connect()) as connection:
            connection.cursor().execute(f"DROP DATABASE `{self.name}`")


class MariaDbInstance(Instance):
    """`settings` are more lines of the connection's file."""

    def __init__(self, folder, database, tables=None, exclude=(), settings=""):
        self.settings = settings
        super().__init__(folder, database, tables or (f"{database.name}.*",), exclude)

    def connection_file(self):
        server = self.database.server
        return f"""\
            kind: {server.kind}
            socket: {server.socket}
            database: "{self.database.name}"
            user: {server.user}
            password: ${{file:secrets/app.password}}
            {self.settings}
            """

    def texts(self, table):
        """Every value of a table as text, in the order of its first column."""
        columns = [name for name, in self.query(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'app' AND "
            f"table_name = '{table}' ORDER BY ordinal_position")]
        values = ", ".join(f'CAST("{name}" AS text)' for name in columns)
        return columns, self.query(f"SELECT {values} FROM app.\"{table}\" ORDER BY 1")


def assert_same_table(database, instance, table, columns, key="id"):
    """The values of these columns, which both engines write alike; returns how many rows."""
    names = ", ".join(columns)
    theirs = [["" if value is None else str(value) for value in row] for row in
              database.run(f"SELECT {names} FROM {table} ORDER BY {key}")]
    with instance.csv_rows(f"SELECT {names} FROM app.{table} ORDER BY {key}") as rows:
        ours = list(rows)
    assert len(ours) == len(theirs), (table, len(ours), len(theirs))
    for here, there in zip(ours, theirs):
        assert here == there, f"{table}: {here} here, {there} at the source"
    return len(ours)
