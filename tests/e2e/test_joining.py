"""Tables that come to a running stream, and what holds one of them up."""
import contextlib
import re
import time

import pytest

from harness.compare import assert_same_table
from harness.wait import wait_until


def table_of(instance, name):
    return next((table for table in instance.stream()["tables"] if table["name"] == name), None)


def notes_of(instance, name):
    return " ".join((table_of(instance, name) or {"notes": []})["notes"])


def wait_until_live(instance, *names):
    wait_until(lambda: all((table_of(instance, name) or {}).get("state") == "live" for name in names),
               lambda: (instance.stream(), instance.log()), 25)


@pytest.fixture
def reader(database, server):
    """A role that may follow, and reads what it is let."""
    role = "reader_" + database.name
    database.run(f"CREATE ROLE {role} LOGIN REPLICATION SUPERUSER PASSWORD 'r'")
    database.run(f"ALTER ROLE {role} NOSUPERUSER")
    database.run(f"GRANT CREATE ON DATABASE {database.name} TO {role};"
                 f"ALTER TABLE biwa_test_marker OWNER TO {role}; GRANT ALL ON SCHEMA public TO {role}")
    yield role
    database.run(f"DROP OWNED BY {role}")


def connect_as(instance, role):
    text = instance.connection_file().replace(f"user: {instance.database.server.user}", f"user: {role}")
    instance.write("connections/app_db.yaml", text)
    instance.write("secrets/app.password", "r\n", 0o600)


def test_one_that_may_not_be_followed_does_not_hold_up_the_others(database, instance, reader):
    connect_as(instance, reader)
    instance.start()
    instance.sync()
    database.run("".join(f"CREATE TABLE t{i} (id int PRIMARY KEY); INSERT INTO t{i} VALUES ({i});"
                         f"ALTER TABLE t{i} OWNER TO {reader};" for i in range(4)) +
                 # An owner who may not read, and one who is no owner.
                 f"REVOKE SELECT ON t1 FROM {reader};"
                 f"ALTER TABLE t2 OWNER TO {database.server.user}; GRANT SELECT ON t2 TO {reader}")
    wait_until_live(instance, "t0", "t3")
    for name in ("t0", "t3"):
        assert assert_same_table(database, instance, name) == 1
    wait_until(lambda: "may not be read" in notes_of(instance, "t1"), lambda: instance.stream(), 20)
    assert table_of(instance, "t1")["state"] == table_of(instance, "t2")["state"] == "refused"
    assert "only its owner may publish it" in notes_of(instance, "t2")
    # It is still said after the next look, and the stream goes on.
    database.run(f"CREATE TABLE t5 (id int PRIMARY KEY); ALTER TABLE t5 OWNER TO {reader}")
    wait_until_live(instance, "t5")
    for mend in (f"GRANT SELECT ON public.t1 TO {reader};", f"ALTER TABLE public.t2 OWNER TO {reader};"):
        assert mend in instance.command("status").stdout.replace('"', "")
        assert mend in instance.command("doctor").stderr.replace('"', "")
        # With the right it comes by itself.
        database.run(mend)
    for name in ("t1", "t2"):
        wait_until_live(instance, name)
        assert assert_same_table(database, instance, name) == 1


def test_one_that_cannot_be_copied_at_first_does_not_either(database, instance, reader):
    connect_as(instance, reader)
    database.run("".join(f"CREATE TABLE t{i} (id int PRIMARY KEY); INSERT INTO t{i} VALUES ({i});"
                         f"ALTER TABLE t{i} OWNER TO {reader};" for i in range(3)) +
                 f"REVOKE SELECT ON t1 FROM {reader}; ALTER TABLE t0 OWNER TO {database.server.user}")
    instance.start()
    instance.sync()
    assert assert_same_table(database, instance, "t2") == 1
    assert "may not be read" in notes_of(instance, "t1")
    assert table_of(instance, "t0")["state"] == "refused"
    database.run(f"GRANT SELECT ON t1 TO {reader}; ALTER TABLE t0 OWNER TO {reader}")
    for name in ("t0", "t1"):
        wait_until_live(instance, name)
        assert assert_same_table(database, instance, name) == 1


def test_a_role_that_may_not_replicate_leaves_nothing_behind(database, instance, reader):
    connect_as(instance, reader)
    database.run(f"CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO {reader}; INSERT INTO t VALUES (1);"
                 f"ALTER ROLE {reader} NOREPLICATION")
    instance.start()
    error = instance.wait_state("failed", 30)["error"]
    assert "replication role" in error["message"] and "`biwa doctor`" in error["hint"], error
    assert database.value("SELECT count(*) FROM pg_publication") == 0
    assert instance.stop() == 0
    database.run(f"ALTER ROLE {reader} REPLICATION")
    instance.start()
    instance.sync()
    assert assert_same_table(database, instance, "t") == 1


def test_publications_of_another_role_hold_up_new_tables_only(database, instance, reader):
    database.run("CREATE TABLE t0 (id int PRIMARY KEY)")
    instance.start()
    instance.sync()
    assert instance.stop() == 0
    connect_as(instance, reader)
    database.run(f"ALTER TABLE t0 OWNER TO {reader}; CREATE TABLE t1 (id int PRIMARY KEY);"
                 f"ALTER TABLE t1 OWNER TO {reader}; INSERT INTO t1 VALUES (1)")
    instance.start()
    wait_until(lambda: "cannot be published: publication biwa_app is owned by" in notes_of(instance, "t1"),
               lambda: instance.stream(), 20)
    database.run("INSERT INTO t0 VALUES (1)")
    instance.sync()
    assert assert_same_table(database, instance, "t0") == 1
    said = instance.command("doctor").stderr.replace('"', "")
    for (name,) in database.run("SELECT pubname FROM pg_publication"):
        assert f"publication {name} is owned by {database.server.user}" in said
        mend = f"ALTER PUBLICATION {name} OWNER TO {reader};"
        assert mend in said
        database.run(mend)
    wait_until_live(instance, "t1")
    assert "publication" not in instance.command("doctor").stderr
    assert assert_same_table(database, instance, "t1") == 1


def test_removing_a_stream_whose_publications_are_another_roles_says_how(database, instance, reader):
    instance.start()
    instance.sync()
    assert instance.stop() == 0
    connect_as(instance, reader)
    assert instance.command("apply", "--yes").returncode == 0
    (instance.folder / "streams/app.yaml").unlink()
    slots = f"SELECT count(*) FROM pg_replication_slots WHERE database = '{database.name}'"
    for _ in range(2):
        done = instance.command("apply", "--yes")
        assert done.returncode == 1 and database.value(slots) == 0, done.stderr
        database.run(re.search(r"ALTER PUBLICATION .* OWNER TO .*;", done.stderr).group())
    done = instance.command("apply", "--yes")
    assert done.returncode == 0, done.stderr
    assert database.value("SELECT count(*) FROM pg_publication") == 0


def test_one_of_a_role_that_does_not_inherit_says_so(database, instance, reader):
    connect_as(instance, reader)
    owner = f"owner_{database.name}"
    database.run(f"CREATE ROLE {owner}; GRANT {owner} TO {reader}; ALTER ROLE {reader} NOINHERIT;"
                 f"CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO {owner}; GRANT SELECT ON t TO {reader}")
    try:
        instance.start()
        instance.sync()
        mend = f"ALTER ROLE {reader} INHERIT;" if int(database.value("SHOW server_version_num")) < 160_000 else \
            f"GRANT {owner} TO {reader} WITH INHERIT TRUE;"
        assert mend in notes_of(instance, "t").replace('"', "")
        database.run(mend)
        wait_until_live(instance, "t")
    finally:
        instance.kill()
        database.drop_slots()
        database.run(f"DROP TABLE t; DROP ROLE {owner}")


def test_rows_that_a_policy_hides_are_not_left_out_in_silence(database, instance, reader):
    """They are in the log: a copy without them would be half of a table."""
    connect_as(instance, reader)
    database.run(f"CREATE TABLE notes (id int PRIMARY KEY); ALTER TABLE notes OWNER TO {reader};"
                 "CREATE POLICY mine ON notes USING (id > 1); ALTER TABLE notes ENABLE ROW LEVEL SECURITY;"
                 f"CREATE TABLE hidden (id int PRIMARY KEY); ALTER TABLE hidden OWNER TO {reader};"
                 "CREATE POLICY mine ON hidden USING (id > 1); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;"
                 "ALTER TABLE hidden FORCE ROW LEVEL SECURITY;"
                 "INSERT INTO notes VALUES (1), (2); INSERT INTO hidden VALUES (1), (2)")
    instance.start()
    instance.sync()
    # An owner sees all of what is not forced upon him.
    assert assert_same_table(database, instance, "notes") == 2
    assert table_of(instance, "hidden")["state"] == "refused"
    assert "has policies that may hide rows" in notes_of(instance, "hidden")
    # What is here stays followed, and is not made less by a copy.
    database.run("ALTER TABLE notes FORCE ROW LEVEL SECURITY")
    assert instance.command("stream", "recopy", "app", "notes").returncode == 0
    wait_until(lambda: "has policies that may hide rows" in notes_of(instance, "notes"), lambda: instance.stream(), 20)
    assert instance.query("SELECT id FROM app.notes ORDER BY id") == [[1], [2]]
    database.run(f"INSERT INTO notes VALUES (3); ALTER ROLE {reader} BYPASSRLS")
    wait_until_live(instance, "hidden")
    assert assert_same_table(database, instance, "hidden") == 2
    assert instance.command("stream", "recopy", "app", "notes").returncode == 0
    instance.settle()
    assert assert_same_table(database, instance, "notes") == 3


def test_a_right_that_is_taken_from_a_table_ends_nothing(database, instance, reader):
    connect_as(instance, reader)
    database.run(f"CREATE TABLE t1 (id int PRIMARY KEY); ALTER TABLE t1 OWNER TO {reader};"
                 f"CREATE TABLE t2 (id int PRIMARY KEY); ALTER TABLE t2 OWNER TO {reader};"
                 "INSERT INTO t1 VALUES (1); INSERT INTO t2 VALUES (1)")
    instance.start()
    instance.sync()
    # Neither to read what is copied nor to publish what is published.
    database.run(f"REVOKE SELECT ON t1 FROM {reader};"
                 f"ALTER TABLE t2 OWNER TO {database.server.user}; INSERT INTO t2 VALUES (2);"
                 f"CREATE TABLE t3 (id int PRIMARY KEY); ALTER TABLE t3 OWNER TO {reader}")
    wait_until_live(instance, "t3")
    # What takes reading has to wait for the right, and says so.
    assert instance.command("stream", "recopy", "app", "t1").returncode == 0
    wait_until(lambda: f"mend: GRANT SELECT ON public.t1 TO {reader}" in notes_of(instance, "t1").replace('"', ""),
               lambda: instance.stream(), 20)
    assert table_of(instance, "t1")["state"] == "waiting"
    database.run("INSERT INTO t1 VALUES (2); INSERT INTO t3 VALUES (3)")
    wait_until(lambda: instance.query("SELECT id FROM app.t3") == [[3]], lambda: instance.stream(), 20)
    assert instance.query("SELECT id FROM app.t1") == [[1]]
    database.run(f"GRANT SELECT ON t1 TO {reader}")
    assert instance.command("stream", "recopy", "app", "t1").returncode == 0
    instance.settle()
    for name in ("t1", "t2", "t3"):
        assert_same_table(database, instance, name)


def test_one_that_is_renamed_before_its_first_copy(database, instance):
    """There is nothing of it here yet that could be renamed."""
    instance.start()
    instance.sync()
    with contextlib.closing(database.server.connect(database.name)) as other:
        other.autocommit = False
        other.cursor().execute("INSERT INTO biwa_test_marker VALUES (-1, 0)")  # a new slot waits for it
        database.run("CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)")
        wait_until(lambda: (table_of(instance, "a") or {}).get("state") == "waiting", instance.stream)
        database.run("ALTER TABLE a RENAME TO b")
        wait_until(lambda: table_of(instance, "b"), instance.stream)
        other.rollback()
    wait_until(lambda: table_of(instance, "b")["state"] == "live", instance.stream, 60)
    database.run("INSERT INTO b VALUES (2)")
    instance.sync()
    assert assert_same_table(database, instance, "b") == 2


def test_one_whose_right_is_gone_leaves_alone_when_it_has_to_be_published_anew(database, instance, reader):
    connect_as(instance, reader)
    instance.write("streams/app.yaml", "connection: app_db\ndataset: app\ntables: public.*\ndiscover_every: 200ms\n"
                   "when_lost: recopy\n")
    database.run("".join(f"CREATE TABLE {name} (id int PRIMARY KEY); ALTER TABLE {name} OWNER TO {reader};"
                         f"INSERT INTO {name} VALUES (1);" for name in ("mine", "keyless", "lost")))
    instance.start()
    instance.sync()
    for name in ("keyless", "lost"):
        database.run(f"ALTER TABLE {name} OWNER TO {database.server.user}; GRANT SELECT ON {name} TO {reader}")
    # Without a key it has to move to the other publication; out of the one it goes, and can be updated.
    database.run("ALTER TABLE keyless DROP CONSTRAINT keyless_pkey")
    wait_until(lambda: "only its owner may publish it" in notes_of(instance, "keyless"), instance.stream, 20)
    database.run("UPDATE keyless SET id = 2; INSERT INTO lost VALUES (2); INSERT INTO mine VALUES (2)")
    instance.sync()
    assert instance.query("SELECT id FROM app.lost ORDER BY id") == [[1], [2]]
    # Nobody may go on from a publication that is gone, nor publish what is not his.
    database.run("DROP PUBLICATION biwa_app; INSERT INTO mine VALUES (3)")
    wait_until(lambda: "only its owner may publish it" in notes_of(instance, "lost"), instance.stream, 60)
    instance.settle()
    database.run("INSERT INTO mine VALUES (4)")
    instance.sync()
    assert assert_same_table(database, instance, "mine") == 4
    assert instance.query("SELECT id FROM app.lost ORDER BY id") == [[1], [2]]


def test_one_that_is_taken_out_of_the_publication_is_copied_anew(database, instance):
    database.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    instance.start()
    instance.sync()
    database.run("ALTER PUBLICATION biwa_app DROP TABLE t; INSERT INTO t VALUES (2)")
    wait_until(lambda: instance.query("SELECT count(*) FROM app.t") == [[2]], instance.stream, 40)
    assert "was taken out of the publication" in instance.log()
    database.run("INSERT INTO t VALUES (3)")
    instance.sync()
    assert assert_same_table(database, instance, "t") == 3


@pytest.mark.parametrize("built", ["a_rebuilt", "t_rebuilt"])
def test_a_table_that_takes_the_place_of_another_is_followed_under_that_name(database, instance, built):
    """As a job does that builds a table anew beside it: what was built had a name of its own, which is gone."""
    database.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    instance.start()
    instance.sync()
    for number in (1, 2):
        database.run(f"CREATE TABLE {built} (id int PRIMARY KEY); INSERT INTO {built} VALUES (1), (2)")
        instance.settle()
        database.run(f"INSERT INTO {built} VALUES (3); BEGIN; DROP TABLE t; ALTER TABLE {built} RENAME TO t; COMMIT; INSERT INTO t VALUES (4)")
        instance.sync()
        instance.settle()
        database.run("INSERT INTO t VALUES (5); UPDATE t SET id = 6 WHERE id = 1")
        if number == 2:
            instance.restart()
        instance.sync()
        assert assert_same_table(database, instance, "t") == 5
        assert instance.query(f"SELECT id FROM app.{built} ORDER BY id")[:3] == [[1], [2], [3]]


def test_one_that_is_renamed_and_stored_anew_at_once_is_copied_anew(database, instance):
    database.run("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 1);"
                 "CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE part (id int PRIMARY KEY)")
    instance.start()
    instance.sync()
    assert instance.stop() == 0
    database.run("ALTER TABLE t ALTER COLUMN n TYPE bigint USING n + 1; ALTER TABLE t RENAME TO u; INSERT INTO part VALUES (2);"
                 "ALTER TABLE parted ATTACH PARTITION part FOR VALUES FROM (1) TO (5); ALTER TABLE parted RENAME TO whole")
    instance.start()
    instance.settle()
    for table in ("u", "whole"):
        wait_until(lambda table=table: instance.query(f"SELECT count(*) FROM app.{table}") == [[1]], instance.stream, 20)
        assert assert_same_table(database, instance, table) == 1


@pytest.mark.parametrize("mode", ["", "mode: history\n"])
def test_one_that_was_not_published_is_copied_anew_though_another_has_it_published(database, instance, mode):
    """That it was not is seen no more when the publication was set right for the sake of another table."""
    stream = instance.folder / "streams/app.yaml"
    stream.write_text(stream.read_text() + mode)
    database.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    instance.start()
    instance.sync()
    assert instance.stop() == 0
    database.run("ALTER PUBLICATION biwa_app DROP TABLE t; INSERT INTO t VALUES (2); CREATE TABLE another (id int PRIMARY KEY)")
    for _ in range(3):
        instance.start()
        time.sleep(0.3)
        instance.kill()
    instance.start()
    instance.sync()
    instance.settle()
    database.run("INSERT INTO t VALUES (3)")
    instance.sync()
    assert assert_same_table(database, instance, "t") == 3


@pytest.mark.parametrize("alteration", [
    "SET (publish = 'insert, truncate')", "SET (publish = 'insert, update, delete')",
    "SET (publish_via_partition_root = false)", "SET TABLE biwa_test_marker, parted, t WHERE (id != 2)",
    "SET TABLE biwa_test_marker, parted, t (id, v)"])
def test_a_publication_that_is_altered_is_made_right_and_what_is_missing_copied(database, instance, alteration):
    if "TABLE" in alteration and int(database.value("SHOW server_version_num")) < 150_000:
        pytest.skip("no parts of tables before PostgreSQL 15")
    instance.write("streams/app.yaml", "connection: app_db\ndataset: app\ntables: public.*\ndiscover_every: 200ms\n")
    database.run("CREATE TABLE t (id int PRIMARY KEY, v int, w int); INSERT INTO t VALUES (1, 1, 1), (2, 2, 2);"
                 "CREATE TABLE parted (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);"
                 "CREATE TABLE part1 PARTITION OF parted FOR VALUES FROM (0) TO (10); INSERT INTO parted VALUES (1, 1)")
    instance.start()
    instance.sync()
    database.run(f"ALTER PUBLICATION biwa_app {alteration}; UPDATE t SET v = v + 10, w = 7; UPDATE parted SET v = 5;"
                 "DELETE FROM t WHERE id = 2")
    wait_until(lambda: "or this was altered" in instance.log(), instance.stream, 20)
    instance.settle()
    database.run("TRUNCATE t; INSERT INTO t VALUES (3, 3, 3), (2, 2, 2); UPDATE t SET w = 9; UPDATE parted SET v = 6")
    instance.sync()
    instance.settle()
    assert assert_same_table(database, instance, "t") == 2
    assert assert_same_table(database, instance, "parted") == 1
    copied = instance.log().count("or this was altered")
    assert instance.stop() == 0
    instance.start()
    instance.sync()
    assert instance.log().count("or this was altered") == copied, "it is right, and stays so"


def test_one_comes_while_others_are_worked_on(database, instance):
    """A VACUUM of hours, or CREATE INDEX CONCURRENTLY, holds the lock that publishing a table takes."""
    instance.write("streams/app.yaml", "connection: app_db\ndataset: app\ntables: public.*\ndiscover_every: 200ms\n"
                   "only: { public.big: { columns: [id] } }\n")
    database.run("CREATE TABLE big (id int PRIMARY KEY); INSERT INTO big VALUES (1)")
    instance.start()
    instance.sync()
    with contextlib.closing(database.server.connect(database.name)) as other:
        other.autocommit = False
        other.cursor().execute("LOCK TABLE big IN SHARE UPDATE EXCLUSIVE MODE")
        database.run("CREATE TABLE joins (id int PRIMARY KEY); INSERT INTO joins VALUES (2)")
        wait_until_live(instance, "joins")
        other.rollback()
    database.run("INSERT INTO big VALUES (2); INSERT INTO joins VALUES (3)")
    instance.sync()
    for name in ("big", "joins"):
        assert assert_same_table(database, instance, name) == 2


def test_a_key_that_is_dropped_while_tables_are_copied_hinders_nobody(database, instance):
    database.run("CREATE TABLE big (id int PRIMARY KEY, text text);"
                 "INSERT INTO big SELECT g, repeat('x', 100) FROM generate_series(1, 3000000) g;"
                 "CREATE TABLE small (id int PRIMARY KEY, n int); INSERT INTO small VALUES (1, 1)")
    instance.start(env={"BIWA_SNAPSHOT_SLICE_MS": "20"})
    instance.wait_state("snapshot")
    database.run("ALTER TABLE small DROP CONSTRAINT small_pkey")
    end = time.monotonic() + 20
    while True:
        try:
            database.run("UPDATE small SET n = n + 1")
            break
        except Exception as error:  # pylint: disable=broad-except
            assert "replica identity" in str(error) and time.monotonic() < end, error
            time.sleep(0.1)
    assert instance.stream()["state"] == "snapshot", "the copy has ended before it was of use"
    instance.settle(120)
    instance.sync(120)
    assert assert_same_table(database, instance, "big") == 3_000_000
    # Its updates are not followed without a key: what the copy brought is there.
    assert instance.query("SELECT id FROM app.small") == [[1]]


def while_another_joins(database, instance, statement):
    """Carries it out before the look at the tables, and commits when another is published by what was seen."""
    with contextlib.closing(database.server.connect(database.name)) as other:
        other.autocommit = False
        other.cursor().execute(statement)
        database.run("CREATE TABLE joins (id int PRIMARY KEY); INSERT INTO joins VALUES (2)")
        wait_until(lambda: database.value("SELECT count(*) FROM pg_publication_tables WHERE tablename = 'joins'") > 0,
                   instance.log)
        other.commit()


def test_one_that_is_renamed_while_another_joins_hinders_nobody(database, instance):
    """Tables are published by the names that they had when they were looked for."""
    instance.write("streams/app.yaml", "connection: app_db\ndataset: app\ntables: public.*\ndiscover_every: 200ms\n")
    database.run("CREATE TABLE staff (id int PRIMARY KEY); INSERT INTO staff VALUES (1)")
    instance.start()
    instance.sync()
    while_another_joins(database, instance, "ALTER TABLE staff RENAME TO people")
    database.run("INSERT INTO people VALUES (3)")
    wait_until(lambda: {"people", "joins"} <= {one["name"] for one in instance.stream()["tables"] if one["state"] == "live"},
               lambda: (instance.stream(), instance.log()))
    instance.sync()
    assert assert_same_table(database, instance, "people") == 2
    assert assert_same_table(database, instance, "joins") == 1


def test_one_whose_column_is_renamed_while_another_joins_hinders_nobody(database, instance):
    instance.write("streams/app.yaml", "connection: app_db\ndataset: app\ntables: public.*\ndiscover_every: 200ms\n"
                   "only: { public.staff: { columns: [id, room] } }\n")
    database.run("CREATE TABLE staff (id int PRIMARY KEY, room text); INSERT INTO staff VALUES (1, 'a')")
    instance.start()
    instance.sync()
    while_another_joins(database, instance, "ALTER TABLE staff RENAME room TO place")
    wait_until(lambda: (table_of(instance, "joins") or {}).get("state") == "live",
               lambda: (instance.stream(), instance.log()))
    # What the project says of it is not true any more: it says so, and keeps what it has.
    assert "has no column room that could be copied" in notes_of(instance, "staff")
    database.run("ALTER TABLE staff RENAME place TO room; INSERT INTO staff VALUES (3, 'c')")
    wait_until(lambda: table_of(instance, "staff")["state"] == "live", lambda: instance.stream())
    instance.sync()
    assert assert_same_table(database, instance, "staff") == 2


def test_what_no_stream_made_is_never_touched(database, instance):
    instance.write("definitions/taken.sqlx", """\
        config { type: "operations" }
        CREATE SCHEMA IF NOT EXISTS app
        ---
        CREATE TABLE app.taken AS SELECT 42 AS mine
        ---
        CREATE VIEW app.seen AS SELECT 43 AS mine
        """)
    assert instance.command("apply", "--yes").returncode == 0
    assert instance.command("run").returncode == 0
    (instance.folder / "definitions/taken.sqlx").unlink()
    database.run("CREATE TABLE taken (id int PRIMARY KEY); INSERT INTO taken VALUES (1);"
                 "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")

    def is_mine():
        assert instance.value("SELECT mine FROM app.taken") == 42
        assert instance.value("SELECT mine FROM app.seen") == 43

    # At the stream's start, and while it runs.
    instance.start()
    instance.sync()
    is_mine()
    database.run('CREATE TABLE "Seen" (id int PRIMARY KEY); INSERT INTO "Seen" VALUES (1)')
    wait_until(lambda: table_of(instance, "Seen"), lambda: instance.stream(), 20)
    instance.settle()
    for name in ("taken", "Seen"):
        assert table_of(instance, name)["state"] == "refused"
        assert "which no stream made" in notes_of(instance, name)
    is_mine()
    # A renaming does not get the name either.
    database.run('DROP TABLE taken; DROP TABLE "Seen"')
    database.run("ALTER TABLE t RENAME TO taken; INSERT INTO taken VALUES (2)")
    wait_until(lambda: table_of(instance, "t")["state"] == "gone", lambda: instance.stream(), 20)
    instance.sync()
    is_mine()
    # Once it is free it is copied.
    assert instance.stop() == 0
    instance.write("definitions/free.sqlx", 'config { type: "operations" }\nDROP TABLE app.taken\n')
    assert instance.command("apply", "--yes").returncode == 0
    assert instance.command("run").returncode == 0
    (instance.folder / "definitions/free.sqlx").unlink()
    instance.start()
    instance.sync()
    instance.settle()
    assert assert_same_table(database, instance, "taken") == 2
    assert instance.value("SELECT mine FROM app.seen") == 43


def test_old_names_go_with_the_stream(database, instance):
    database.run("CREATE TABLE a (id int PRIMARY KEY)")
    instance.start()
    instance.sync()
    for name in ("b", "c"):
        database.run(f"ALTER TABLE {'a' if name == 'b' else 'b'} RENAME TO {name};"
                     f"INSERT INTO {name} SELECT count(*) FROM {name}")
        instance.sync()
        instance.settle()
    assert instance.value("SELECT count(*) FROM app.a") == 2
    (instance.folder / "streams/app.yaml").unlink()
    assert instance.command("apply", "--yes").returncode == 0
    assert instance.query("SELECT table_name FROM information_schema.tables WHERE table_schema = 'app'") == []
