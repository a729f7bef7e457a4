"""Runs of models when something runs out: a full disk, too little memory, another run. The error says
what to do, what is committed stays, and nothing is half applied."""
import json
import os
import signal
import subprocess
import time

import pytest

from harness.instance import Instance
from harness.paths import BIWA
from harness.wait import wait_until


def models(instance, **queries):
    for name, query in queries.items():
        instance.write(f"definitions/{name}.sqlx", 'config { type: "table", refresh: "1d" }\n' + query + "\n")


def rows(instance, sql):
    done = instance.command("query", "--json", sql)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["rows"]


def states(done):
    return {model["name"]: model["state"] for model in json.loads(done.stdout)["models"]}


@pytest.fixture
def project(tmp_path):
    instance = Instance(tmp_path / "project")
    instance.write_settings()
    with instance:
        yield instance


def test_a_full_disk_fails_what_does_not_fit_and_keeps_what_is_there(project):
    folder = project.folder / ".biwa"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder],
                             check=False, capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("a file system of its own needs the rights to mount it")
    try:
        models(project, small="SELECT 1 AS n", large="SELECT i, md5(i::VARCHAR) AS t FROM range(1000) AS r(i)")
        done = project.command("run")
        assert done.returncode == 0, done.stderr
        # Random text, so that it is as large on the disk.
        models(project, small="SELECT 2 AS n", after="SELECT count(*) AS n FROM ${ref(\"large\")}",
               large="SELECT i, md5(i::VARCHAR) AS t FROM range(3000000) AS r(i)")
        done = project.command("run", timeout=120)
        assert done.returncode == 1, done.stderr
        told = [line.split()[:3:2] for line in done.stderr.splitlines() if " mart." in line and " table " in line]
        assert sorted(told) == [["failed", "mart.large"], ["ok", "mart.small"], ["skipped", "mart.after"]], done.stderr
        assert "The disk of the warehouse is full: free some space, then try again." in done.stderr, done.stderr
        subprocess.run(["mount", "-o", "remount,size=32m", folder], check=True)
        assert rows(project, "SELECT count(*), (SELECT n FROM mart.small) FROM mart.large") == [[1000, 2]]
        assert rows(project, "SELECT model, count(*) FROM _biwa.applied GROUP BY ALL ORDER BY ALL") == [
            ["mart.large", 1], ["mart.small", 2]]
        # With less to store it goes on where it was.
        models(project, large="SELECT i, md5(i::VARCHAR) AS t FROM range(2000) AS r(i)")
        done = project.command("run", "--resume")
        assert done.returncode == 0, done.stderr
        assert "committed before this run was interrupted: not built again" in done.stderr
        assert rows(project, "SELECT n FROM mart.after") == [[2000]]
    finally:
        if project.is_running():
            project.kill()
        subprocess.run(["umount", "-l", folder], check=False)


def test_too_little_memory_fails_what_needs_more_and_nothing_else(project):
    project.write("biwa.yaml", """\
        name: test
        warehouse: { memory_limit: 100MB, threads: 2 }
        models: { default_dataset: mart }
        """)
    models(project, a="SELECT 1 AS n", list="SELECT list(md5(i::VARCHAR)) AS all FROM range(20000000) AS r(i)",
           sort="SELECT i, md5(i::VARCHAR) AS t FROM range(3000000) AS r(i) ORDER BY t",
           join="SELECT count(*) AS n FROM range(5000000) AS a(i) JOIN range(5000000) AS b(i) "
           "ON md5(a.i::VARCHAR) = md5(b.i::VARCHAR)", z="SELECT count(*) AS n FROM ${ref(\"sort\")}")
    done = project.command("run", "--json", timeout=120)
    assert done.returncode == 1, done.stderr
    # What can be written to the disk meanwhile needs no memory, and what fails beside another is built alone.
    assert states(done) == {"mart.a": "ok", "mart.list": "failed", "mart.sort": "ok", "mart.join": "ok",
                            "mart.z": "ok"}, done.stderr
    assert "warehouse.memory_limit" in done.stderr and "SET threads" not in done.stderr, done.stderr
    assert rows(project, "SELECT n FROM mart.z") == [[3000000]]
    assert rows(project, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'list'") == [[0]]


SLOW = "SELECT count(*) AS n FROM range(20000) AS a(i), range(20000) AS b(j) WHERE sin(i) * cos(j) > 2"


def test_a_command_behind_another_run_says_what_it_waits_for(project):
    models(project, slow=SLOW, quick="SELECT 1 AS n")
    project.write("definitions/slow.sqlx", 'config { type: "table", disabled: true }\n' + SLOW + "\n")
    project.start()
    project.wait_models(["mart.quick"])
    assert project.stop() == 0
    models(project, slow=SLOW)
    project.start()
    wait_until(lambda: any(model["state"] == "running" for model in project.status()["models"]), "the slow model", 20)
    waiting = subprocess.Popen([BIWA, "run", "--select", "quick"], cwd=project.folder, stderr=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, text=True)
    line = waiting.stderr.readline()
    assert line.startswith("Waiting for the run that the schedule began"), line
    # Who gives up while it waits gets away at once, and the other run goes on.
    waiting.send_signal(signal.SIGTERM)
    waiting.wait(timeout=5)
    assert any(model["state"] == "running" for model in project.status()["models"])


def test_of_two_commands_at_once_the_second_says_so_and_changes_nothing(project):
    models(project, slow=SLOW, quick="SELECT 1 AS n")
    first = subprocess.Popen([BIWA, "run"], cwd=project.folder, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                             text=True)
    wait_until(lambda: (project.folder / ".biwa/warehouse.duckdb").exists(), "the first run", 20)
    time.sleep(0.3)
    second = project.command("run", "--select", "quick")
    assert second.returncode == 1
    assert str(first.pid) in second.stderr, second.stderr
    os.kill(first.pid, signal.SIGTERM)
    said = first.communicate(timeout=20)[1]
    assert "mart.slow" in said and "cancelled" in said, said
    done = project.command("run", "--select", "quick")
    assert done.returncode == 0, done.stderr
    assert rows(project, "SELECT model, count(*) FROM _biwa.applied GROUP BY ALL") == [["mart.quick", 2]]
