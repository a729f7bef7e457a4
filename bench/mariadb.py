"""MariaDB: copies and changes."""
from servers import ROUNDS, command, middle, pair_of, rounds, say, scaled, wide

MARIADB_TABLE = """
CREATE TABLE {name} (id bigint PRIMARY KEY, pupil bigint NOT NULL, problem int NOT NULL,
    correct boolean NOT NULL, seconds double NOT NULL, answered_at timestamp(6) NOT NULL,
    note text NOT NULL);
SET sql_log_bin = 0;
INSERT INTO {name} SELECT seq, seq % 100000, seq % 5000, seq % 3 = 0, seq * 0.5,
    '2026-01-01' + INTERVAL seq SECOND, concat('answer number ', seq)
FROM seq_1_to_{rows};
ANALYZE TABLE {name};
"""


MARIADB_WIDE = """
CREATE TABLE {name} (id bigint PRIMARY KEY, {columns});
SET sql_log_bin = 0;
INSERT INTO {name} SELECT seq, {values} FROM seq_1_to_{rows};
ANALYZE TABLE {name};
"""


def mariadb_snapshot(server):
    rows = scaled(5_000_000)
    say(f"mariadb-snapshot: {rows:,} rows of 76 bytes")
    server.sql(MARIADB_TABLE.format(name="snap", rows=rows), "bench")
    return copy(server, "mariadb-snapshot", rows)


def mariadb_snapshot_wide(server):
    rows = scaled(1_000_000)
    say(f"mariadb-snapshot-wide: {rows:,} rows of 60 columns, two kilobytes each")
    server.sql(wide(MARIADB_WIDE, "snap", rows, "timestamp(6)", number="seq % {}",
                    time_of="'2026-01-01' + INTERVAL {} * seq SECOND",
                    text="concat(md5(concat(seq, '{}')), '-answer')"), "bench")
    return copy(server, "mariadb-snapshot-wide", rows, BENCH_MEMORY_MB="640")


def copy(server, name, rows, **environment):
    def limit():
        server.settle()
        return max((server.bench(kind, "snap") for kind in ("text-limit", "binary-limit")),
                   key=lambda result: result["rows_per_s"])

    def ours():
        server.settle()
        folder = server.fresh_folder()
        result = server.bench("snapshot", folder, "snap", **environment)
        command("rm", "-rf", folder)
        assert result["rows"] == rows, result
        return result

    ratio, limit, mine, all_of_them = rounds(limit, ours)
    server.sql("DROP TABLE snap", "bench")
    return {"name": name, "rows": rows, "rows_per_s": mine["rows_per_s"],
            "limit": "SELECT of one connection, as text or prepared, read and thrown away",
            "limit_rows_per_s": limit["rows_per_s"], "rss_mb": mine["rss_mb"],
            "file_mb": mine["file_mb"], "ratios": all_of_them, "ratio": round(ratio, 3), "goal": 0.8}


MARIADB_BACKLOG = """
DELIMITER //
CREATE PROCEDURE make_backlog(transactions int, stored bigint)
BEGIN
    -- Of each seven thousand changes four are inserts, two updates and one deletes.
    FOR n IN 0 .. transactions - 1 DO
        IF n % 7 < 4 THEN
            INSERT INTO changed SELECT i, i % 100000, i % 5000, i % 3 = 0, i * 0.5, now(6),
                concat('answer number ', i)
            FROM (SELECT stored + n * 1000 + seq AS i FROM seq_1_to_1000) AS numbers;
        ELSEIF n % 7 < 6 THEN
            UPDATE changed SET correct = NOT correct, seconds = seconds + 1
            WHERE id BETWEEN stored + (n - 4) * 1000 + 1 AND stored + (n - 4) * 1000 + 1000;
        ELSE
            DELETE FROM changed
            WHERE id BETWEEN stored + (n - 3) * 1000 + 1 AND stored + (n - 3) * 1000 + 1000;
        END IF;
    END FOR;
END //
"""


def mariadb_changes(server):
    transactions = scaled(3_500, 70)
    stored = scaled(1_000_000)
    say(f"mariadb-changes: a backlog of {transactions:,} transactions of 1,000 changes, into a "
        f"table of {stored:,} rows")
    server.sql(MARIADB_TABLE.format(name="changed", rows=stored), "bench")
    server.sql(MARIADB_BACKLOG, "bench")
    folder, alone = server.fresh_folder(), server.fresh_folder()
    server.bench("start", folder, "changed")
    server.bench("start", alone, "changed")
    pairs = []
    for _ in range(ROUNDS):
        begin = server.bench("head")["head"]
        last = server.sql("SELECT max(id) FROM changed", "bench")
        server.sql(f"CALL make_backlog({transactions}, {last})", "bench")
        end = server.bench("head")["head"]
        # Something after the end, so that both see that they have passed it.
        server.sql("UPDATE changed SET seconds = seconds + 1 WHERE id = 1", "bench")
        place = begin.rsplit(":", 1)
        client = server.bench("binlog-limit", *place, end)
        client["bytes"] = server.bench("bytes-limit", *place, end, str(transactions * 1000))
        server.settle()
        engine = server.bench("store-limit", alone, "changed", begin, end)
        limit = {**min(client, engine, key=lambda one: one["rows_per_s"]),
                 "client": client, "engine": engine}
        server.settle()
        ours = server.bench("changes", folder, "changed", end)
        pairs.append(pair_of(limit, ours))
    ratio, limit, mine, all_of_them = middle(pairs)
    return {"name": "mariadb-changes", "changes": transactions * 1000,
            "changes_per_s": mine["rows_per_s"],
            "limit": "the slower of two: the binary log of one connection, its rows taken apart and "
                     "counted by Connector/C; and DuckDB alone storing what they come to, by a "
                     "DELETE USING and an appender a batch",
            "limit_changes_per_s": limit["rows_per_s"],
            "limit_client_changes_per_s": limit["client"]["rows_per_s"],
            "limit_untouched_changes_per_s": limit["client"]["bytes"]["rows_per_s"],
            "limit_engine_changes_per_s": limit["engine"]["rows_per_s"], "rss_mb": mine["rss_mb"],
            "ratios": all_of_them, "ratio": round(ratio, 3), "goal": 0.8}
