"""PostgreSQL: copies, changes, how fresh they are, and what the source feels of it."""
import contextlib
import json
import os
import re
import statistics
import subprocess
import tempfile
import time

from servers import BUILD, ROUNDS, SCALE, command, middle, pair_of, rounds, say, scaled, wide

TABLE = """
CREATE TABLE {name} (id bigint PRIMARY KEY, pupil bigint NOT NULL, problem int NOT NULL,
    correct boolean NOT NULL, seconds double precision NOT NULL, answered_at timestamptz NOT NULL,
    note text NOT NULL);
INSERT INTO {name} SELECT i, i % 100000, i % 5000, i % 3 = 0, i * 0.5,
    '2026-01-01'::timestamptz + i * interval '1 second', 'answer number ' || i
FROM generate_series(1, {rows}) AS i;
VACUUM ANALYZE {name};
CHECKPOINT;
"""


WIDE = """
CREATE TABLE {name} (id bigint PRIMARY KEY, {columns});
INSERT INTO {name} SELECT i, {values} FROM generate_series(1, {rows}) AS i;
VACUUM ANALYZE {name};
CHECKPOINT;
"""


def copy(server, name, table, rows, goal, environment=None, **more):
    def ours():
        folder = server.fresh_folder()
        server.settle()
        result = server.bench("snapshot", folder, f"public.{table}", **(environment or {}))
        server.forget_stream()
        command("rm", "-rf", folder)
        assert result["rows"] == rows, result
        return result

    def limit():
        server.settle()
        return server.bench("copy-limit", table)

    ratio, limit, mine, all_of_them = rounds(limit, ours)
    return {"name": name, "rows": rows, "rows_per_s": mine["rows_per_s"],
            "limit": "COPY binary of one backend, read and thrown away",
            "limit_rows_per_s": limit["rows_per_s"], "rss_mb": mine["rss_mb"],
            "file_mb": mine["file_mb"], **more,
            "ratios": all_of_them, "ratio": round(ratio, 3), "goal": goal}


def snapshot(server, name="snapshot", rows=5_000_000):
    rows = scaled(rows)
    say(f"{name}: {rows:,} rows of 76 bytes")
    server.sql(TABLE.format(name="snap", rows=rows))
    # The engine keeps what it has read and written as far as it may: the same for any number of rows.
    result = copy(server, name, "snap", rows, 0.9, {"BENCH_MEMORY_MB": "256"}, rss_goal_mb=400)
    server.sql("DROP TABLE snap")
    return result


def snapshot_20m(server):
    return snapshot(server, "snapshot-20m", 20_000_000)


def snapshot_wide(server):
    return copy_wide(server, "snapshot-wide", {})


def snapshot_wide_compressed(server):
    return copy_wide(server, "snapshot-wide-compressed", {"BENCH_TEXTS": "compressed"})


def copy_wide(server, name, environment):
    rows = scaled(1_000_000)
    say(f"{name}: {rows:,} rows of 60 columns, two kilobytes each")
    server.sql(wide(WIDE, "wide", rows, "timestamptz", number="i % {}",
                    time_of="'2026-01-01'::timestamptz + i * interval '{} second'",
                    text="md5(i::text || '{}') || '-answer'"))
    row_bytes = int(server.sql("SELECT round(avg(pg_column_size(wide))) FROM (SELECT * FROM wide LIMIT 1000) AS wide"))
    folder = server.fresh_folder()
    engine = server.bench("store-limit", folder, "wide", **environment)
    command("rm", "-rf", folder)
    # A group of the engine's rows is a quarter of a gigabyte, and each of two threads fills one.
    result = copy(server, name, "wide", rows, 0.8, {"BENCH_MEMORY_MB": "640", **environment},
                  row_bytes=row_bytes)
    server.sql("DROP TABLE wide")
    # Server and engine share the processors: what is left if nothing else cost anything.
    shared = os.cpu_count() / (1 / result["limit_rows_per_s"] + engine["cpu_s"] / engine["rows"])
    say(f"  the engine alone {engine['rows_per_s']:,}/s, server and engine together {shared:,.0f}/s; "
        f"a file of {result['file_mb']:,} MB")
    return {**result, "limit_engine_rows_per_s": engine["rows_per_s"],
            "limit_engine_file_mb": round(engine["file_mb"] * rows / engine["rows"]),
            "limit_shared_rows_per_s": round(shared),
            "ratio_of_shared": round(result["rows_per_s"] / shared, 3)}


BACKLOG = """
CREATE OR REPLACE PROCEDURE make_backlog(transactions int, size int, stored bigint)
LANGUAGE plpgsql AS $$
DECLARE first bigint;
BEGIN
    -- Of each seven transactions four insert, two update and one deletes.
    FOR n IN 0 .. transactions - 1 LOOP
        IF n % 7 < 4 THEN
            first := stored + n * size::bigint + 1;
            INSERT INTO changed SELECT i, i % 100000, i % 5000, i % 3 = 0, i * 0.5, now(),
                'answer number ' || i
            FROM generate_series(first, first + size - 1) AS i;
        ELSIF n % 7 < 6 THEN
            first := stored + (n - 4) * size::bigint + 1;
            UPDATE changed SET correct = NOT correct, seconds = seconds + 1
            WHERE id BETWEEN first AND first + size - 1;
        ELSE
            first := stored + (n - 3) * size::bigint + 1;
            DELETE FROM changed WHERE id BETWEEN first AND first + size - 1;
        END IF;
        COMMIT;
    END LOOP;
END $$;
"""


def backlog(server, name, transactions, size, stored, goal):
    say(f"{name}: a backlog of {transactions:,} transactions of {size:,} changes, into a table of "
        f"{stored:,} rows")
    server.sql(TABLE.format(name="changed", rows=stored))
    server.sql(BACKLOG)
    # A stream and a slot for the limit, at the same place; then the backlog for each round anew.
    folder = server.fresh_folder()
    server.bench("start", folder, "public.changed")
    pairs = []
    for _ in range(ROUNDS):
        server.sql("SELECT pg_create_logical_replication_slot('bench_limit', 'pgoutput')")
        last = server.sql("SELECT max(id) FROM changed")
        server.sql(f"SET synchronous_commit = off; CALL make_backlog({transactions}, {size}, {last})")
        end = server.sql("SELECT pg_current_wal_insert_lsn()")
        server.sql("CHECKPOINT")
        # Something after the end, so that both see that they have passed it.
        server.sql("UPDATE changed SET seconds = 0 WHERE id = 1")
        limit = server.bench("pgoutput-limit", "bench_limit", "biwa_bench", end)
        ours = server.bench("changes", folder, "public.changed", end)
        server.sql("SELECT pg_drop_replication_slot('bench_limit')")
        pairs.append(pair_of(limit, ours))
    ratio, limit, mine, all_of_them = middle(pairs)
    server.forget_stream()
    server.sql("DROP TABLE changed")
    return {"name": name, "changes": transactions * size, "stored_rows": stored,
            "changes_per_s": mine["rows_per_s"],
            "limit": "pgoutput of one walsender, read and counted",
            "limit_changes_per_s": limit["rows_per_s"], "rss_mb": mine["rss_mb"],
            "ratios": all_of_them, "ratio": round(ratio, 3), "goal": goal}


def changes(server):
    return backlog(server, "changes", scaled(3_500, 70), 1_000, scaled(10_000_000), 0.9)


def changes_small(server):
    return backlog(server, "changes-small", scaled(500_000), 1, scaled(1_000_000), 0.85)


def freshness(server):
    tables, rate, seconds = 20, 5_000, scaled(30, 5)
    rows = scaled(100_000)
    say(f"freshness: {rate:,} changes a second over {tables} tables for {seconds} s, and a dashboard "
        "of five tiles")
    for table in range(tables):
        server.sql(f"CREATE TABLE fresh{table} (id bigint PRIMARY KEY, value bigint NOT NULL);"
                   f"INSERT INTO fresh{table} SELECT i, i * 7 FROM generate_series(1, {rows}) AS i")
    result = server.bench("freshness", server.fresh_folder(), str(tables), str(rate), str(seconds))
    server.forget_stream()
    for table in range(tables):
        server.sql(f"DROP TABLE fresh{table}")
    say(f"  p50 {result['p50_ms']:.0f} ms, p99 {result['p99_ms']:.0f} ms, at "
        f"{result['changes_per_s']:,.0f} changes/s; a tile {result['tile_p50_ms']:.0f} ms")
    return {"name": "freshness", "tables": tables, **result,
            "limit": "p50 of 300 ms, p99 of 1,000 ms", "limit_p50_ms": 300, "limit_p99_ms": 1000,
            # A source that cannot make so many changes shows nothing.
            "ratio": round(min(300 / result["p50_ms"], 1000 / result["p99_ms"],
                               result["changes_per_s"] / (0.95 * rate)), 3), "goal": 1}


class Consumers:
    """Who can follow pgbench's tables in turn: pg_recvlogical, which throws away what it reads, and Biwa, which
    nobody reads or somebody does ("idle", "biwa", "read"). Biwa goes on where it left off; pg_recvlogical, which
    says only each ten seconds how far it is, would read what it has read again, and has a new slot each time."""

    TABLES = "pgbench_accounts, pgbench_branches, pgbench_tellers, pgbench_history"

    def __init__(self, server):
        self.server, self.folder, self.figures = server, server.fresh_folder(), []
        server.sql(f"CREATE PUBLICATION bench_idle FOR TABLE {self.TABLES}")
        with self.biwa():
            say("  the tables are copied")

    @contextlib.contextmanager
    def __call__(self, who):
        with self.idle() if who == "idle" else self.biwa(*([who] if who == "read" else [])):
            yield
        self.free()

    def free(self):
        """The server's end of a connection may be there for a moment longer."""
        while self.server.sql("SELECT count(*) FROM pg_replication_slots WHERE active") != "0":
            time.sleep(0.05)

    @contextlib.contextmanager
    def idle(self):
        self.server.sql("SELECT pg_create_logical_replication_slot('bench_idle', 'pgoutput')")
        reader = subprocess.Popen(
            ["pg_recvlogical", "-d", "bench", "--slot=bench_idle", "--start", "-f", "/dev/null",
             "-o", "proto_version=1", "-o", "publication_names=bench_idle"], env=self.server.env)
        try:
            yield
            assert reader.poll() is None
        finally:
            reader.terminate()
            reader.wait()
            self.free()
            self.server.sql("SELECT pg_drop_replication_slot('bench_idle')")

    @contextlib.contextmanager
    def biwa(self, *how):
        process = subprocess.Popen([os.path.join(BUILD, "replication_bench"), "follow", self.folder,
                                    "public.pgbench_*", *how],
                                   env=self.server.env, text=True, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        assert process.stdout.readline() == "following\n"
        try:
            yield
        finally:
            out, _ = process.communicate()
            # What it takes is that of a stream which nobody reads, as the rest of the result.
            if not how:
                self.figures.append(json.loads(out))

    def close(self):
        self.server.forget_stream()
        self.server.sql("DROP PUBLICATION bench_idle")


class Load:
    """pgbench's own workload beside one consumer after another."""

    CLIENTS = 4
    # In which a consumer starts and catches up.
    SETTLE_S = 3

    def __init__(self, server, seconds):
        self.server, self.seconds = server, seconds
        command("pgbench", "-i", "-q", "-s", str(scaled(20, 2)), env=server.env, stderr=subprocess.DEVNULL)

    def throughput(self):
        out = command("pgbench", "-n", "-c", str(self.CLIENTS), "-j", "2", "-T", str(self.seconds),
                      env=self.server.env, stderr=subprocess.DEVNULL)
        return float(re.search(r"tps = ([\d.]+)", out).group(1))

    def beside(self, consumers, names, rounds, *more):
        """By consumer and round, how long its transactions took, in ms: one run of pgbench, in which all have their
        turns. Whatever changes with the minutes (the disk, the host) is shared by all of them so."""
        turns = []
        with tempfile.TemporaryDirectory() as folder:
            prefix = os.path.join(folder, "log")
            # Ended before its time.
            pgbench = subprocess.Popen(
                ["pgbench", "-n", "-c", str(self.CLIENTS), "-j", "2", "-T", "3600", "--log",
                 f"--log-prefix={prefix}", *more],
                env=self.server.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                for turn in range(rounds):
                    # None of them always comes first.
                    for who in names[turn % len(names):] + names[:turn % len(names)]:
                        with consumers(who):
                            time.sleep(self.SETTLE_S)
                            began = time.time()
                            time.sleep(self.seconds)
                            turns.append((who, began, time.time(), []))
                        assert pgbench.poll() is None
            finally:
                pgbench.terminate()
                pgbench.wait()
            for name in os.listdir(folder):
                with open(os.path.join(folder, name), encoding="ascii") as lines:
                    for words in (line.split() for line in lines):
                        # The last line may have been cut off.
                        if len(words) < 6 + ("-R" in more):
                            continue
                        at = int(words[4]) + int(words[5]) / 1e6
                        # Without what a transaction waited for its turn.
                        took = int(words[2]) - (int(words[6]) if "-R" in more else 0)
                        for _, began, ended, times in turns:
                            if began <= at < ended:
                                times.append(took / 1000)
        return {name: [times for who, _, _, times in turns if who == name] for name in names}


def burden(server):
    load = Load(server, scaled(12, 2))
    rounds = 2 * ROUNDS
    say(f"burden: pgbench with {load.CLIENTS} clients, beside pg_recvlogical and beside Biwa in turn, "
        f"{rounds} times {load.seconds} s each")
    consumers = Consumers(server)
    try:
        # What a source can bear all day, not at its limit.
        rate = max(1, int(0.3 * load.throughput()))
        fast = load.beside(consumers, ["idle", "biwa"], rounds)
        consumers.figures.clear()
        steady = load.beside(consumers, ["idle", "biwa", "read"], rounds, "-R", str(rate))
    finally:
        consumers.close()

    def p99(times):
        return statistics.quantiles(times, n=100)[98]

    tps = {who: [len(times) / load.seconds for times in turns] for who, turns in fast.items()}
    for turn in range(rounds):
        say(f"  {tps['idle'][turn]:,.0f} tps and {tps['biwa'][turn]:,.0f} beside Biwa; at {rate:,} tps p99 "
            f"{p99(steady['idle'][turn]):.2f} ms and {p99(steady['biwa'][turn]):.2f}, while it is read "
            f"{p99(steady['read'][turn]):.2f}")
    # Of all transactions of one kind: the p99 of a single turn scatters by a sixth.
    idle_p99, our_p99, read_p99 = (p99(sum(steady[who], [])) for who in ("idle", "biwa", "read"))
    idle_tps, our_tps = (statistics.mean(tps[who]) for who in ("idle", "biwa"))
    ratios = [min(our / idle, p99(idle_times) / p99(our_times)) for our, idle, idle_times, our_times
              in zip(tps["biwa"], tps["idle"], steady["idle"], steady["biwa"])]
    return {"name": "burden", "tps": round(our_tps), "p99_ms": round(our_p99, 2), "read_p99_ms": round(read_p99, 2),
            "cpu_s": round(statistics.median(figure["cpu_s"] for figure in consumers.figures), 2), "rate_tps": rate,
            "limit": "the same with pg_recvlogical, which throws away what it reads",
            "limit_tps": round(idle_tps), "limit_p99_ms": round(idle_p99, 2),
            "ratio_read": round(idle_p99 / read_p99, 3), "ratios": sorted(round(ratio, 3) for ratio in ratios),
            "ratio": round(min(our_tps / idle_tps, idle_p99 / our_p99), 3), "goal": 0.95}


def apply_growth(folder):
    sizes = [scaled(rows) for rows in (1_000_000, 10_000_000, 50_000_000)]
    say("apply-growth: batches of 10,000 upserts and 1,000 deletes into tables of "
        + ", ".join(f"{rows:,}" for rows in sizes) + " rows")
    results = []
    for rows in sizes:
        place = folder.fresh_folder()
        result = json.loads(command(os.path.join(BUILD, "apply_bench"), place, str(rows), "30"))
        command("rm", "-rf", place)
        say(f"  {rows:>12,} rows: recent keys {result['recent_ms']:.1f} ms, keys anywhere "
            f"{result['anywhere_ms']:.1f} ms, behind {result['behind_changes_per_s']:,.0f} changes/s")
        results.append(result)
    small, large = results[0], results[-1]
    growth = large["recent_ms"] / small["recent_ms"]
    return {"name": "apply-growth", "growth": round(growth, 2), "sizes": results,
            "limit": "recent keys in 1.5 times the time of the smallest table; 150,000 changes/s of "
                     "keys anywhere, when behind",
            "ratio": round(min(1.5 / growth, large["behind_changes_per_s"] / 150_000), 3), "goal": 1}
