"""A real MariaDB, and a real MySQL where there is one: the copy, changes, every type both ways, kill -9 in both phases, definitions that
change, what the log leaves out or has lost, and what the doctor says."""
import contextlib
import itertools
import json
import os
import random
import threading
import time

import pymysql
import pytest

from harness.bastion import Bastion
from harness.copy_kills import kill_a_copy, kill_copies
from harness.either import database, instance, is_mysql, maria  # noqa: F401
from harness.mariadb import MariaDbInstance, MariaDbServer, assert_same_table
from harness.wait import wait_until

KILLS = int(os.environ.get("BIWA_KILLS", "20"))
SEED = int(os.environ.get("BIWA_SEED", str(time.time_ns() % 1_000_000)))


@contextlib.contextmanager
def setting(database, name, value):
    """A global setting of the server, for connections made within."""
    before = database.value(f"SELECT @@GLOBAL.{name}")
    database.run(f"SET GLOBAL {name} = {value!r}")
    with contextlib.suppress(pymysql.err.OperationalError):  # some have no session's value
        database.run(f"SET SESSION {name} = {value!r}")
    try:
        yield
    finally:
        database.run(f"SET GLOBAL {name} = {before!r}")


def failed(instance):
    error = instance.wait_state("failed", 30)["error"]
    return f"{error['message']} {error['hint']}"


def test_it_copies_follows_and_goes_on_after_a_restart(database, instance):
    database.run("""
        CREATE TABLE answers (id int PRIMARY KEY, pupil varchar(20), score decimal(8,2));
        INSERT INTO answers SELECT seq, concat('生徒 ', seq), seq / 4 FROM seq_1_to_50000;
        CREATE TABLE pairs (a varchar(20), b int, v text, PRIMARY KEY (a, b));
        INSERT INTO pairs VALUES ('x', 1, 'one'), ('x', 2, NULL), ('Y', 1, '');
        CREATE TABLE nothing_in_it (id int PRIMARY KEY)""")
    instance.start()
    instance.sync()
    assert assert_same_table(database, instance, "answers", ["id", "pupil", "score"]) == 50000
    database.run("""
        UPDATE answers SET pupil = 'a' WHERE id % 3 = 0;
        DELETE FROM answers WHERE id % 5 = 0;
        UPDATE answers SET id = id + 100000 WHERE id < 100;
        INSERT INTO answers VALUES (5, 'again', 1), (-1, NULL, NULL);
        UPDATE pairs SET a = 'z', v = 'moved' WHERE b = 2;
        REPLACE INTO pairs VALUES ('x', 1, 'replaced');
        INSERT INTO pairs VALUES ('Y', 1, 'd') ON DUPLICATE KEY UPDATE v = 'duplicate';
        START TRANSACTION; INSERT INTO nothing_in_it VALUES (1); ROLLBACK;
        START TRANSACTION; INSERT INTO nothing_in_it VALUES (2); SAVEPOINT s;
        INSERT INTO nothing_in_it VALUES (3); ROLLBACK TO s; COMMIT""")
    instance.sync()
    assert_same_table(database, instance, "answers", ["id", "pupil", "score"])
    assert instance.query("SELECT * FROM app.pairs ORDER BY a, b") == \
        [["Y", 1, "duplicate"], ["x", 1, "replaced"], ["z", 2, "moved"]]
    assert instance.query("SELECT * FROM app.nothing_in_it") == [[2]]
    assert instance.stop() == 0
    database.run("INSERT INTO answers VALUES (7, 'while stopped', 0); FLUSH BINARY LOGS;"
                 "UPDATE answers SET score = 9 WHERE id = 7")
    instance.start()
    instance.sync()
    assert_same_table(database, instance, "answers", ["id", "pupil", "score"])
    assert instance.log().count("copying ") == 1, instance.log()


def test_it_is_compared_with_the_warehouse_and_repaired(database, instance):
    database.run("""
        CREATE TABLE answers (id int PRIMARY KEY, pupil varchar(20), score decimal(8,2), at datetime(3),
                              ratio double, raw varbinary(20), seen tinyint(1));
        INSERT INTO answers SELECT seq, concat('生徒 ', seq), seq / 4, '2026-01-01 00:00:00.5', seq / 3,
                                   unhex('00ff'), seq % 2 FROM seq_1_to_20000;
        CREATE TABLE pairs (a varchar(20), b int, v text, PRIMARY KEY (a, b));
        INSERT INTO pairs VALUES ('x', 1, 'one'), ('鍵', 2, NULL)""")
    instance.start()
    instance.sync()

    def reconcile(*arguments):
        done = instance.command("reconcile", *arguments, "--json", timeout=120)
        return done.returncode, {table["source"].split(".")[1]: table
                                 for table in json.loads(done.stdout)[0]["tables"]}

    code, tables = reconcile()
    assert code == 0 and {table["outcome"] for table in tables.values()} == {"equal"}, tables
    # A session whose changes are not in the log.
    database.run("SET SESSION sql_log_bin = 0; UPDATE answers SET score = 1 WHERE id = 7;"
                 "DELETE FROM answers WHERE id = 8; INSERT INTO pairs VALUES ('new', 3, 'n');"
                 "SET SESSION sql_log_bin = 1")
    instance.sync()
    code, tables = reconcile()
    assert code == 1
    assert sorted((row["difference"], row["key"]) for row in tables["answers"]["keys"]) == \
        [("different", ["7"]), ("extra", ["8"])]
    assert [(row["difference"], row["key"]) for row in tables["pairs"]["keys"]] == \
        [("missing", ["new", "3"])]
    code, tables = reconcile("--repair")
    assert code == 0 and tables["answers"]["outcome"] == tables["pairs"]["outcome"] == "repaired"
    assert instance.query("SELECT v FROM app.pairs WHERE b = 3") == [["n"]]
    assert_same_table(database, instance, "answers", ["id", "pupil", "score"])
    code, tables = reconcile()
    assert code == 0 and {table["outcome"] for table in tables.values()} == {"equal"}, tables


def test_tables_that_cannot_be_followed_are_left_out_and_named(database, instance, is_mysql):
    refused = {"slow": "engine MyISAM"}
    database.run("CREATE TABLE good (id int PRIMARY KEY);"
                 "CREATE TABLE slow (id int PRIMARY KEY) ENGINE = MyISAM")
    if not is_mysql:
        refused["versioned"] = "is system-versioned"
        database.run("CREATE TABLE versioned (id int PRIMARY KEY) WITH SYSTEM VERSIONING")
    said = instance.command("doctor")
    for part in ("binlog_format is ROW", "ENGINE = InnoDB", *refused.values()):
        assert part in said.stdout + said.stderr, (part, said.stdout, said.stderr)
    instance.write_stream(tables=(f"{database.name}.*",), exclude=(f"{database.name}.slow", f"{database.name}.v*"))
    said = instance.command("doctor")
    assert said.returncode == 0 and ".slow" not in said.stderr and "versioned" not in said.stderr, said.stderr
    instance.write_stream(tables=(f"{database.name}.*",))
    instance.start()
    instance.sync()
    states = {table["name"]: table["state"] for table in instance.stream()["tables"]}
    assert states == {"good": "live", "biwa_test_marker": "live"} | dict.fromkeys(refused, "refused")


def test_rows_without_a_key_are_told_apart_by_all_of_their_values(database, instance):
    database.run("""
        CREATE TABLE keyless (a int, b varchar(10), c datetime(3));
        INSERT INTO keyless VALUES (1, 'x', NULL), (1, 'x', NULL), (2, NULL, '2026-01-01'), (NULL, NULL, NULL)""")
    instance.start()
    instance.sync()
    database.run("""
        INSERT INTO keyless VALUES (1, 'x', NULL), (3, 'y', now(3));
        DELETE FROM keyless WHERE a = 1 LIMIT 1;
        UPDATE keyless SET b = 'z' WHERE a = 1 LIMIT 1;
        UPDATE keyless SET a = 4 WHERE a IS NULL""")
    instance.sync()
    assert instance.query("SELECT a, b FROM app.keyless ORDER BY a, b") == database.run(
        "SELECT a, b FROM keyless ORDER BY a, b")
    with setting(database, "binlog_row_image", "MINIMAL"):
        said = instance.command("doctor")
        assert "keyless has no primary key, and the binary log" in said.stdout + said.stderr


def test_a_primary_key_that_the_catalogue_hides_is_a_key(database, instance, is_mysql):
    if not is_mysql:
        pytest.skip("only MySQL makes keys by itself")
    with setting(database, "show_gipk_in_create_table_and_information_schema", 0):
        database.run("SET SESSION sql_generate_invisible_primary_key = 1;"
                     "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1), (2)")
        instance.start()
        instance.sync()
        database.run("UPDATE t SET a = 3 WHERE a = 1 LIMIT 1; DELETE FROM t WHERE a = 2; INSERT INTO t VALUES (1)")
        instance.sync()
        assert instance.query("SELECT my_row_id, a FROM app.t ORDER BY 1") == \
            database.run("SELECT my_row_id, a FROM t ORDER BY 1")


def test_a_table_that_is_excluded_is_left_as_it_was(database, instance):
    """The server sends all that is in its log, whoever asks for what."""
    database.run("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    instance.start()
    instance.sync()
    path = instance.folder / "streams/app.yaml"
    text = path.read_text(encoding="utf-8")
    assert "exclude: []" in text
    instance.kill()
    database.run("INSERT INTO t VALUES (2)")
    path.write_text(text.replace("exclude: []", f"exclude: [{database.name}.t]"), encoding="utf-8")
    instance.start()
    instance.sync()
    # What was committed before it was taken out is here; what comes then is not, over restarts either.
    database.run("INSERT INTO t VALUES (3); ALTER TABLE t ADD a int; INSERT INTO t VALUES (4, 4); INSERT INTO u VALUES (1)")
    instance.sync()
    instance.kill()
    database.run("INSERT INTO t VALUES (5, 5)")
    instance.start()
    instance.sync()
    assert instance.query("SELECT * FROM app.t ORDER BY id") == [[1], [2]], instance.log()
    assert instance.query("SELECT * FROM app.u") == [[1]]
    assert instance.stop() == 0
    path.write_text(text, encoding="utf-8")
    instance.start()
    instance.sync()
    wait_until(lambda: instance.query("SELECT count(*) FROM app.t") == [[5]], instance.log)
    database.run("INSERT INTO t VALUES (6, 6)")
    instance.sync()
    assert instance.query("SELECT id, a FROM app.t ORDER BY id") == [[i, i if i > 3 else None] for i in range(1, 7)]


def test_other_databases_have_their_name_in_front(maria, database, tmp_path):
    with maria.database("other") as other, \
            MariaDbInstance(tmp_path / "project", database,
                            (f"{database.name}.*", f"{other.name}.t")) as instance:
        other.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
        database.run("CREATE TABLE t (id int PRIMARY KEY)")
        instance.start()
        instance.sync()
        other.run("INSERT INTO t VALUES (2)")
        instance.sync()
        assert instance.query(f"SELECT * FROM app.{other.name}__t ORDER BY id") == [[1], [2]]
        assert instance.query("SELECT * FROM app.t") == []


# Types. Each value is copied, and then inserted again while the stream runs: both have to be alike.

TYPES = """
CREATE TABLE numbers (id int PRIMARY KEY, ti tinyint, tu tinyint unsigned, si smallint,
    su smallint unsigned, mi mediumint, mu mediumint unsigned, i int, iu int unsigned, bi bigint,
    bu bigint unsigned, y year, after_year int, b boolean, z int zerofill);
INSERT INTO numbers VALUES
    (1, -128, 255, -32768, 65535, -8388608, 16777215, -2147483648, 4294967295,
     -9223372036854775808, 18446744073709551615, 1901, -1, true, 42),
    (2, 127, 0, 32767, 0, 8388607, 0, 2147483647, 0, 9223372036854775807, 0, 2155, -2147483648,
     false, 0),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, -1, 128, -1, 32768, -1, 8388608, -1, 2147483648, -1, 9223372036854775808, 0, 0, 2, 1);
CREATE TABLE fractions (id int PRIMARY KEY, f float, d double, d1 decimal(1,0), d2 decimal(4,2),
    d3 decimal(9,9), d4 decimal(18,6), d5 decimal(38,10), d6 decimal(65,30), du decimal(10,2) unsigned);
INSERT INTO fractions VALUES
    (1, 1.5, -2.2250738585072014e-308, 9, -99.99, 0.999999999, -123456789012.123456,
     1234567890123456789012345678.0123456789, 12345678901234567890123456789012345.123456789012345678901234567891, 99999999.99),
    (2, -3.4e38, 1.7976931348623157e308, -9, 0.01, -0.000000001, 0.000001,
     -9999999999999999999999999999.9999999999, -0.000000000000000000000000000001, 0),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (4, 0, 0, 0, 0, 0, 0, 0, 0, 0.05);
CREATE TABLE times (id int PRIMARY KEY, d date, t time, t3 time(3), t6 time(6), dt datetime,
    dt1 datetime(1), dt6 datetime(6), ts timestamp NULL, ts4 timestamp(4) NULL, ts6 timestamp(6) NULL);
INSERT INTO times VALUES
    (1, '1000-01-01', '-838:59:59', '-00:00:00.001', '-838:59:58.999999', '1000-01-01 00:00:00',
     '1000-01-01 00:00:00.1', '9999-12-31 23:59:59.999999', '1970-01-01 00:00:01',
     '2038-01-19 03:14:07.9999', '1970-01-01 00:00:00.000001'),
    (2, '9999-12-31', '838:59:59', '12:34:56.789', '00:00:00.000001', '2026-02-28 23:59:59',
     '2026-02-28 23:59:59.9', '2026-02-28 00:00:00.000001', '2026-11-25 12:00:00',
     '2026-11-25 12:00:00.0001', '2026-11-25 12:00:00.123456'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, '2024-02-29', '00:00:00', '-01:02:03.400', '24:00:00.5', '0001-01-01 00:00:00',
     '2024-02-29 12:00:00', '2024-02-29 12:00:00', '2024-02-29 12:00:00', '2024-02-29 12:00:00',
     '2024-02-29 12:00:00');
CREATE TABLE texts (id int PRIMARY KEY, c char(10), v varchar(300), tt tinytext, t text, lt longtext,
    e enum('a', '嬉しい', 'it''s', ''), s set('x', '日', 'z''s'), j json, l varchar(40) CHARACTER SET latin1,
    sj varchar(40) CHARACTER SET sjis, cp varchar(40) CHARACTER SET cp932, eu varchar(40) CHARACTER SET eucjpms,
    uj text CHARACTER SET ujis, u16 varchar(40) CHARACTER SET utf16, u2 varchar(40) CHARACTER SET ucs2,
    u32 char(20) CHARACTER SET utf32, u3 varchar(40) CHARACTER SET utf8mb3, gb varchar(40) CHARACTER SET gbk,
    el enum('é', 'ü') CHARACTER SET latin1);
INSERT INTO texts VALUES
    (1, 'abc  ', 'v', 'tt', 't', 'lt', '嬉しい', 'x,日', '{"a": [1, 2.50, null]}', 'é€ß', '日本語ｶﾅ', '①㈱～―髙', '～∥－丂',
     '漢字〜丂', '𠮷a', '日本', '𠮷', '日本', '中文', 'ü'),
    (2, '日本語', repeat('あ', 300), repeat('x', 255), repeat('い', 20000), repeat('y', 100000), 'it''s', '', '"x"',
     '', '', '', '', '', '', '', '', '', '', 'é'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, '', '', '', '', '', '', 'z''s', '[]', '\\n\\t\\\\', 'ｱ', 'Ⅳ', '￢', 'a', 'a', 'a', 'a', 'a', 'a', 'é');
CREATE TABLE bytes (id int PRIMARY KEY, b binary(5), vb varbinary(300), bl blob, lb longblob, b1 bit(1), b9 bit(9),
    b63 bit(63), b64 bit(64), g geometry, p point, u uuid, i4 inet4, i6 inet6);
INSERT INTO bytes VALUES
    (1, X'6100620000', X'00FF', X'', repeat(X'FF00', 50000), 1, b'100000001', 1, ~0, ST_GeomFromText('POINT(1 2)', 4326),
     POINT(-1.5, 2), '11223344-5566-1788-99aa-bbccddeeff00', '255.0.255.0', '::1'),
    (2, X'', X'', NULL, X'00', 0, 0, 0x7fffffffffffffff, 0, ST_GeomFromText('LINESTRING(0 0, 1 1)'), NULL,
     '11223344-5566-4788-99aa-bbccddee0000', '0.0.0.0', '2001:db8::ff00:42:8329'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, X'0000000000', repeat(X'00', 300), X'00', X'', 1, 511, 5, 1, POINT(0, 0), POINT(0, 0),
     '01890000-1111-7222-8333-444444444444', '1.2.3.4', '::ffff:1.2.3.4'),
    (5, X'FFFFFFFFFF', X'41', X'41', X'41', 1, 256, 1, 1, NULL, NULL, '00000000-0000-0000-0000-000000000000', NULL, '::');
"""
# What only one of the two has. Short values of COMPRESSED columns are stored as they are.
ONLY_MARIADB = """
CREATE TABLE own (id int PRIMARY KEY, t text COMPRESSED, v varchar(300) COMPRESSED, s varchar(20) COMPRESSED,
    l varchar(400) CHARACTER SET latin1 COMPRESSED, plain varchar(10) CHARACTER SET latin1, b blob COMPRESSED,
    lb longblob COMPRESSED, vb varbinary(255) COMPRESSED, tt tinytext COMPRESSED, uw text CHARACTER SET utf16 COMPRESSED);
INSERT INTO own VALUES
    (1, repeat('日本語', 5000), repeat('あ', 300), '短い', repeat('é', 400), 'é', repeat(X'00FF', 30000), repeat(X'00', 70000),
     repeat(X'0102', 127), repeat('x', 254), repeat('𠮷', 200)),
    (2, '', '', '', '', '', X'', X'', X'', '', ''),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SET SESSION column_compression_zlib_wrap = 1;
INSERT INTO own VALUES
    (4, repeat('raw', 5000), repeat('い', 299), 'x', repeat('ü', 399), 'ü', X'00', X'80', X'81', 'y', repeat('raw', 90))"""
ONLY_MYSQL = """
CREATE TABLE own (id int PRIMARY KEY, before_it varchar(10) CHARACTER SET latin1, v vector(3), large vector(2000),
    l varchar(10) CHARACTER SET latin1, j json);
INSERT INTO own VALUES (1, 'é', to_vector('[1.5, -0.0, 3e38]'), to_vector(concat('[', repeat('0.1,', 1999), '1]')), 'ü', '[]'),
    (2, '', to_vector('[0]'), NULL, 'ä', NULL), (3, NULL, NULL, NULL, NULL, NULL),
    (4, 'a', to_vector('[1,2]'), to_vector('[7]'), 'a', '{}')"""


def make_types(database):
    sql = TYPES + (ONLY_MYSQL if database.server.kind == "mysql" else ONLY_MARIADB)
    if database.server.kind == "mysql":  # has none of these, and no timestamp within 1970's first second
        for theirs, others in (("u uuid, i4 inet4, i6 inet6", "u varchar(36), i4 varchar(20), i6 varchar(40)"),
                               ("1970-01-01 00:00:00.000001", "1970-01-01 00:00:01.000001")):
            assert theirs in sql
            sql = sql.replace(theirs, others)
    database.run(sql)


TYPE_TABLES = ["numbers", "fractions", "times", "texts", "bytes", "own"]


def test_only_what_was_declared_as_json_is_json(database, instance):
    """MariaDB's JSON is a longtext with a check of its name: other types may have such a check too, and another table a
    column whose whole name is the same."""
    database.run("""
        CREATE TABLE `t` (id int PRIMARY KEY, j json, body longtext, short varchar(99) CHECK (json_valid(short)), m mediumtext,
            `x.y` longtext, CONSTRAINT m CHECK (json_valid(body)));
        INSERT INTO t VALUES (1, '{}', '[]', '7', 'no JSON', 'none either');
        CREATE TABLE `t.x` (id int PRIMARY KEY, y json)""")
    instance.start()
    instance.sync()
    database.run("INSERT INTO t VALUES (2, '[1]', '{}', '8', 'nor this', 'nor that'); INSERT INTO `t.x` VALUES (1, '{}')")
    instance.sync()
    assert instance.query("SELECT column_name FROM information_schema.columns WHERE table_schema = 'app' AND "
                          "data_type = 'JSON' ORDER BY table_name, ordinal_position") == [["j"], ["y"]]
    assert instance.query("SELECT id, body, short, m, \"x.y\" FROM app.t ORDER BY id") == \
        [[1, "[]", "7", "no JSON", "none either"], [2, "{}", "8", "nor this", "nor that"]]


def test_a_view_is_no_table_and_not_what_was_meant(database, tmp_path):
    database.run("CREATE TABLE orders (id int PRIMARY KEY); CREATE VIEW orders_v AS SELECT * FROM orders")
    with MariaDbInstance(tmp_path / "project", database, (f"{database.name}.orders_v",)) as instance:
        done = instance.command("up", "--listen", "127.0.0.1:0")
        assert done.returncode == 1 and f'Did you mean "{database.name}.orders"?' in done.stderr, done.stderr


@pytest.mark.parametrize("metadata", ["FULL", "NO_LOG", "MINIMAL"])
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_each_type_is_the_same_copied_and_streamed(database, instance, is_mysql, metadata, compressed):
    if is_mysql and (compressed or metadata == "NO_LOG"):
        pytest.skip("MySQL has no such setting")
    with setting(database, "binlog_row_metadata", metadata), \
            contextlib.nullcontext() if is_mysql else setting(database, "log_bin_compress", int(compressed)):
        database.run("SET sql_mode = 'STRICT_ALL_TABLES'; SET NAMES utf8mb4")
        make_types(database)
        instance.start()
        instance.sync()
        copied = {table: instance.texts(table) for table in TYPE_TABLES}
        for table in TYPE_TABLES:
            database.run(f"CREATE TEMPORARY TABLE kept AS SELECT * FROM {table};"
                         f"DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept;"
                         "DROP TEMPORARY TABLE kept")
        instance.sync()
        for table in TYPE_TABLES:
            columns, streamed = instance.texts(table)
            assert columns == copied[table][0]
            for before, after in zip(copied[table][1], streamed):
                for name, here, there in zip(columns, before, after):
                    assert here == there, f"{table}.{name} of row {before[0]}"
            assert len(streamed) == len(copied[table][1]) == (5 if table == "bytes" else 4)
    assert instance.stream()["unrepresentable_values"] == 0
    # As it came, not copied anew since something did not fit.
    assert instance.log().count("copying ") == 1, instance.log()


def test_values_are_what_the_server_shows(database, instance, is_mysql):
    make_types(database)
    instance.start()
    instance.sync()
    assert instance.query("SELECT bu, iu, y, after_year, b FROM app.numbers WHERE id = 1") == \
        [["18446744073709551615", 4294967295, 1901, -1, 1]] or \
        instance.query_texts("SELECT bu, iu, y, after_year, b FROM app.numbers WHERE id = 1")[1] == \
        [["18446744073709551615", "4294967295", "1901", "-1", "1"]]
    texts = instance.query("SELECT l, sj, cp, eu, uj, u16, u32, gb, e, s, el FROM app.texts WHERE id = 1")
    shown = database.run("SELECT l, sj, cp, eu, uj, u16, u32, gb, e, s, el FROM texts WHERE id = 1")
    assert texts == shown
    if is_mysql:
        own = instance.query_texts("SELECT v, len(large), list_sum(large) > 200 FROM app.own WHERE id = 1")[1]
        assert own == [[["1.5", "-0", "3e+38"], "2000", True]], own
    else:
        columns = "t, v, s, l, plain, tt, uw"
        assert instance.query(f"SELECT {columns} FROM app.own ORDER BY id") == \
            database.run(f"SELECT {columns} FROM own ORDER BY id")
        assert instance.query("SELECT hex(b), hex(lb), hex(vb) FROM app.own ORDER BY id") == \
            database.run("SELECT hex(b), hex(lb), hex(vb) FROM own ORDER BY id")
    assert instance.query("SELECT CAST(t AS text), CAST(t6 AS text) FROM app.times WHERE id < 3 ORDER BY id") == \
        [["-838:59:59", "-838:59:58.999999"], ["838:59:59", "00:00:00.000001"]]
    assert instance.query("SELECT epoch_us(ts6), epoch_us(dt6) FROM app.times WHERE id = 2") == \
        [[1795608000123456, 1772236800000001]]
    assert instance.query("SELECT CAST(u AS text), i4, i6 FROM app.bytes WHERE id IN (1, 4) ORDER BY id") == \
        [["11223344-5566-1788-99aa-bbccddeeff00", "255.0.255.0", "::1"],
         ["01890000-1111-7222-8333-444444444444", "1.2.3.4", "::ffff:1.2.3.4"]]
    types = dict(instance.query("SELECT column_name, data_type FROM information_schema.columns "
                                "WHERE table_schema = 'app'"))
    assert (types["bu"], types["j"], types["u"], types["t6"], types["d6"], types["b1"]) == \
        ("HUGEINT", "JSON", "VARCHAR" if is_mysql else "UUID", "INTERVAL", "VARCHAR", "BOOLEAN")
    done = instance.command("reconcile", timeout=120)
    assert done.returncode == 0, (done.stdout, done.stderr)


DOCUMENTS = [
    "'null'", "'true'", "'[]'", "'{}'", "'\"\"'", "'\"日本語 \\\\u0001 \\\\n\"'", "'-1'", "'32767'", "'-32769'",
    "'2147483648'", "'9223372036854775807'", "'18446744073709551615'", "'1.5'", "'-0.0'", "'1e300'", "'1e-7'",
    "'0.1'", "'123456789012345680000'", "json_object('d', CAST('-12.340' AS decimal(8, 3)))",
    "json_array(CAST('2026-02-28' AS date), CAST('2026-02-28 01:02:03.000004' AS datetime(6)), "
    "CAST('-100:11:12.5' AS time(3)), CAST('2026-02-28 01:02:03' AS datetime))",
    "json_object('bytes', CAST(x'00ff41' AS json), 'bit', CAST(b'101' AS json), 'year', CAST(2026 AS year))",
    "json_object('point', CAST(POINT(1, 2) AS json))", "json_array(repeat('あ', 200), repeat('y', 70000))",
    "(SELECT json_objectagg(concat('key ', seq), seq) FROM seq_1_to_5000)",
    "(SELECT json_arrayagg(json_object('id', seq, '', null, '名', concat('生徒 ', seq))) FROM seq_1_to_2000)"]


def test_documents_of_mysql_are_the_same_copied_and_streamed(database, instance, is_mysql):
    """Copied as the server writes them, streamed from the form in which it stores them."""
    if not is_mysql:
        pytest.skip("MariaDB stores them as text")
    database.run("CREATE TABLE t (id int PRIMARY KEY, j json); CREATE TABLE again LIKE t")
    for number, document in enumerate(DOCUMENTS):
        database.run(f"INSERT INTO t SELECT {number}, {document}")
    instance.start()
    instance.sync()
    database.run("INSERT INTO again SELECT * FROM t")
    instance.sync()
    copied, streamed = (instance.query(f"SELECT id, j::text FROM app.{table} ORDER BY id") for table in ("t", "again"))
    assert len(copied) == len(streamed) == len(DOCUMENTS)
    for (number, here), (_, there) in zip(copied, streamed):
        assert json.loads(here) == json.loads(there), (DOCUMENTS[number], here[:200], there[:200])
    differ = [(here[:60], there[:60]) for (_, here), (_, there) in zip(copied, streamed) if here != there]
    print("written otherwise:", differ)


def test_a_file_that_is_loaded_by_a_statement_has_its_table_copied_anew(database, instance, is_mysql, tmp_path):
    database.run("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)")
    instance.start()
    instance.sync()
    file = tmp_path / "rows"
    file.write_text("2\n", encoding="ascii")
    if is_mysql:
        database.run("SET GLOBAL local_infile = 1")
    with contextlib.closing(database.server.connect(database.name, local_infile=True)) as other:
        database.run(f"SET SESSION binlog_format = 'STATEMENT'; LOAD DATA LOCAL INFILE '{file}' INTO TABLE t", other)
    database.run("INSERT INTO u VALUES (1)")
    instance.sync()
    wait_until(lambda: instance.query("SELECT * FROM app.t") == [[2]], instance.log)
    database.run("INSERT INTO t VALUES (3)")
    instance.sync()
    assert instance.query("SELECT * FROM app.t ORDER BY id") == [[2], [3]]
    assert instance.query("SELECT * FROM app.u") == [[1]]
    assert "a statement changed its rows" in instance.log()
    assert "app.u" not in [line for line in instance.log().splitlines() if "is to be copied" in line]


def test_what_foreign_keys_cascade_is_followed_or_named(database, instance, is_mysql):
    """MariaDB's log does not have it: the table says so, and a comparison mends it."""
    database.run("CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2);"
                 "CREATE TABLE c (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE ON UPDATE CASCADE);"
                 "INSERT INTO c VALUES (10, 1), (20, 2)")
    instance.start()
    instance.sync()
    notes = {table["name"]: " ".join(table["notes"]) for table in instance.stream()["tables"]}
    assert ("cascade" in notes["c"]) == (not is_mysql) and notes["p"] == "", notes
    database.run("DELETE FROM p WHERE id = 1; UPDATE p SET id = 3")
    instance.sync()
    if not is_mysql:
        assert instance.command("reconcile", "--repair", timeout=60).returncode == 0
    assert instance.query("SELECT * FROM app.c") == [[20, 3]]


def test_a_reader_with_the_rights_that_it_needs_sees_all(database, instance, is_mysql):
    """What foreign keys do, and what of longtext is JSON, the catalogue's tables may tell only those with more."""
    database.run("CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2);"
                 "CREATE TABLE c (id int PRIMARY KEY, p int COMMENT ') ON DELETE SET NULL', j json,"
                 " FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE);"
                 "CREATE TABLE d (id int PRIMARY KEY, `) ON DELETE CASCADE` int, FOREIGN KEY (`) ON DELETE CASCADE`) REFERENCES p (id));"
                 "INSERT INTO c VALUES (1, 1, '{}'), (2, 2, '{}')")
    reader = f"reader_{database.name}"
    database.run(f"CREATE USER {reader}@localhost IDENTIFIED BY 'a-password';"
                 f"GRANT SELECT ON `{database.name}`.* TO {reader}@localhost;"
                 f"GRANT REPLICATION SLAVE, REPLICATION CLIENT{', RELOAD' if is_mysql else ''} ON *.* TO {reader}@localhost"
                 + (f"; GRANT XA_RECOVER_ADMIN ON *.* TO {reader}@localhost" if is_mysql else ""))
    instance.connect_as(reader, "a-password")
    instance.start()
    instance.sync()
    notes = {table["name"]: " ".join(table["notes"]) for table in instance.stream()["tables"]}
    assert ("cascade" in notes["c"]) == (not is_mysql) and "cascade" not in notes["d"], notes
    assert instance.query("SELECT data_type FROM duckdb_columns() WHERE table_name = 'c' AND column_name = 'j'") == [["JSON"]]
    database.run("DELETE FROM p WHERE id = 1; INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1, '[]')")
    instance.sync()
    assert instance.query("SELECT id, j::text FROM app.c ORDER BY id") == [[1, "[]"], [2, "{}"]]
    database.run(f"DROP USER {reader}@localhost")


def test_a_copy_waits_for_xa_transactions_that_are_prepared(database, instance):
    """Their rows are before its place in the log, and in no view yet."""
    database.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)")
    with contextlib.closing(database.connect()) as other:
        database.run("XA START 'q'; INSERT INTO t VALUES (2, 2); UPDATE t SET a = 100; XA END 'q'; XA PREPARE 'q'", other)
        instance.start()
        time.sleep(1)
        assert instance.query("SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'app'") == [[0]]
        database.run("XA COMMIT 'q'", other)
    instance.sync()
    assert instance.query("SELECT * FROM app.t ORDER BY id") == [[1, 100], [2, 100]]


def test_documents_that_are_logged_in_parts_are_refused_with_what_mends_it(database, instance, is_mysql):
    if not is_mysql:
        pytest.skip("MariaDB has no such setting")
    name = "binlog_row_value_options"
    database.run("CREATE TABLE t (id int PRIMARY KEY, j json); INSERT INTO t VALUES (1, '{\"a\": 1, \"b\": [1, 2]}')")
    instance.start()
    instance.sync()
    with setting(database, name, "PARTIAL_JSON"):
        found = instance.command("doctor")
        assert name in found.stdout + found.stderr, (found.stdout, found.stderr)
        database.run("UPDATE t SET j = json_set(j, '$.b[0]', 7)")
        message = failed(instance)
        assert "parts of JSON values" in message and f"SET GLOBAL {name} = " in message, message
        assert instance.stop() == 0
        stream = instance.folder / "streams/app.yaml"
        stream.write_text(stream.read_text() + "when_lost: recopy\n")
        # Not before the server is as it has to be: else each such change would have all copied anew.
        instance.start()
        assert "its changes cannot be followed" in failed(instance)
        assert instance.stop() == 0
    instance.start()
    instance.sync()
    wait_until(lambda: json.loads(instance.value("SELECT j::text FROM app.t")) == {"a": 1, "b": [7, 2]}, instance.log)


def test_compressed_transactions_are_followed(database, instance, is_mysql):
    """Those of MySQL, each one event that has to be uncompressed; kills in between, and others beside them."""
    if not is_mysql:
        pytest.skip("MariaDB compresses statements and rows")
    chance = random.Random(SEED + 3)
    name = "binlog_transaction_compression"
    database.run(ANSWERS + "; CREATE TABLE big (id int PRIMARY KEY, a longtext)")
    with setting(database, name, 1):
        instance.start()
        instance.sync()
        with Load(database, SEED + 4) as load:
            for number in range(4):
                time.sleep(chance.uniform(0, 1.0))
                instance.kill()
                instance.start()
                database.run(f"SET SESSION {name} = {number % 2}; INSERT INTO big (id, a) SELECT {number} * 10000 + seq, "
                             "concat('行 ', seq) FROM seq_1_to_10000; ALTER TABLE big "
                             f"ADD COLUMN c{number} int DEFAULT {number}; UPDATE big SET a = concat(a, '!'), "
                             f"c{number} = id WHERE id % 2 = 0; DELETE FROM big WHERE id % 3 = {number % 3}")
        assert load.transactions > 50
        database.run(f"SET SESSION {name} = 1; INSERT INTO big (id, a) VALUES (-1, repeat('長い', 2000000));"
                     "INSERT INTO big (id, a) SELECT 100000 + seq, seq FROM seq_1_to_300000")
        log = database.run("SHOW BINARY LOG STATUS")[0][0]
        kinds = [event[2] for event in database.run(f"SHOW BINLOG EVENTS IN '{log}' LIMIT 20000")]
        assert kinds.count("Transaction_payload") > 50
        instance.sync(60)
        assert instance.log().count("copying ") == 1, instance.log()
        assert_answers(database, instance)
        assert_same_table(database, instance, "big", ["id", "left(a, 30)", "char_length(a)", "c0", "c1", "c2", "c3"])


def test_dates_that_do_not_exist_become_null_and_are_counted(database, instance):
    database.run("SET sql_mode = 'ALLOW_INVALID_DATES'")
    database.run("CREATE TABLE t (id int PRIMARY KEY, d date, dt datetime, ts timestamp NULL);"
                 "INSERT INTO t VALUES (1, '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00'),"
                 "(2, '2026-02-31', '2026-00-10 00:00:00', '2026-01-01 00:00:00')")
    instance.start()
    instance.sync()
    database.run("SET sql_mode = ''; INSERT INTO t SELECT id + 10, d, dt, ts FROM t")
    instance.sync()
    rows = instance.query("SELECT id, d IS NULL, dt IS NULL, ts IS NULL FROM app.t ORDER BY id")
    assert rows == [[1, True, True, True], [2, True, True, False],
                    [11, True, True, True], [12, True, True, False]]
    assert instance.stream()["unrepresentable_values"] >= 5


@pytest.mark.parametrize("image", ["MINIMAL", "NOBLOB"])
def test_what_a_row_image_leaves_out_is_filled_in(database, instance, image):
    with setting(database, "binlog_row_image", image):
        database.run("""
            CREATE TABLE t (id int PRIMARY KEY, a int DEFAULT 7, b varchar(20) DEFAULT 'it''s', c text,
                d datetime DEFAULT '2026-01-02 03:04:05', e decimal(5,2) DEFAULT 1.25,
                n int NOT NULL DEFAULT 3, v int AS (a + 1) VIRTUAL, s int AS (a + 2) STORED);
            INSERT INTO t (id, c) SELECT seq, repeat('long ', 100) FROM seq_1_to_100""")
        instance.start()
        instance.sync()
        database.run("""
            INSERT INTO t (id) VALUES (1001);
            INSERT INTO t (id, b, c) VALUES (1002, 'b', 'c'), (1003, NULL, NULL);
            UPDATE t SET a = 8 WHERE id <= 50;
            UPDATE t SET c = 'changed' WHERE id BETWEEN 40 AND 60;
            UPDATE t SET id = id + 2000 WHERE id BETWEEN 50 AND 55;
            UPDATE t SET b = 'again' WHERE id >= 2000;
            DELETE FROM t WHERE id BETWEEN 10 AND 20;
            INSERT INTO t (id, a) VALUES (10, 1);
            START TRANSACTION; DELETE FROM t WHERE id = 30; INSERT INTO t (id, c) VALUES (30, 'new');
            UPDATE t SET a = 2 WHERE id = 30; COMMIT""")
        instance.sync()
        assert_same_table(database, instance, "t", ["id", "a", "b", "c", "d", "e", "n", "s"])


# Definitions.

def test_columns_come_and_go_while_it_runs(database, instance):
    database.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 2)")
    instance.start()
    instance.sync()
    database.run("""
        ALTER TABLE t ADD COLUMN b varchar(10) DEFAULT 'new', ADD COLUMN n int NOT NULL FIRST;
        INSERT INTO t (id, a, b, n) VALUES (3, 3, 'c', 5);
        UPDATE t SET a = 20 WHERE id = 2;
        ALTER TABLE t DROP COLUMN a;
        INSERT INTO t (id, b, n) VALUES (4, 'd', 6)""")
    instance.sync()
    assert instance.query("SELECT id, a, b, n FROM app.t ORDER BY id") == \
        [[1, 1, "new", 0], [2, 20, "new", 0], [3, 3, "c", 5], [4, None, "d", 6]]


# Each has other rows than NULL, or a NULL for a reason.
DEFAULTS = ["varchar(9) DEFAULT ''", "char(3) DEFAULT ''", "varchar(9) DEFAULT 'a\\nb\\tc\\\\d''e'",
            "varchar(20) DEFAULT '0000-00-00'", "varchar(9) DEFAULT 'NULL'", "varchar(9) DEFAULT NULL",
            "bit(8) DEFAULT b'101'", "bit(1) NOT NULL DEFAULT b'1'", f"bit(64) DEFAULT b'{'1' * 64}'",
            "date DEFAULT '0000-00-00'", "datetime DEFAULT '2026-00-00'", "datetime(3) DEFAULT '2026-01-01 00:00:00.5'",
            "timestamp NOT NULL DEFAULT '2026-01-01'", "timestamp NOT NULL DEFAULT 0",
            "time DEFAULT '-25:00:00'", "year DEFAULT 70", "set('a', 'b') DEFAULT 'b,a'"]


def test_a_column_that_comes_has_its_default_in_the_rows_that_are_there(database, instance):
    """The same that is in a row which the stream has brought."""
    database.run("SET sql_mode = '', time_zone = '+09:00'")
    for i in range(len(DEFAULTS)):
        database.run(f"CREATE TABLE t{i} (id int PRIMARY KEY, a int); INSERT INTO t{i} VALUES (1, 1), (2, 1)")
    instance.start()
    instance.sync()
    for i, column in enumerate(DEFAULTS):
        database.run(f"ALTER TABLE t{i} ADD COLUMN x {column}; UPDATE t{i} SET a = 2 WHERE id = 2")
    instance.settle()
    instance.sync()
    for i, column in enumerate(DEFAULTS):
        (there,), (brought,) = instance.query(f"SELECT x::VARCHAR FROM app.t{i} ORDER BY id")
        assert there == brought, (column, instance.log())
        is_null = column.endswith("NULL") or "00-00" in column and "char" not in column or column.endswith("DEFAULT 0")
        assert (there is None) == is_null, column


def test_a_column_that_is_renamed_or_made_again_has_its_own_values(database, instance):
    database.run("CREATE TABLE renamed (id int PRIMARY KEY, a int, b int); INSERT INTO renamed VALUES (1, 1, 2), (2, 1, 2);"
                 "CREATE TABLE again LIKE renamed; INSERT INTO again SELECT * FROM renamed;"
                 "CREATE TABLE called LIKE renamed; INSERT INTO called SELECT * FROM renamed")
    instance.start()
    instance.sync()
    database.run("""
        ALTER TABLE renamed RENAME COLUMN a TO b, RENAME COLUMN b TO a;
        UPDATE renamed SET a = 20 WHERE id = 2;
        ALTER TABLE again DROP COLUMN b;
        ALTER TABLE again ADD COLUMN b int AFTER id;
        INSERT INTO again VALUES (3, 4, 5);
        ALTER TABLE called CHANGE a c bigint""")
    instance.settle()
    instance.sync()
    for table, columns in (("renamed", "id, a, b"), ("again", "id, a, b"), ("called", "id, c, b")):
        assert instance.query(f"SELECT {columns} FROM app.{table} ORDER BY id") == \
            database.run(f"SELECT {columns} FROM {table} ORDER BY id"), instance.log()


@pytest.mark.parametrize("made", ["while it is stopped", "when it runs again"])
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_column_dropped_before_a_restart_and_made_again_later_has_its_own_values(database, instance, end, made):
    """Also where nobody looked at the catalogue, or changed a row, while the column was gone."""
    stream = instance.folder / "streams/app.yaml"
    stream.write_text(stream.read_text().replace("discover_every: 200ms", "discover_every: 1h"))
    database.run("CREATE TABLE still (id int PRIMARY KEY, a int, b int DEFAULT 7); INSERT INTO still VALUES (1, 1, 2), (2, 1, 2);"
                 "CREATE TABLE busy LIKE still; INSERT INTO busy SELECT * FROM still")
    instance.start()
    instance.sync()
    database.run("ALTER TABLE still DROP COLUMN b; ALTER TABLE busy DROP COLUMN b; INSERT INTO busy VALUES (3, 3)")
    instance.sync()
    assert instance.query("SELECT id, b FROM app.still ORDER BY id") == [[1, 2], [2, 2]], "it stays"
    again = "; ".join(f"ALTER TABLE {table} ADD COLUMN b int; INSERT INTO {table} VALUES (9, 9, 9)"
                      for table in ("still", "busy"))
    if end == "stop":
        assert instance.stop() == 0
    else:
        instance.kill()
    if made == "while it is stopped":
        database.run(again)
    stream.write_text(stream.read_text().replace("discover_every: 1h", "discover_every: 200ms"))
    instance.start()
    if made == "when it runs again":
        instance.sync()
        database.run(again)
    instance.settle()
    instance.sync()
    for table in ("still", "busy"):
        assert instance.query(f"SELECT id, a, b FROM app.{table} ORDER BY id") == \
            database.run(f"SELECT id, a, b FROM {table} ORDER BY id"), instance.log()


def test_changes_from_before_an_alter_are_read_with_the_names_that_they_had(database, instance):
    database.run("CREATE TABLE t (id int PRIMARY KEY, a int, gone varchar(10))")
    instance.start()
    instance.sync()
    assert instance.stop() == 0
    database.run("""
        INSERT INTO t VALUES (1, 10, 'x');
        ALTER TABLE t DROP COLUMN gone, ADD COLUMN extra int DEFAULT 5 FIRST;
        INSERT INTO t (id, a, extra) VALUES (2, 20, 6)""")
    instance.start()
    instance.sync()
    assert instance.query("SELECT id, a, gone, extra FROM app.t ORDER BY id") == \
        [[1, 10, "x", 5], [2, 20, None, 6]]


def test_without_names_in_the_log_it_copies_anew_rather_than_guesses(database, instance, is_mysql):
    metadata = "MINIMAL" if is_mysql else "NO_LOG"
    with setting(database, "binlog_row_metadata", metadata):
        database.run("CREATE TABLE t (id int PRIMARY KEY, a int)")
        instance.start()
        instance.sync()
        database.run("ALTER TABLE t ADD COLUMN b int; INSERT INTO t VALUES (1, 2, 3)")
        instance.sync()
        assert instance.query("SELECT id, a, b FROM app.t") == [[1, 2, 3]]
        said = instance.command("doctor")
        assert f"binlog_row_metadata is {metadata}" in said.stdout + said.stderr
        assert instance.stop() == 0
        database.run("INSERT INTO t VALUES (2, 2, 2); ALTER TABLE t DROP COLUMN a")
        instance.start()
        instance.sync()
        wait_until(lambda: instance.query("SELECT id, b FROM app.t ORDER BY id") == [[1, 3], [2, 2]],
                   instance.log)
        assert "the binary log does not name them" in instance.log()


def test_rows_from_before_an_alter_that_only_moves_columns_are_not_guessed(database, instance, is_mysql):
    """The count and the types are the same before and after; so are those of a default."""
    with setting(database, "binlog_row_metadata", "MINIMAL" if is_mysql else "NO_LOG"), \
            setting(database, "binlog_row_image", "MINIMAL"):
        database.run("CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t VALUES (1, 10, 100);"
                     "CREATE TABLE d (id int PRIMARY KEY, a int DEFAULT 8)")
        instance.start()
        instance.sync()
        assert instance.stop() == 0
        database.run("INSERT INTO t VALUES (2, 20, 200); UPDATE t SET b = 101 WHERE id = 1; ALTER TABLE t MODIFY b int AFTER id;"
                     "INSERT INTO d (id) VALUES (1); ALTER TABLE d ALTER a SET DEFAULT 9; INSERT INTO d (id) VALUES (2)")
        instance.start()
        instance.sync()
        wait_until(lambda: instance.query("SELECT id, a, b FROM app.t ORDER BY id") == [[1, 10, 101], [2, 20, 200]], instance.log)
        wait_until(lambda: instance.query("SELECT * FROM app.d ORDER BY id") == [[1, 8], [2, 9]], instance.log)
        # What is altered while all is read as it comes is not copied anew.
        copies = instance.log().count("copying ")
        database.run("INSERT INTO t (id, a) VALUES (3, 30)")
        instance.sync()
        time.sleep(2)
        database.run("ALTER TABLE t ADD COLUMN c int; INSERT INTO t (id, c) VALUES (4, 40)")
        instance.sync()
        assert instance.query("SELECT id, a, b, c FROM app.t WHERE id > 2 ORDER BY id") == [[3, 30, None, None], [4, None, None, 40]]
        assert instance.log().count("copying ") == copies, instance.log()


def test_a_default_that_is_dropped_again_stays_in_the_rows_that_were_there(database, instance):
    """As migrations of applications do it, one ALTER after the other; the catalogue has the last one only."""
    database.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2); CREATE TABLE u LIKE t; INSERT INTO u SELECT * FROM t;"
                 "CREATE TABLE v LIKE t; INSERT INTO v SELECT * FROM t")
    instance.start()
    instance.sync()
    database.run("ALTER TABLE t ADD COLUMN x int DEFAULT 5 NOT NULL; ALTER TABLE t ALTER COLUMN x DROP DEFAULT;"
                 "UPDATE t SET x = 7 WHERE id = 1;"
                 "ALTER TABLE u ADD COLUMN x int DEFAULT 5; UPDATE u SET x = 7 WHERE id = 1; ALTER TABLE u ALTER x SET DEFAULT 6;"
                 "ALTER TABLE v ADD COLUMN x int DEFAULT 5; ALTER TABLE v ADD INDEX (x); UPDATE v SET x = 7 WHERE id = 1")
    instance.sync()
    instance.settle()
    for table in "tuv":
        assert instance.query(f"SELECT id, x FROM app.{table} ORDER BY id") == [[1, 7], [2, 5]], instance.log()


def test_a_table_that_is_emptied_is_empty_here(database, instance, is_mysql):
    made_anew = "DROP TABLE t; CREATE" if is_mysql else "CREATE OR REPLACE"
    database.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 2);"
                 "CREATE TABLE made_anew LIKE t; INSERT INTO made_anew SELECT * FROM t")
    instance.start()
    instance.sync()
    database.run("""
        INSERT INTO t VALUES (3, 3); TRUNCATE TABLE t; INSERT INTO t VALUES (4, 4);
        DROP TABLE made_anew;
        CREATE TABLE IF NOT EXISTS made_anew (id int PRIMARY KEY, a int);
        INSERT INTO made_anew VALUES (1, 100)""")
    instance.sync()
    # Who looks when there is no such table has it copied anew.
    instance.settle()
    assert instance.query("SELECT * FROM app.t") == [[4, 4]]
    assert instance.query("SELECT * FROM app.made_anew") == [[1, 100]]
    database.run("CREATE TABLE IF NOT EXISTS t (id int PRIMARY KEY);"
                 f"DELETE FROM `{database.name}`.t; {made_anew} TABLE t (id int PRIMARY KEY, a int);"
                 "INSERT INTO t VALUES (5, 5); DROP TABLE made_anew")
    instance.sync()
    instance.settle()
    assert instance.query("SELECT * FROM app.t") == [[5, 5]]
    assert instance.query("SELECT * FROM app.made_anew") == [[1, 100]]


def test_statements_are_read_as_the_server_reads_them(database, instance, is_mysql):
    """Comments, settings and character sets in and before a statement."""
    emptied = ["表", "dashes", "tabs"]
    statements = ["TRUNCATE TABLE `表`", "--\nTRUNCATE TABLE dashes", "TRUNCATE tabs --\tat the end"]
    if not is_mysql:
        emptied.append("set_for")
        statements.append("SET STATEMENT lock_wait_timeout = 5 FOR TRUNCATE TABLE set_for")
    for name in emptied:
        database.run(f"CREATE TABLE `{name}` (id int PRIMARY KEY); INSERT INTO `{name}` VALUES (1)")
    database.run("""
        CREATE TABLE again (id int PRIMARY KEY, period int, b int); INSERT INTO again VALUES (1, 1, 1);
        CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id)
            (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
        INSERT INTO parts VALUES (1), (11);
        CREATE TABLE swapped (id int PRIMARY KEY); INSERT INTO swapped VALUES (2), (3)""")
    instance.start()
    instance.sync()
    with contextlib.closing(database.connect()) as japanese:
        japanese.set_charset("cp932")
        for statement in statements:
            database.run(statement, japanese)
    for name in emptied:
        database.run(f"INSERT INTO `{name}` VALUES (2)")
    database.run(f"""
        ALTER TABLE again DROP COLUMN period, DROP COLUMN b;
        ALTER TABLE again ADD {"" if is_mysql else "COLUMN"} period int, ADD (b int); INSERT INTO again VALUES (2, 2, 2);
        ALTER TABLE parts EXCHANGE PARTITION p0 WITH TABLE swapped""")
    instance.settle()
    instance.sync()
    for name in (*emptied, "again", "parts", "swapped"):
        assert instance.query(f'SELECT * FROM app."{name}" ORDER BY 1') == \
            database.run(f"SELECT * FROM `{name}` ORDER BY 1"), (name, instance.log())


@pytest.fixture
def particular():
    """A server that compares names of tables without regard to case, and leaves a database out of its log."""
    server = MariaDbServer("--lower-case-table-names=1", "--binlog-ignore-db=unlogged")
    yield server
    server.stop()


def test_a_database_that_is_left_out_of_the_log_is_refused(particular, tmp_path):
    with particular.database() as database, \
            MariaDbInstance(tmp_path / "project", database, (f"{database.name}.*", "unlogged.t")) as instance:
        database.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);"
                     "CREATE DATABASE unlogged; CREATE TABLE unlogged.t (id int PRIMARY KEY)")
        said = instance.command("doctor")
        assert said.returncode != 0 and "binlog_ignore_db has it" in said.stdout + said.stderr
        instance.start()
        instance.sync()
        states = {table["source"]: table["state"] for table in instance.stream()["tables"]}
        assert states["unlogged.t"] == "refused" and states[f"{database.name}.t"] == "live", states


def test_names_without_regard_to_case_are_followed(particular, tmp_path):
    with particular.database() as database, MariaDbInstance(tmp_path / "project", database) as instance:
        database.run("CREATE TABLE Orders (id int PRIMARY KEY); INSERT INTO orders VALUES (1)")
        instance.start()
        instance.sync()
        database.run("TRUNCATE TABLE ORDERS; INSERT INTO Orders VALUES (2)")
        instance.sync()
        assert instance.query("SELECT * FROM app.orders") == [[2]]


def test_tools_that_alter_a_table_by_a_shadow_are_followed(database, instance):
    """The shadow itself is not of the stream: no mask has its name."""
    database.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1); CREATE TABLE _x_gho (id int PRIMARY KEY)")
    instance.start()
    instance.sync()
    database.run("""
        CREATE TABLE _t_gho (id int PRIMARY KEY, a bigint, b int); INSERT INTO _t_gho (id, a) SELECT * FROM t;
        RENAME TABLE t TO _t_del, _t_gho TO t""")
    database.run("ALTER TABLE t MODIFY a int; INSERT INTO t VALUES (2, 2, 2)")
    instance.sync()
    assert instance.query("SELECT id, a, b FROM app.t ORDER BY id") == [[1, 1, None], [2, 2, 2]]
    database.run("CREATE TABLE last (id int PRIMARY KEY)")
    wait_until(lambda: "last" in {table["name"] for table in instance.stream()["tables"]}, "the last table")
    assert {table["name"] for table in instance.stream()["tables"]} == {"t", "_x_gho", "last", "biwa_test_marker"}


@pytest.mark.parametrize("sql, said", [
    ("RENAME TABLE t TO old; RENAME TABLE other TO t", "renamed"),
    ("ALTER TABLE parts DROP PARTITION p0", "DROP PARTITION"),
    ("SET SESSION binlog_format = 'STATEMENT'; UPDATE t SET a = a + 1", "binlog_format=ROW"),
])
def test_a_table_whose_changes_are_not_in_the_log_is_copied_anew(database, instance, sql, said):
    database.run("""
        CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1);
        CREATE TABLE other LIKE t; INSERT INTO other VALUES (5, 5);
        CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id)
            (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
        INSERT INTO parts VALUES (1), (11)""")
    instance.start()
    instance.sync()
    database.run(sql)
    wait_until(lambda: said in instance.log(), instance.log)
    instance.sync()
    for table in ("t", "parts"):
        wait_until(lambda: instance.query(f"SELECT * FROM app.{table} ORDER BY id") ==
                   database.run(f"SELECT * FROM {table} ORDER BY id"), instance.log)
    database.run("INSERT INTO t VALUES (100, 100); INSERT INTO parts VALUES (100)")
    instance.sync()
    assert instance.query("SELECT max(id) FROM app.t UNION ALL SELECT max(id) FROM app.parts") == \
        [[100], [100]]


def test_another_primary_key_is_followed(database, instance):
    database.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 11), (2, 12)")
    instance.start()
    instance.sync()
    database.run("""
        UPDATE t SET a = 13 WHERE id = 1;
        ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (a);
        UPDATE t SET id = 5 WHERE a = 12; DELETE FROM t WHERE a = 13; INSERT INTO t VALUES (5, 9)""")
    instance.sync()
    assert instance.query("SELECT id, a FROM app.t ORDER BY a") == [[5, 9], [5, 12]]


def test_a_log_that_was_purged_is_found_out(database, instance):
    database.run("CREATE TABLE t (id int PRIMARY KEY)")
    instance.start()
    instance.sync()
    assert instance.stop() == 0
    # A file that somebody still reads is not purged.
    wait_until(lambda: not database.run(
        "SELECT 1 FROM information_schema.processlist WHERE command = 'Binlog Dump'"),
        "the server to see that we have gone")
    database.run("INSERT INTO t VALUES (1); FLUSH BINARY LOGS; FLUSH BINARY LOGS")
    last = database.run("SHOW BINARY LOGS")[-1][0]

    def purged():  # the engine may need the file for a moment more
        database.run(f"PURGE BINARY LOGS TO '{last}'")
        return len(database.run("SHOW BINARY LOGS")) == 1

    wait_until(purged, "the log to be purged")
    instance.start()
    assert "no longer has its binary log" in failed(instance)
    # There is nothing to wait for.
    done = instance.command("reconcile", timeout=20)
    assert done.returncode != 0 and "has stopped" in done.stderr, (done.stdout, done.stderr)
    assert instance.stop() == 0
    stream = instance.folder / "streams/app.yaml"
    stream.write_text(stream.read_text() + "when_lost: recopy\n")
    instance.start()
    instance.sync()
    wait_until(lambda: instance.query("SELECT * FROM app.t") == [[1]], instance.log)
    database.run("INSERT INTO t VALUES (3)")
    instance.sync()
    assert instance.query("SELECT * FROM app.t ORDER BY id") == [[1], [3]]


@contextlib.contextmanager
def reset_by_itself(maria, tmp_path):
    """A database of a server of its own, an instance, and what begins the server's log anew."""
    server = type(maria)()
    try:
        with server.database() as own, MariaDbInstance(tmp_path / "project", own) as instance:
            yield own, instance, "RESET BINARY LOGS AND GTIDS" if server.kind == "mysql" else "RESET MASTER"
    finally:
        server.stop()


def test_a_log_that_was_begun_anew_is_found_out(maria, tmp_path):
    with reset_by_itself(maria, tmp_path) as (own, instance, reset):
        own.run("CREATE TABLE t (id int PRIMARY KEY)")
        instance.start()
        instance.sync()
        assert instance.stop() == 0
        time.sleep(1.1)
        own.run(f"{reset}; INSERT INTO t SELECT seq FROM seq_1_to_20000")
        instance.start()
        assert "begun anew" in failed(instance)


def test_a_log_that_was_begun_anew_behind_the_copy_is_found_out(maria, tmp_path):
    """Before anything of it was read, and at a place that the new one has too."""
    with reset_by_itself(maria, tmp_path) as (own, instance, reset):
        own.run("CREATE TABLE t (id int PRIMARY KEY, v varchar(200)); INSERT INTO t SELECT seq, repeat('x', 150) FROM seq_1_to_300000")
        instance.start(env={"BIWA_SNAPSHOT_SLICE_MS": "1"})
        begun = instance.wait_state("snapshot", 30)["position"]
        instance.kill()
        time.sleep(1.1)
        own.run(reset)
        # A change of each table of the stream, which nobody would see.
        own.run("UPDATE t SET v = repeat('y', 150); DELETE FROM t WHERE id < 100")
        instance.start()
        assert "begun anew" in failed(instance), begun


@pytest.mark.parametrize("next_file", [False, True], ids=["in the first file", "over into the next file"])
def test_a_log_that_is_begun_anew_while_it_is_followed_is_found_out(maria, tmp_path, next_file):
    with reset_by_itself(maria, tmp_path) as (own, instance, reset):
        own.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT seq FROM seq_1_to_300")
        instance.start()
        instance.sync()
        for _ in range(3):
            own.run("DELETE FROM t LIMIT 1")
        instance.sync()
        own.run(f"{reset}; INSERT INTO t VALUES (1001)")
        if next_file:
            own.run("FLUSH BINARY LOGS; INSERT INTO t VALUES (1002)")
        assert "begun anew while it was followed" in failed(instance)
        rows = instance.query("SELECT id FROM app.t ORDER BY id")
        instance.stop()
        # What is here stays until somebody says what is to be done.
        instance.start()
        assert "begun anew" in failed(instance)
        assert instance.query("SELECT id FROM app.t ORDER BY id") == rows
        instance.stop()
        stream = instance.folder / "streams/app.yaml"
        stream.write_text(stream.read_text() + "when_lost: recopy\n")
        instance.start()
        wait_until(lambda: [1001] in instance.query("SELECT id FROM app.t"), instance.log, 60)
        own.run("INSERT INTO t VALUES (2000)")
        instance.sync()
        assert_same_table(own, instance, "t", ["id"])
        assert "was begun anew" in instance.log()


# Under load.

class Load(threading.Thread):
    """Transactions of a few changes on a table of (id, pupil, number), until it is stopped."""

    def __init__(self, database, seed):
        super().__init__(daemon=True)
        self.database, self.chance = database, random.Random(seed)
        self.ended = threading.Event()
        self.transactions = 0

    def run(self):
        with contextlib.closing(self.database.server.connect(self.database.name)) as connection:
            cursor = connection.cursor()
            while not self.ended.is_set():
                first = self.chance.randrange(1, 400_000)
                cursor.execute("START TRANSACTION")
                cursor.execute("INSERT INTO answers (pupil, number) VALUES (%s, %s), (%s, 0)",
                               (f"生徒 {first}", first, first))
                cursor.execute("UPDATE answers SET number = number + 1 WHERE id BETWEEN %s AND %s",
                               (first, first + 5))
                cursor.execute("DELETE FROM answers WHERE id = %s", (self.chance.randrange(1, 400_000),))
                if self.chance.random() < 0.1:
                    cursor.execute("UPDATE IGNORE answers SET id = id + 1000000 WHERE id = %s", (first,))
                cursor.execute("COMMIT")
                self.transactions += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join(20)


ANSWERS = """
CREATE TABLE answers (id bigint PRIMARY KEY AUTO_INCREMENT, pupil varchar(40), number int, filler varchar(200)
    DEFAULT 'some text that makes the table larger than one range of the copy, which is sixteen megabytes of it');
INSERT INTO answers (id, pupil, number) SELECT seq, concat('生徒 ', seq), seq FROM seq_1_to_400000;
ANALYZE TABLE answers"""


def assert_answers(database, instance):
    rows = assert_same_table(database, instance, "answers", ["id", "pupil", "number"])
    total, distinct = instance.query("SELECT count(*), count(DISTINCT id) FROM app.answers")[0]
    assert total == distinct == rows


@pytest.mark.parametrize("lock", ["auto", "brief"])
def test_a_copy_under_load_meets_the_changes_without_a_gap(database, tmp_path, lock):
    database.run(ANSWERS)
    with MariaDbInstance(tmp_path / "project", database, settings=f"snapshot_lock: {lock}") as instance:
        with Load(database, SEED) as load:
            time.sleep(0.5)
            instance.start()
            instance.wait_state("streaming")
            wait_until(lambda: load.transactions > 500, "some load", 30)
        instance.sync()
        assert_answers(database, instance)


def test_killed_while_it_copies_it_goes_on_where_it_was(database, tmp_path):
    print(f"BIWA_SEED={SEED} BIWA_KILLS={KILLS}")
    chance = random.Random(SEED)
    database.run(ANSWERS + "; INSERT INTO answers (pupil, number) SELECT pupil, number FROM answers"
                 "; ANALYZE TABLE answers")

    def one_copy(number, kills_max):
        with MariaDbInstance(tmp_path / f"project{number}", database) as instance:
            with Load(database, SEED + number):
                killed = kill_a_copy(instance, "answers", chance, kills_max, 20)
            instance.sync()
            assert instance.log().count("copying ") <= 1, instance.log()
            assert_answers(database, instance)
            assert instance.stop() == 0
        return killed

    assert kill_copies(KILLS // 2, one_copy) >= 1


def test_killed_under_load_it_loses_nothing_and_doubles_nothing(database, instance):
    print(f"BIWA_SEED={SEED} BIWA_KILLS={KILLS}")
    chance = random.Random(SEED + 1)
    database.run(ANSWERS)
    instance.start()
    instance.sync()
    with Load(database, SEED + 2) as load:
        for _ in range(KILLS - KILLS // 2):
            time.sleep(chance.uniform(0, 1.0))
            instance.kill()
            instance.start()
    assert load.transactions > 100
    instance.sync()
    assert instance.log().count("copying ") == 1, instance.log()
    assert_answers(database, instance)


def test_a_broken_connection_is_made_anew(database, instance):
    database.run("CREATE TABLE t (id int PRIMARY KEY)")
    instance.start()
    instance.sync()
    for number in range(3):
        for thread, command in database.run(
                "SELECT id, command FROM information_schema.processlist WHERE command = 'Binlog Dump'"):
            database.run(f"KILL {thread}")
        database.run(f"INSERT INTO t VALUES ({number})")
        wait_until(lambda: instance.value("SELECT count(*) FROM app.t") == number + 1, "the row", 30)


def test_a_large_value_and_a_large_transaction(database, instance, is_mysql):
    replica = "replica" if is_mysql else "slave"
    database.run(f"SET GLOBAL max_allowed_packet = 1073741824; SET GLOBAL {replica}_max_allowed_packet = 1073741824")
    with contextlib.closing(database.connect()) as connection:
        database.run("CREATE TABLE t (id int PRIMARY KEY, a longtext)", connection)
        instance.start()
        instance.sync()
        database.run("INSERT INTO t VALUES (1, repeat('x', 20000000));"
                     "INSERT INTO t SELECT seq, concat('row ', seq) FROM seq_2_to_300000;"
                     "UPDATE t SET a = concat(a, '!') WHERE id > 1", connection)
        instance.sync()
        assert instance.query("SELECT count(*), max(length(a)), count(*) FILTER (a LIKE 'row %!') FROM app.t") == \
            [[300000, 20000000, 299999]]


def test_keys_are_read_anew_a_part_is_refused_and_a_bastion_is_passed(database, instance):
    database.run("CREATE TABLE pairs (a varchar(20) COLLATE utf8mb4_unicode_ci, b int, v text, "
                 "PRIMARY KEY (a, b)); INSERT INTO pairs SELECT 'a', seq, 'v' FROM seq_1_to_100; "
                 "INSERT INTO pairs SELECT 'B', seq, 'v' FROM seq_1_to_100")
    bastion = Bastion()
    try:
        instance.write("secrets/bastion.key", bastion.key, 0o600)
        file = instance.folder / "connections/app_db.yaml"
        plain = file.read_text()
        by_port = plain.replace(f"socket: {database.server.socket}",
                                f"host: 127.0.0.1\nport: {database.server.port}")
        file.write_text(by_port + f"ssh_host: 127.0.0.1\nssh_port: {bastion.port}\n"
                        f"ssh_user: {bastion.user}\nssh_host_key: {bastion.host_key}\n"
                        "ssh_key: ${file:secrets/bastion.key}\n")
        instance.start()
        instance.sync()
        # Changed in a way that the stream does not hear of.
        database.run("SET SESSION sql_log_bin = 0; UPDATE pairs SET v = 'w' WHERE b IN (10, 20); "
                     "DELETE FROM pairs WHERE b = 30; SET SESSION sql_log_bin = 1")
        changed = "SELECT a, b, v FROM app.pairs WHERE b IN (10, 20, 30) ORDER BY a, b"
        done = instance.command("stream", "backfill", "app", "pairs", "--from", "B", "20", "--to",
                                "a", "10", "--json")
        assert done.returncode == 0 and '{"keys":91}' in done.stdout, done.stdout + done.stderr
        assert instance.query(changed) == [["B", 10, "v"], ["B", 20, "w"], ["a", 10, "w"],
                                           ["a", 20, "v"], ["a", 30, "v"]]
        done = instance.command("stream", "backfill", "app", "pairs", "--to", "b")
        assert done.returncode == 0, done.stderr
        assert assert_same_table(database, instance, "pairs", ["a", "b", "v"],
                                 "b, ascii(a)") == 198
        assert instance.stop() == 0
    finally:
        bastion.remove()
    with open(instance.folder / "streams/app.yaml", "a", encoding="utf-8") as stream:
        stream.write(f"only: {{ {database.name}.pairs: {{ columns: [a, b] }} }}\n")
    file.write_text(plain)
    done = instance.command("up", "--listen", "127.0.0.1:0")
    assert done.returncode == 1 and "cannot be copied in part" in done.stderr, done.stderr


def test_texts_that_seldom_repeat_are_stored_as_they_are(database, instance):
    """The server counts no values: rows from all over the table tell. Masked ones are what their masks make of
    them."""
    database.run("CREATE TABLE notes (id int PRIMARY KEY, own text, topic varchar(20), late text, cut text);"
                 "INSERT INTO notes (id) VALUES (1)")
    for _ in range(17):
        database.run("INSERT INTO notes (id) SELECT id + (SELECT max(id) FROM notes) FROM notes")
    # Of two values the most, but for the first rows, which all differ.
    database.run("UPDATE notes SET own = if(id % 8 = 0, NULL, concat(sha2(id, 512), left(sha2(id, 256), 32))), topic = concat('topic ', id % 5000), "
                 "late = if(id < 2000, sha2(id, 256), concat('late ', id % 2)), cut = sha2(id, 256);"
                 "ANALYZE TABLE notes")
    path = instance.folder / "streams" / "app.yaml"
    path.write_text(path.read_text() + f"masks:\n  {database.name}.notes.cut: truncate 1\n")
    instance.start()
    instance.sync(60)
    _, rows = instance.query_texts("SELECT DISTINCT column_name, compression FROM pragma_storage_info('app.notes') "
                                   "WHERE segment_type = 'VARCHAR' AND row_group_id = 0 ORDER BY column_name")
    stored = dict(rows)
    assert stored.pop("own") == "Uncompressed", stored
    assert set(stored) == {"topic", "late", "cut"} and "Uncompressed" not in stored.values(), stored
    assert instance.query("SELECT count(*), count(DISTINCT own), count(DISTINCT topic), max(length(cut)) FROM app.notes") \
        == [[131072, 114688, 5000, 1]]


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.skipif(
    os.environ.get("BIWA_LONG") != "1", reason="BIWA_LONG=1"))])
def test_a_stream_of_many_tables(database, instance, count):
    """What the catalogue is asked takes a time for each table, and not for each pair of them."""
    for n in range(count):
        database.run(f"CREATE TABLE t{n} (id int PRIMARY KEY, n int, note json, body longtext);"
                     f"INSERT INTO t{n} VALUES (1, {n}, '[{n}]', 'text {n}'), (2, 0, NULL, NULL)")
    begin = time.monotonic()
    instance.start()
    instance.sync(300)
    copied_s = time.monotonic() - begin
    for n in range(0, count, 7):
        database.run(f"UPDATE t{n} SET n = n + 1 WHERE id = 1")
    instance.sync(60)
    assert instance.stop() == 0
    begin = time.monotonic()
    instance.start()
    instance.sync(60)
    started_s = time.monotonic() - begin
    print(f"{count} tables: copied in {copied_s:.1f} s, started again in {started_s:.1f} s")
    for n in range(0, count, 49):
        assert instance.query(f"SELECT id, n, note, body FROM app.t{n} ORDER BY id") == \
            [[1, n + 1 if n % 7 == 0 else n, f"[{n}]", f"text {n}"], [2, 0, None, None]]
        kind = instance.value(f"SELECT data_type FROM information_schema.columns WHERE table_schema = 'app' "
                              f"AND table_name = 't{n}' AND column_name = 'note'")
        assert kind == "JSON", kind
    assert copied_s < count and started_s < 10 + 0.02 * count


def test_many_alters_amid_changes_are_gone_through_without_waiting(database, instance):
    database.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)")
    instance.start()
    instance.sync()
    database.run("; ".join(f"UPDATE t SET a = a + 1; ALTER TABLE t ADD q{i} int DEFAULT 4; INSERT INTO t (id) VALUES ({100 + i})"
                           for i in range(12)))
    instance.sync(20)
    assert "trying again" not in instance.log()
    assert assert_same_table(database, instance, "t", ["id", "a", "q0", "q11"]) == 13


def test_rows_that_alter_ignore_throws_away_are_gone_here_too(database, instance, is_mysql):
    if is_mysql:
        pytest.skip("MySQL has no ALTER IGNORE")
    database.run("CREATE TABLE t (id int PRIMARY KEY, a int, b text); INSERT INTO t VALUES (1, 1, 'x'), (2, 1, 'y'), (3, 2, NULL)")
    instance.start()
    instance.sync()
    database.run("ALTER IGNORE TABLE t ADD UNIQUE (a)")
    instance.sync()
    instance.settle()
    assert assert_same_table(database, instance, "t", ["id", "a", "b"]) == 2


def test_a_cascade_that_is_added_while_it_runs_is_named(database, instance, is_mysql):
    if is_mysql:
        pytest.skip("MySQL 9.6 logs what a cascade does")
    database.run("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int);"
                 "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1)")
    instance.start()
    instance.sync()
    database.run("ALTER TABLE c ADD FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE")
    wait_until(lambda: any(table["name"] == "c" and "cascade" in str(table["notes"]).lower()
                           for table in instance.stream()["tables"]), instance.stream, 20)


def test_columns_come_and_go_in_any_order_while_nothing_is_committed(database, instance):
    """With changes between: what is committed by itself for the one must not have the next attempt do it again."""
    alters = ["ADD c1 int FIRST", "DROP c0", "ADD c2 int", "MODIFY a bigint"]
    orders = list(itertools.permutations(alters, 3))
    for number in range(len(orders)):
        database.run(f"CREATE TABLE t{number} (id int PRIMARY KEY, c0 int, a int); INSERT INTO t{number} VALUES (1, 1, 1), (2, 2, 2)")
    instance.start()
    instance.sync()
    for number, order in enumerate(orders):
        update = f"UPDATE t{number} SET a = a + 1;"
        database.run(update + "".join(f"ALTER TABLE t{number} {alter}; {update}" for alter in order))
    instance.sync()
    instance.settle()
    for number, order in enumerate(orders):
        assert instance.query(f"SELECT id, a FROM app.t{number} ORDER BY id") == [[1, 5], [2, 6]], order
    instance.restart()
    instance.sync()


def test_statements_that_change_rows_without_telling_them_have_their_table_copied_anew(database, instance, is_mysql):
    names = ["made", "replaced", "emptied", "altered", "counted"]
    database.run("CREATE TABLE src (id int PRIMARY KEY, a int); INSERT INTO src VALUES (1, 1), (2, 2)")
    for name in names:
        database.run(f"CREATE TABLE {name} (id int PRIMARY KEY, a int); INSERT INTO {name} VALUES (1, 5), (9, 9)")
    instance.start()
    instance.sync()
    with contextlib.closing(database.connect()) as other:
        database.run("SET SESSION binlog_format = 'STATEMENT'; DROP TABLE made; CREATE TABLE made (PRIMARY KEY (id)) AS SELECT * FROM src", other)
        # What has the name of a table may be a temporary one.
        database.run("CREATE TEMPORARY TABLE emptied (id int PRIMARY KEY); TRUNCATE TABLE emptied;"
                     "CREATE TEMPORARY TABLE altered (id int PRIMARY KEY, a int); ALTER TABLE altered DROP COLUMN a;"
                     "DROP TEMPORARY TABLE emptied; DROP TEMPORARY TABLE altered", other)
        if not is_mysql:
            database.run("ANALYZE FORMAT=JSON UPDATE counted SET a = 100; SET SESSION binlog_format = 'MIXED';"
                         "CREATE OR REPLACE TABLE replaced (PRIMARY KEY (id)) AS SELECT * FROM src", other)
    instance.sync()
    instance.settle()
    for name in names:
        assert instance.query(f"SELECT id, a FROM app.{name} ORDER BY id") == [
            list(row) for row in database.run(f"SELECT id, a FROM {name} ORDER BY id")], name
    assert instance.query("SELECT comment FROM duckdb_columns() WHERE table_name = 'altered' AND comment IS NOT NULL") == []


def test_what_rows_that_were_there_get_of_a_new_column_is_exact(database, instance, is_mysql):
    """The catalogue has a question mark for each character of four bytes, and zeros of their own have texts of numbers."""
    columns = ["varchar(10) NOT NULL DEFAULT '😀'", "varchar(10) NOT NULL DEFAULT '生徒𠮷'", "enum('😀', 'b') NOT NULL",
               "decimal(65,30) NOT NULL", "decimal(40,2) NOT NULL", "varchar(9) NOT NULL", "set('a', 'b') NOT NULL"]
    columns += [] if is_mysql else ["inet6 NOT NULL", "inet4 NOT NULL"]
    for number in range(len(columns)):
        database.run(f"CREATE TABLE t{number} (id int PRIMARY KEY); INSERT INTO t{number} VALUES (1), (2)")
    instance.start()
    instance.sync()
    for number, column in enumerate(columns):
        database.run(f"ALTER TABLE t{number} ADD COLUMN c {column}; INSERT INTO t{number} SELECT 3, c FROM t{number} WHERE id = 1")
    instance.sync()
    instance.settle()
    for number, column in enumerate(columns):
        if column.startswith("enum"):
            assert instance.query(f"SELECT c FROM app.t{number} WHERE id < 3") == [["😀"], ["😀"]]
            continue
        here = instance.query(f"SELECT id, c::text FROM app.t{number} ORDER BY id")
        assert here == [[row, str(value)] for row, value in database.run(f"SELECT id, CAST(c AS char) FROM t{number} ORDER BY id")], column


def test_a_name_as_a_pattern_is_refused(database, instance):
    database.run("CREATE TABLE a (id int PRIMARY KEY, x int); INSERT INTO a VALUES (1, 1); CREATE TABLE `a*` (id int PRIMARY KEY)")
    instance.start()
    instance.sync()
    assert instance.query("SELECT * FROM app.a") == [[1, 1]]
    assert "ends in *" in json.dumps([table for table in instance.stream()["tables"] if table["name"] == "a*"])


# Changes of this table lie between what is read before a kill and what is read after it.
FILLER = "CREATE TABLE filler (id int PRIMARY KEY, v varchar(200))"


def fill(database):
    for number in range(60):
        values = ", ".join(f"({number * 2000 + i}, '{'x' * 150}')" for i in range(2000))
        database.run(f"INSERT INTO filler VALUES {values}")


def kill_within_filler(instance):
    instance.start()
    count = lambda: instance.query("SELECT count(*) FROM app.filler")[0][0]  # noqa: E731
    wait_until(lambda: count() > 0, lambda: instance.stream(), 30, every=0.005)
    instance.kill()


def test_a_table_dropped_before_a_kill_is_another_one_when_it_is_made_if_not_there(database, instance):
    database.run("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 2);" + FILLER)
    instance.start()
    instance.sync()
    instance.stop()
    database.run("DROP TABLE t")
    fill(database)
    database.run("CREATE TABLE IF NOT EXISTS t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (3, 3)")
    kill_within_filler(instance)
    instance.start()
    instance.sync()
    instance.settle()
    assert instance.query("SELECT id, a FROM app.t ORDER BY id") == [[3, 3]]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_default_that_changes_over_a_restart_stays_in_the_rows_that_were_there(database, instance, end):
    database.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
    instance.start()
    instance.sync()
    database.run("ALTER TABLE t ADD COLUMN c int DEFAULT 5")
    instance.sync()
    assert " new=" in instance.stream()["position"], instance.stream()
    getattr(instance, end)()
    database.run("ALTER TABLE t ALTER COLUMN c SET DEFAULT 7")
    instance.start()
    database.run("INSERT INTO t (id) VALUES (3)")
    instance.sync()
    instance.settle()
    assert instance.query("SELECT id, c FROM app.t ORDER BY id") == [[1, 5], [2, 5], [3, 7]]
    assert " new=" not in instance.stream()["position"], instance.stream()


def test_rows_read_by_a_later_catalogue_are_known_as_such_after_a_kill(database, instance, is_mysql):
    """Columns of one type that change places: the log, which has no names, looks the same."""
    with setting(database, "binlog_row_metadata", "MINIMAL" if is_mysql else "NO_LOG"):
        database.run("CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t VALUES (1, 1, 10);" + FILLER)
        instance.start()
        instance.sync()
        instance.stop()
        database.run("INSERT INTO t VALUES (2, 2, 20)")
        fill(database)
        database.run("ALTER TABLE t MODIFY b int AFTER id")
        kill_within_filler(instance)
        instance.start()
        instance.sync()
        instance.settle()
        assert instance.query("SELECT id, a, b FROM app.t ORDER BY id") == [[1, 1, 10], [2, 2, 20]]


def test_what_is_altered_behind_a_copy_beside_the_stream_bears_on_what_comes_later(database, instance):
    """The line that copies has read it, and the stream's own goes on with the table."""
    database.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2);"
                 "CREATE TABLE large (id int PRIMARY KEY, v varchar(200))")
    for number in range(150):
        values = ", ".join(f"({number * 2000 + i}, '{'x' * 190}')" for i in range(2000))
        database.run(f"INSERT INTO large VALUES {values}")
    instance.start(env={"BIWA_SNAPSHOT_SLICE_MS": "1"})
    instance.sync()
    for end in ("goes on", "kill"):
        assert instance.command("stream", "recopy", "app", "t", "large").returncode == 0
        wait_until(lambda: any(table["name"] == "large" and table["state"] == "copying" and table["rows_copied"] > 0
                               for table in instance.stream()["tables"]), lambda: instance.stream(), 30, every=0.005)
        column = "c" if end == "goes on" else "d"
        database.run(f"ALTER TABLE t ADD COLUMN {column} int DEFAULT 5")
        instance.sync()
        instance.settle()
        if end == "kill":
            instance.kill()
            instance.start()
        database.run(f"ALTER TABLE t ALTER COLUMN {column} SET DEFAULT 7; INSERT INTO t (id) VALUES ({3 if end == 'goes on' else 4})")
        instance.sync()
        instance.settle()
    assert instance.query("SELECT id, c, d FROM app.t ORDER BY id") == [[1, 5, 5], [2, 5, 5], [3, 7, 5], [4, 7, 7]]
