"""The network between Biwa and a MariaDB, or a MySQL where there is one: a bit that goes wrong, a connection that has gone silent, TLS.

BIWA_LONG=1 does more of it; BIWA_SEED repeats a run."""
import contextlib
import os
import random
import threading
import time

import pytest

from harness.certificates import certificates
from harness.mariadb import MariaDbInstance, MariaDbServer, assert_same_table
from harness.mysql import MySqlServer
from harness.proxy import Proxy
from harness.wait import wait_until

LONG = os.environ.get("BIWA_LONG") == "1"
SEED = int(os.environ.get("BIWA_SEED", str(time.time_ns() % 1_000_000)))


SERVERS = {"params": [MariaDbServer, MySqlServer], "ids": ["mariadb", "mysql"]}


@pytest.fixture(scope="module", **SERVERS)
def maria(request):
    server = request.param()
    yield server
    server.stop()


@pytest.fixture
def path(maria, tmp_path):
    with maria.database() as database, Proxy("127.0.0.1", maria.port) as proxy, \
            MariaDbInstance(tmp_path / "project", database, settings="ssl_mode: disable") as instance:
        database.run("CREATE TABLE t (id int PRIMARY KEY, n int, note varchar(40));"
                     "INSERT INTO t SELECT seq, seq, concat('row ', seq) FROM seq_1_to_5000")
        file = instance.connection_file().replace(f"socket: {maria.socket}",
                                                  f"host: 127.0.0.1\n            port: {proxy.port}")
        instance.write("connections/app_db.yaml", file)
        yield database, proxy, instance


@contextlib.contextmanager
def load(database):
    """Transactions of several rows, until the end."""
    ends = threading.Event()

    def write():
        with contextlib.closing(database.server.connect(database.name)) as connection:
            for n in range(5001, 10 ** 9, 10):
                if ends.is_set():
                    return
                database.run(f"START TRANSACTION; INSERT INTO t SELECT seq, seq, concat('new ', seq) "
                             f"FROM seq_{n}_to_{n + 9};"
                             f"UPDATE t SET n = n + 1 WHERE id BETWEEN {n - 500} AND {n - 490};"
                             f"DELETE FROM t WHERE id = {n - 15}; COMMIT", connection)
                ends.wait(0.005)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


class Spoiler:
    """Turns a bit of an event of the binary log, of whatever kind. Follows the protocol's packets (three bytes of
    length, one that counts, the rest), among which an event is one whose header says that it is as long."""

    HEADER = 4 + 1  # of the packet; and a byte that says that all is well
    KINDS = {2: "query", 16: "xid", 19: "table", 23: "write", 24: "update", 25: "delete", 30: "write", 31: "update",
             32: "delete", 33: "gtid", 162: "gtid"}

    def __init__(self, chance):
        self.chance = chance
        self.wait = None  # events to let through first; None: nothing is spoilt
        self.spoilt = []  # what was: its kind, and where
        self._rest = {}  # by connection: bytes of its next packet that have come
        # Of those before, which Biwa has closed, the server hears only when it has something to send.
        self._newest = 0

    def __call__(self, number, data):
        data = self._rest.get(number, b"") + data
        out = bytearray()
        while len(data) >= 4:
            size = 4 + int.from_bytes(data[:3], "little")
            if len(data) < size:
                break
            packet, data = bytearray(data[:size]), data[size:]
            event = packet[self.HEADER:]
            is_event = (len(event) >= 19 and packet[4] == 0 and event[4] in self.KINDS
                        and int.from_bytes(event[9:13], "little") == len(event))
            if is_event:
                self._newest = max(self._newest, number)
            if is_event and number == self._newest and self.wait is not None:
                self.wait -= 1
                if self.wait <= 0:
                    place = self.chance.randrange(len(event))
                    packet[self.HEADER + place] ^= 1 << self.chance.randrange(8)
                    self.wait = None
                    self.spoilt.append((self.KINDS[event[4]], place))
            out += packet
        self._rest[number] = data
        return bytes(out)


def test_a_bit_that_goes_wrong_is_always_found(path):
    """By the checksum that each event has, wherever the bit is; the event is then read again."""
    database, proxy, instance = path
    chance = random.Random(SEED)
    print(f"BIWA_SEED={SEED}")
    proxy.spoil = spoiler = Spoiler(chance)
    instance.start()
    instance.sync()
    with load(database):
        for n in range(1, 201 if LONG else 25):
            spoiler.wait = chance.randrange(1, 60)
            wait_until(lambda: len(spoiler.spoilt) == n, "a bit to be spoilt", 30)
            wait_until(lambda: instance.log().count("trying again") >= n,
                       lambda: f"{spoiler.spoilt[-1]} to be found\n{instance.log()}", 60)
            instance.sync()
    print(spoiler.spoilt)
    instance.sync()
    assert_same_table(database, instance, "t", ["id", "n", "note"])
    assert instance.log().count("info  stream app: copying ") == 1, instance.log()
    assert instance.stop() == 0, instance.log()


def test_connections_that_have_gone_silent_are_given_up(path):
    """As where a firewall forgot them; that of whoever looks on for new tables too."""
    database, proxy, instance = path
    instance.start(env={"BIWA_SILENCE_MAX_MS": "3000"})
    instance.sync()
    time.sleep(4)  # idle, the server says each second that it is there
    assert "trying again" not in instance.log(), instance.log()
    before = proxy.connections
    proxy.forget()
    wait_until(lambda: proxy.connections >= before + 2, "other connections", 30)
    instance.sync()
    database.run("CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)")
    wait_until(lambda: any(table["source"].endswith(".late") and table["state"] == "live"
                           for table in instance.stream()["tables"]),
               lambda: f"the new table: {instance.stream()}\n{instance.log()}", 30)
    assert_same_table(database, instance, "t", ["id", "n", "note"])
    assert instance.stop() == 0, instance.log()


@pytest.fixture(scope="module", **SERVERS)
def tls(request):
    """A server with a certificate for localhost, and the folder of the authorities' certificates."""
    with certificates("mysql") as folder:
        server = request.param(f"--ssl-cert={folder}/server.pem", f"--ssl-key={folder}/server.key")
        yield server, folder
        server.stop()


def through_tls(instance, port, **settings):
    server = instance.database.server
    lines = {"kind": server.kind, "host": "localhost", "port": port, "database": instance.database.name,
             "user": server.user, "password": "${file:secrets/app.password}", **settings}
    instance.write("connections/app_db.yaml", "".join(f"{name}: '{value}'\n" for name, value in lines.items()))


def test_tls_is_checked_as_far_as_it_is_asked_for(tls, tmp_path):
    server, folder = tls
    with server.database() as database, MariaDbInstance(tmp_path / "project", database) as instance:
        database.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
        for name in "server", "other":
            instance.write(f"certs/{name}.pem", (folder / f"{name}-ca.pem").read_text())
        for settings, said in (({"ssl_mode": "verify-full", "ssl_ca": "certs/server.pem", "host": "127.0.0.1"}, "SSL"),
                               ({"ssl_mode": "verify-full", "ssl_ca": "certs/other.pem"}, "SSL"),
                               ({"ssl_mode": "verify-ca", "ssl_ca": "certs/other.pem"}, "SSL"),
                               ({"ssl_mode": "verify-ca"}, "there is no ssl_ca"),
                               ({"ssl_mode": "verify-ca", "ssl_ca": "certs/none.pem"}, "certs/none.pem")):
            through_tls(instance, server.port, **settings)
            done = instance.command("up", "--listen", "127.0.0.1:0", timeout=60)
            assert done.returncode == 1 and said in done.stderr, (settings, done.stderr)
            assert "ssl_" in done.stderr, done.stderr
        for settings in ({"ssl_mode": "verify-full", "ssl_ca": "certs/server.pem"},
                         {"ssl_mode": "verify-ca", "ssl_ca": "certs/server.pem"},
                         {"ssl_mode": "require"}):
            # A user who gets in by TLS only shows that it is used.
            database.run(f"ALTER USER {server.user}@localhost REQUIRE SSL;"
                         f"ALTER USER {server.user}@127.0.0.1 REQUIRE SSL")
            try:
                through_tls(instance, server.port, **settings)
                instance.start()
                database.run("INSERT INTO t SELECT max(id) + 1 FROM t")
                instance.sync()
                assert instance.value("SELECT count(*) FROM app.t") == database.value("SELECT count(*) FROM t")
                assert instance.stop() == 0
            finally:
                database.run(f"ALTER USER {server.user}@localhost REQUIRE NONE;"
                             f"ALTER USER {server.user}@127.0.0.1 REQUIRE NONE")


def test_a_connection_that_is_cut_while_it_agrees_on_tls_is_made_anew(tls, tmp_path):
    """At each place of the handshake: none of it means that the settings are wrong."""
    server, _ = tls
    with server.database() as database, Proxy("127.0.0.1", server.port) as proxy, \
            MariaDbInstance(tmp_path / "project", database) as instance:
        database.run("CREATE TABLE t (id int PRIMARY KEY, n int, note varchar(40));"
                     "INSERT INTO t SELECT seq, seq, concat('row ', seq) FROM seq_1_to_5000")
        through_tls(instance, proxy.port, ssl_mode="require")
        instance.start()
        instance.sync()
        with load(database):
            for pieces in range(6):
                seen, cuts = {}, []

                def spoil(number, data):
                    """Two connections end when so many pieces of the server's have passed."""
                    seen[number] = seen.get(number, 0) + 1
                    if number >= first and seen[number] > pieces and len(cuts) < 2:
                        cuts.append(number)
                        return None
                    return data

                first = proxy.connections
                proxy.spoil = spoil
                proxy.cut()
                wait_until(lambda: len(cuts) == 2, "connections to be cut", 60)
                instance.sync()
                proxy.spoil = None
        instance.sync()
        assert_same_table(database, instance, "t", ["id", "n", "note"])
        assert instance.log().count("info  stream app: copying ") == 1, instance.log()
        assert instance.stop() == 0, instance.log()
