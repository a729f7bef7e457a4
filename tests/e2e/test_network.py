"""The network between Biwa and its source: cut, stalled, slow, spoilt. Whatever it does, the tables become those of
the source, or Biwa says why not.

BIWA_LONG=1 does more of it; BIWA_SEED repeats a run."""
import contextlib
import os
import random
import threading
import time

import pytest

from harness.compare import assert_same_table
from harness.instance import Instance
from harness.proxy import Proxy
from harness.wait import wait_until

LONG = os.environ.get("BIWA_LONG") == "1"
SEED = int(os.environ.get("BIWA_SEED", str(time.time_ns() % 1_000_000)))


@contextlib.contextmanager
def through_proxy(folder, database, host=None, port=None, more=""):
    """An instance whose connection goes through a network that can be spoilt."""
    server = database.server
    with Proxy(host or server.host, port or server.port) as proxy, \
            Instance(folder, database) as instance:
        file = instance.connection_file()
        instance.write("connections/app_db.yaml",
                       file.replace(f"port: {server.port}", f"port: {proxy.port}") + more)
        yield proxy, instance


@pytest.fixture
def path(database, tmp_path):
    database.run("CREATE TABLE t (id int PRIMARY KEY, n int, note text);"
                 "INSERT INTO t SELECT i, i, 'row ' || i FROM generate_series(1, 20000) AS i")
    with through_proxy(tmp_path / "project", database) as made:
        yield made


@contextlib.contextmanager
def load(database):
    """Transactions of several rows, until the end; counts them."""
    ends = threading.Event()
    made = [0]

    def write():
        with contextlib.closing(database.server.connect(database.name)) as connection:
            while not ends.is_set():
                n = made[0] * 10 + 20001
                connection.cursor().execute(
                    f"INSERT INTO t SELECT i, i, 'new ' || i FROM generate_series({n}, {n + 9}) AS i;"
                    f"UPDATE t SET n = n + 1 WHERE id BETWEEN {n - 500} AND {n - 490};"
                    f"DELETE FROM t WHERE id = {n - 15}")
                made[0] += 1
                ends.wait(0.005)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield made
    finally:
        ends.set()
        thread.join()


def assert_equal(database, instance):
    """And it was copied once."""
    instance.sync()
    assert_same_table(database, instance, "t")
    assert instance.log().count("info  stream app: copying ") == 1, instance.log()
    assert instance.stop() == 0, instance.log()


def test_cut_under_load_it_connects_again_and_goes_on(path, database):
    proxy, instance = path
    chance = random.Random(SEED)
    print(f"BIWA_SEED={SEED}")
    instance.start()
    instance.sync()
    with load(database) as made:
        for _ in range(100 if LONG else 8):
            time.sleep(chance.uniform(0, 0.4))
            if chance.random() < 0.3:
                proxy.end_server_side()
            else:
                proxy.cut()
        assert made[0] > 50
    assert_equal(database, instance)


def test_cut_while_it_copies_it_goes_on_with_the_copy(path, database):
    proxy, instance = path
    database.run("INSERT INTO t SELECT i, i, repeat('x', 500) FROM generate_series(20001, 60000) AS i")
    proxy.bytes_per_s = 4_000_000
    instance.start(env={"BIWA_SNAPSHOT_SLICE_MS": "50"})
    for megabytes in (1, 5):
        wait_until(lambda: proxy.bytes_from_server > megabytes * 1_000_000, "the copy", 30)
        proxy.cut()
    proxy.bytes_per_s = 0
    instance.sync()
    assert "going on with the copy of public.t" in instance.log()
    assert_equal(database, instance)


def test_a_server_that_is_not_reached_is_named_and_waited_for(path, database):
    proxy, instance = path
    instance.start()
    instance.sync()
    proxy.refuse()
    stream = instance.wait_state("retrying", 20)
    assert stream["error"]["message"], stream
    database.run("UPDATE t SET n = 0")
    assert instance.value("SELECT count(*) FROM app.t WHERE n = 0") == 0
    time.sleep(1)
    proxy.accept()
    assert_equal(database, instance)


def test_a_stall_that_passes_costs_nothing(path, database):
    proxy, instance = path
    instance.start()
    instance.sync()
    before = proxy.connections
    with load(database):
        proxy.stall()
        time.sleep(3)
        proxy.let_go()
        instance.sync()
    assert proxy.connections == before
    assert_equal(database, instance)


def test_a_connection_that_has_gone_silent_is_given_up(path, database):
    """As where a firewall forgot it: nothing comes, and nothing says that it is gone."""
    proxy, instance = path
    instance.start(env={"BIWA_SILENCE_MAX_MS": "2000"})
    instance.sync()
    time.sleep(3)  # idle, the server answers when it is asked
    before = proxy.connections
    assert "trying again" not in instance.log(), instance.log()
    proxy.forget()
    database.run("UPDATE t SET n = 0")
    wait_until(lambda: proxy.connections > before, "another connection", 20)
    assert "said nothing" in instance.log()
    # The server lets go of the slot when it finds out itself.
    database.run("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
    assert_equal(database, instance)


def test_whoever_looks_on_gives_up_a_silent_connection_too(path, database):
    """New tables are found by the stream's watcher, on a connection of its own."""
    proxy, instance = path
    instance.start(env={"BIWA_SILENCE_MAX_MS": "2000"})
    instance.sync()
    before = proxy.connections
    proxy.forget()
    wait_until(lambda: proxy.connections >= before + 2, "other connections", 30)
    database.run("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
    instance.sync()
    database.run("CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)")
    wait_until(lambda: any(table["source"] == "public.late" and table["state"] == "live"
                           for table in instance.stream()["tables"]),
               lambda: f"the new table: {instance.stream()}\n{instance.log()}", 30)
    assert_equal(database, instance)


@pytest.mark.skipif(not LONG, reason="BIWA_LONG=1; that it ends in time is also seen above")
@pytest.mark.parametrize("when", ["following", "copying"])
def test_it_ends_in_time_though_the_network_stalls(path, database, when):
    proxy, instance = path
    if when == "copying":
        database.run("INSERT INTO t SELECT i, i, repeat('x', 500) FROM generate_series(20001, 60000) AS i")
        proxy.bytes_per_s = 4_000_000
        instance.start()
        wait_until(lambda: proxy.bytes_from_server > 2_000_000, "the copy", 30)
    else:
        instance.start()
        instance.sync()
    proxy.stall()
    time.sleep(1.5)
    assert instance.stop(timeout=10) == 0, instance.log()
    proxy.let_go()


def test_a_slow_network_is_waited_for(path, database):
    proxy, instance = path
    proxy.delay_s = 0.02
    proxy.bytes_per_s = 1_000_000
    instance.start()
    with load(database):
        instance.wait_state("streaming", 60)
        time.sleep(2)
    assert_equal(database, instance)


class Spoiler:
    """Turns a bit of what the server sends. Follows PostgreSQL's messages (a letter, four bytes of length that count
    themselves, the rest) to find those of the stream of changes."""

    def __init__(self, chance):
        self.chance = chance
        self.wait = None  # messages of changes to let through first; None: nothing is spoilt
        self.spoilt = 0
        self._rest = {}  # by connection: bytes of its next message that have come

    def structure_of(self, message):
        """Places of the message where a bit that is turned can be known to be wrong: of an insert its
        kind, its table, what follows, the number of columns, and the first column's kind and length."""
        header = 5 + 25  # 'd', the length; 'w', two positions and a time
        return [5, *range(header, header + 13)]

    def __call__(self, number, data):
        if self.wait is None and number not in self._rest:
            return data
        data = self._rest.get(number, b"") + data
        out = bytearray()
        while len(data) >= 5:
            size = 1 + int.from_bytes(data[1:5], "big")
            if len(data) < size:
                break
            message, data = bytearray(data[:size]), data[size:]
            is_insert = message[:1] == b"d" and message[5:6] == b"w" and message[30:31] == b"I"
            if is_insert and self.wait is not None:
                self.wait -= 1
                if self.wait <= 0:
                    place = self.chance.choice(self.structure_of(message))
                    message[place] ^= 1 << self.chance.randrange(8)
                    self.wait = None
                    self.spoilt += 1
            out += message
        self._rest[number] = data
        return bytes(out)


def test_a_bit_that_goes_wrong_is_found_where_it_can_be(path, database):
    """Without TLS. What would be another value cannot be told from it, and is not tried here."""
    proxy, instance = path
    chance = random.Random(SEED)
    print(f"BIWA_SEED={SEED}")
    with open(instance.folder / "connections/app_db.yaml", "a", encoding="utf-8") as file:
        file.write("sslmode: disable\n")
    proxy.spoil = spoiler = Spoiler(chance)
    instance.start()
    instance.sync()
    rounds = 200 if LONG else 8
    with load(database):
        for n in range(1, rounds + 1):
            spoiler.wait = chance.randrange(1, 100)
            wait_until(lambda: spoiler.spoilt == n, "a bit to be spoilt", 30)
            wait_until(lambda: instance.log().count("trying again") >= n,
                       lambda: instance.log(), 30)
            instance.sync()
    print(instance.log())
    assert_equal(database, instance)


def test_a_stream_whose_source_does_not_come_back_can_be_removed(path, database):
    proxy, instance = path
    instance.start()
    instance.sync()
    proxy.refuse()
    (instance.folder / "streams/app.yaml").unlink()
    instance.write("definitions/one.sqlx", 'config { type: "table" }\nSELECT 1 AS n\n')
    # Nothing is done by halves, and what to do is said.
    done = instance.command("apply", "--yes")
    assert done.returncode == 1 and "removing stream app" in done.stderr and "--leave-at-source" in done.stderr, done.stderr
    assert instance.value("SELECT count(*) FROM app.t") == 20000
    assert instance.stream() is not None
    done = instance.command("apply", "--yes", "--leave-at-source")
    assert done.returncode == 0, done.stderr
    assert instance.status()["streams"] == []
    assert "it is removed here alone" in instance.log() and "keeps the server's log" in instance.log(), instance.log()
    assert instance.query("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'app'") == [[0]]
    assert database.value("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'biwa_app'") == 1
    assert instance.stop() == 0
    # A stream of that name begins anew, as one that has found another's slot.
    proxy.accept()
    instance.write_stream()
    done = instance.command("apply", "--yes")
    assert done.returncode == 1 and "replication slot biwa_app" in done.stderr, done.stderr
