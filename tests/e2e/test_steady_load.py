"""A stream whose source never rests: there is always something that it has received and not applied yet."""
import time

import harness.juku
from harness.compare import assert_same_table, tables_of
from harness.instance import Instance
from harness.wait import wait_until


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
        after = instance.stream()
        assert after["changes_total"] > before["changes_total"]
        assert after["lag_seconds"] < 5
        load.terminate()
        load.wait(timeout=20)
        instance.sync()
        for table in tables_of(juku):
            assert_same_table(juku, instance, table)
