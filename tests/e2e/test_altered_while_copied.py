"""The application changes a table of which Biwa is copying the rows: it does not wait for the end of the copy, and the
table becomes that of the source. BIWA_LONG=1 tries all of the changes."""
import contextlib
import os

import pytest

import harness.mariadb
from harness.compare import assert_same_table
from harness.instance import Instance
from harness.mariadb import MariaDbInstance, MariaDbServer
from harness.mysql import MySqlServer
from harness.proxy import Proxy
from harness.wait import wait_until

LONG = os.environ.get("BIWA_LONG") == "1"
ROWS = 1_000_000
USUAL = ("columns that swap their names", "column added", "stored anew")

# By what a reader of the copy would take harm: a name, another column under it, a type, rows that lie elsewhere.
CHANGES = {
    "column renamed": "ALTER TABLE t RENAME COLUMN note TO remark",
    "columns that swap their names": "ALTER TABLE t RENAME COLUMN note TO kept; ALTER TABLE t RENAME COLUMN word TO note;"
                                     "ALTER TABLE t RENAME COLUMN kept TO word",
    "column added": "ALTER TABLE t ADD COLUMN mark int DEFAULT 5",
    "column dropped": "ALTER TABLE t DROP COLUMN note",
    "column dropped and made again": "ALTER TABLE t DROP COLUMN note; ALTER TABLE t ADD COLUMN note text",
    "type made wider": "ALTER TABLE t ALTER COLUMN word TYPE text",
    "stored anew": "ALTER TABLE t ALTER COLUMN n TYPE bigint USING n * 2",
    "emptied": f"TRUNCATE t; INSERT INTO t SELECT i, -i, 'new', 'rows' FROM generate_series(1, {ROWS // 2}) AS i",
    "rows moved": "VACUUM FULL t",
}


@pytest.fixture
def copying(database, tmp_path):
    """An instance in the midst of copying t, through a network over which that takes some seconds more."""
    database.run("CREATE TABLE t (id int PRIMARY KEY, n int, note text, word varchar(200));"
                 f"INSERT INTO t SELECT i, i, 'note ' || i, repeat('x', 150) FROM generate_series(1, {ROWS}) AS i;"
                 "DELETE FROM t WHERE id % 7 = 0")
    server = database.server
    with Proxy(server.host, server.port) as proxy, Instance(tmp_path / "project", database) as instance:
        instance.write("connections/app_db.yaml", instance.connection_file().replace(
            f"port: {server.port}", f"port: {proxy.port}"))
        begin(instance, proxy)
        yield database, instance, proxy


def begin(instance, proxy):
    """Until the first part of t is copied; the others take some seconds more."""
    proxy.bytes_per_s = 8_000_000
    instance.start(env={"BIWA_SNAPSHOT_SLICE_MS": "1"})
    # A count without a condition comes out of the engine's statistics (docs/replication.md).
    wait_until(lambda: (instance.stream() or {}).get("state") == "snapshot" and
               instance.value("SELECT count(*) FROM app.t WHERE id > 0") > 0,
               lambda: f"the first part: {instance.log()}", 30)


def each(changes):
    names = [name for name in changes if LONG or name in USUAL]
    return pytest.mark.parametrize("sql", [changes[name] for name in names], ids=names)


@each(CHANGES)
def test_it_does_not_wait_for_the_copy_and_the_copy_is_right(copying, sql):
    database, instance, proxy = copying
    with contextlib.closing(database.server.connect(database.name)) as application:
        # Longer than a part of the copy takes, and much shorter than what is left of it.
        application.cursor().execute("SET lock_timeout = '5s'")
        assert instance.stream()["state"] == "snapshot", "the copy ended before"
        for statement in sql.split(";"):
            application.cursor().execute(statement)
    database.run("UPDATE t SET n = n + 1 WHERE id % 1000 = 1; DELETE FROM t WHERE id % 1000 = 2")
    proxy.bytes_per_s = 0
    instance.sync(120)
    instance.settle(120)
    database.run("UPDATE t SET n = n + 1 WHERE id % 1000 = 3")
    instance.sync()
    assert assert_same_table(database, instance, "t") > ROWS // 3
    assert instance.stop() == 0


def test_a_table_that_is_locked_is_not_waited_for_without_end(database, tmp_path):
    """Nor is a copy cut off by the timeouts of a database, which are meant for others."""
    settings = ["statement_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"]
    if int(database.value("SHOW server_version_num")) >= 170_000:
        settings.append("transaction_timeout")
    for setting in settings:
        database.run(f"ALTER DATABASE {database.name} SET {setting} = '300ms'")
    database.run("CREATE TABLE a_large (id int PRIMARY KEY, note text);"
                 "INSERT INTO a_large SELECT i, repeat('x', 100) FROM generate_series(1, 300000) AS i;"
                 "CREATE TABLE b_locked (id int PRIMARY KEY); INSERT INTO b_locked VALUES (1)")
    waiting = ("SELECT count(*) FROM pg_locks WHERE relation = 'b_locked'::regclass AND NOT granted "
               "AND pid IN (SELECT pid FROM pg_stat_activity WHERE application_name = 'biwa')")
    server = database.server
    with Proxy(server.host, server.port) as proxy, Instance(tmp_path / "project", database) as instance:
        instance.write("connections/app_db.yaml", instance.connection_file().replace(
            f"port: {server.port}", f"port: {proxy.port}"))
        proxy.bytes_per_s = 8_000_000
        instance.start()
        wait_until(lambda: (instance.stream() or {}).get("state") == "snapshot", instance.log, 30)
        with contextlib.closing(server.connect(database.name)) as application:
            for setting in settings:
                application.cursor().execute(f"SET {setting} = 0")
            application.autocommit = False
            application.cursor().execute("LOCK TABLE b_locked IN ACCESS EXCLUSIVE MODE")
            wait_until(lambda: database.value(waiting) > 0, instance.log, 30)
            wait_until(lambda: database.value(waiting) == 0, instance.log, 15)
            wait_until(lambda: "lock timeout" in instance.log(), instance.log, 15)
            application.rollback()
        instance.sync(120)
        database.run(f"ALTER DATABASE {database.name} RESET ALL")
        for table in ("a_large", "b_locked"):
            assert_same_table(database, instance, table)
        assert instance.stop() == 0


MARIADB_CHANGES = {
    "columns that swap their names": "ALTER TABLE t RENAME COLUMN note TO word, RENAME COLUMN word TO note",
    "column added": "ALTER TABLE t ADD COLUMN mark int DEFAULT 5 AFTER id",
    "column dropped": "ALTER TABLE t DROP COLUMN note",
    "column dropped and made again": "ALTER TABLE t DROP COLUMN note; ALTER TABLE t ADD COLUMN note varchar(40) AFTER n",
    "type made wider": "ALTER TABLE t MODIFY n bigint",
    "emptied": f"TRUNCATE t; INSERT INTO t SELECT seq, -seq, 'new', 'rows' FROM seq_1_to_{ROWS // 2}",
    "stored anew": "OPTIMIZE TABLE t",
}


@pytest.fixture(scope="module", params=[MariaDbServer, MySqlServer], ids=["mariadb", "mysql"])
def maria(request):
    server = request.param()
    yield server
    server.stop()


@each(MARIADB_CHANGES)
def test_neither_does_that_of_a_mariadb(maria, tmp_path, sql):
    with maria.database() as database, Proxy("127.0.0.1", maria.port) as proxy, \
            MariaDbInstance(tmp_path / "project", database, settings="ssl_mode: disable") as instance:
        database.run("CREATE TABLE t (id int PRIMARY KEY, n int, note varchar(40), word varchar(200));"
                     f"INSERT INTO t SELECT seq, seq, concat('note ', seq), repeat('x', 150) FROM seq_1_to_{ROWS};"
                     "DELETE FROM t WHERE id % 7 = 0; ANALYZE TABLE t")
        instance.write("connections/app_db.yaml", instance.connection_file().replace(
            f"socket: {maria.socket}", f"host: 127.0.0.1\n            port: {proxy.port}"))
        begin(instance, proxy)
        database.run("SET SESSION lock_wait_timeout = 5")
        assert instance.stream()["state"] == "snapshot"
        database.run(sql)
        database.run("UPDATE t SET n = n + 1 WHERE id % 1000 = 1; DELETE FROM t WHERE id % 1000 = 2")
        proxy.bytes_per_s = 0
        instance.sync(120)
        instance.settle(120)
        database.run("UPDATE t SET n = n + 1 WHERE id % 1000 = 3")
        instance.sync()
        columns = [name for name, in database.run(
            f"SELECT column_name FROM information_schema.columns WHERE table_schema = '{database.name}' "
            "AND table_name = 't'")]
        assert harness.mariadb.assert_same_table(database, instance, "t", columns) > ROWS // 3
        assert instance.stop() == 0
