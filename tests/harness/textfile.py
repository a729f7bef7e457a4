"""Text tests: a file of steps, done one after the other against a fresh database and project.

A step begins with a line that names it and ends at an empty line or at the end of the file; a line
that begins with # is a comment.

    exec DB           SQL for the source. One transaction, unless it says BEGIN and COMMIT.
    file PATH         writes a file of the project (before `up`).
    up                starts Biwa; the first `sync` does where nothing did.
    sync DB           waits until all that was committed at the source can be queried.
    settle DB         waits until tables that have come or changed at the source are copied.
    query TYPES       SQL for the warehouse, a line ----, the rows. TYPES has a letter a column:
                      I a whole number, R another number, T anything else. Two spaces stand between
                      values; NULL, (empty), and \\n, \\t, \\\\ for what would not be seen.
    error             the same, but the query has to fail; below ---- is a part of the message.
    up error          Biwa has to end with exit code 1; below ---- are parts of what it says.
    status            a line ----, then lines that `biwa status` has to hold within 20 seconds.
    failed            the stream has to stop; below ---- is a part of the message.
    restart           SIGTERM (has to end with 0), then a new start.
    kill              SIGKILL; the next step that needs it starts it anew.
    biwa WORDS        runs the program with these words to its end, which has to be good; below ----
                      are parts of lines that it has to say, in any order: models are built side by
                      side. `*` in them stands for anything.
    biwa error WORDS  the same, but it has to end with exit code 1.
    killed WORDS      starts the program with these words and kills it (SIGKILL) after a second; it
                      must not have ended before.

DB is the name of the source's database in this file: the same throughout. In the folder `models` there
is no source and nothing serves: each step opens the project and closes it.
"""
import dataclasses
import json
import os
import re
import subprocess
import time

from harness.instance import HttpError
from harness.paths import BIWA
from harness.wait import wait_until

NUMBERS = {"SMALLINT": "I", "INTEGER": "I", "BIGINT": "I", "HUGEINT": "I", "FLOAT": "R",
           "DOUBLE": "R"}
STEPS = ("exec", "file", "up", "sync", "settle", "query", "error", "status", "failed", "restart", "kill",
         "biwa", "killed")


class Mismatch(Exception):
    pass


@dataclasses.dataclass
class Step:
    line: int
    name: str
    words: list
    body: list  # lines before ----
    expected: list  # lines after it


def parse(path):
    steps = []
    step = None
    after = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if step is None and line.startswith("#"):
            continue
        if not line.strip():
            step = None
        elif step is None:
            name, *words = line.split()
            if name not in STEPS:
                raise Mismatch(f"{path}:{number}: there is no step \"{name}\"")
            step = Step(number, name, words, [], [])
            steps.append(step)
            after = False
        elif line == "----":
            after = True
        else:
            (step.expected if after else step.body).append(line)
    if not any(step.expected for step in steps):
        raise Mismatch(f"{path}: nothing is expected, so nothing can fail")
    return steps


def letter_of(kind):
    if kind.startswith("DECIMAL(") and kind.endswith(")"):
        return "R"
    return NUMBERS.get(kind, "T")


def shown(value):
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(shown(one) for one in value) + "]"
    if value == "":
        return "(empty)"
    return str(value).replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


class Runner:
    def __init__(self, path, instance, database):
        self.path = path
        self.instance = instance
        self.database = database
        self.name = None  # of the database in this file

    def run(self, steps):
        for step in steps:
            try:
                getattr(self, "do_" + step.name)(step)
            except Mismatch:
                raise
            except Exception as error:
                raise Mismatch(f"{self.path}:{step.line}: {step.name}: {error}") from error
        if self.instance.is_running() and self.instance.stop() != 0:
            raise Mismatch(f"{self.path}: ended with {self.instance.process.returncode}:\n"
                           + self.instance.log())

    def wrong(self, step, expected, got):
        raise Mismatch("\n".join([f"{self.path}:{step.line}: {' '.join(step.body)}", "expected:",
                                  *expected, "got:", *got]))

    def check_name(self, step):
        self.name = self.name or step.words[0]
        if step.words != [self.name]:
            raise Mismatch(f"{self.path}:{step.line}: the database is {self.name}")

    def ensure_running(self):
        if not self.instance.is_running():
            self.instance.start()

    def do_exec(self, step):
        self.check_name(step)
        self.database.run("\n".join(step.body))

    def do_settle(self, step):
        self.check_name(step)
        self.instance.settle()

    def do_file(self, step):
        self.instance.write(step.words[0], "\n".join(step.body) + "\n")

    def do_up(self, step):
        if step.words != ["error"]:
            self.instance.start()
            return
        done = self.instance.command("up", "--listen", "127.0.0.1:0")
        said = done.stdout + done.stderr
        if done.returncode != 1 or not all(part in said for part in step.expected):
            self.wrong(step, ["exit code 1", *step.expected], [f"exit code {done.returncode}", said])

    def do_sync(self, step):
        self.check_name(step)
        self.ensure_running()
        self.instance.sync()

    def do_biwa(self, step):
        words = step.words[1:] if step.words[0] == "error" else step.words
        done = self.instance.command(*words)
        said = done.stdout + done.stderr
        code = 1 if words != step.words else 0
        if done.returncode != code:
            self.wrong(step, [f"exit code {code}", *step.expected],
                       [f"exit code {done.returncode}", said])
        for part in step.expected:
            pattern = re.compile(".*?".join(map(re.escape, part.split("*"))))
            if not any(pattern.search(line) for line in said.splitlines()):
                self.wrong(step, step.expected, [f"not found: {part}", said])

    def do_killed(self, step):
        process = subprocess.Popen([BIWA, *step.words], cwd=self.instance.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL)
        time.sleep(1)
        ended = process.poll()
        process.kill()
        said, _ = process.communicate(timeout=10)
        if ended is not None:
            self.wrong(step, ["it runs for more than a second"], [f"exit code {ended}", said.decode()])

    def ask(self, sql):
        """Columns and rows, of what serves or else of the project as it lies there."""
        if self.instance.is_running() or self.instance.database is not None:
            return self.instance.query_texts(sql)
        done = self.instance.command("query", "--json", sql)
        if done.returncode != 0:
            raise HttpError(0, {"message": done.stderr})
        answer = json.loads(done.stdout, parse_float=str, parse_int=str)
        return answer["columns"], answer["rows"]

    def do_query(self, step):
        columns, rows = self.ask("\n".join(step.body))
        types = "".join(letter_of(one["type"]) for one in columns)
        got = ["  ".join(shown(value) for value in row) for row in rows]
        if step.words != [types]:
            self.wrong(step, [" ".join(step.words)], [types, *got])
        if got != step.expected:
            self.wrong(step, step.expected, got)

    def do_error(self, step):
        try:
            _, rows = self.ask("\n".join(step.body))
        except HttpError as error:
            if not all(part in str(error) for part in step.expected):
                self.wrong(step, step.expected, [str(error)])
            return
        self.wrong(step, step.expected, [str(rows)])

    def do_status(self, step):
        self.ensure_running()
        said = ""

        def there():
            nonlocal said
            done = self.instance.command("status", env={"COLUMNS": os.environ.get("COLUMNS", "80")})
            said = done.stdout + done.stderr
            return all(part in said for part in step.expected)

        wait_until(there, lambda: f"{step.expected} in\n{said}", 20, every=0.1)

    def do_failed(self, step):
        self.ensure_running()
        error = self.instance.wait_state("failed")["error"]
        said = f"{error['message']} {error['hint']}"
        if not all(part in said for part in step.expected):
            self.wrong(step, step.expected, [said])

    def do_restart(self, step):
        self.instance.restart()

    def do_kill(self, step):
        self.instance.kill()
