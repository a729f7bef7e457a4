"""What the doctor says of a PostgreSQL and of the streams that follow it."""
import contextlib
import json


def doctor(instance):
    """Its findings of the streams: by what was found, the others of each (level, why, mend)."""
    done = instance.command("doctor", "--json")
    found = {}
    for line in map(json.loads, done.stdout.splitlines()):
        if line["of"] != "this machine":
            found[line["what"]] = line
    problems = [line for line in found.values() if line["level"] == "problem"]
    assert done.returncode == (1 if problems else 0), (done.stdout, done.stderr)
    return found


def test_excluded_tables_are_not_looked_at(database, instance):
    database.run("CREATE TABLE good (id int PRIMARY KEY); CREATE UNLOGGED TABLE tmp_a (id int PRIMARY KEY);"
                 "CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY)")
    assert "is unlogged" in str(doctor(instance))
    instance.write_stream(exclude=("public.tmp_*", "public.scratch"))
    said = str(doctor(instance))
    assert "public.good" in said and "tmp_a" not in said and "scratch" not in said, said


def assert_lost(instance, what):
    found = doctor(instance)
    assert [line["what"] for line in found.values() if line["level"] == "problem"] == [what], found
    assert "when_lost: recopy" in found[what]["mend"], found
    assert not any("slots are free" in said for said in found), found


def test_what_has_stopped_a_stream_is_said(database, instance):
    gone = {"publication": "publication biwa_app or biwa_app_inserts is gone from the server",
            "slot": "replication slot biwa_app is gone from the server"}
    database.run("CREATE TABLE t (id int PRIMARY KEY)")
    instance.start()
    instance.sync()
    assert all(line["level"] != "problem" for line in doctor(instance).values())
    # As soon as it is so, the stream may be about to find it out.
    database.run("DROP PUBLICATION biwa_app")
    assert gone["publication"] in doctor(instance)
    database.run("INSERT INTO t VALUES (1)")
    instance.wait_state("failed", 30)
    assert_lost(instance, gone["publication"])
    instance.stop()
    assert_lost(instance, gone["publication"])
    database.run("SELECT pg_drop_replication_slot('biwa_app')")
    assert_lost(instance, gone["slot"])
    instance.start()
    instance.wait_state("failed", 30)
    assert_lost(instance, gone["slot"])
    instance.stop()
    # One that begins at another source has lost nothing.
    instance.write("connections/other.yaml", instance.connection_file())
    stream = instance.folder / "streams/app.yaml"
    text = stream.read_text()
    stream.write_text(text.replace("app_db", "other"))
    assert not any("gone" in said for said in doctor(instance))
    # As the mend says it.
    stream.write_text(text + "when_lost: recopy\n")
    assert "when Biwa runs" in doctor(instance)[gone["slot"]]["mend"]
    instance.start()
    instance.settle()
    instance.sync()
    assert instance.query("SELECT id FROM app.t") == [[1]]
    assert all(line["level"] != "problem" for line in doctor(instance).values())


def test_a_slot_that_somebody_else_moved_is_found_while_biwa_is_stopped(database, instance):
    instance.start()
    instance.sync()
    instance.stop()
    assert all(line["level"] != "problem" for line in doctor(instance).values())
    # A slot goes no further than what is on the disk.
    database.run("SET synchronous_commit = on")
    database.advance_marker()
    database.run("SELECT pg_replication_slot_advance('biwa_app', pg_current_wal_lsn())")
    found = next(line for line in doctor(instance).values() if line["level"] == "problem")
    assert found["what"].startswith("slot biwa_app stands at ") and "when_lost: recopy" in found["mend"], found


def test_what_is_not_followed_whole_is_said_and_no_row_is_made_up(database, instance):
    database.run("CREATE TABLE keyless (a int); CREATE TABLE late (id int PRIMARY KEY DEFERRABLE);"
                 "CREATE TABLE prices (id int PRIMARY KEY, net int, gross int GENERATED ALWAYS AS (net * 2) STORED);"
                 "CREATE TABLE fresh (id int PRIMARY KEY); ALTER TABLE fresh SET (autovacuum_enabled = false);"
                 "INSERT INTO fresh SELECT generate_series(1, 5000);"
                 "CREATE TABLE parts (id int) PARTITION BY RANGE (id); ALTER TABLE parts REPLICA IDENTITY FULL;"
                 "CREATE TABLE part PARTITION OF parts DEFAULT; ALTER TABLE part SET (autovacuum_enabled = false);"
                 "INSERT INTO parts SELECT generate_series(1, 5000)")
    said = str(list(doctor(instance)))
    for table in ("keyless", "late"):
        assert f"table public.{table} has no key that changes could be told by: only its inserts are followed" in said
    assert "table public.prices has a generated column gross, which is left out" in said, said
    sizes = [line for line in doctor(instance) if line.startswith(("table public.fresh (", "table public.parts ("))]
    assert len(sizes) == 2 and not any("rows" in line or "0 B" in line for line in sizes), sizes
    # Nor does it wait for whoever alters one.
    with contextlib.closing(database.server.connect(database.name)) as other:
        other.autocommit = False
        other.cursor().execute("LOCK TABLE fresh")
        assert "table public.fresh" in doctor(instance)
    database.run("ANALYZE")
    assert any(line.startswith("table public.fresh (5") and "rows" in line for line in doctor(instance))
