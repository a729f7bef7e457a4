"""The source itself: restarted, crashed, its disk full; and a spoilt network under TLS. Each with a server of its own."""
import contextlib
import os
import pathlib
import random
import shutil
import subprocess
import threading
import time

import psycopg2
import pytest

from harness import postgres
from harness.compare import assert_same_table
from harness.instance import Instance, make_marker
from harness.proxy import Proxy
from harness.wait import wait_until

LONG = os.environ.get("BIWA_LONG") == "1"
SEED = int(os.environ.get("BIWA_SEED", str(time.time_ns() % 1_000_000)))


@pytest.fixture(scope="module")
def own_server():
    # A crash must not lose what was committed.
    server = postgres.PostgresServer(settings="fsync=off")
    yield server
    server.stop()


@pytest.fixture
def followed(own_server, tmp_path):
    with own_server.database() as database:
        make_marker(database)
        database.run("CREATE TABLE t (id int PRIMARY KEY, n int, note text);"
                     "INSERT INTO t SELECT i, i, 'row ' || i FROM generate_series(1, 5000) AS i")
        with Instance(tmp_path / "project", database) as instance:
            yield database, instance


@contextlib.contextmanager
def load(database):
    """Changes until the end, by a client that comes back when the server does; counts the commits."""
    ends = threading.Event()
    made = [0]

    def write():
        while not ends.is_set():
            try:
                with contextlib.closing(database.server.connect(database.name)) as connection:
                    while not ends.is_set():
                        n = made[0] * 3
                        connection.cursor().execute(
                            f"INSERT INTO t VALUES ({10000 + n}, 0, 'a'), ({10001 + n}, 0, 'b') "
                            "ON CONFLICT DO NOTHING;"
                            f"UPDATE t SET n = n + 1 WHERE id % 100 = {n % 100}")
                        made[0] += 1
                        ends.wait(0.01)
            except psycopg2.Error:
                ends.wait(0.05)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield made
    finally:
        ends.set()
        thread.join()


def reconnect(database):
    """The server has gone and come back."""
    def there():
        try:
            database._connection = database.server.connect(database.name)
            return True
        except psycopg2.OperationalError:
            return False

    with contextlib.suppress(psycopg2.Error):
        database._connection.close()
    wait_until(there, "the server", 60, every=0.1)


def assert_equal(database, instance):
    instance.sync(120)
    assert_same_table(database, instance, "t")
    assert instance.log().count("info  stream app: copying ") == 1, instance.log()
    assert instance.stop() == 0, instance.log()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_the_source_is_restarted_under_load(followed, mode):
    database, instance = followed
    instance.start()
    instance.sync()
    with load(database) as made:
        for _ in range(10 if LONG else 1):
            before = made[0]
            wait_until(lambda: made[0] > before + 10, "some changes", 20)
            begun = time.monotonic()
            database.server.restart(mode)
            print(f"restarted in {time.monotonic() - begun:.1f} s")
            reconnect(database)
            wait_until(lambda: made[0] > before + 20, "more changes", 30)
    assert "trying again" in instance.log()
    assert_equal(database, instance)


@pytest.mark.parametrize("busy", ["nobody", "this database", "another database"])
def test_a_server_that_is_stopped_does_not_wait_for_biwa(followed, busy):
    """It waits until whoever follows its log has confirmed all of it."""
    database, instance = followed
    instance.start()
    instance.sync()
    took = []
    for _ in range(3):
        time.sleep(1)
        with contextlib.closing(database.server.connect("postgres")) as other:
            for n in range(20):
                if busy == "this database":
                    database.run(f"UPDATE t SET n = n + 1 WHERE id % 20 = {n}")
                elif busy == "another database":
                    other.cursor().execute("SELECT pg_logical_emit_message(true, 'test', repeat('x', 100000))")
        begun = time.monotonic()
        database.server.restart("fast")
        took.append(round(time.monotonic() - begun, 1))
        reconnect(database)
        database.run("INSERT INTO t SELECT max(id) + 1, 0, 'after' FROM t")
        instance.sync()
    print(f"stopped and started again in {took} s")
    assert sorted(took)[1] < 4, took
    assert_equal(database, instance)


def test_a_slot_whose_log_the_server_has_thrown_away(followed):
    """By its own limit, while Biwa was stopped: that is said, and nothing is passed over."""
    database, instance = followed
    instance.start()
    instance.sync()
    assert instance.stop() == 0
    database.run("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'")
    database.run("SELECT pg_reload_conf()")
    try:
        database.run("UPDATE t SET n = -n WHERE id <= 100")
        for _ in range(4):
            database.run("SELECT pg_logical_emit_message(false, 'test', repeat('x', 16000000))")
            database.run("CHECKPOINT")
        wait_until(lambda: database.value("SELECT wal_status FROM pg_replication_slots "
                                          "WHERE slot_name = 'biwa_app'") == "lost", "the slot to be lost", 30)
    finally:
        database.run("ALTER SYSTEM RESET max_slot_wal_keep_size")
        database.run("SELECT pg_reload_conf()")
    for _ in range(2):
        # Stopped, and once it has failed.
        doctor = instance.command("doctor")
        assert doctor.returncode == 1 and "has thrown away the log" in doctor.stderr, doctor.stderr
        assert "when_lost: recopy" in doctor.stderr and "drop_replication_slot" not in doctor.stderr, doctor.stderr
        if instance.is_running():
            break
        instance.start()
        error = instance.wait_state("failed", 30)["error"]
    assert "has thrown away the log that slot biwa_app needed" in error["message"], error
    assert "when_lost: recopy" in error["hint"], error
    assert instance.value("SELECT count(*) FROM app.t") == 5000
    refused = instance.command("stream", "recopy", "app", "t")
    assert refused.returncode == 1 and "`biwa stream resume app`" in refused.stderr, refused.stderr
    # One that cannot be begun goes on saying why it has failed.
    secret = instance.folder / "secrets/app.password"
    kept = secret.read_text()
    secret.unlink()
    refused = instance.command("stream", "resume", "app")
    assert refused.returncode == 1 and "app.password" in refused.stderr, refused.stderr
    assert instance.stream()["state"] == "failed"
    secret.write_text(kept)
    # It has not been mended.
    assert instance.command("stream", "resume", "app").returncode == 0
    instance.wait_state("failed", 30)
    stream = instance.folder / "streams/app.yaml"
    stream.write_text(stream.read_text() + "when_lost: recopy\n")
    applied = instance.command("apply", "--yes")
    assert applied.returncode == 0 and "when_lost" in applied.stderr, applied.stderr
    instance.settle()
    instance.sync()
    assert assert_same_table(database, instance, "t") == 5000
    assert instance.stop() == 0


def test_through_tls_no_bit_goes_wrong_unnoticed(followed, tmp_path):
    """Any bit, at any place: each breaks the connection, and nothing else."""
    database, instance = followed
    server = database.server
    server.use_tls()
    chance = random.Random(SEED)
    print(f"BIWA_SEED={SEED}")
    spoilt, wanted = [0], [False]

    def spoil(_, data):
        if not wanted[0] or len(data) < 200:
            return data
        wanted[0] = False
        spoilt[0] += 1
        data = bytearray(data)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return bytes(data)

    with Proxy(server.host, server.port) as proxy:
        file = instance.connection_file().replace(f"port: {server.port}", f"port: {proxy.port}")
        instance.write("connections/app_db.yaml", file + "sslmode: require\n")
        instance.start()
        instance.sync()
        proxy.spoil = spoil
        with load(database):
            for n in range(1, (100 if LONG else 5) + 1):
                wanted[0] = True
                wait_until(lambda: spoilt[0] == n, "a bit to be spoilt", 30)
                instance.sync()
        assert "trying again" in instance.log()
        assert_equal(database, instance)


def test_the_disk_of_the_source_is_full(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = pathlib.Path("/tmp") / f"biwa-small-disk-{os.getpid()}"
    folder.mkdir(mode=0o755)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=260m", "tmpfs", folder],
                             capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr}")
    try:
        server = postgres.PostgresServer(
            settings="fsync=off max_wal_size=64MB min_wal_size=32MB", within=folder)
        try:
            with server.database() as database:
                make_marker(database)
                database.run("CREATE TABLE t (id int PRIMARY KEY, n int, note text);"
                             "INSERT INTO t SELECT i, i, 'row ' || i FROM generate_series(1, 5000) AS i")
                with Instance(tmp_path / "project", database) as instance:
                    full_disk_of_source(database, instance, folder)
        finally:
            server.stop()
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        shutil.rmtree(folder)


def full_disk_of_source(database, instance, folder):
    instance.start()
    instance.sync()
    with open(folder / "filler", "wb") as filler:
        with contextlib.suppress(OSError):
            while filler.write(bytes(1 << 20)):
                filler.flush()
    with pytest.raises(psycopg2.Error):
        for n in range(100):
            database.run(f"INSERT INTO t SELECT i, i, repeat(md5(i::text), 20) FROM "
                         f"generate_series({10000 * (n + 1)}, {10000 * (n + 1) + 9999}) AS i")
    # What was there can be read meanwhile.
    assert instance.value("SELECT count(*) FROM app.t WHERE id <= 5000") == 5000
    os.unlink(folder / "filler")
    if not database.server.is_running():
        database.server.restart("immediate")
    reconnect(database)
    database.run("INSERT INTO t VALUES (2000000, 1, 'after')")
    assert_equal(database, instance)
