"""A bastion of this machine: OpenSSH's server with keys of its own, on a free port of the loopback
interface; and certificates."""
import getpass
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

from harness.wait import wait_until


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def make_key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path],
                   check=True, stdin=subprocess.DEVNULL)
    return path.read_text()


def fingerprint(path):
    done = subprocess.run(["ssh-keygen", "-lf", path], check=True, capture_output=True, text=True)
    return done.stdout.split()[1]


class Bastion:
    """Owned by whoever made it: stop() ends it, remove() its folder too."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="biwa-test-ssh-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.port = free_port()
        self.user = getpass.getuser()
        self.key = make_key(self.folder / "client")
        make_key(self.folder / "host")
        self.host_key = fingerprint(self.folder / "host.pub")
        (self.folder / "authorized").write_text((self.folder / "client.pub").read_text())
        kind, key, *_ = (self.folder / "host.pub").read_text().split()
        self.known_hosts = f"[127.0.0.1]:{self.port} {kind} {key}\n"
        (self.folder / "config").write_text(f"""\
ListenAddress 127.0.0.1
Port {self.port}
HostKey {self.folder}/host
PidFile {self.folder}/pid
AuthorizedKeysFile {self.folder}/authorized
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding yes
""")
        self.process = None
        self.start()

    def start(self):
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [shutil.which("sshd", path="/usr/sbin:/usr/bin"), "-D", "-e", "-f",
                 self.folder / "config"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)

        def answers():
            with socket.socket() as one:
                return one.connect_ex(("127.0.0.1", self.port)) == 0

        wait_until(answers, lambda: "the bastion: " + (self.folder / "log").read_text(), 20)

    def stop(self):
        """With all that it forwards: those of its session too."""
        if self.process is None:
            return
        # What serves a connection is a child of the one that listens.
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
                               capture_output=True, text=True, check=False)
        self.process.terminate()
        self.process.wait(timeout=10)
        for pid in found.stdout.split():
            try:
                os.kill(int(pid), 9)
            except ProcessLookupError:
                pass
        self.process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
