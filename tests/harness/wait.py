"""Waiting for a condition, with an end."""
import time


def wait_until(condition, what, seconds=30.0, every=0.02):
    """Calls `condition` until it returns something true, which is returned. `what` is said when it
    does not come in time; where it is a function, what it returns."""
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() >= end:
            told = what() if callable(what) else what
            raise AssertionError(f"not within {seconds:g} s: {told}")
        time.sleep(every)
