"""Fixtures of all tests, and the collector of the text tests in tests/sql."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from harness import mariadb, postgres, textfile  # noqa: E402
from harness.instance import Instance, make_marker  # noqa: E402
from harness.paths import BIWA  # noqa: E402

_server = None


def shared_server():
    """The PostgreSQL of this session: made at the first use, stopped at the end."""
    global _server
    if _server is None:
        _server = postgres.PostgresServer()
    return _server


def pytest_unconfigure(config):
    if _server is not None:
        _server.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for said in filter(None, [server.crash() for server in mariadb.servers]):
            report.longrepr = f"MARIADBD FELL OVER BY ITSELF:\n{said}\n\n{report.longreprtext}"


def pytest_collection_finish(session):
    if session.items and not BIWA.exists():
        pytest.exit(f"{BIWA} is not there: `make build` makes it", returncode=1)


@pytest.fixture(scope="session")
def server():
    return shared_server()


@pytest.fixture
def database(server):
    with server.database() as made:
        make_marker(made)
        yield made


@pytest.fixture
def instance(database, tmp_path):
    with Instance(tmp_path / "project", database) as made:
        yield made


def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".test" and "sql" in file_path.parts:
        return TextFile.from_parent(parent, path=file_path)
    return None


class TextFile(pytest.File):
    def collect(self):
        # The server sends changes as text where a column of any table has a type without a known
        # binary form: each type is read in both ways.
        for as_text in (False, True) if self.path.parent.name == "types" else (False,):
            name = self.path.stem + ("[text]" if as_text else "")
            yield TextItem.from_parent(self, name=name, as_text=as_text)


class TextItem(pytest.Item):
    def __init__(self, *, as_text, **kwargs):
        super().__init__(**kwargs)
        self.as_text = as_text

    def runtest(self):
        steps = textfile.parse(self.path)
        if self.path.parent.name == "models":
            folder = self.config._tmp_path_factory.mktemp(self.path.stem[:30], numbered=True)
            with Instance(folder / "project") as instance:
                instance.write_settings()
                textfile.Runner(self.path, instance, None).run(steps)
            return
        with shared_server().database() as database:
            make_marker(database)
            if self.as_text:
                database.run("CREATE TABLE biwa_test_text (id int PRIMARY KEY, address regclass)")
            folder = self.config._tmp_path_factory.mktemp(self.path.stem[:30], numbered=True)
            with Instance(folder / "project", database) as instance:
                textfile.Runner(self.path, instance, database).run(steps)

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, (textfile.Mismatch, AssertionError)):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, 0, str(self.path.relative_to(pathlib.Path(__file__).parent))
