"""The process crashes, by a bug of its own or the engine's: what it knows stays off the disk, and the
next start goes on."""
import os
import pathlib
import resource
import signal

import pytest

from harness.instance import Instance, make_marker
from harness.mariadb import MariaDbInstance, MariaDbServer

KEY = "the-key-of-the-masks-of-this-test"


@pytest.fixture(scope="module")
def mariadb():
    server = MariaDbServer()
    yield server
    server.stop()


@pytest.fixture(params=["postgres", "mariadb"])
def followed(request, tmp_path):
    if request.param == "postgres":
        server, kind = request.getfixturevalue("server"), Instance
    else:
        server, kind = request.getfixturevalue("mariadb"), MariaDbInstance
    with server.database() as database:
        schema = database.name
        if request.param == "postgres":
            schema = "public"
            make_marker(database)
        database.run("CREATE TABLE pupils (id int PRIMARY KEY, name varchar(100));"
                     "INSERT INTO pupils VALUES (1, 'kakusu-one')")
        with kind(tmp_path / "project", database) as instance:
            instance.write("secrets/masks.key", KEY + "\n", 0o600)
            stream = instance.folder / "streams/app.yaml"
            stream.write_text(stream.read_text() + "mask_key: ${file:secrets/masks.key}\n"
                              f"masks: {{ {schema}.pupils.name: hash }}\n")
            yield database, instance


def crash(instance):
    """Whether the kernel wrote a core file, wherever it puts them."""
    instance.process.send_signal(signal.SIGABRT)
    end = os.waitid(os.P_PID, instance.process.pid, os.WEXITED | os.WNOWAIT)
    assert instance.process.wait(timeout=10) == -signal.SIGABRT
    return end.si_code == os.CLD_DUMPED


def holders(instance, word):
    """What Biwa wrote that has the word in it."""
    files = [instance.log_path, *(file for file in instance.folder.rglob("*") if "secrets" not in file.parts)]
    return [file.name for file in files if file.is_file() and word.encode() in file.read_bytes()]


@pytest.fixture
def core_files_allowed():
    """As far as the kernel goes; what is asked of Biwa is told apart from what `ulimit` says."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard != resource.RLIM_INFINITY:
        pytest.skip("core files are not allowed here at all")
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def test_a_crash_leaves_no_secret_and_the_next_start_goes_on(followed, core_files_allowed):
    database, instance = followed
    secrets = (database.server.password, KEY, "kakusu")
    instance.start("-v")
    instance.sync()
    database.run("INSERT INTO pupils VALUES (2, 'kakusu-two')")
    instance.sync()
    assert not crash(instance)
    for secret in secrets:
        assert holders(instance, secret) == []
    # That search finds what is there.
    assert holders(instance, "pupils") != []
    database.run("INSERT INTO pupils VALUES (3, 'kakusu-three')")
    instance.start("-v")
    instance.sync()
    assert instance.value("SELECT count(DISTINCT name) FROM app.pupils") == 3
    assert instance.stop() == 0
    for secret in secrets:
        assert holders(instance, secret) == []


def held_by(core, secrets):
    """Those that are in the file, which is as large as all that the process has set apart, most of it never used: holes
    are passed over."""
    found = set()
    with open(core, "rb", buffering=0) as file:
        end = 0
        while True:
            try:
                at = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError:
                return found
            end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            before = b""
            while at < end:
                part = os.pread(file.fileno(), min(16 << 20, end - at), at)
                at += len(part)
                found |= {secret for secret in secrets if secret.encode() in before + part}
                before = part[-100:]


def test_a_core_file_is_written_when_it_is_asked_for(followed, core_files_allowed):
    """And would hold the secrets: that is why it is not written otherwise."""
    database, instance = followed
    instance.start(env={"BIWA_CORE_DUMPS": "1"})
    instance.sync()
    assert crash(instance)
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern not in ("core", "core.%p"):
        pytest.skip(f"core files do not go to the working directory here: {pattern}")
    core = next(instance.folder.glob("core*"))
    held = held_by(core, [database.server.password, KEY])
    core.unlink()
    assert held == {database.server.password, KEY}
