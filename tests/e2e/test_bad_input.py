"""Wrong files, wrong words, a wrong world: one clear message, the right exit code, no secret in
what is said, and no damage: mended, the same project goes on."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

from harness.instance import HttpError, Instance
from harness.wait import wait_until


@pytest.fixture
def orders(database):
    database.run("CREATE TABLE answers (id int PRIMARY KEY, score int);"
                 "INSERT INTO answers VALUES (1, 10), (2, 20)")
    return database


def assert_refused(instance, *parts, command=("up", "--listen", "127.0.0.1:0"), code=1):
    """The command ends with `code`; says all of `parts` in one error, and no secret."""
    done = instance.command(*command)
    said = done.stdout + done.stderr
    assert done.returncode == code, (done.returncode, said)
    for part in parts:
        assert part in said, (part, said)
    assert said.count("error:") == (1 if code == 1 else 0), said
    assert_no_secret(instance, said)
    return said


def assert_no_secret(instance, said):
    if instance.database is not None:
        assert instance.database.server.password not in said


def assert_goes_on(instance):
    """Mended, it streams."""
    instance.start()
    instance.sync()
    assert instance.query("SELECT id, score FROM app.answers ORDER BY id") == [[1, 10], [2, 20]]
    assert_no_secret(instance, instance.log())
    assert instance.stop() == 0, instance.log()


def test_no_project(tmp_path):
    assert_refused(Instance(tmp_path / "empty"), "biwa.yaml", "biwa init")


def test_wrong_usage(tmp_path):
    instance = Instance(tmp_path / "empty")
    assert_refused(instance, "Did you mean `biwa status`?", command=["sttaus"], code=64)
    assert_refused(instance, "--help", command=["up", "--no-such-option"], code=64)
    assert_refused(instance, "--help", command=["query"], code=64)


def test_wrong_password(orders, instance):
    instance.write("secrets/app.password", "not-the-password\n", 0o600)
    said = assert_refused(instance, "connections/app_db.yaml", "password authentication failed",
                          "Check user and password of the connection")
    assert "not-the-password" not in said
    instance.write("secrets/app.password", orders.server.password + "\n", 0o600)
    assert_goes_on(instance)


def test_a_database_that_is_not_there(orders, instance):
    file = instance.folder / "connections/app_db.yaml"
    right = file.read_text()
    file.write_text(right.replace(orders.name, "no_such_database"))
    assert_refused(instance, "connections/app_db.yaml", 'database "no_such_database" does not exist',
                   "Check database and user of the connection")
    file.write_text(right)
    assert_goes_on(instance)


def test_a_server_that_is_not_there(orders, instance):
    file = instance.folder / "connections/app_db.yaml"
    right = file.read_text()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        file.write_text(right.replace(f"port: {orders.server.port}",
                                      f"port: {unused.getsockname()[1]}"))
        assert_refused(instance, "connections/app_db.yaml", "Connection refused",
                       "Is the server running there?")
    file.write_text(right)
    assert_goes_on(instance)


def test_a_table_that_is_not_there(orders, instance):
    instance.write("streams/app.yaml", """\
        connection: app_db
        dataset: app
        tables:
          - public.biwa_test_marker
          - public.anwsers
        """)
    assert_refused(instance, 'streams/app.yaml:5:5: table "public.anwsers" is not in database '
                   + orders.name, 'Did you mean "public.answers"?')
    assert orders.value("SELECT count(*) FROM pg_replication_slots WHERE database = "
                        "current_database()") == 0
    instance.write_stream()
    assert_goes_on(instance)


def test_wrong_yaml(orders, instance):
    file = instance.folder / "streams/app.yaml"
    right = file.read_text()
    for wrong, *parts in (
            ("connection: app_db\n tables: [", "streams/app.yaml:2:"),
            ("conection: app_db\ndataset: app\ntables: public.*\n", "streams/app.yaml:1:1",
             "conection", "connection"),
            ("connection: app_bd\ndataset: app\ntables: public.*\n", "streams/app.yaml:1:13",
             "app_bd", "app_db"),
            ("connection: app_db\ndataset: app\ntables: {a: b}\n", "streams/app.yaml:3:9"),
            ("", "streams/app.yaml"),
            ("connection: \xff\n", "streams/app.yaml", "UTF-8")):
        file.write_bytes(wrong.encode("latin-1"))
        assert_refused(instance, *parts)
        assert_refused(instance, *parts, command=["validate"])
    file.write_text(right)
    assert_goes_on(instance)


def test_a_secret_that_cannot_be_read(orders, instance):
    secret = instance.folder / "secrets/app.password"
    secret.unlink()
    assert_refused(instance, "error: connections/app_db.yaml: password: ${file:secrets/app.password}: there is no file")
    connection = instance.folder / "connections/app_db.yaml"
    right = connection.read_text()
    connection.write_text(right.replace("${file:secrets/app.password}", "${env:BIWA_TEST_UNSET}"))
    assert_refused(instance, "error: connections/app_db.yaml: password: ${env:BIWA_TEST_UNSET}: ",
                   "export BIWA_TEST_UNSET=")
    connection.write_text(right)
    instance.write("secrets/app.password", orders.server.password + "\n", 0o600)
    assert_goes_on(instance)


def test_a_password_that_stands_in_a_file_of_the_project(orders, instance):
    connection = instance.folder / "connections/app_db.yaml"
    right = connection.read_text()
    connection.write_text(right.replace("${file:secrets/app.password}", orders.server.password))
    assert_refused(instance, "connections/app_db.yaml:6:", "${env:")
    connection.write_text(right)
    assert_goes_on(instance)


def test_the_password_is_in_no_file_of_the_state_and_in_no_message(orders, instance):
    """Neither that which works nor one that does not, whatever goes wrong on the way."""
    right, wrong = orders.server.password, "Wr0ng-but-secret"
    file = instance.folder / "connections/app_db.yaml"
    good = file.read_text()
    url = f"postgres://{orders.server.user}:{wrong}@{orders.server.host}:{orders.server.port}/{orders.name}"
    said = []
    for text in (good.replace("${file:secrets/app.password}", "${env:APP_PASSWORD}"),  # refused by the server
                 "kind: postgres\nurl: ${env:APP_URL}\n",
                 good.replace(f"port: {orders.server.port}", "port: 1"),
                 good.replace(f'"{orders.name}"', '"nowhere"')):
        file.write_text(text)
        for words in (["validate"], ["plan"], ["doctor"], ["-v", "up", "--listen", "127.0.0.1:0"]):
            done = instance.command(*words, env={"APP_PASSWORD": wrong, "APP_URL": url}, timeout=60)
            said.append(done.stdout + done.stderr)
        assert done.returncode == 1, said[-1]
    file.write_text(good)
    instance.start("-v")
    instance.sync()
    orders.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'biwa' "
               "AND datname = current_database()")
    instance.sync()
    for words in (["status", "--json"], ["plan", "--json"], ["doctor"]):
        done = instance.command(*words)
        said.append(done.stdout + done.stderr)
    for path in ("/api/v1/status", "/api/v1/catalog", "/api/v1/plan", "/metrics"):
        said.append(instance.request("GET", path)[2].decode())
    instance.kill()
    for one in [instance.log_path, *(instance.folder / ".biwa").rglob("*")]:
        if one.is_file():
            said.append(one.read_bytes().decode("latin-1"))
    assert len(said) > 20
    for text in said:
        assert right not in text and wrong not in text, text[:2000]


def test_a_slot_that_somebody_else_made(orders, instance):
    orders.run("SELECT pg_create_logical_replication_slot('biwa_app', 'pgoutput')")
    assert_refused(instance, "connections/app_db.yaml", "replication slot biwa_app",
                   "pg_drop_replication_slot('biwa_app')")
    assert orders.value("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'biwa_app'"
                        ) == 1, "it was taken from whoever made it"
    orders.run("SELECT pg_drop_replication_slot('biwa_app')")
    assert_goes_on(instance)


def test_a_slot_that_is_gone(orders, instance):
    instance.start()
    instance.sync()
    instance.stop()
    orders.drop_slots()
    instance.start()
    error = instance.wait_state("failed")["error"]
    assert "slot biwa_app is gone" in error["message"], error
    assert "when_lost: recopy" in error["hint"], error
    # What there was can be asked for still; and as the hint says, a new copy begins.
    assert instance.value("SELECT count(*) FROM app.answers") == 2
    assert instance.stop() == 0
    stream = instance.folder / "streams" / "app.yaml"
    stream.write_text(stream.read_text() + "when_lost: recopy\n")
    assert_goes_on(instance)


def test_a_model_with_a_wrong_column_fails_alone(orders, instance):
    instance.write("definitions/good.sqlx", """\
        config { type: "table" }
        SELECT sum(score) AS total FROM ${ref("app", "answers")}
        """)
    instance.write("definitions/bad.sqlx", """\
        config { type: "table" }

        SELECT
          id,
          scroe
        FROM ${ref("app", "answers")}
        """)
    instance.write("definitions/after_bad.sqlx", """\
        config { type: "table" }
        SELECT count(*) AS n FROM ${ref("bad")}
        """)
    instance.start()
    instance.sync()
    instance.wait_models(["mart.good"])
    bad = wait_until(lambda: instance.model("mart.bad")["state"] == "failed"
                     and instance.model("mart.bad"), instance.status, 20)
    assert "definitions/bad.sqlx:5:" in bad["error"]["message"], bad
    assert "scroe" in bad["error"]["message"], bad
    assert "score" in bad["error"]["message"] + str(bad["error"]["hint"]), bad
    assert instance.model("mart.after_bad")["state"] in ("never", "skipped")
    assert instance.value("SELECT total FROM mart.good") == 30
    orders.run("UPDATE answers SET score = 11 WHERE id = 1")
    instance.sync()
    wait_until(lambda: instance.value("SELECT total FROM mart.good") == 31, "the good model", 20)
    # Mended in the file, it is built with what depends on it.
    instance.write("definitions/bad.sqlx", """\
        config { type: "table" }
        SELECT id, score FROM ${ref("app", "answers")}
        """)
    orders.run("UPDATE answers SET score = 10 WHERE id = 1")
    assert instance.stop() == 0
    instance.start()
    instance.wait_models(["mart.good", "mart.bad", "mart.after_bad"])
    assert instance.value("SELECT n FROM mart.after_bad") == 2


def test_a_model_that_cannot_be_compiled_stops_nothing_that_runs(orders, instance):
    instance.start()
    instance.sync()
    instance.write("definitions/broken.sqlx", 'config { type: "tabel" }\nSELECT 1\n')
    assert_refused(instance, "definitions/broken.sqlx:1:", "tabel", "table", command=["validate"])
    assert instance.value("SELECT count(*) FROM app.answers") == 2
    assert instance.stop() == 0
    assert_refused(instance, "definitions/broken.sqlx:1:")
    (instance.folder / "definitions/broken.sqlx").unlink()
    assert_goes_on(instance)


def test_a_port_in_use(orders, instance):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_refused(instance, f"127.0.0.1:{port}", "in use",
                       command=["up", "--listen", f"127.0.0.1:{port}"])
    assert_goes_on(instance)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:notaport", "127.0.0.1:99999"])
def test_an_address_that_is_none(orders, instance, address):
    assert_refused(instance, address, command=["up", "--listen", address])
    assert_goes_on(instance)


def test_a_second_process_on_the_same_project(orders, instance):
    instance.start()
    instance.sync()
    assert_refused(instance, "is running for this project already", instance.address,
                   "Use that one, or stop it first")
    # The commands that ask go to the one that runs.
    done = instance.command("query", "SELECT count(*) AS n FROM app.answers", "--format", "csv")
    assert (done.returncode, done.stdout) == (0, "n\n2\n"), done.stderr
    assert instance.stop() == 0
    assert_goes_on(instance)


def test_wal_level_replica(tmp_path):
    from harness.postgres import PostgresServer
    server = PostgresServer("fsync=off wal_level=replica max_wal_senders=0")
    try:
        with server.database() as database:
            database.run("CREATE TABLE answers (id int PRIMARY KEY)")
            with Instance(tmp_path / "project", database) as instance:
                assert_refused(instance, "connections/app_db.yaml", "wal_level is replica",
                               "ALTER SYSTEM SET wal_level = logical")
                doctor = instance.command("doctor")
                assert doctor.returncode == 1
                assert "wal_level is replica" in doctor.stderr
                assert_no_secret(instance, doctor.stderr)
    finally:
        server.stop()


@pytest.fixture
def small_disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder],
                             capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk(database, small_disk):
    database.run("CREATE TABLE answers (id int PRIMARY KEY, body text)")
    with Instance(small_disk / "project", database) as instance:
        instance.log_path = pathlib.Path(str(small_disk) + ".log")
        instance.start()
        instance.sync()
        # Text that does not compress.
        insert = ("INSERT INTO answers SELECT i, (SELECT string_agg(md5(i::text || j), '') "
                  "FROM generate_series(1, 30) j) FROM generate_series({}, {}) i")
        database.run(insert.format(1, 100))
        instance.sync()
        database.run(insert.format(101, 40_000))

        def told():
            if not instance.is_running():
                return instance.process.returncode, instance.log()
            error = (instance.stream() or {}).get("error")
            return (None, f"{error['message']} {error['hint']}") if error else None

        code, said = wait_until(told, instance.log, 60, every=0.1)
        assert "space" in said or "disk" in said, said
        assert code in (None, 1), (code, said)
        if instance.is_running():
            assert instance.value("SELECT count(*) FROM app.answers") == 100
            instance.stop()
        subprocess.run(["mount", "-o", "remount,size=400m", small_disk], check=True)
        instance.start()
        instance.sync()
        assert instance.query("SELECT count(*), count(DISTINCT id), max(id) FROM app.answers"
                              ) == [[40_000, 40_000, 40_000]]
        assert instance.stop() == 0


def test_a_database_becomes_a_project_by_its_address(orders, tmp_path):
    folder = tmp_path / "new"
    password = orders.server.password
    orders.run("CREATE UNLOGGED TABLE drafts (a int PRIMARY KEY)")
    with Instance(folder) as instance:
        instance.start(orders.url)
        # The stream is called after the database here.
        instance.wait_state("streaming")
        dataset = instance.stream()["dataset"]
        wait_until(lambda: instance.query(f"SELECT id, score FROM {dataset}.answers ORDER BY id")
                   == [[1, 10], [2, 20]], instance.status, 20)
        # Doctor's findings, and what had to be left out, are said.
        assert "wal_level is logical" in instance.log()
        assert "left out: public.drafts is unlogged" in instance.log()
        assert_only_in_the_secret(folder, password)
        assert password not in instance.log()
        # The page's dashboard has data.
        name = instance.status()["dashboards"][0]["name"]
        for _, tile in instance.events(f"/api/v1/dashboards/{name}/live"):
            assert tile["error"] is None, tile
            if tile["rows"] and any(value for value in tile["rows"][0]):
                break
        assert instance.stop() == 0, instance.log()
        assert_refused(instance, "there is a project in", command=["up", orders.url])
        instance.start()
        instance.wait_state("streaming")
        orders.run("INSERT INTO answers VALUES (3, 30)")
        wait_until(lambda: instance.value(f"SELECT count(*) FROM {dataset}.answers") == 3,
                   instance.status, 20)
        assert password not in instance.log()
        assert instance.stop() == 0


def assert_only_in_the_secret(folder, password):
    holding = [file for file in folder.rglob("*")
               if file.is_file() and password.encode() in file.read_bytes()]
    assert [file.parent.name for file in holding] == ["secrets"], holding
    assert holding[0].stat().st_mode & 0o777 == 0o600
    for private in (".biwa/server.json", ".biwa"):
        assert (folder / private).stat().st_mode & 0o077 == 0, private


def test_an_address_with_a_wrong_password_writes_nothing(orders, tmp_path):
    instance = Instance(tmp_path / "new")
    url = orders.url.replace(orders.server.password, "wr0ng-secret")
    done = instance.command("up", url, "--listen", "127.0.0.1:0")
    assert done.returncode == 1
    assert "password authentication failed" in done.stderr
    assert "wr0ng-secret" not in done.stdout + done.stderr
    assert list(instance.folder.iterdir()) == []


def test_sigterm_ends_it_within_five_seconds_with_zero(orders, instance):
    for moment in (0, 0.05, 0.1, 0.2, 0.4, 0.8):
        instance.start()
        time.sleep(moment)
        begin = time.monotonic()
        assert instance.stop(timeout=5) == 0, instance.log()
        assert time.monotonic() - begin < 5
    instance.start()
    instance.sync()
    # While a query runs, and somebody listens to events.
    with socket.create_connection(("127.0.0.1", int(instance.address.rsplit(":")[-1]))) as listener:
        listener.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert listener.recv(100).startswith(b"HTTP/1.1 200")
        assert instance.stop(timeout=5) == 0, instance.log()
    assert not (instance.folder / ".biwa/server.json").exists()
    assert_goes_on(instance)


def test_sigint_ends_it_too(orders, instance):
    instance.start()
    instance.process.send_signal(signal.SIGINT)
    assert instance.process.wait(timeout=5) == 0


@pytest.mark.parametrize("sql", [
    "CREATE TABLE app.evil (id int)", "DELETE FROM app.answers", "DROP TABLE app.answers",
    "INSERT INTO app.answers VALUES (9, 9)", "ATTACH '{file}' AS other", "COPY app.answers TO '{file}'",
    "SELECT * FROM read_csv('{file}')", "SELECT * FROM read_text('{file}')", "SELECT * FROM '{file}'",
    "SELECT * FROM glob('/*')", "SELECT * FROM read_blob('/etc/passwd')", "INSTALL httpfs",
    "LOAD httpfs", "PRAGMA database_list; SELECT 1", "SELECT 1; DROP TABLE app.answers",
    "SET memory_limit = '1TB'", "SET enable_external_access = true", "CALL pragma_version()",
    "EXPORT DATABASE '{file}'", "CHECKPOINT", "SELECT getenv('HOME')", "BEGIN",
    "WITH x AS (DELETE FROM app.answers RETURNING *) SELECT * FROM x", ""])
def test_a_query_can_neither_write_nor_reach_files(shared_instance, sql, tmp_path):
    file = tmp_path / "outside.csv"
    file.write_text("a\nsecret-of-the-file\n")
    before = file.read_bytes()
    try:
        rows = shared_instance.query(sql.format(file=file))
    except HttpError as error:
        assert error.status == 400 and error.message, sql
    else:
        # What is let through has to be harmless.
        assert sql in ("CALL pragma_version()",), (sql, rows)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]
    assert shared_instance.value("SELECT count(*) FROM app.answers") == 2


@pytest.fixture(scope="module")
def shared_instance(server, tmp_path_factory):
    from harness.instance import make_marker
    with server.database("safe") as database:
        make_marker(database)
        database.run("CREATE TABLE answers (id int PRIMARY KEY, score int);"
                     "INSERT INTO answers VALUES (1, 10), (2, 20)")
        with Instance(tmp_path_factory.mktemp("safe") / "project", database) as instance:
            instance.start()
            instance.sync()
            yield instance
            assert instance.stop() == 0


def test_a_wrong_host_is_refused(shared_instance):
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example"):
        status, _, body = shared_instance.request("GET", "/api/v1/status", headers={"Host": host})
        assert status == 403 and b"streams" not in body, (host, status)
    assert shared_instance.request("GET", "/api/v1/status")[0] == 200


def test_another_sites_page_is_refused(shared_instance):
    status, _, _ = shared_instance.request(
        "POST", "/api/v1/query", {"sql": "SELECT 1"}, {"Origin": "http://evil.example"})
    assert status == 403


def test_what_changes_something_needs_the_token(shared_instance):
    for path in ("/api/v1/run", "/api/v1/apply"):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "},
                        {"Authorization": f"Basic {shared_instance.token}"}):
            status, _, body = shared_instance.request("POST", path, {}, headers)
            assert status == 401, (path, headers, body)
    status, _, body = shared_instance.request(
        "POST", "/api/v1/run", {}, {"Authorization": f"Bearer {shared_instance.token}"})
    assert status == 200, body
    assert json.loads(body)["models"] == []


def test_the_token_and_the_password_are_told_to_nobody(shared_instance):
    for path in ("/api/v1/status", "/api/v1/catalog", "/api/v1/plan", "/api/v1/dashboards",
                 "/.biwa/server.json", "/..%2f.biwa/server.json", "/secrets/app.password",
                 "/%2e%2e/%2e%2e/etc/passwd"):
        _, _, body = shared_instance.request("GET", path)
        assert shared_instance.token.encode() not in body, path
        assert shared_instance.database.server.password.encode() not in body, path
        assert b"root:" not in body, path


def test_an_address_whose_password_is_not_percent_encoded(database, tmp_path):
    server = database.server
    with Instance(tmp_path / "empty") as instance:
        for kind, password in (("postgres", "S3cret w@:/x"), ("postgres", "S3cret/x"), ("postgres", "a@S3cret"),
                               ("postgres", "50%S3cret"), ("mysql", "S3cret/x"), ("mysql", "S3cret?x")):
            done = instance.command("up", f"{kind}://biwa:{password}@{server.host}:{server.port}/{database.name}")
            assert done.returncode == 1 and "percent-encoded" in done.stderr and "%40 %3A %2F" in done.stderr, done.stderr
            assert "S3cret" not in done.stderr and "x@" not in done.stderr, done.stderr
        assert not (instance.folder / "biwa.yaml").exists()
