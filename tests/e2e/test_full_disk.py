"""A disk without one free byte: Biwa goes on answering, says what is wrong, and goes on by itself when
there is room; a start, an apply and a stop need nobody who makes room first."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from harness.instance import Instance
from harness.wait import wait_until

RESERVE = 64_000_000
ROWS = ("INSERT INTO answers SELECT i, (SELECT string_agg(md5(i::text || j), '') FROM generate_series(1, 30) j) "
        "FROM generate_series({}, {}) i")


class SmallDisk:
    def __init__(self, folder):
        self.folder = folder

    def free(self):
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize

    def fill(self):
        """Whoever writes meanwhile finds no room either."""
        with open(self.folder / "filler", "ab") as filler:
            while (free := self.free()) > 0:
                with contextlib.suppress(OSError):
                    os.posix_fallocate(filler.fileno(), os.fstat(filler.fileno()).st_size, free)

    def make_room(self):
        (self.folder / "filler").unlink()


@pytest.fixture
def disk():
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="biwa-full-disk-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", folder],
                             capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        shutil.rmtree(folder)
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr}")
    yield SmallDisk(folder)
    subprocess.run(["umount", "-l", folder], check=True)
    folder.rmdir()


@pytest.fixture
def project(database, disk, tmp_path):
    database.run("CREATE TABLE answers (id int PRIMARY KEY, body text);" + ROWS.format(1, 1000))
    with Instance(disk.folder / "project", database) as instance:
        instance.log_path = tmp_path / "log"
        instance.write("biwa.yaml", """\
            name: test
            warehouse: { memory_limit: 512MB, threads: 2 }
            models: { default_dataset: mart, refresh: 200ms }
            """)
        instance.write("definitions/total.sqlx",
                       'config { type: "table" }\nSELECT count(*) AS n FROM ${ref("app", "answers")}\n')
        yield instance


def reserve_bytes(instance):
    with contextlib.suppress(FileNotFoundError):
        return (instance.folder / ".biwa/warehouse.duckdb.reserve").stat().st_size
    return None


def wait_full(instance):
    def told():
        error = (instance.stream() or {}).get("error")
        return error if error and error["message"].startswith("the disk of ") else None

    error = wait_until(told, instance.log, 30)
    assert error["hint"] == "Free some space: from 80.0 MB on it goes on by itself.", error
    assert instance.stream()["state"] == "retrying"


def wait_goes_on(database, instance, rows):
    instance.sync()
    assert instance.query("SELECT count(*), count(DISTINCT id), max(id) FROM app.answers") == [[rows] * 3]
    wait_until(lambda: reserve_bytes(instance) == RESERVE, "the reserve to be made again", 10)
    assert instance.stop() == 0


def test_what_runs_goes_on_and_a_person_can_apply(database, disk, project):
    project.start()
    project.sync()
    project.wait_models(["mart.total"])
    wait_until(lambda: reserve_bytes(project) == RESERVE, "the reserve", 10)
    disk.fill()
    wait_until(lambda: reserve_bytes(project) == 0, "the reserve to be given up", 10)
    database.run(ROWS.format(1001, 40_000))
    wait_full(project)
    assert project.value("SELECT count(*) FROM app.answers") == 1000
    assert disk.free() > RESERVE - 4_000_000, "what was kept is for other things than the stream's"
    # What is not needed can be taken away, which is written down.
    (project.folder / "definitions/total.sqlx").unlink()
    done = project.command("apply", "--yes")
    assert done.returncode == 0, done.stderr
    assert project.value("SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'mart'") == 0
    assert project.command("plan", "--detailed-exitcode").returncode == 0
    disk.make_room()
    wait_goes_on(database, project, 40_000)
    assert "has room again" in project.log() and project.log().count("copying ") == 1


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_start_on_a_full_disk_says_so_and_serves(database, disk, project, end):
    project.start()
    project.sync()
    wait_until(lambda: reserve_bytes(project) == RESERVE, "the reserve", 10)
    if end == "stop":
        assert project.stop() == 0
    else:
        project.kill()
    disk.fill()
    database.run(ROWS.format(1001, 2000))
    for _ in range(2):
        project.start()
        wait_full(project)
        assert reserve_bytes(project) == 0
        assert project.value("SELECT count(*) FROM app.answers") == 1000
        if end == "stop":
            assert project.stop() == 0
        else:
            project.kill()
    project.start()
    wait_full(project)
    disk.make_room()
    wait_goes_on(database, project, 2000)


def test_a_copy_waits_for_room_and_goes_on_where_it_was(database, disk, project):
    database.run(ROWS.format(1001, 200_000))
    database.run("ALTER TABLE answers ALTER body SET STORAGE EXTERNAL")
    project.start(env={"BIWA_SNAPSHOT_SLICE_MS": "20"})
    wait_until(lambda: reserve_bytes(project) == RESERVE, "the reserve", 10)
    wait_until(lambda: project.stream() and project.stream()["state"] == "snapshot", "the copy", 30, every=0.01)
    disk.fill()
    wait_full(project)
    disk.make_room()
    subprocess.run(["mount", "-o", "remount,size=1g", disk.folder], check=True)
    wait_goes_on(database, project, 200_000)
    assert project.log().count("copying ") == 1
