"""kill -9 at moments of chance: of the first copy, and of a live load. Nothing is lost, nothing is
there twice, and what was copied is not copied again.

BIWA_KILLS sets how many (20); BIWA_SEED repeats a run."""
import os
import random
import subprocess
import time

import pytest

from harness.compare import assert_same_table, tables_of
from harness.copy_kills import kill_a_copy, kill_copies
from harness.instance import Instance
from harness.juku import loaded
from harness.paths import JUKU

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


def test_killed_while_it_copies_it_goes_on_where_it_was(juku, tmp_path):
    chance = random.Random(SEED)
    print(f"BIWA_SEED={SEED} BIWA_KILLS={KILLS}")

    def one_copy(number, kills_max):
        juku.drop_slots()
        juku.run("DROP PUBLICATION IF EXISTS biwa_app, biwa_app_inserts")
        with Instance(tmp_path / f"project{number}", juku) as project:
            kills, grown = kill_a_copy(project, "answers", chance, kills_max, 50)
            project.sync()
            # The copy was begun once, and gone on with after that.
            assert project.log().count("copying ") <= 1, project.log()
            if kills > 1:
                assert "going on with the copy of public.answers" in project.log()
            assert_equal(juku, project)
            assert project.stop() == 0
        return kills, grown

    assert kill_copies(KILLS // 2, one_copy) >= 2


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
