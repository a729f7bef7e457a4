"""A primary is lost and a replica takes over: the stream goes on there by GTID, with nothing
lost and nothing twice; a server that is not a successor is refused."""
import contextlib
import os
import pathlib
import signal

import pymysql
import pytest

from harness.mariadb import MariaDbInstance, MariaDbServer, assert_same_table
from harness.mysql import MySqlServer
from harness.wait import wait_until


@contextlib.contextmanager
def stopped_if_it_fails(server):
    try:
        yield
    except BaseException:
        server.stop()
        raise


class Replica(MariaDbServer):
    """Has all of the primary's history, and its users."""

    def __init__(self, primary):
        super().__init__("--server-id=2", "--log-slave-updates", "--read-only=1")
        self.primary = primary
        with stopped_if_it_fails(self):
            self.follow()

    def follow(self):
        primary = self.primary
        self.run("SET GLOBAL gtid_slave_pos = ''",
                 "SET sql_log_bin = 0",
                 f"DROP USER {self.user}@localhost", f"DROP USER {self.user}@127.0.0.1",
                 "RESET MASTER",
                 f"CHANGE MASTER TO master_host = '127.0.0.1', master_port = {primary.port}, "
                 f"master_user = '{primary.user}', master_password = '{primary.password}', "
                 "master_use_gtid = slave_pos",
                 "START SLAVE")
        self.password = primary.password
        self.catch_up()

    def run(self, *statements):
        with contextlib.closing(pymysql.connect(unix_socket=self.socket, user="root",
                                                autocommit=True)) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall()

    def catch_up(self):
        with contextlib.closing(self.primary.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT @@gtid_binlog_pos")
            position = cursor.fetchone()[0]
        assert self.run(f"SELECT MASTER_GTID_WAIT('{position}', 60)")[0][0] == 0

    def promote(self):
        self.run("STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0")

    def follow_no_more(self):
        self.run("STOP SLAVE")


class MySqlReplica(MySqlServer):
    def __init__(self, primary):
        super().__init__("--server-id=2", "--read-only=1")
        self.primary = primary
        with stopped_if_it_fails(self):
            self.follow()

    def follow(self):
        primary = self.primary
        self.run("RESET BINARY LOGS AND GTIDS",
                 f"CHANGE REPLICATION SOURCE TO source_host = '127.0.0.1', source_port = {primary.port}, "
                 f"source_user = '{primary.user}', source_password = '{primary.password}', "
                 "source_auto_position = 1, get_source_public_key = 1",
                 "START REPLICA")
        # Users are in no log.
        self.run("SET sql_log_bin = 0",
                 *(f"ALTER USER {self.user}@{host} IDENTIFIED BY '{primary.password}'"
                   for host in ("localhost", "127.0.0.1")))
        self.password = primary.password
        self.catch_up()

    run = Replica.run

    def catch_up(self):
        with contextlib.closing(self.primary.connect()) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT @@GLOBAL.gtid_executed")
            position = cursor.fetchone()[0].replace("\n", "")
        assert self.run(f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{position}', 60)")[0][0] == 0

    def promote(self):
        self.run("STOP REPLICA", "RESET REPLICA ALL", "SET GLOBAL read_only = 0")

    def follow_no_more(self):
        self.run("STOP REPLICA")


class HostsInstance(MariaDbInstance):
    """Connects by a list of hosts."""

    def __init__(self, folder, database, servers):
        self.servers = servers
        super().__init__(folder, database)

    def connection_file(self):
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in self.servers)
        return f"""\
            kind: {self.database.server.kind}
            host: "{hosts}"
            database: "{self.database.name}"
            user: {self.database.server.user}
            password: ${{file:secrets/app.password}}
            """


def lose(server):
    pid = int((server.folder / f"server/{server.kind}.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not pathlib.Path(f"/proc/{pid}/exe").exists(), "the server to be gone")


@pytest.fixture(params=[(MariaDbServer, Replica), (MySqlServer, MySqlReplica)], ids=["mariadb", "mysql"])
def servers(request):
    primary = request.param[0]()
    replica = None
    try:
        replica = request.param[1](primary)
        yield primary, replica
    finally:
        for server in (primary, replica):
            if server is not None:
                server.stop()


TABLES = """
    CREATE TABLE answers (id bigint PRIMARY KEY AUTO_INCREMENT, pupil varchar(40), number int);
    INSERT INTO answers SELECT seq, concat('生徒 ', seq), seq FROM seq_1_to_20000;
    CREATE TABLE heard (word varchar(20), number int);
    INSERT INTO heard VALUES ('twice', 1), ('twice', 1), ('once', 2)"""

CHANGES = """
    INSERT INTO answers (pupil, number) SELECT 'new', seq FROM seq_1_to_1000;
    UPDATE answers SET number = number + 1 WHERE id % 7 = 0;
    DELETE FROM answers WHERE id % 11 = 0;
    INSERT INTO heard VALUES ('twice', 1), ('then', 3);
    DELETE FROM heard WHERE word = 'once' LIMIT 1"""


def assert_same(database, instance):
    assert_same_table(database, instance, "answers", ["id", "pupil", "number"])
    assert instance.query("SELECT word, number FROM app.heard ORDER BY ALL") == \
        database.run("SELECT word, number FROM heard ORDER BY word, number")


def config_of(instance):
    return instance.folder / "connections/app_db.yaml"


@pytest.mark.parametrize("domains", [1, 2])
def test_it_goes_on_at_a_replica_that_was_promoted(servers, tmp_path, domains):
    """Of MySQL, which has no domains, some transactions have a tag instead."""
    primary, replica = servers
    is_mysql = primary.kind == "mysql"
    here = primary.make_database("app")
    # Its files have higher numbers than those of the replica.
    for _ in range(5):
        here.run("FLUSH BINARY LOGS")
    here.run(TABLES)
    replica.catch_up()
    with HostsInstance(tmp_path / "project", here, servers) as instance:
        instance.start()
        instance.sync()
        here.run(CHANGES)
        instance.sync()
        if domains == 2:
            # In the replica's log the two may stand in another order.
            here.run(("SET SESSION gtid_next = 'AUTOMATIC:a_tag'" if is_mysql else "SET SESSION gtid_domain_id = 5") +
                     "; INSERT INTO heard VALUES ('fifth', 5)")
            instance.sync()
        assert_same(here, instance)
        before = instance.stream()["position"]
        if is_mysql:
            here.run("SET SESSION gtid_next = 'AUTOMATIC'")
            if domains == 2:
                assert ":a_tag:1" in before, before
        else:
            here.run("SET SESSION gtid_domain_id = 0")
        here.run(CHANGES)
        replica.catch_up()
        lose(primary)
        replica.promote()
        instance.database = there = replica.make_database("app", is_there=True)
        there.run(CHANGES)
        instance.sync()
        assert_same(there, instance)
        position = instance.stream()["position"]
        assert "server=1" in before and "server=2" in position, (before, position)
        if is_mysql:  # all that was committed, definitions and other tables' changes too
            ours = position.rpartition(" gtid=")[2]
            assert there.value(f"SELECT GTID_SUBTRACT(@@GLOBAL.gtid_executed, '{ours}')") == "", position
        assert ("by=gtid" in position) == (is_mysql or domains == 2), position
        # And there from where it is, also with transactions that came meanwhile.
        assert instance.stop() == 0
        there.run("FLUSH BINARY LOGS;" + CHANGES)
        instance.start()
        there.run(CHANGES)
        instance.sync()
        assert_same(there, instance)
        assert instance.log().count("copying ") == 1, instance.log()


def is_refused(stream):
    return stream["state"] == "failed" or any(one["name"] == "t" and one["state"] == "gone" for one in stream["tables"])


@pytest.mark.parametrize("where", ["primary", "replica"])
def test_names_exchanged_on_either_side_of_a_failover_bring_nothing_in_clear(servers, tmp_path, where):
    primary, replica = servers
    here = primary.make_database("app")
    here.run("CREATE TABLE t (id int PRIMARY KEY, pub varchar(40), secret varchar(40)); CREATE TABLE u (id int PRIMARY KEY);"
             "INSERT INTO t VALUES (1, 'p', 'clear as day'); INSERT INTO u VALUES (1)")
    replica.catch_up()
    exchange = ("ALTER TABLE t RENAME COLUMN secret TO pub, RENAME COLUMN pub TO secret;"
                "INSERT INTO t (id, pub) VALUES (2, 'clear as day'); INSERT INTO u VALUES (2)")
    with HostsInstance(tmp_path / "project", here, servers) as instance:
        instance.write("streams/app.yaml", "connection: app_db\ndataset: app\ntables: [\"app.*\"]\nmasks: {app.t.secret: drop}\n")
        instance.start()
        instance.sync()
        assert instance.query("FROM app.t") == [[1, "p"]]
        instance.kill()
        if where == "primary":
            here.run(exchange)
        replica.catch_up()
        lose(primary)
        replica.promote()
        instance.database = there = replica.make_database("app", is_there=True)
        if where == "replica":
            there.run(exchange)
        for _ in range(2):
            instance.start()
            wait_until(lambda: is_refused(instance.stream() or {"state": "", "tables": []}), lambda: (instance.stream(), instance.log()))
            assert instance.query("FROM app.t") == [[1, "p"]]
            instance.kill()
        files = b"".join(path.read_bytes() for path in (instance.folder / ".biwa").rglob("*") if path.is_file())
        assert b"clear as day" not in files


def test_a_server_that_lacks_what_is_here_is_refused_and_recopy_mends_it(servers, tmp_path):
    primary, replica = servers
    here = primary.make_database("app")
    here.run(TABLES)
    replica.catch_up()
    with MariaDbInstance(tmp_path / "project", here) as instance:
        instance.start()
        instance.sync()
        replica.follow_no_more()
        here.run(CHANGES)
        instance.sync()
        assert instance.stop() == 0
        # One that lagged has taken over, and has gone on with numbers of its own.
        replica.promote()
        instance.database = there = replica.make_database("app", is_there=True)
        for _ in range(3):
            there.run(CHANGES)
        instance.write("connections/app_db.yaml", instance.connection_file())
        instance.start()
        error = instance.wait_state("failed", 30)["error"]
        lacks = "its binary log lacks transactions that are here: "
        assert lacks + ("" if primary.kind == "mysql" else "0-1-") in error["message"], error
        assert "when_lost: recopy" in error["hint"], error
        assert instance.stop() == 0
        stream = instance.folder / "streams/app.yaml"
        stream.write_text(stream.read_text() + "when_lost: recopy\n")
        instance.start()
        instance.sync()
        instance.settle()
        assert_same(there, instance)
        there.run(CHANGES)
        instance.sync()
        assert_same(there, instance)


def test_of_several_hosts_one_that_is_read_only_is_passed_over(servers, tmp_path):
    primary, replica = servers
    here = primary.make_database("app")
    here.run(TABLES)
    replica.catch_up()
    with HostsInstance(tmp_path / "project", here, (replica, primary)) as instance:
        instance.start()
        instance.sync()
        assert "server=1" in instance.stream()["position"]
        assert_same(here, instance)
        # Nobody takes writes: it waits for somebody to be promoted.
        lose(primary)
        wait_until(lambda: "the other hosts are read-only" in str(instance.stream()["error"]),
                   instance.log, 60)
        replica.promote()
        instance.database = there = replica.make_database("app", is_there=True)
        there.run(CHANGES)
        instance.sync()
        assert_same(there, instance)
