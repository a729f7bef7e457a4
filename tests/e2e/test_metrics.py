"""/metrics, read as strictly as Prometheus reads it."""
import math
import re

from harness.wait import wait_until

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"')
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "gauge": ("",), "counter": ("",)}


def parse(text):
    """{name: (type, {labels: value})}; an AssertionError for whatever the format does not allow."""
    assert text.endswith("\n")
    families, current = {}, None
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            _, _, name, words = line.split(" ", 3)
            assert NAME.fullmatch(name) and words.strip(), line
            assert name not in families, f"{name} stands in two places"
            current = name
            families[name] = (None, {})
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == current and families[name] == (None, {}), line
            assert kind in SUFFIXES, line
            families[name] = (kind, {})
            continue
        name = NAME.match(line)[0]
        rest = line[len(name):]
        kind, samples = families[current]
        assert name in [current + suffix for suffix in SUFFIXES[kind]], line
        labels = []
        if rest.startswith("{"):
            at = 1
            while rest[at] != "}":
                found = LABEL.match(rest, at)
                assert found, line
                value = re.sub(r'\\[\\"n]', lambda escape: ESCAPES[escape[0]], found[2])
                labels.append((found[1], value))
                at = found.end()
                if rest[at] == ",":
                    at += 1
            rest = rest[at + 1:]
            assert len(labels) == len(dict(labels)) > 0, line
        assert re.fullmatch(r" (NaN|[+-]Inf|[+-]?[0-9.]+(e[+-]?[0-9]+)?)", rest), line
        key = (name, frozenset(labels))
        assert key not in samples, f"twice: {line}"
        samples[key] = float(rest)
        assert kind != "counter" or (samples[key] >= 0 and current.endswith("_total")), line
    for name, (kind, samples) in families.items():
        if kind == "histogram":
            check_histogram(name, samples)
    return families


def check_histogram(name, samples):
    for (sample, labels), count in samples.items():
        if sample != name + "_count":
            continue
        buckets = sorted((float(dict(other)["le"]), value) for (bucket, other), value in samples.items()
                         if bucket == name + "_bucket" and other - labels == {("le", dict(other)["le"])})
        assert buckets[-1] == (math.inf, count)
        assert [value for _, value in buckets] == sorted(value for _, value in buckets)


def read(instance):
    status, headers, body = instance.request("GET", "/metrics")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parse(body.decode())


def value(families, name, **labels):
    family = next(family for family in families
                  if name in [family + suffix for suffix in ("", "_bucket", "_sum", "_count")])
    return families[family][1][(name, frozenset(labels.items()))]


def test_the_whole_exposition(database, instance):
    odd = 'a "b" \\c\nd'
    database.run("CREATE TABLE 生徒 (id int PRIMARY KEY, 名前 text);"
                 "INSERT INTO 生徒 SELECT i, 'x' FROM generate_series(1, 1000) i;"
                 'CREATE TABLE "a ""b"" \\c\nd" (id int PRIMARY KEY);'
                 "CREATE UNLOGGED TABLE cache (id int PRIMARY KEY)")
    instance.write("definitions/students.sqlx",
                   'config { type: "table", assertions: { nonNull: ["id"] } }\n'
                   'SELECT id FROM ${ref("app", "生徒")}')
    instance.start()
    instance.sync()
    database.run("UPDATE 生徒 SET 名前 = 'y' WHERE id <= 10")
    instance.sync()
    instance.wait_models(["mart.students"])
    # A commit can be seen a moment before it is counted.
    wait_until(lambda: value(read(instance), "biwa_stream_changes_total", stream="app") >= 12, instance.log)
    # The last commit may have the model built once more.
    wait_until(lambda: value(read(instance), "biwa_model_state", model="mart.students", state="ok") == 1, instance.log)
    seen = read(instance)

    assert value(seen, "biwa_info", version=instance.status()["version"], project="test",
                 environment="dev") == 1
    assert value(seen, "process_resident_memory_bytes") > 1e6
    assert value(seen, "process_cpu_seconds_total") > 0
    assert value(seen, "biwa_warehouse_bytes") > 0
    assert value(seen, "biwa_queries_running") == 0
    assert value(seen, "biwa_stream_state", stream="app", state="streaming") == 1
    assert value(seen, "biwa_stream_state", stream="app", state="failed") == 0
    assert value(seen, "biwa_stream_changes_total", stream="app") >= 12
    assert value(seen, "biwa_stream_copied_rows_total", stream="app") == 1001
    assert value(seen, "biwa_stream_batch_changes", stream="app") >= 1
    assert value(seen, "biwa_stream_batch_bytes", stream="app") > 0
    assert value(seen, "biwa_stream_queue_limit_bytes", stream="app") == 32 << 20
    assert value(seen, "biwa_stream_queue_bytes", stream="app") == 0
    assert value(seen, "biwa_stream_errors_total", stream="app", kind="unavailable") == 0
    assert value(seen, "biwa_stream_commit_duration_seconds_count", stream="app") >= 2
    assert value(seen, "biwa_stream_commit_duration_seconds_sum", stream="app") > 0
    for table, state in (("public.生徒", "live"), ("public." + odd, "live"),
                         ("public.cache", "refused")):
        assert value(seen, "biwa_table_state", stream="app", table=table, state=state) == 1
    assert value(seen, "biwa_table_last_change_timestamp_seconds", stream="app",
                 table="public.生徒") > 1.7e9
    assert value(seen, "biwa_model_state", model="mart.students", state="ok") == 1
    assert value(seen, "biwa_model_last_run_timestamp_seconds", model="mart.students") > 1.7e9
    assert value(seen, "biwa_model_rows", model="mart.students") == 1000
    assert value(seen, "biwa_model_bytes", model="mart.students") == 4000
    assert value(seen, "biwa_model_last_run_duration_seconds", model="mart.students") > 0
    [failing] = seen["biwa_assertion_failing_rows"][1].values()
    assert failing == 0


def test_an_interruption_is_counted_and_shown(database, instance):
    database.run("CREATE TABLE t (id int PRIMARY KEY)")
    instance.start()
    instance.sync()
    pid = database.value("SELECT active_pid FROM pg_replication_slots "
                         f"WHERE database = '{database.name}'")
    database.run(f"SELECT pg_terminate_backend({pid})")
    wait_until(lambda: value(read(instance), "biwa_stream_errors_total", stream="app",
                             kind="unavailable") == 1, "the error to be counted", 20)
    instance.sync()
    assert instance.stream()["errors_total"] == {
        "user": 0, "unavailable": 1, "conflict": 0, "corrupt": 0}
    said = instance.command("status").stdout
    assert re.search(r"last batch [0-9,]+ changes, .*  queue 0 B of 33.6 MB  "
                     r".* of log kept at the source  1 errors", said), said


def test_other_sites_pages_read_nothing(database, instance):
    instance.start()
    status, _, _ = instance.request("GET", "/metrics", headers={"Host": "evil.example"})
    assert status == 403
    status, _, _ = instance.request("POST", "/metrics", {})
    assert status == 405
