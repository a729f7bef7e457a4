"""`biwa run` is killed at random moments: each model is done whole or not at all, and a run that is
gone on with does nothing twice and leaves nothing out."""
import json
import os
import random
import subprocess
import time

from harness.instance import Instance
from harness.paths import BIWA

ROWS = 20_000
KILLS = int(os.environ.get("BIWA_KILLS", "8"))

MODELS = {
    "append": 'config { type: "incremental" }\nSELECT batch, i FROM ${ref("src")}',
    "merge": 'config { type: "incremental", uniqueKey: ["i"] }\nSELECT batch, i FROM ${ref("src")}',
    "overwrite": 'config { type: "incremental", incrementalStrategy: "INSERT_OVERWRITE", partitionBy: "i % 7" }\n'
                 'SELECT batch, i FROM ${ref("src")}',
    "total": 'config { type: "table" }\nSELECT count(*) AS n, max(batch) AS batch FROM ${ref("append")}',
    "dim": 'config { type: "incremental", uniqueKey: ["i"], history: {} }\nSELECT batch, i FROM ${ref("src")}',
    "last": 'config { type: "incremental" }\nSELECT batch, n FROM ${ref("total")}',
}


def query(instance, sql):
    done = instance.command("query", "--json", sql)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["rows"]


def write_batch(instance, batch):
    instance.write("definitions/src.sqlx", 'config { type: "operations", hasOutput: true }\n'
                   f"CREATE OR REPLACE TABLE ${{self()}} AS SELECT {batch} AS batch, i FROM range({ROWS}) AS r(i)\n")


def check_whole(instance, batch, finished):
    """What is there is that of this batch or of the one before, never a part."""
    per_batch = dict(query(instance, "SELECT batch, count(*) FROM mart.append GROUP BY batch"))
    assert set(per_batch) <= set(range(batch + 1))
    assert all(count == ROWS for count in per_batch.values()), per_batch
    assert all(per_batch.get(n) == ROWS for n in range(batch)), per_batch
    for model in ("merge", "overwrite"):
        rows = query(instance, f"SELECT batch, count(*) FROM mart.{model} GROUP BY batch")
        assert len(rows) == 1 and rows[0][0] in (batch, batch - 1) and rows[0][1] == ROWS, (model, rows)
    # A version of each row for each batch, of which the newest is open; they follow each other.
    versions = query(instance, "SELECT batch, count(*), count(*) FILTER (valid_to IS NULL) FROM mart.dim "
                     "GROUP BY batch ORDER BY batch")
    newest = versions[-1][0]
    assert newest in (batch, batch - 1), versions
    assert versions == [[n, ROWS, ROWS if n == newest else 0] for n in range(newest + 1)]
    assert query(instance, "SELECT count(*) FROM mart.dim AS a JOIN mart.dim AS b ON a.i = b.i AND "
                 "a.batch + 1 = b.batch AND a.valid_to = b.valid_from AND a.valid_from < a.valid_to") == [[
                     newest * ROWS]]
    if finished:
        assert newest == batch
        assert per_batch[batch] == ROWS
        assert query(instance, "SELECT n, batch FROM mart.total") == [[(batch + 1) * ROWS, batch]]
        assert query(instance, "SELECT batch, n FROM mart.last ORDER BY batch") == [
            [n, (n + 1) * ROWS] for n in range(batch + 1)]
    return per_batch.get(batch) == ROWS


def test_a_killed_run_is_gone_on_with(tmp_path):
    seed = int(os.environ.get("BIWA_SEED", random.randrange(1_000_000)))
    print("BIWA_SEED", seed)
    dice = random.Random(seed)
    instance = Instance(tmp_path / "project")
    instance.write_settings()
    for name, text in MODELS.items():
        instance.write(f"definitions/{name}.sqlx", text + "\n")
    write_batch(instance, 0)
    began = time.monotonic()
    done = instance.command("run")
    assert done.returncode == 0, done.stderr
    takes = time.monotonic() - began
    check_whole(instance, 0, True)

    resumed = 0
    for batch in range(1, KILLS + 1):
        write_batch(instance, batch)
        process = subprocess.Popen([BIWA, "run"], cwd=instance.folder, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(dice.uniform(0.1, 1.0) * takes)
        process.kill()
        process.wait(timeout=10)
        check_whole(instance, batch, False)
        done = instance.command("run", "--resume")
        if done.returncode == 0:
            resumed += 1
        else:
            # The kill came before the run was written down, or after its end.
            assert "came to its end" in done.stderr, done.stderr
            if not check_whole(instance, batch, False):
                assert instance.command("run").returncode == 0
        check_whole(instance, batch, True)
    print("resumed", resumed, "of", KILLS)


SMALL = 120


def test_small_models_share_a_transaction_with_their_records(tmp_path):
    seed = int(os.environ.get("BIWA_SEED", random.randrange(1_000_000)))
    print("BIWA_SEED", seed)
    dice = random.Random(seed)
    instance = Instance(tmp_path / "project")
    instance.write_settings()
    for i in range(SMALL):
        instance.write(f"definitions/m{i}.sqlx", 'config { type: "table" }\n'
                       'SELECT batch, txid_current() AS tx FROM ${ref("src")} WHERE i = 0\n')
    write_batch(instance, 0)
    took = 0
    for _ in range(2):
        began = time.monotonic()
        done = instance.command("run")
        assert done.returncode == 0, done.stderr
        took = time.monotonic() - began

    def look():
        """By model: its batch, its transaction, how often it was built."""
        built = " UNION ALL ".join(f"SELECT 'mart.m{i}' AS model, batch, tx FROM mart.m{i}" for i in range(SMALL))
        return {model: (batch, tx, builds) for model, batch, tx, builds in query(
            instance, f"SELECT model, batch, tx, (SELECT count(*) FROM _biwa.applied AS a WHERE a.model = m.model) "
            f"FROM ({built}) AS m")}

    before = look()
    assert len({tx for _, tx, _ in before.values()}) < SMALL / 2
    parts = 0
    for batch in range(1, KILLS + 1):
        write_batch(instance, batch)
        process = subprocess.Popen([BIWA, "run"], cwd=instance.folder, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(dice.uniform(0.5, 1.0) * took)
        process.kill()
        process.wait(timeout=10)
        after = look()
        for model, (now, tx, builds) in after.items():
            had, tx_before, builds_before = before[model]
            # A new table and its record came together, or neither.
            assert (builds - builds_before, now) in ((0, had), (1, batch)), (model, before[model], after[model])
            assert (tx == tx_before) == (builds == builds_before), (model, before[model], after[model])
        # What was committed before the kill is not built again by going on.
        done = {tx for model, (_, tx, builds) in after.items() if builds > before[model][2]}
        parts += 0 < sum(after[model] != before[model] for model in after) < SMALL
        resumed = instance.command("run", "--resume")
        if resumed.returncode == 0:
            before = look()
            for model, (_, tx, builds) in after.items():
                assert before[model][0] == batch and (tx not in done or before[model] == after[model]), model
        else:
            assert "came to its end" in resumed.stderr, resumed.stderr
            assert instance.command("run").returncode == 0
            before = look()
        assert all(now == batch for now, _, _ in before.values())
    print("cut in the middle", parts, "of", KILLS)
