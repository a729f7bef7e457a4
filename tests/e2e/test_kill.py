"""kill -9 at moments of chance: of the first copy, and of a live load. Nothing is lost, nothing is
there twice, and what was copied is not copied again.

BIWA_KILLS sets how many (20); BIWA_SEED repeats a run."""
import os
import random
import subprocess
import time

import pytest

from harness.compare import assert_same_table, tables_of
from harness.instance import Instance
from harness.juku import loaded
from harness.paths import JUKU
from harness.wait import wait_until

ANSWERS = 1_000_000
KILLS = int(os.environ.get("BIWA_KILLS", "20"))
SEED = int(os.environ.get("BIWA_SEED", str(time.time_ns() % 1_000_000)))


@pytest.fixture(scope="module")
def juku(server):
    with loaded(server, ANSWERS) as database:
        yield database


@pytest.fixture
def project(juku, tmp_path):
    """Of its own: the slot that a test before has left is dropped."""
    juku.drop_slots()
    juku.run("DROP PUBLICATION IF EXISTS biwa_app, biwa_app_inserts")
    with Instance(tmp_path / "project", juku) as instance:
        yield instance


def assert_equal(database, instance):
    """Every table: the same rows and no key twice, value by value."""
    for table in tables_of(database):
        rows = assert_same_table(database, instance, table)
        total, distinct = instance.query(f"SELECT count(*), count(DISTINCT id) FROM app.{table}")[0]
        assert total == distinct == rows, table


def kill_a_copy(project, chance, kills_max):
    """Kills it until the copy has ended in spite of that, or often enough. Returns how many kills it
    took, and in how many of the starts it got on with the answers."""
    kills, grown, there = 0, 0, 0
    while kills < kills_max:
        # Copied in short slices, so that there is something to go on from.
        project.start(env={"BIWA_SNAPSHOT_SLICE_MS": "50"})
        wait_until(lambda: (project.stream() or {}).get("state") in ("snapshot", "streaming"),
                   "the copy", 30)
        if project.stream()["state"] == "streaming":
            break
        found = project.parts_copied("answers")
        assert found >= there, f"{there} parts were there when it was killed, now {found}"
        if kills % 2 == 1:
            wait_until(lambda: project.parts_copied("answers") > found or project.stream()["state"] == "streaming",
                       "the copy to go on", 30)
        time.sleep(chance.uniform(0, 0.3))
        # Committed, so it has to be there after the kill; their rows are compared at the end.
        there = project.parts_copied("answers")
        grown += there > found
        project.kill()
        kills += 1
    if not project.is_running():
        project.start()
    project.sync()
    # The copy was begun once, and gone on with after that.
    assert project.log().count("copying ") <= 1, project.log()
    if kills > 1:
        assert "going on with the copy of public.answers" in project.log()
    return kills, grown


def test_killed_while_it_copies_it_goes_on_where_it_was(juku, tmp_path):
    chance = random.Random(SEED)
    print(f"BIWA_SEED={SEED} BIWA_KILLS={KILLS}")
    kills, grown, copies = 0, 0, 0
    # As many copies as it takes: one may be through before it was killed often enough.
    while kills < KILLS // 2:
        assert copies < max(10, KILLS), "the copies were too quick to be killed"
        juku.drop_slots()
        juku.run("DROP PUBLICATION IF EXISTS biwa_app, biwa_app_inserts")
        with Instance(tmp_path / f"project{copies}", juku) as project:
            more, got_on = kill_a_copy(project, chance, KILLS // 2 - kills)
            assert_equal(juku, project)
            assert project.stop() == 0
        kills, grown, copies = kills + more, grown + got_on, copies + 1
    print(f"{kills} kills in {copies} copies; after {grown} of them it had got on with the answers")
    assert grown >= 2


def test_killed_under_load_it_loses_nothing_and_doubles_nothing(juku, project):
    chance = random.Random(SEED + 1)
    print(f"BIWA_SEED={SEED} BIWA_KILLS={KILLS}")
    project.start()
    project.sync()
    live = subprocess.Popen([JUKU, "live", "--rate", "2000", "--url", juku.url],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        before = juku.value("SELECT max(id) FROM answers")
        for _ in range(KILLS - KILLS // 2):
            time.sleep(chance.uniform(0, 1.5))
            assert live.poll() is None, "the load ended by itself"
            project.kill()
            project.start()
    finally:
        live.terminate()
        live.wait(timeout=20)
    made = juku.value("SELECT max(id) FROM answers") - before
    print(f"{made} new answers meanwhile")
    assert made > 100
    project.sync()
    assert project.log().count("copying ") == 1, project.log()
    assert_equal(juku, project)
    assert project.stop() == 0
