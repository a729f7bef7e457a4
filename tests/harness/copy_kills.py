"""Killing an instance while it copies a table."""
import time

from harness.wait import wait_until


def kill_a_copy(instance, table, chance, kills_max, slice_ms):
    """Kills it until the copy has ended in spite of that, or often enough; leaves it running. Returns how many
    kills it took, and in how many of the starts it got on with the table. Slices are short, so that there is
    something to go on from."""
    kills, grown, there = 0, 0, 0

    def is_copying():
        return instance.stream()["state"] == "snapshot"

    while kills < kills_max:
        instance.start(env={"BIWA_SNAPSHOT_SLICE_MS": str(slice_ms)})
        wait_until(lambda: (instance.stream() or {}).get("state") in ("snapshot", "streaming", "catching_up"),
                   lambda: f"the copy: {instance.stream()}\n{instance.log()}", 30)
        if not is_copying():
            break
        found = instance.parts_copied(table)
        assert found >= there, f"{there} parts were there when it was killed, now {found}"
        if kills % 2 == 1:
            wait_until(lambda: not is_copying() or instance.parts_copied(table) > found, "the copy to go on", 30)
        time.sleep(chance.uniform(0, 0.3))
        # Committed, so it has to be there after the kill; the rows are compared at the end.
        there = instance.parts_copied(table)
        grown += there > found
        instance.kill()
        kills += 1
    if not instance.is_running():
        instance.start()
    return kills, grown


def kill_copies(wanted, one_copy):
    """As many copies as it takes to kill them so often: one may be through before. Calls one_copy(number, kills_max)
    for what kill_a_copy returns. Returns in how many starts a copy got on."""
    kills, grown, copies = 0, 0, 0
    while kills < wanted:
        assert copies < max(10, 2 * wanted), "the copies were too quick to be killed"
        more, got_on = one_copy(copies, wanted - kills)
        kills, grown, copies = kills + more, grown + got_on, copies + 1
    print(f"{kills} kills in {copies} copies; after {grown} of them it had got on")
    return grown
