"""What the benchmarks have in common: how much they do, servers of their own, and rounds."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build", "release")
SCALE = float(os.environ.get("BENCH_SCALE", "1"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))


def say(*words, sep=" "):
    print(*words, sep=sep, file=sys.stderr, flush=True)


def command(*words, **more):
    return subprocess.run(words, check=True, text=True, stdout=subprocess.PIPE, **more).stdout


def scaled(number, least=1):
    return max(least, int(number * SCALE))


def wide(template, name, rows, times, number, time_of, text):
    """A table of 60 columns, two kilobytes a row, of text that does not compress: ten numbers, five times and 44
    texts, their values with {} for what tells the columns apart."""
    kinds = [("int", number)] * 10 + [(times, time_of)] * 5 + [("text", text)] * 44
    columns = ", ".join(f"c{n} {kind} NOT NULL" for n, (kind, _) in enumerate(kinds, 1))
    values = ", ".join(value.format(n + 1) for n, (_, value) in enumerate(kinds, 1))
    return template.format(name=name, columns=columns, values=values, rows=rows)


class Server:
    """A private PostgreSQL, with a database for the benchmarks."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="biwa-bench-")
        os.chmod(self.folder, 0o755)
        self.script = os.path.join(ROOT, "scripts", "postgres")
        exports = command(self.script, "start", os.path.join(self.folder, "postgres"),
                          env={**os.environ, "PG_SETTINGS":
                               "shared_buffers=1GB max_wal_size=8GB checkpoint_timeout=1h"})
        self.env = dict(os.environ)
        for word in exports.split():
            if "=" in word:
                name, value = word.split("=", 1)
                self.env[name] = value
        self.env["PGDATABASE"] = "postgres"
        self.sql("CREATE DATABASE bench")
        self.env["PGDATABASE"] = "bench"

    def sql(self, text):
        return command("psql", "-X", "-Atq", "-v", "ON_ERROR_STOP=1", "-f", "-", input=text,
                       env=self.env).strip()

    def bench(self, *words, **environment):
        out = command(os.path.join(BUILD, "replication_bench"), *words, env={**self.env, **environment})
        return json.loads(out)

    def forget_stream(self):
        self.sql("SELECT pg_drop_replication_slot('biwa_bench');"
                 "DROP PUBLICATION biwa_bench, biwa_bench_inserts")

    def fresh_folder(self):
        return tempfile.mkdtemp(dir=self.folder)

    def settle(self):
        """What was made is on the disk, and what was dropped given back: none of the two sides
        has to share the disk with that."""
        self.sql("CHECKPOINT")
        command("sync", "-f", self.folder)

    def close(self):
        subprocess.run([self.script, "stop", os.path.join(self.folder, "postgres")], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


class MariaDbServer:
    """A private MariaDB, with a database for the benchmarks."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="biwa-bench-")
        os.chmod(self.folder, 0o755)
        self.script = os.path.join(ROOT, "scripts", "mariadb")
        exports = command(self.script, "start", os.path.join(self.folder, "mariadb"),
                          "--innodb-buffer-pool-size=1G", "--innodb-log-file-size=1G",
                          "--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0")
        self.env = {**os.environ,
                    **dict(word.split("=", 1) for word in exports.split() if "=" in word)}
        self.sql("CREATE DATABASE bench")

    def sql(self, text, database=""):
        env = self.env
        return command("mariadb", "--no-defaults", "-N", "-B", "-S", env["MARIADB_SOCKET"], "-u",
                       env["MARIADB_USER"], f"-p{env['MARIADB_PASSWORD']}", database,
                       input=text).strip()

    def bench(self, *words, **environment):
        out = command(os.path.join(BUILD, "mariadb_bench"), *words, env={**self.env, **environment})
        return json.loads(out)

    def fresh_folder(self):
        return tempfile.mkdtemp(dir=self.folder)

    def settle(self):
        command("sync", "-f", self.folder)

    def close(self):
        subprocess.run([self.script, "stop", os.path.join(self.folder, "mariadb")], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


class Folder:
    """A place for files, where no server is needed."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="biwa-bench-")

    def fresh_folder(self):
        return tempfile.mkdtemp(dir=self.folder)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def pair_of(limit, ours):
    ratio = ours["rows_per_s"] / limit["rows_per_s"]
    say(f"  limit {limit['rows_per_s']:>12,.0f}/s   ours {ours['rows_per_s']:>12,.0f}/s   "
        f"ratio {ratio:.2f}")
    return ratio, limit, ours


def middle(pairs):
    """The pair of the median ratio, and all ratios."""
    pairs = sorted(pairs, key=lambda pair: pair[0])
    return (*pairs[len(pairs) // 2], [round(pair[0], 3) for pair in pairs])


def rounds(measure_limit, measure_ours):
    """Limit and ours in turn; the median of the pairs' ratios."""
    return middle([pair_of(measure_limit(), measure_ours()) for _ in range(ROUNDS)])
