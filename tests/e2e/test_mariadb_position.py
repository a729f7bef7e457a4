"""A MariaDB that is followed by the file and the position in it, because its GTIDs are of no help: there is
none yet, or they are out of order. Over rotations of the log and restarts of either side."""
import contextlib
import os
import random
import signal
import threading
import time

import pymysql
import pytest

from harness.mariadb import MariaDb, MariaDbInstance, MariaDbServer, assert_same_table
from harness.wait import wait_until

SEED = int(os.environ.get("BIWA_SEED", str(time.time_ns() % 1_000_000)))

# Durable, so that what the log has is in the tables after a kill; and files that are soon full.
OPTIONS = ("--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1", "--gtid-strict-mode=0",
           "--max-binlog-size=65536")


class RestartedServer(MariaDbServer):
    def __init__(self):
        super().__init__(*OPTIONS)

    def restart(self, how):
        pid_file = self.folder / "server/mariadb.pid"
        pid = int(pid_file.read_text(encoding="ascii"))
        os.kill(pid, how)

        def is_gone():
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            return False

        wait_until(is_gone, "mariadbd to end", 60)
        pid_file.unlink(missing_ok=True)
        self.start(*self.options)


@pytest.fixture
def server():
    made = RestartedServer()
    yield made
    made.stop()


def files(database):
    return [row[0] for row in database.run("SHOW BINARY LOGS")]


def connect_anew(database):
    with contextlib.suppress(pymysql.err.Error):
        database.connection.close()
    database.connection = database.server.connect(database.name)


def test_a_log_that_has_no_gtid_is_gone_on_with_where_it_was(server, tmp_path):
    database = MariaDb(server, "app")
    # Rows that are in the tables and not in the log, and a log that has nothing in it.
    database.run("SET SESSION sql_log_bin = 0; CREATE TABLE t (id int PRIMARY KEY, a int);"
                 "INSERT INTO t SELECT seq, 0 FROM seq_1_to_1000; SET SESSION sql_log_bin = 1; RESET MASTER")
    assert database.value("SELECT @@GLOBAL.gtid_binlog_pos") == ""
    with MariaDbInstance(tmp_path / "project", database) as instance:
        instance.start()
        begun = instance.wait_state("streaming")["position"]
        assert begun.startswith("mariadb-bin.000001:") and "gtid=" not in begun, begun
        assert instance.stop() == 0
        # All files are new, and still nobody has written anything.
        database.run("FLUSH BINARY LOGS")
        server.restart(signal.SIGTERM)
        connect_anew(database)
        database.run("FLUSH BINARY LOGS")
        instance.start()
        position = instance.wait_state("streaming")["position"]
        assert "gtid=" not in position, position
        assert len(files(database)) >= 4
        server.restart(signal.SIGTERM)
        connect_anew(database)
        database.run("UPDATE t SET a = id; DELETE FROM t WHERE id % 3 = 0; INSERT INTO t VALUES (-1, NULL)")
        instance.sync()
        assert assert_same_table(database, instance, "t", ["id", "a"]) == 668
        assert "gtid=0-1-" in instance.stream()["position"]
        assert instance.log().count("copying ") == 1, instance.log()


class Disorder(threading.Thread):
    """Transactions whose GTIDs are of any domain, server and number, twice the same among them."""

    def __init__(self, database):
        super().__init__(daemon=True)
        self.database, self.chance = database, random.Random(SEED)
        self.ended = threading.Event()
        self.transactions = 0

    def run(self):
        while not self.ended.is_set():
            # The server is restarted meanwhile.
            with contextlib.suppress(pymysql.err.Error):
                with contextlib.closing(self.database.server.connect(self.database.name)) as connection:
                    self.write(connection.cursor())
            time.sleep(0.05)

    def write(self, cursor):
        while not self.ended.is_set():
            first = self.chance.randrange(1, 5000)
            cursor.execute(f"SET SESSION gtid_domain_id = {self.chance.choice((0, 1, 7))}, "
                           f"server_id = {self.chance.choice((1, 9))}, "
                           f"gtid_seq_no = {self.chance.randrange(1, 500)}")
            cursor.execute("START TRANSACTION")
            cursor.execute("INSERT INTO t (a) VALUES (%s), (%s)", (first, first + 1))
            cursor.execute("UPDATE t SET a = a + 1 WHERE id BETWEEN %s AND %s", (first, first + 5))
            cursor.execute("DELETE FROM t WHERE id = %s", (self.chance.randrange(1, 5000),))
            cursor.execute("COMMIT")
            self.transactions += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join(30)


def test_gtids_out_of_order_lose_nothing_over_restarts_of_both_sides(server, tmp_path):
    print(f"BIWA_SEED={SEED}")
    database = MariaDb(server, "app")
    database.run("CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, a int);"
                 "INSERT INTO t SELECT seq, 0 FROM seq_1_to_5000")
    with MariaDbInstance(tmp_path / "project", database) as instance:
        instance.start()
        instance.sync()
        first = files(database)[-1]
        with Disorder(database) as load:
            # Biwa anew, the server anew, and both at once: each gently and by force.
            for step in ("stop", "kill", signal.SIGTERM, signal.SIGKILL, ("stop", signal.SIGKILL),
                         ("kill", signal.SIGTERM)):
                enough = load.transactions + 100
                wait_until(lambda: load.transactions > enough, "some load", 60)
                words = step if isinstance(step, tuple) else (step,)
                for word in words:
                    if word == "stop":
                        assert instance.stop() == 0, instance.log()
                    elif word == "kill":
                        instance.kill()
                    else:
                        server.restart(word)
                if not instance.is_running():
                    instance.start()
                instance.wait_state("streaming")
        connect_anew(database)
        instance.sync()
        assert len(files(database)) > 5 and files(database)[-1] > first
        # Of one domain the last has a lower number than some before.
        states = database.value("SELECT @@GLOBAL.gtid_binlog_state").split(",")
        assert len({state.split("-")[0] for state in states}) == 3, states
        assert load.transactions > 600 and all(int(state.split("-")[2]) < 600 for state in states
                                               if state[0] != "0"), states
        rows = assert_same_table(database, instance, "t", ["id", "a"])
        assert instance.query("SELECT count(*), count(DISTINCT id) FROM app.t") == [[rows, rows]]
        assert "by=gtid" not in instance.stream()["position"]
        assert instance.log().count("copying ") == 1, instance.log()
