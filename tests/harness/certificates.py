"""Certificates of servers, for tests of TLS."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile


@contextlib.contextmanager
def certificates(owner, names=("server", "other")):
    """A folder with NAME-ca.pem, NAME.pem, NAME.key of each; `owner` is whom the server runs as where this is root."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="biwa-test-tls-", dir="/tmp"))
    try:
        folder.chmod(0o755)
        for name in names:
            _make(folder, name)
            if os.getuid() == 0:
                shutil.chown(folder / f"{name}.key", owner)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make(folder, name):
    """An authority and a server's certificate by it: NAME-ca.pem, NAME.pem, NAME.key."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
            f"/CN={name} authority", "-keyout", f"{name}-ca.key", "-out", f"{name}-ca.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-addext",
            "subjectAltName=DNS:localhost", "-keyout", f"{name}.key", "-out", f"{name}.csr")
    openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{name}-ca.pem", "-CAkey",
            f"{name}-ca.key", "-CAcreateserial", "-days", "2", "-copy_extensions", "copy", "-out",
            f"{name}.pem")
