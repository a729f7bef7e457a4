"""Partitioned tables while they are copied: in ranges of their partitions, cut off, by a role that may
read only the root."""
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
        instance.write("connections/app_db.yaml", f"""\
            kind: postgres
            host: {database.server.host}
            port: {database.server.port}
            database: "{database.name}"
            user: {user}
            password: ${{file:secrets/app.password}}
            """)
        instance.write("secrets/app.password", "p\n", 0o600)
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
