"""kill -9 at moments of chance: of the first copy, and of a live load. Nothing is lost, nothing is
there twice, and what was copied is not copied again.

BIWA_KILLS sets how many (20); BIWA_SEED repeats a run."""
import os
import random
import subprocess
import time

import pytest

from harness.compare import assert_same_table, tables_of
from harness.instance import Instance, make_marker
from harness.paths import JUKU
from harness.wait import wait_until

ANSWERS = 1_000_000
KILLS = int(os.environ.get("BIWA_KILLS", "20"))
SEED = int(os.environ.get("BIWA_SEED", str(time.time_ns() % 1_000_000)))


@pytest.fixture(scope="module")
def juku(server):
    with server.database("juku") as database:
        done = subprocess.run([JUKU, "load", "--answers", str(ANSWERS), "--url", database.url],
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        make_marker(database)
        yield database


def assert_equal(database, instance):
    """Every table: the same rows and no key twice, value by value."""
    for table in tables_of(database):
        rows = assert_same_table(database, instance, table)
        total, distinct = instance.query(f"SELECT count(*), count(DISTINCT id) FROM app.{table}")[0]
        assert total == distinct == rows, table


def ranges_done(instance):
    """How much of the tables the warehouse has noted as copied: ranges, and whole tables."""
    done = instance.value("SELECT count(*) FROM _biwa.snapshot_ranges WHERE done")
    whole = instance.value("SELECT count(*) FROM _biwa.stream_tables WHERE copied")
    return done, whole, instance.value("SELECT count(*) FROM app.answers")


def test_killed_while_it_copies_it_goes_on_where_it_was(juku, tmp_path):
    chance = random.Random(SEED)
    print(f"BIWA_SEED={SEED} BIWA_KILLS={KILLS}")
    kills_done = 0
    with Instance(tmp_path / "project", juku) as instance:
        begun_from = 0
        for _ in range(KILLS // 2):
            instance.start()
            # Until the copy goes on, then anything up to a second and a half more.
            wait_until(lambda: instance.stream() and
                       instance.stream()["state"] in ("snapshot", "streaming"), "the copy", 30)
            if instance.stream()["state"] == "streaming":
                break
            there = instance.value("SELECT count(*) FROM app.answers")
            assert there >= begun_from, f"{there} rows, {begun_from} at the kill before"
            time.sleep(chance.uniform(0, 1.0))
            # What can be seen is committed: it has to be there after the kill.
            begun_from = instance.value("SELECT count(*) FROM app.answers")
            instance.kill()
            kills_done += 1
        if not instance.is_running():
            instance.start()
        instance.sync()
        print(f"{kills_done} kills while it copied, {begun_from} answers there at the last one")
        assert kills_done >= 2, "the copy was too quick to be killed"
        # The slot was made once: nobody began anew.
        assert instance.log().count("copying ") == 1, instance.log()
        assert_equal(juku, instance)
        assert instance.stop() == 0
    juku.drop_slots()


def test_killed_under_load_it_loses_nothing_and_doubles_nothing(juku, tmp_path):
    chance = random.Random(SEED + 1)
    print(f"BIWA_SEED={SEED} BIWA_KILLS={KILLS}")
    with Instance(tmp_path / "project", juku) as instance:
        instance.start()
        instance.sync()
        live = subprocess.Popen([JUKU, "live", "--rate", "2000", "--url", juku.url],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            before = juku.value("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
            for _ in range(KILLS - KILLS // 2):
                time.sleep(chance.uniform(0, 1.5))
                assert live.poll() is None, "the load ended by itself"
                instance.kill()
                instance.start()
        finally:
            live.terminate()
            live.wait(timeout=20)
        assert juku.value("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn") > before
        instance.sync()
        assert instance.stream()["changes_total"] > 0
        assert instance.log().count("copying ") == 1, instance.log()
        assert_equal(juku, instance)
        assert instance.stop() == 0
    juku.drop_slots()
