"""A project in a folder, and the real program running it."""
import contextlib
import csv
import io
import json
import os
import pathlib
import signal
import subprocess
import textwrap
import time
import urllib.error
import urllib.request

from harness.paths import BIWA
from harness.wait import wait_until

# Written after what is waited for: when it can be seen, so can all that was committed before it.
MARKER = "biwa_test_marker"


class HttpError(Exception):
    """An answer of the API that is an error."""

    def __init__(self, status, error):
        super().__init__(f"{status}: {error.get('message')}")
        self.status = status
        self.kind = error.get("kind")
        self.message = error.get("message")
        self.hint = error.get("hint")


class Instance:
    """One project and the process that runs it, if one does. Used as a context: the process ends
    with it, whatever happened."""

    def __init__(self, folder, database=None, tables=("public.*",), exclude=()):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log_path = self.folder.parent / (self.folder.name + ".log")
        self.database = database
        self.process = None
        self.address = None
        self.marker = 0
        if database is not None:
            self.write_project(tables, exclude)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.is_running():
            self.kill()

    # The project's files.

    def write(self, path, text, mode=0o644):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        file.chmod(mode)
        return file

    def connection_file(self):
        server = self.database.server
        return f"""\
            kind: postgres
            host: {server.host}
            port: {server.port}
            database: "{self.database.name}"
            user: {server.user}
            password: ${{file:secrets/app.password}}
            """

    def connect_as(self, user, password):
        self.write("connections/app_db.yaml", self.connection_file().replace(
            f"user: {self.database.server.user}", f"user: {user}"))
        self.write("secrets/app.password", password + "\n", 0o600)

    def write_settings(self, memory_limit="512MB"):
        self.write("biwa.yaml", f"""\
            name: test
            warehouse: {{ memory_limit: {memory_limit}, threads: 2, disk_reserve: 0MB }}
            models: {{ default_dataset: mart, refresh: 200ms }}
            """)

    def write_project(self, tables=("public.*",), exclude=()):
        self.write_settings()
        self.write("connections/app_db.yaml", self.connection_file())
        self.write("secrets/app.password", self.database.server.password + "\n", 0o600)
        self.write_stream(tables, exclude)

    def write_stream(self, tables=("public.*",), exclude=()):
        self.write("streams/app.yaml", "connection: app_db\ndataset: app\n"
                   f"tables: {json.dumps(list(tables), ensure_ascii=False)}\n"
                   f"exclude: {json.dumps(list(exclude), ensure_ascii=False)}\n"
                   "discover_every: 200ms\n")

    # The process.

    def command(self, *arguments, timeout=30, env=None):
        """Runs another command of the program for this project to its end."""
        return subprocess.run([BIWA, *arguments], cwd=self.folder, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=timeout, check=False,
                              env={**os.environ, **(env or {})})

    def start(self, *arguments, wait=True, env=None):
        """`biwa up` in the background. Waits until it serves, unless told not to."""
        assert not self.is_running()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [BIWA, "up", *arguments, "--listen", "127.0.0.1:0"], cwd=self.folder, stdout=log,
                stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
        if wait:
            self.wait_serving()
        return self

    def wait_serving(self, seconds=30):
        def serving():
            if self.process.poll() is not None:
                raise AssertionError(f"biwa ended with {self.process.returncode}:\n{self.log()}")
            try:
                told = json.loads((self.folder / ".biwa/server.json").read_text())
            except (FileNotFoundError, ValueError):
                return None
            return told if told["pid"] == self.process.pid else None

        told = wait_until(serving, lambda: "biwa to serve:\n" + self.log(), seconds)
        self.address, self.token = told["address"], told["token"]

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        assert self.is_running(), f"it ended by itself, with {self.process.poll()}:\n{self.log()}"
        self.process.kill()
        self.process.wait(timeout=10)

    def stop(self, timeout=10):
        """As a service manager would; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=timeout)

    def restart(self):
        assert self.stop() == 0, self.log()
        return self.start()

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def resident_bytes(self):
        pages = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    # What it says.

    def request(self, method, path, body=None, headers=None, timeout=60):
        """Status, headers and body of any answer."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.address}{path}", data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def _ask(self, method, path, body=None, **reading):
        status, _, text = self.request(method, path, body)
        answer = json.loads(text, **reading)
        if isinstance(answer, dict) and isinstance(answer.get("error"), dict):
            raise HttpError(status, answer["error"])
        assert status == 200, (status, answer)
        return answer

    def status(self):
        return self._ask("GET", "/api/v1/status")

    def stream(self):
        streams = self.status()["streams"]
        return streams[0] if streams else None

    def model(self, name):
        return next(model for model in self.status()["models"] if model["name"] == name)

    def query(self, sql):
        """Rows of Python values; numbers as they stand in JSON."""
        return self._ask("POST", "/api/v1/query", {"sql": sql})["rows"]

    def value(self, sql):
        return self.query(sql)[0][0]

    def parts_copied(self, table):
        """How far the copy of a table is, as committed: how many of its parts, and 1,000 for one that is through.
        Its rows are no measure: of a copy they can be seen a moment before their commit (docs/decisions/0028)."""
        return self.value(
            f"SELECT (SELECT count(*) FROM _biwa.snapshot_ranges WHERE done AND source_table = '{table}') + 1000 * "
            f"(SELECT count(*) FROM _biwa.stream_tables WHERE phase = 'live' AND source_table = '{table}')")

    def query_texts(self, sql):
        """Columns, and rows whose numbers are the texts that were sent."""
        answer = self._ask("POST", "/api/v1/query", {"sql": sql}, parse_float=str, parse_int=str)
        return answer["columns"], answer["rows"]

    @contextlib.contextmanager
    def csv_rows(self, sql):
        """The result row by row, however long it is."""
        request = urllib.request.Request(
            f"http://{self.address}/api/v1/query", data=json.dumps({"sql": sql}).encode(),
            headers={"Content-Type": "application/json", "Accept": "text/csv"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            rows = csv.reader(io.TextIOWrapper(answer, encoding="utf-8", newline=""))
            next(rows)
            yield rows

    def events(self, path, seconds=30):
        """Server-sent events, each as (name, value), until the caller has enough or the time is up.
        A stream that is still sends a comment every 15 seconds."""
        end = time.monotonic() + seconds
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=seconds) as answer:
            name = None
            for line in io.TextIOWrapper(answer, encoding="utf-8"):
                assert time.monotonic() < end, f"no event that was waited for within {seconds} s"
                if line.startswith("event:"):
                    name = line[6:].strip()
                elif line.startswith("data:"):
                    yield name, json.loads(line[5:])

    # Waiting for it.

    def wait_state(self, state, seconds=60):
        def there():
            if not self.is_running():
                raise AssertionError(f"biwa ended with {self.process.returncode}:\n{self.log()}")
            stream = self.stream()
            if stream and stream["state"] == "failed" and state != "failed":
                raise AssertionError(f"the stream failed: {stream['error']}")
            return stream if stream and stream["state"] == state else None

        return wait_until(there, lambda: f"stream to be {state}: {self.stream()}\n{self.log()}",
                          seconds, every=0.05)

    def sync(self, seconds=60):
        """Waits until all that was committed at the source before this call can be queried here.
        The marker's table is made by make_marker() and has to be of the stream."""
        self.wait_state("streaming", seconds)
        self.marker = self.database.advance_marker()
        seen = f"SELECT number FROM app.{MARKER}"

        def there():
            stream = self.stream()
            if stream["state"] == "failed":
                raise AssertionError(f"the stream failed: {stream['error']}")
            return self.query(seen) == [[self.marker]]

        wait_until(there, lambda: f"marker {self.marker}: {self.query(seen)} {self.stream()}\n"
                   + self.log(), seconds)

    def settle(self, seconds=60):
        """Waits until no table is waiting or being copied, for as long as it takes to find out what
        has changed at the source before this call."""
        quiet = [None]

        def there():
            stream = self.wait_state("streaming", seconds)
            if any(table["state"] in ("waiting", "copying") for table in stream["tables"]):
                quiet[0] = None
                return False
            quiet[0] = quiet[0] or time.monotonic()
            return time.monotonic() - quiet[0] > 1.0

        wait_until(there, lambda: f"the tables to be live: {self.stream()}\n" + self.log(), seconds)

    def wait_models(self, names, seconds=60):
        """Until each of the models was built with all that sync() has waited for."""
        def fresh():
            models = {model["name"]: model for model in self.status()["models"]}
            return all(models[name]["state"] == "ok" for name in names)

        wait_until(fresh, lambda: self.status()["models"], seconds, every=0.1)


def make_marker(database):
    database.run(f"CREATE TABLE {MARKER} (id int PRIMARY KEY, number bigint NOT NULL);"
                 f"INSERT INTO {MARKER} VALUES (1, 0)")
