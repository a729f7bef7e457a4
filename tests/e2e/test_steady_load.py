"""A stream whose source never rests: there is always something that it has received and not applied yet."""
import time

import harness.juku
from harness.compare import assert_same_table, tables_of
from harness.instance import Instance
from harness.wait import wait_until

STILL_READ = 10  # seconds after a query in which another is expected


def test_a_stream_under_load_that_never_rests_is_said_to_keep_up(server, tmp_path):
    with harness.juku.loaded(server, 50_000) as juku, \
            Instance(tmp_path / "project", juku) as instance, \
            harness.juku.under_load(juku, 1000) as load:
        instance.start()
        wait_until(lambda: (instance.stream() or {}).get("state") == "streaming",
                   "the stream keeps up", seconds=60)
        before = instance.stream()
        seen = set()
        for _ in range(30):
            time.sleep(0.1)
            seen.add(instance.stream()["state"])
        assert seen == {"streaming"}
        # While nobody reads, commits that cost something are up to ten seconds apart.
        wait_until(lambda: instance.stream()["changes_total"] > before["changes_total"], instance.stream, 30)
        after = instance.stream()
        assert after["lag_seconds"] < 5
        load.terminate()
        load.wait(timeout=20)
        instance.sync()
        for table in tables_of(juku):
            assert_same_table(juku, instance, table)


def commits_of(instance):
    _, _, body = instance.request("GET", "/metrics")
    return sum(float(line.split()[-1]) for line in body.decode().splitlines()
               if line.startswith("biwa_stream_commit_duration_seconds_count"))


def commits_within(instance, seconds, query=None):
    before = commits_of(instance)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if query:
            instance.query(query)
        time.sleep(0.2)
    return commits_of(instance) - before


def test_commits_are_rarer_while_nobody_reads_and_as_before_for_whoever_does(server, tmp_path):
    with harness.juku.loaded(server, 300_000) as juku, \
            Instance(tmp_path / "project", juku) as instance, \
            harness.juku.under_load(juku, 1000) as load:
        instance.start()
        wait_until(lambda: (instance.stream() or {}).get("state") == "streaming",
                   "the stream keeps up", seconds=120)
        time.sleep(STILL_READ)
        unread = commits_within(instance, 8)
        read = commits_within(instance, 8, "SELECT 1")
        assert unread >= 1, "each four seconds, and what a commit takes"
        assert read > 1.5 * unread
        load.terminate()
        load.wait(timeout=20)
        instance.sync()
