"""Values of 100 MB, copied and followed: they come whole, and memory stays in bounds."""
import pathlib
import re

import pytest

MEGABYTE = 1 << 20


def peak_bytes(instance):
    status = pathlib.Path(f"/proc/{instance.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024


# In the text form a bytea has two characters a byte.
@pytest.mark.parametrize("way", ["binary", "text"])
def test_values_of_100_megabytes(instance, database, way, record_property):
    if way == "text":
        database.run("CREATE TABLE forces_text (id int PRIMARY KEY, c regclass)")
    database.run("CREATE TABLE t (id int PRIMARY KEY, body text, raw bytea);"
                 "ALTER TABLE t ALTER body SET STORAGE EXTERNAL, ALTER raw SET STORAGE EXTERNAL;"
                 "INSERT INTO t VALUES (1, repeat('長い文字列です。0123456', 100000000 / 31), NULL),"
                 "(2, NULL, decode(repeat('00ff5c2741', 20000000), 'hex')), (3, 'short', 'x')")
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
    # 512 MB are DuckDB's; the rest is three values of 100 MB on their way, read and folded.
    assert copied < 1200 * MEGABYTE and followed < 2200 * MEGABYTE, (copied, followed)
    here = instance.query("SELECT id, octet_length(encode(body)), md5(body), octet_length(raw), md5(raw) FROM app.t ORDER BY id")
    there = database.run("SELECT id, octet_length(body), md5(body), octet_length(raw), md5(raw) FROM t ORDER BY id")
    assert here == [list(row) for row in there]
