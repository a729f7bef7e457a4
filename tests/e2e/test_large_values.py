"""Values of 100 MB, copied and followed: they come whole, and memory stays in bounds."""
import contextlib
import pathlib
import re

import pytest

from harness.instance import HttpError
from harness.mariadb import MariaDbInstance, MariaDbServer
from harness.wait import wait_until

MEGABYTE = 1 << 20


def peak_bytes(instance):
    status = pathlib.Path(f"/proc/{instance.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024


def forget_peak(instance):
    """From here on the peak is that of what comes."""
    pathlib.Path(f"/proc/{instance.process.pid}/clear_refs").write_text("5")
    return peak_bytes(instance)


@contextlib.contextmanager
def mariadb_and_instance(folder):
    server = MariaDbServer("--max-allowed-packet=1G", "--slave-max-allowed-packet=1G")
    try:
        with server.database() as database, MariaDbInstance(folder, database) as instance:
            yield database, instance
    finally:
        server.stop()


@pytest.fixture(params=["postgres", "mariadb"])
def stream(request, tmp_path):
    """A database and its instance."""
    if request.param == "postgres":
        yield request.getfixturevalue("database"), request.getfixturevalue("instance")
        return
    with mariadb_and_instance(tmp_path / "maria") as both:
        yield both


def test_a_value_takes_about_four_times_its_size(stream, record_property):
    """The client library's buffer, which also is the message that the change holds on to; the
    engine's transaction, table and log. Once more where the engine folds its log meanwhile."""
    database, instance = stream
    is_maria = isinstance(instance, MariaDbInstance)
    database.run("CREATE TABLE t (id int PRIMARY KEY, body " + ("longtext)" if is_maria else "text)"))
    if not is_maria:
        database.run("ALTER TABLE t ALTER body SET STORAGE EXTERNAL")
    instance.start()
    instance.sync()
    database.run("INSERT INTO t VALUES (1, 'small')")
    instance.sync()
    size = 100 * MEGABYTE
    before = forget_peak(instance)
    database.run(f"INSERT INTO t VALUES (2, repeat('0123456789', {size // 10}))")
    instance.sync(300)
    taken = peak_bytes(instance) - before
    record_property("taken_mb", taken // MEGABYTE)
    print(f"{'mariadb' if is_maria else 'postgres'}: {taken / size:.2f} times the value")
    assert instance.query("SELECT octet_length(encode(body)), right(body, 4) FROM app.t WHERE id = 2") == \
        [[size // 10 * 10, "6789"]]
    assert taken < 5.6 * size, taken


def query_when_there_is_memory(instance, sql):
    """The engine may still be folding its log, which has all of these values in it."""
    def rows():
        try:
            return instance.query(sql)
        except HttpError as error:
            assert error.status == 503 and "Out of Memory" in str(error), error
            return None

    return wait_until(rows, lambda: "memory for " + sql, 60)


# In the text form a bytea has two characters a byte.
@pytest.mark.parametrize("way", ["binary", "text"])
def test_values_of_100_megabytes(instance, database, way, record_property):
    if way == "text":
        database.run("CREATE TABLE forces_text (id int PRIMARY KEY, c regclass)")
    database.run("CREATE TABLE t (id int PRIMARY KEY, body text, raw bytea);"
                 "ALTER TABLE t ALTER body SET STORAGE EXTERNAL, ALTER raw SET STORAGE EXTERNAL;"
                 "INSERT INTO t VALUES (1, repeat('長い文字列です。0123456', 100000000 / 31), NULL),"
                 "(2, NULL, decode(repeat('00ff5c2741', 20000000), 'hex')), (3, 'short', 'x')")
    # A fold of the log takes five of them, and the queries beside it two.
    instance.write_settings("1GB")
    instance.start()
    instance.sync(300)
    copied = peak_bytes(instance)
    database.run("INSERT INTO t SELECT id + 10, body, raw FROM t;"
                 "UPDATE t SET id = id + 100 WHERE id = 1;"  # its body is left out of the change
                 "UPDATE t SET body = body || 'end' WHERE id = 11")
    instance.sync(300)
    followed = peak_bytes(instance)
    record_property("copied_mb", copied // MEGABYTE)
    record_property("followed_mb", followed // MEGABYTE)
    print(f"{way}: peak {copied // MEGABYTE} MB copied, {followed // MEGABYTE} MB followed")
    # A gigabyte is DuckDB's; the rest is three values of 100 MB on their way, read and folded.
    assert copied < 1200 * MEGABYTE and followed < 2200 * MEGABYTE, (copied, followed)
    there = database.run("SELECT id, octet_length(body), md5(body), octet_length(raw), md5(raw) FROM t ORDER BY id")
    # A column at a time: all of them together are more than the engine has.
    for column, length, there_from in (("body", "strlen(body)", 1), ("raw", "octet_length(raw)", 3)):
        here = query_when_there_is_memory(
            instance, f"SELECT id, {length}, md5({column}) FROM app.t ORDER BY id")
        assert here == [[row[0], *row[there_from:there_from + 2]] for row in there]
