"""The ways to a server: several hosts, Unix sockets, services, TLS, a bastion."""
import os
import pathlib
import signal
import subprocess

import pytest

import harness.certificates
from harness.bastion import Bastion, fingerprint, free_port, make_key
from harness.instance import Instance, make_marker
from harness.postgres import PostgresServer
from harness.wait import wait_until


def connection(instance, **settings):
    """Writes the connection's file: a setting of None is left out."""
    database = instance.database
    usual = {"kind": "postgres", "host": database.server.host, "port": database.server.port,
             "database": database.name, "user": database.server.user,
             "password": "${file:secrets/app.password}"}
    lines = [f"{name}: '{value}'" for name, value in {**usual, **settings}.items()
             if value is not None]
    instance.write("connections/app_db.yaml", "\n".join(lines) + "\n")


def assert_follows(instance, database, **starting):
    instance.start(**starting)
    instance.sync()
    database.run("INSERT INTO answers VALUES ((SELECT max(id) + 1 FROM answers))")
    instance.sync()
    count = int(instance.value("SELECT count(*) FROM app.answers"))
    assert count == database.value("SELECT count(*) FROM answers")


def refusal(instance, **environment):
    done = instance.command("up", "--listen", "127.0.0.1:0", env=environment, timeout=60)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


@pytest.fixture
def project(database, tmp_path):
    database.run("CREATE TABLE answers (id int PRIMARY KEY); INSERT INTO answers VALUES (1)")
    with Instance(tmp_path / "project", database) as made:
        yield made


def test_several_hosts_and_a_unix_socket(project, database):
    dead = free_port()
    connection(project, host="127.0.0.1,127.0.0.1", port=f"{dead},{database.server.port}")
    assert_follows(project, database)
    assert project.stop() == 0
    socket = database.value("SHOW unix_socket_directories")
    connection(project, host=socket, password=None)
    assert_follows(project, database)
    assert database.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'biwa' "
                          "AND client_addr IS NULL AND datname = current_database()") > 0


def test_a_service_and_a_file_of_passwords(project, database):
    server = database.server
    services = project.write("services.conf", f"[app]\nhost={server.host}\nport={server.port}\n"
                             f"dbname={database.name}\nuser={server.user}\n"
                             "application_name=by-service\n")
    project.write("secrets/passes", f"*:*:*:*:{server.password}\n", 0o600)
    project.write("connections/app_db.yaml",
                  "kind: postgres\nservice: app\npassfile: secrets/passes\n")
    assert_follows(project, database, env={"PGSERVICEFILE": str(services)})
    assert database.value("SELECT count(*) FROM pg_stat_activity "
                          "WHERE application_name = 'by-service'") > 0
    assert project.stop() == 0
    done = project.command("doctor", env={"PGSERVICEFILE": "/dev/null"})
    assert done.returncode == 1 and 'service "app" not found' in done.stderr, done.stderr


@pytest.fixture(scope="module")
def certificates():
    with harness.certificates.certificates("postgres") as folder:
        yield folder


@pytest.fixture
def tls_database(certificates):
    server = PostgresServer("fsync=off ssl=on "
                            f"ssl_cert_file={certificates}/server.pem "
                            f"ssl_key_file={certificates}/server.key")
    try:
        with server.database() as made:
            make_marker(made)
            made.run("CREATE TABLE answers (id int PRIMARY KEY); INSERT INTO answers VALUES (1)")
            yield made
    finally:
        server.stop()


def test_tls_is_checked_as_far_as_it_is_asked_for(tls_database, certificates, tmp_path):
    with Instance(tmp_path / "project", tls_database) as instance:
        for name in "server", "other":
            instance.write(f"certs/{name}.pem", (certificates / f"{name}-ca.pem").read_text())
        encrypted = ("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
                     "WHERE application_name = 'biwa'")
        bad = [({"sslmode": "verify-full", "sslrootcert": "certs/server.pem"},
                'does not match host name "127.0.0.1"'),
               ({"sslmode": "verify-full", "host": "localhost", "sslrootcert": "certs/other.pem"},
                "certificate verify failed"),
               ({"sslmode": "verify-ca", "sslrootcert": "certs/other.pem"},
                "certificate verify failed"),
               ({"sslmode": "verify-full", "host": "localhost", "sslrootcert": "certs/none.pem"},
                "certs/none.pem")]
        for settings, said in bad:
            connection(instance, **settings)
            told = refusal(instance)
            assert said in told and "sslrootcert" in told, told
        assert tls_database.value("SELECT count(*) FROM pg_replication_slots") == 0
        for settings in ({"sslmode": "verify-full", "host": "localhost",
                          "sslrootcert": "certs/server.pem"},
                         {"sslmode": "verify-ca", "sslrootcert": "certs/server.pem"},
                         {"sslmode": "require"}):
            connection(instance, **settings)
            assert_follows(instance, tls_database)
            assert tls_database.value(encrypted) is True
            assert instance.stop() == 0


@pytest.fixture
def bastion():
    made = Bastion()
    yield made
    made.remove()


def through(instance, bastion, **settings):
    instance.write("secrets/bastion.key", bastion.key, 0o600)
    connection(instance, **{"ssh_host": "127.0.0.1", "ssh_port": bastion.port,
                            "ssh_user": bastion.user, "ssh_key": "${file:secrets/bastion.key}",
                            "ssh_host_key": bastion.host_key, **settings})


def children(instance):
    found = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(instance.process.pid)],
                           capture_output=True, text=True, check=False).stdout
    return {int(line.split()[0]): line for line in found.splitlines() if " ssh " in f" {line} "}


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_bastion_that_goes_and_comes_back(project, database, bastion):
    through(project, bastion)
    assert_follows(project, database)
    (ssh, command), = children(project).items()
    assert "/proc/" in command and "PRIVATE" not in command

    # The command ends, then the bastion is away for a while: the stream goes on by itself.
    os.kill(ssh, signal.SIGKILL)
    wait_until(lambda: children(project) and ssh not in children(project), "another ssh", 30)
    project.sync()
    bastion.stop()
    project.wait_state("retrying")
    database.run("INSERT INTO answers VALUES (100)")
    bastion.start()
    project.sync(90)
    assert project.value("SELECT count(*) FROM app.answers WHERE id = 100") == 1

    # Killed, it leaves nothing behind.
    (ssh, _), = children(project).items()
    project.kill()
    wait_until(lambda: not is_alive(ssh), "ssh to end with biwa", 10)
    secret = bastion.key.splitlines()[1]
    for told in [project.log_path, *(project.folder / ".biwa").rglob("*")]:
        if told.is_file():
            assert secret.encode() not in told.read_bytes(), told

    # By known hosts, which stand in a file; and to a server's name as the bastion sees it.
    project.write("my hosts", bastion.known_hosts)
    through(project, bastion, ssh_host_key=None, ssh_known_hosts="my hosts", host="localhost")
    assert_follows(project, database)
    assert project.stop() == 0


def test_a_bastion_that_is_not_the_one_or_does_not_let_us_in(project, database, bastion):
    other = make_key(bastion.folder / "other")
    wrong = fingerprint(bastion.folder / "other.pub")
    through(project, bastion, ssh_host_key=wrong)
    told = refusal(project)
    assert f"has the host key ssh-ed25519 {bastion.host_key}: not {wrong}" in told, told
    assert "ssh_host_key" in told
    project.write("known", bastion.known_hosts.replace(f":{bastion.port} ", ":1 "))
    through(project, bastion, ssh_host_key=None, ssh_known_hosts="known")
    assert "not the one of the known hosts" in refusal(project)

    project.write("secrets/bastion.key", "this is no key", 0o600)
    connection(project, ssh_host="127.0.0.1", ssh_port=bastion.port, ssh_user=bastion.user,
               ssh_host_key=bastion.host_key, ssh_key="${file:secrets/bastion.key}")
    told = refusal(project)
    assert "no private key that ssh can read" in told and "this is no key" not in told, told
    project.write("secrets/bastion.key", other, 0o600)
    told = refusal(project)
    assert "does not let us in" in told and other.splitlines()[1] not in told, told

    through(project, bastion, port=free_port())
    told = refusal(project)
    assert "the bastion: open failed: connect failed: Connection refused" in told, told
    connection(project, ssh_host="127.0.0.1", ssh_host_key="SHA256:x")
    assert "ssh_host_key" in refusal(project)
    connection(project, ssh_user="me")
    assert "ssh_user is set, and ssh_host is not" in refusal(project)
    bastion.stop()
    through(project, bastion)
    assert "cannot be reached" in refusal(project)
    assert database.value("SELECT count(*) FROM pg_replication_slots "
                          "WHERE database = current_database()") == 0


def test_the_doctor_looks_at_every_stream_whatever_becomes_of_one(project, database):
    server = database.server
    project.write("connections/away.yaml", f"kind: postgres\nhost: {server.host}\nport: {free_port()}\n"
                  f"database: x\nuser: {server.user}\n")
    project.write("streams/a_first.yaml", "connection: away\ndataset: first\ntables: public.*\n")
    done = project.command("doctor")
    assert done.returncode == 1, done.stderr
    first, second = done.stderr.split("stream a_first (connection away):")[1].split("stream app (connection app_db):")
    assert "✗ cannot connect to PostgreSQL" in first and "✓ table public.answers" in second, done.stderr
