"""The learning service's database of examples/juku: loaded, and under load."""
import contextlib
import subprocess

from harness.instance import make_marker
from harness.paths import JUKU


@contextlib.contextmanager
def loaded(server, answers):
    with server.database("juku") as database:
        done = subprocess.run([JUKU, "load", "--answers", str(answers), "--url", database.url],
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        make_marker(database)
        yield database


@contextlib.contextmanager
def under_load(database, rate):
    """Gives the process: that it still runs is for the test to say."""
    process = subprocess.Popen([JUKU, "live", "--rate", str(rate), "--url", database.url],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield process
    process.terminate()
    process.wait(timeout=20)
