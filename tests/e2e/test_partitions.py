"""Partitioned tables while they are copied: in ranges of their partitions, cut off, by a role that may
read only the root."""
import contextlib

import pytest

from harness.compare import assert_same_table
from harness.wait import wait_until

EVENTS = ("CREATE TABLE events (id int, part int, body text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);"
          + "".join(f"CREATE TABLE events_{part} PARTITION OF events FOR VALUES IN ({part});"
                    for part in range(4)))


def test_a_copy_that_was_cut_off_goes_on_in_the_partitions_that_there_are(database, instance):
    database.run(EVENTS + "INSERT INTO events SELECT i, i % 4, repeat('x', 100) "
                 "FROM generate_series(1, 800000) i")
    instance.start(env={"BIWA_SNAPSHOT_SLICE_MS": "1"})
    wait_until(lambda: (instance.stream() or {}).get("state") in ("snapshot", "streaming"),
               "the copy to begin", 30)
    count = "SELECT count(*) FROM app.events"
    wait_until(lambda: instance.value(count) > 0, "the first slice", 30)
    assert instance.value(count) < 700_000, "it was killed too late"
    instance.kill()
    # Renamed, one is still the same; of the last, which is no longer there, nothing is to be copied.
    database.run('ALTER TABLE events_1 RENAME TO "events: 1-2"; ALTER TABLE events DETACH PARTITION events_3;'
                 "UPDATE events SET part = 0 WHERE id = 1; DELETE FROM events WHERE id = 2;"
                 "CREATE TABLE events_5 PARTITION OF events FOR VALUES IN (5);"
                 "INSERT INTO events VALUES (1000000, 5, 'new')")
    instance.start()
    instance.sync()
    assert instance.value("SELECT count(*) FROM app.events WHERE part <> 3") == 600_000
    assert instance.value("SELECT count(*) FROM app.events WHERE part = 3") < 200_000
    rows = "SELECT id, part, body FROM {}events WHERE part <> 3 ORDER BY id"
    here = instance.query(f"SELECT sum(id), sum(part), md5(string_agg(id || body, ',' ORDER BY id)) FROM ({rows.format('app.')})")
    there = database.run(f"SELECT sum(id), sum(part), md5(string_agg(id || body, ',' ORDER BY id)) FROM ({rows.format('')}) r")
    assert [str(value) for value in here[0]] == [str(value) for value in there[0]]


def test_a_role_that_may_read_only_the_root_copies_through_it(database, instance):
    user = f"reader_{database.name}"
    database.run(EVENTS + f"CREATE ROLE {user} LOGIN REPLICATION PASSWORD 'p'; GRANT CREATE ON DATABASE {database.name} TO {user};"
                 f"ALTER TABLE events OWNER TO {user}; ALTER TABLE biwa_test_marker OWNER TO {user};"
                 "INSERT INTO events SELECT i, i % 4, 'x' FROM generate_series(1, 1000) i")
    try:
        instance.connect_as(user, "p")
        instance.start()
        instance.sync()
        database.run("UPDATE events SET body = 'y' WHERE id < 10")
        instance.sync()
        assert assert_same_table(database, instance, "events") == 1000
    finally:
        instance.kill()
        database.drop_slots()
        database.run(f"DROP OWNED BY {user} CASCADE; DROP ROLE {user}")


def test_partitions_that_are_made_on_demand_cost_no_copy(database, instance):
    """In a savepoint, as by an exception's handler, whose transaction is younger than that of the rows."""
    instance.write("streams/app.yaml", "connection: app_db\ndataset: app\ntables: public.*\ndiscover_every: 200ms\n")
    database.run("CREATE TABLE t (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE first (id int PRIMARY KEY)")
    instance.start()
    instance.sync()
    for i in range(3):
        database.run(f"""BEGIN; INSERT INTO first VALUES ({i});
            DO $$ BEGIN BEGIN CREATE TABLE t{i} PARTITION OF t FOR VALUES IN ({i}); EXCEPTION WHEN duplicate_table THEN NULL; END;
            INSERT INTO t VALUES ({i}); END $$; COMMIT""")
        instance.sync()
    instance.settle()
    assert instance.query("SELECT id FROM app.t ORDER BY id") == [[0], [1], [2]]
    assert "had rows when it was made" not in instance.log()
    # What was there before it was attached is still found.
    database.run("CREATE TABLE t9 (id int PRIMARY KEY); INSERT INTO t9 VALUES (9); ALTER TABLE t ATTACH PARTITION t9 FOR VALUES IN (9)")
    wait_until(lambda: instance.query("SELECT id FROM app.t ORDER BY id") == [[0], [1], [2], [9]], instance.log)


def test_a_key_that_changes_with_a_large_value_left_alone_ends_no_history(database, instance):
    instance.write("streams/app.yaml", "connection: app_db\ndataset: app\ntables: public.*\nmode: history\n")
    database.run("CREATE TABLE t (id int, day int, body text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);"
                 "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100); ALTER TABLE t1 ALTER body SET STORAGE EXTERNAL;"
                 "INSERT INTO t VALUES (1, 1, repeat('a', 100000)), (2, 1, repeat('b', 100000))")
    instance.start()
    instance.sync()
    database.run("UPDATE t SET day = 2 WHERE id = 1")
    instance.sync()
    assert instance.query("SELECT id, day, body[:2], length(body) FROM app.t ORDER BY id") == [
        [1, 2, "aa", 100000], [2, 1, "bb", 100000]]
    assert instance.value("SELECT count(*) FROM _biwa.histories WHERE table_name = 't'") == 1


ATTACH = "ALTER TABLE t ATTACH PARTITION p1 FOR VALUES FROM (1000) TO (3000)"
FILL = "INSERT INTO p1 SELECT i, 'loaded' FROM generate_series(1000, 1999) i"
MADE = "CREATE TABLE p1 (LIKE t INCLUDING ALL)"


def begin_with_one_partition(database, instance, *more):
    instance.write("streams/app.yaml", "connection: app_db\ndataset: app\ntables: [public.t, public.biwa_test_marker]\n"
                   "discover_every: 1s\n")
    database.run("CREATE TABLE t (id int PRIMARY KEY, body text) PARTITION BY RANGE (id); CREATE TABLE log (text text);"
                 "CREATE TABLE p0 PARTITION OF t FOR VALUES FROM (0) TO (100); INSERT INTO t VALUES (1, 'a');" + "; ".join(more))
    database.run("VACUUM")
    instance.start()
    instance.sync()


def filled_by_another(database):
    with contextlib.closing(database.server.connect(database.name)) as other:
        other.autocommit = False
        other.cursor().execute("INSERT INTO log VALUES ('begins first')")
        database.run(FILL)
        other.cursor().execute(ATTACH)
        other.commit()


@pytest.mark.parametrize("before, change", [
    pytest.param([], f"BEGIN; INSERT INTO log VALUES ('x'); {MADE}; SAVEPOINT s; {FILL}; RELEASE s; {ATTACH}; COMMIT", id="made and filled in a savepoint"),
    pytest.param([MADE], f"""BEGIN; INSERT INTO log VALUES ('x'); DO $$ BEGIN
        BEGIN {FILL}; EXCEPTION WHEN OTHERS THEN RAISE; END; EXECUTE '{ATTACH}'; END $$; COMMIT""", id="filled in a savepoint"),
    pytest.param([MADE], filled_by_another, id="filled by a transaction that began later"),
    pytest.param([MADE, FILL, "DELETE FROM p1 WHERE id < 1500"],
                 f"{ATTACH}; INSERT INTO t SELECT i, 'new' FROM generate_series(2000, 2399) i", id="old rows behind new ones"),
    pytest.param([MADE], f"{FILL}; {ATTACH}; SELECT count(*) FROM (SELECT FROM t WHERE id > 500 FOR UPDATE) locked", id="locked since"),
])
def test_rows_from_before_a_partition_was_attached_are_copied(database, instance, before, change):
    begin_with_one_partition(database, instance, *before)
    if callable(change):
        change(database)
    else:
        database.run(change)
    count = database.value("SELECT count(*) FROM t")
    assert count >= 900
    wait_until(lambda: instance.value("SELECT count(*) FROM app.t") == count, lambda: (instance.stream(), instance.log()))
    instance.sync()
    assert assert_same_table(database, instance, "t") == count


def test_rows_from_after_a_partition_was_attached_cost_no_copy(database, instance):
    begin_with_one_partition(database, instance)
    database.run(f"BEGIN; {MADE}; {ATTACH}; INSERT INTO t VALUES (1000, 'of the same'); COMMIT")
    database.run("BEGIN; INSERT INTO t SELECT i, 'later' FROM generate_series(1001, 1999) i; COMMIT")
    instance.settle()
    instance.sync()
    assert assert_same_table(database, instance, "t") == 1001
    assert "had rows when it was made" not in instance.log()


def test_a_partition_that_is_half_detached_is_none(database, instance):
    if database.value("SELECT current_setting('server_version_num')::int") < 140000:
        pytest.skip("DETACH CONCURRENTLY came with PostgreSQL 14")
    database.run(EVENTS + "INSERT INTO events SELECT i, i % 4, 'x' FROM generate_series(1, 400) i")
    with contextlib.closing(database.server.connect(database.name)) as reader, \
         contextlib.closing(database.server.connect(database.name)) as other:
        reader.autocommit = False
        reader.cursor().execute("SELECT count(*) FROM events")
        other.autocommit = True
        other.cursor().execute("SET statement_timeout = '1s'")
        with pytest.raises(Exception, match="statement timeout"):
            other.cursor().execute("ALTER TABLE events DETACH PARTITION events_1 CONCURRENTLY")
        reader.rollback()
    instance.start()
    instance.sync()
    assert assert_same_table(database, instance, "events") == 300
    assert "300 rows" in instance.command("reconcile", "app.events").stdout
    database.run("ALTER TABLE events DETACH PARTITION events_1 FINALIZE; UPDATE events SET body = 'y' WHERE id < 10")
    instance.sync()
    assert assert_same_table(database, instance, "events") == 300
