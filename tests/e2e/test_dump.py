"""A file as a source: a plain dump of pg_dump, and CSV. What comes of it is what a stream of the same table has."""
import gzip
import json
import os
import subprocess
import time

import pytest

from test_types import SETTINGS, TYPES, Values, kinds
from harness.compare import tables_of
from harness.instance import Instance
from harness.wait import wait_until

# In composites the text of an interval is that of whoever asked: pg_dump has its own style.
NOT_ALIKE = {"everything"}


def pg_dump(database, *arguments):
    """As its user would call it, with times in UTC as a stream has them."""
    server = database.server
    done = subprocess.run(
        ["pg_dump", "-h", server.host, "-p", str(server.port), "-U", server.user, "-d", database.name, *arguments],
        capture_output=True, timeout=60, check=False,
        env={**os.environ, "PGPASSWORD": server.password, "PGTZ": "UTC"})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def dumped(tmp_path):
    """An instance that has no database; give() puts a file where it looks for one."""
    instance = Instance(tmp_path / "dumped")
    instance.write_settings()

    def give(content, name="old.sql", columns="", more=""):
        path = instance.folder / "dumps" / name
        path.parent.mkdir(exist_ok=True)
        part = path.with_suffix(".part")
        part.write_bytes(content)
        part.rename(path)
        settings = f"columns: {json.dumps(columns)}\n" if columns else ""
        instance.write("connections/old.yaml", f"kind: dump\npath: dumps/{name}\n{settings}")
        instance.write("streams/old.yaml", "connection: old\ndataset: app\ntables: public.*\n"
                       f"discover_every: 200ms\n{more}")

    instance.give = give
    with instance:
        yield instance


def live(instance, seconds=60):
    """Waits until all that is to be copied was."""
    def there():
        stream = instance.wait_state("streaming", seconds)
        return all(table["state"] in ("live", "gone", "refused") for table in stream["tables"])

    wait_until(there, lambda: f"the tables to be live: {instance.stream()}\n{instance.log()}", seconds)


def test_a_dump_gives_what_a_stream_of_the_database_gives(instance, database, dumped):
    """Columns, types and every value, of every type that there is, as deep as arrays go."""
    database.run(TYPES)
    values = Values(20261126)
    tables = [kind for kind in kinds(values) if kind[0] not in NOT_ALIKE]
    for name, kind, make in tables:
        rows = ", ".join(f"({i}, {values.maybe(make(), kind)})" for i in range(60))
        database.run(f"{SETTINGS} CREATE TABLE t_{name} (id int PRIMARY KEY, v {kind}); INSERT INTO t_{name} VALUES {rows}")
    plain = [("bool", "bool", lambda: values.pick(["true", "false"])), ("i2", "int2", lambda: "(-32768)::int2"),
             ("i8", "int8", lambda: "9223372036854775807"), ("f4", "float4", values.float4), ("f8", "float8", values.float8),
             ("n", "numeric(12,3)", lambda: "'-123456789.125'::numeric"), ("money", "money", values.money),
             ("txt", "text", values.word), ("vc", "varchar(99)", values.word), ("ch", "char(9)", lambda: "'ab'"),
             ("y", "bytea", lambda: values.pick(["'\\x00ff5c0a'::bytea", "''::bytea"])),
             ("d", "date", values.date), ("tm", "time", values.time), ("ts", "timestamp", values.timestamp),
             ("tstz", "timestamptz", lambda: values.timestamp("timestamptz")), ("i", "interval", values.interval),
             ("u", "uuid", lambda: "gen_random_uuid()"), ("j", "json", lambda: "'{\"a\": \"\\u0062\\n\"}'::json"),
             ("jb", "jsonb", lambda: "'[1, {\"x\": null}]'::jsonb"), ("e", "mood", lambda: values.pick(["'sad'::mood", "'o\"k'::mood"])),
             ("dm", "percent", lambda: "12.5"), ("dms", "percent[]", lambda: "ARRAY[0.01, NULL]::percent[]"),
             ("ia", "interval[]", lambda: values.array(values.interval, "interval")),
             ("ta", "text[]", lambda: values.array(values.word, "text")),
             ("grid", "int[][]", lambda: values.pick(["'{}'::int[]", "'{{1,NULL},{3,4}}'::int[]"])),
             ("boxes", "box[]", lambda: "ARRAY['(1,1),(0,0)'::box, NULL]")]
    for name, kind, make in plain:
        rows = ", ".join(f"({i}, {values.maybe(make(), kind)})" for i in range(60))
        database.run(f"{SETTINGS} CREATE TABLE p_{name} (id int PRIMARY KEY, v {kind}); INSERT INTO p_{name} VALUES {rows}")
    database.run('''
        CREATE TABLE nothing_in_it (id int PRIMARY KEY, v text);
        CREATE TABLE "表 ""1""" (id int, "コ;ラム" text DEFAULT 'a;
        b', twice int GENERATED ALWAYS AS (id * 2) STORED, PRIMARY KEY (id, "コ;ラム"));
        INSERT INTO "表 ""1""" VALUES (1, E'a\\tb\\n\\\\N'), (2, '\\.');
        CREATE TABLE parted (id int, day date) PARTITION BY RANGE (day);
        CREATE TABLE parted_1 (day date, id int);
        ALTER TABLE parted ATTACH PARTITION parted_1 FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
        CREATE TABLE parted_2 PARTITION OF parted DEFAULT;
        INSERT INTO parted SELECT i, date '2025-12-25' + i FROM generate_series(1, 20) i;
        CREATE TABLE bag (a int, b text); ALTER TABLE bag REPLICA IDENTITY FULL;
        INSERT INTO bag VALUES (1, 'x'), (1, 'x'), (NULL, NULL);
        CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $f$ BEGIN PERFORM 'COPY t (a) FROM stdin;'; END $f$;
        CREATE VIEW v AS SELECT ';' AS x''')
    instance.start()
    instance.sync()
    dumped.give(gzip.compress(pg_dump(database)), "old.sql.gz")
    dumped.start()
    live(dumped)
    columns = ("SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'app' "
               "AND table_name <> 'biwa_test_marker' ORDER BY 1, ordinal_position")
    there, here = instance.query(columns), dumped.query(columns)
    assert here and {tuple(row) for row in here} == {tuple(row) for row in there}
    names = sorted({row[0] for row in here})
    assert len(names) == len(tables) + len(plain) + 4, names
    wrong = {}
    for name in names:
        quoted = '"' + name.replace('"', '""') + '"'
        listed = ", ".join(f'CAST("{column}" AS text)' for table, column, _ in there if table == name)
        rows = f"SELECT {listed} FROM app.{quoted} ORDER BY ALL"
        if instance.query(rows) != dumped.query(rows):
            wrong[name] = [(a, b) for a, b in zip(instance.query(rows), dumped.query(rows)) if a != b][:3]
    assert not wrong, wrong
    assert dumped.stream().get("unrepresentable") == instance.stream().get("unrepresentable")
    assert dumped.stop() == 0, dumped.log()


DUMP = """--
-- PostgreSQL database dump
--
SET client_encoding = 'UTF8';
CREATE TABLE public.answers (
    id bigint NOT NULL,
    email text,
    mark integer
);
COPY public.answers (id, email, mark) FROM stdin;
{}\\.
ALTER TABLE ONLY public.answers
    ADD CONSTRAINT answers_pkey PRIMARY KEY (id);
--
-- PostgreSQL database dump complete
--
"""


def dump(*rows):
    return DUMP.format("".join("\t".join(str(value) for value in row) + "\n" for row in rows)).encode()


def test_a_file_that_is_replaced_changes_places_whole_and_a_bad_one_changes_nothing(dumped):
    dumped.give(dump((1, "a@x", 10), (2, "\\N", "\\N")))
    dumped.start()
    live(dumped)
    rows = "SELECT id, email, mark FROM app.answers ORDER BY id"
    assert dumped.query(rows) == [[1, "a@x", 10], [2, None, None]]
    time.sleep(0.1)
    dumped.give(dump(*((n, "b@x", n) for n in range(5000)), (7000, "c", "many")))
    wait_until(lambda: "dumps/old.sql:5011: column mark has a value that is no INTEGER" in json.dumps(dumped.stream()),
               lambda: f"the bad line to be told: {dumped.stream()}\n{dumped.log()}", 30)
    assert dumped.query(rows) == [[1, "a@x", 10], [2, None, None]]
    dumped.give(dump((1, "cut off", 1))[:-30])
    wait_until(lambda: "cut off" in json.dumps(dumped.stream()),
               lambda: f"that it is cut off to be told: {dumped.stream()}\n{dumped.log()}", 30)
    assert dumped.query(rows) == [[1, "a@x", 10], [2, None, None]]
    dumped.give(dump(*((n, "b@x", n) for n in range(5000))))
    wait_until(lambda: dumped.value("SELECT count(*) FROM app.answers") == 5000,
               lambda: f"the new file: {dumped.stream()}\n{dumped.log()}", 60)
    # What was copied stays when the file goes, and over a restart.
    (dumped.folder / "dumps/old.sql").unlink()
    wait_until(lambda: dumped.stream()["tables"][0]["state"] == "gone", dumped.stream, 30)
    dumped.restart()
    dumped.wait_state("streaming")
    assert dumped.value("SELECT count(*) FROM app.answers") == 5000
    assert dumped.stop() == 0


def test_masks_and_lists_of_columns_are_of_a_file_too(dumped):
    dumped.give(dump((1, "taro@example.com", 10), (2, "\\N", 20)), more="masks: { public.answers.email: email }\n")
    dumped.start()
    live(dumped)
    assert "taro" not in json.dumps(dumped.query("SELECT * FROM app.answers"))
    assert dumped.stop() == 0
    dumped.give(dump((1, "taro@example.com", 10)), more="only: { public.answers: { columns: [id, mark] } }\n")
    dumped.start()
    wait_until(lambda: dumped.query("SELECT * FROM app.answers") == [[1, 10]],
               lambda: f"{dumped.stream()}\n{dumped.log()}", 30)
    assert dumped.stop() == 0
    dumped.give(dump((1, "x", 10)), more="only: { public.answers: { where: id < 5 } }\n")
    done = dumped.command("doctor")
    assert "has no server that would understand" in done.stdout + done.stderr


def test_a_csv_is_a_table(dumped):
    content = 'id,name,at\n1,"say ""hi""\n, you",2026-11-26 09:00:00+09\n2,,\n3,"",\n'.encode()
    dumped.give(content, "marks.csv", "id bigint, at timestamptz, PRIMARY KEY (id)")
    assert "marks.csv is whole" in dumped.command("doctor").stderr
    dumped.start()
    live(dumped)
    assert dumped.query("SELECT id, name, epoch_us(\"at\") FROM app.marks ORDER BY id") == [
        [1, 'say "hi"\n, you', 1795651200000000], [2, None, None], [3, "", None]]
    compared = dumped.command("reconcile", "--json")
    assert json.loads(compared.stdout)[0]["tables"][0]["outcome"] == "equal", compared
    refused = dumped.command("stream", "backfill", "old", "marks", "--from", "1")
    assert refused.returncode == 1 and "cannot be looked for by their keys" in refused.stderr, refused
    assert dumped.stop() == 0


def test_killed_while_it_copies_it_begins_the_table_again(dumped):
    count = 1_000_000
    dumped.give(dump(*((n, f"{n}@x", n % 100) for n in range(count))))
    total = "SELECT count(*), count(DISTINCT id), sum(mark) FROM app.answers"
    for _ in range(3):
        dumped.start()
        wait_until(lambda: any(table["state"] in ("copying", "live") for table in (dumped.stream() or {}).get("tables", [])),
                   "the table", 30)
        time.sleep(0.2)
        seen = dumped.value("SELECT count(*) FROM app.answers")
        assert seen in (0, count)
        dumped.kill()
    dumped.start()
    live(dumped)
    assert dumped.query(total) == [[count, count, sum(n % 100 for n in range(count))]]
    assert dumped.stop() == 0
