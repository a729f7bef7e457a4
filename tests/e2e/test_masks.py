"""The values of masked columns are nowhere: not in a file, not in a log, not in an answer."""
import hashlib
import hmac
import json

import pytest

from harness.wait import wait_until

KEY = "a key that only this test knows"
STREAM = """\
connection: app_db
dataset: app
tables: public.*
mask_key: ${file:secrets/masks.key}
masks:
  essays.author: hash
  essays.email: email
  essays.body: %s
  essays.phone: drop
  essays.memo: null
"""


def hashed(text):
    return hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def write_masks(instance, masks):
    instance.write("secrets/masks.key", KEY + "\n", 0o600)
    instance.write("streams/app.yaml", "connection: app_db\ndataset: app\ntables: public.*\ndiscover_every: 200ms\n"
                   "mask_key: ${file:secrets/masks.key}\n" + masks)


def holders(instance, word):
    """What of the instance's files and answers has the word in it."""
    found = []
    for file in [*(instance.folder / ".biwa").rglob("*"), instance.log_path]:
        if file.is_file() and word.encode() in file.read_bytes():
            found.append(file.name)
    for command in (["status"], ["status", "--json"], ["plan"], ["doctor"], ["validate"]):
        done = instance.command(*command)
        # The doctor says that a stream has failed.
        assert done.returncode == 0 or command == ["doctor"], done.stderr
        if word in done.stdout + done.stderr:
            found.append(" ".join(command))
    if instance.is_running():
        for path in ("status", "catalog", "plan"):
            if word.encode() in instance.request("GET", f"/api/v1/{path}")[2]:
                found.append(path)
        if word in json.dumps(instance.query("SELECT * FROM app.essays")):
            found.append("query")
    return found


@pytest.mark.parametrize("body", ["hash", "drop", "truncate 1"])
def test_clear_values_are_nowhere_after_copy_changes_and_kills(database, instance, body):
    """The key is hashed, and rows move while the copy is cut off: the source has to be asked for
    rows of whose keys the warehouse knows only the hashes."""
    instance.write("secrets/masks.key", KEY + "\n", 0o600)
    instance.write("streams/app.yaml", STREAM % body)
    database.run("CREATE TABLE a_large (id int PRIMARY KEY, body text);"
                 "INSERT INTO a_large SELECT i, repeat('x', 100) FROM generate_series(1, 200000) i;"
                 "CREATE TABLE b_locked (id int PRIMARY KEY);"
                 "CREATE TABLE essays (phone text, author text, part smallint, email text, body text,"
                 " title text, memo text, PRIMARY KEY (author, part));"
                 "ALTER TABLE essays ALTER body SET STORAGE EXTERNAL;"
                 "INSERT INTO essays SELECT 'kakusu-phone' || i, 'kakusu-author' || i, i,"
                 " 'kakusu-mail' || i || '@example.com', repeat('kakusu-body' || i, 500),"
                 " 'shown-title' || i, 'kakusu-memo' || i FROM generate_series(1, 9) i")
    instance.start()
    wait_until(lambda: instance.stream() and instance.stream()["state"] == "snapshot",
               "the copy to begin", 30, every=0.005)
    with database.server.connect(database.name) as other:
        other.autocommit = False
        other.cursor().execute("LOCK TABLE b_locked IN ACCESS EXCLUSIVE MODE")

        def states():
            return {table["name"]: table["state"] for table in instance.stream()["tables"]}

        wait_until(lambda: states()["a_large"] == "live", states, 30)
        assert states()["essays"] == "waiting", "the lock came too late"
        instance.kill()
        other.rollback()

    database.run("UPDATE essays SET author = 'kakusu-moved' || part WHERE part <= 3")
    database.run("BEGIN; UPDATE essays SET author = 'kakusu-moved' || part WHERE part BETWEEN 4 AND 6;"
                 "UPDATE essays SET author = 'kakusu-again' || part, title = 'shown-twice'"
                 " WHERE author LIKE 'kakusu-moved%'; COMMIT")
    database.run("UPDATE essays SET title = 'shown-changed' WHERE part = 7")
    database.run("DELETE FROM essays WHERE part = 8")
    instance.start()
    instance.sync()
    database.run("ALTER TABLE essays ADD COLUMN kana text DEFAULT 'shown-default';"
                 "INSERT INTO essays VALUES ('kakusu-phone10', 'kakusu-author10', 10,"
                 " 'kakusu-mail10@example.com', 'kakusu-body10', 'shown-title10', 'kakusu-memo10')")
    instance.sync()

    def expected_body(text):
        return hashed(text) if body == "hash" else text[:1]

    columns = "author, part, email, title, memo, kana" + ("" if body == "drop" else ", body")
    expected = []
    for author, part, email, title, text, kana in database.run(
            "SELECT author, part, email, title, body, kana FROM essays ORDER BY part"):
        row = [hashed(author), part, "***" + email[email.index("@"):], title, None, kana]
        expected.append(row + ([] if body == "drop" else [expected_body(text)]))
    assert len(expected) == 9
    assert instance.query(f"SELECT {columns} FROM app.essays ORDER BY part") == expected

    assert holders(instance, "kakusu") == []
    assert holders(instance, KEY) == []
    instance.kill()
    # What is not masked is found in this way, so what is would be found too.
    assert "warehouse.duckdb.wal" in holders(instance, "shown-title10")
    instance.start()
    instance.sync()
    assert instance.query(f"SELECT {columns} FROM app.essays ORDER BY part") == expected
    assert holders(instance, "kakusu") == []
    assert instance.stop() == 0
    assert holders(instance, "kakusu") == []
    assert holders(instance, KEY) == []


@pytest.mark.parametrize("how", ["paused", "recopied", "stopped"])
def test_names_are_heard_while_a_table_waits_to_be_copied_anew(database, instance, how):
    """A clear column comes under a masked name, gets a value by it, and another clear name: no catalogue has ever
    shown that, only the log, of which a table that is paused, or to be copied anew, needs nothing else."""
    def write_stream(masks):
        write_masks(instance, "masks:\n" + masks)

    masks = '  essays.author: hash\n  "*.secret": hash\n'
    write_stream(masks)
    database.run("CREATE TABLE other (id int PRIMARY KEY, secret text);"
                 "CREATE TABLE essays (id int PRIMARY KEY, author text, title text, memo text);"
                 "INSERT INTO essays VALUES (1, 'kakusu-a', 'shown-t', 'shown-m')")
    instance.start()
    instance.sync()
    if how == "paused":
        assert instance.command("stream", "pause", "app", "essays").returncode == 0
    else:
        assert instance.stop() == 0
    database.run("ALTER TABLE essays RENAME memo TO secret; UPDATE essays SET secret = 'kakusu-b' WHERE id = 1")
    database.run("ALTER TABLE essays RENAME secret TO note")
    if how == "paused":
        wait_until(lambda: instance.query("FROM _biwa.heard_columns WHERE column_name = 'secret'"), instance.log, 30)
        instance.kill()
        database.run("INSERT INTO essays VALUES (2, 'kakusu-c', 'shown-u', 'kakusu-d')")
        instance.start()
    elif how == "recopied":
        instance.start()
        instance.command("stream", "recopy", "app", "essays")
    else:
        masks = masks.replace("author: hash", "author: null")
        write_stream(masks)
        assert instance.command("apply", "--yes").returncode == 0
        instance.start()
    wait_until(lambda: instance.stream() and instance.stream()["state"] == "failed", instance.log, 30)
    said = instance.stream()["error"]["message"]
    assert "column secret of public.essays was masked, and is called note now" in said, said
    assert holders(instance, "kakusu") == []

    write_stream(masks + "  essays.note: hash\n")
    done = instance.command("apply", "--yes")
    assert done.returncode == 0, done.stderr
    if how == "paused":
        assert instance.command("stream", "resume", "app", "essays").returncode == 0
    instance.sync()
    instance.settle()
    assert instance.query("SELECT id, title, note FROM app.essays ORDER BY id") == [
        [row, title, hashed(note)] for row, title, note in database.run("SELECT id, title, note FROM essays ORDER BY id")]
    assert holders(instance, "kakusu") == []

    # Who has looked may show it.
    write_stream(masks)
    assert instance.command("apply", "--yes").returncode == 0
    instance.sync()
    instance.settle()
    assert instance.query("SELECT note FROM app.essays WHERE id = 1") == [["kakusu-b"]]
    assert instance.query("SELECT count(*) FROM _biwa.heard_columns") == [[0]]


def test_a_name_is_heard_though_a_column_before_it_was_dropped_since(database, instance):
    """Which column had it is not certain by the place then; the one that it may have been is clear here."""
    write_masks(instance, "masks: { '*.secret': hash }\n")
    database.run("CREATE TABLE other (id int PRIMARY KEY, secret text);"
                 "CREATE TABLE essays (title text, note text, id int PRIMARY KEY); INSERT INTO essays VALUES ('shown-t', 'shown-n', 1)")
    instance.start()
    instance.sync()
    assert instance.stop() == 0
    database.run("ALTER TABLE essays RENAME note TO secret; INSERT INTO essays VALUES ('shown-u', 'kakusu-n', 2)")
    database.run("ALTER TABLE essays RENAME secret TO memo; ALTER TABLE essays DROP title; INSERT INTO essays (id) VALUES (3)")
    instance.start()
    wait_until(lambda: instance.stream() and instance.stream()["state"] == "failed", instance.log, 30)
    said = instance.stream()["error"]["message"]
    assert "column secret of public.essays was masked, and is called memo now" in said, said
    assert holders(instance, "kakusu") == []

    write_masks(instance, "masks: { '*.secret': hash, essays.memo: hash }\n")
    assert instance.command("apply", "--yes").returncode == 0
    instance.sync()
    instance.settle()
    assert instance.query("SELECT id, memo FROM app.essays ORDER BY id") == [[1, hashed("shown-n")], [2, hashed("kakusu-n")], [3, None]]
    assert holders(instance, "kakusu") == []


def test_masked_tables_exchange_their_names(database, instance):
    """The changes from before are not read by the columns of the one that has the name now."""
    write_masks(instance, "mask: by_default\nmasks: { essays.secret: hash }\nclear: [biwa_test_marker.*, '*.id', '*.title']\n")
    database.run("CREATE TABLE essays (id int PRIMARY KEY, secret text); INSERT INTO essays VALUES (1, 'kakusu-a');"
                 "CREATE TABLE titles (id int PRIMARY KEY); INSERT INTO titles VALUES (1)")
    instance.start()
    instance.sync()
    instance.kill()
    database.run("ALTER TABLE essays RENAME TO swapped; ALTER TABLE titles RENAME TO essays; ALTER TABLE swapped RENAME TO titles")
    database.run("ALTER TABLE essays ADD title text; INSERT INTO essays VALUES (2, 'shown-t'); INSERT INTO titles VALUES (2, 'kakusu-b')")
    instance.start()
    instance.sync()
    instance.settle()
    assert instance.query("SELECT id, title FROM app.essays ORDER BY id") == [[1, None], [2, "shown-t"]]
    assert instance.query("SELECT id, secret FROM app.titles ORDER BY id") == [[1, None], [2, None]]
    assert holders(instance, "kakusu") == []


def test_a_masked_column_is_new_and_called_otherwise_for_a_while(database, instance):
    """Nobody could name it as it was: the table is copied anew."""
    write_masks(instance, "mask: by_default\nmasks: { '*.secret': hash }\nclear: [biwa_test_marker.*, '*.id', '*.title']\n")
    database.run("CREATE TABLE essays (id int PRIMARY KEY); INSERT INTO essays VALUES (1)")
    instance.start()
    instance.sync()
    assert instance.stop() == 0
    database.run("ALTER TABLE essays ADD secret text; INSERT INTO essays VALUES (2, 'kakusu-a')")
    database.run("BEGIN; ALTER TABLE essays RENAME secret TO title; INSERT INTO essays VALUES (3, 'kakusu-b');"
                 "ALTER TABLE essays RENAME title TO secret; COMMIT")
    instance.start()
    instance.sync()
    instance.settle()
    assert instance.query("SELECT id, secret FROM app.essays ORDER BY id") == [[1, None], [2, hashed("kakusu-a")], [3, hashed("kakusu-b")]]
    assert holders(instance, "kakusu") == []


def test_whoever_names_columns_anew_hears_of_all_tables_at_once(instance, database):
    instance.write("secrets/masks.key", KEY + "\n", 0o600)

    def write_stream(masks):
        instance.write("streams/app.yaml", STREAM.split("masks:")[0] + "discover_every: 200ms\nmasks:\n" + masks)

    write_stream('  "*.secret": hash\n')
    tables = ["essays", "t2", "t3", "t4"]
    for table in tables:
        database.run(f"CREATE TABLE {table} (id int PRIMARY KEY, secret text); INSERT INTO {table} VALUES (1, 'kakusu-a')")
    instance.start()
    instance.sync()
    database.run("".join(f"ALTER TABLE {table} RENAME secret TO note; INSERT INTO {table} VALUES (2, 'kakusu-b');"
                         for table in tables[:3]))
    wait_until(lambda: instance.stream()["state"] == "failed", instance.log, 30)
    # One after another, as the log has them.
    said = instance.stream()["error"]["message"]
    assert "column secret of public.essays was masked, and is called note now" in said, said

    def apply(masks):
        write_stream('  "*.secret": hash\n' + masks)
        done = instance.command("apply", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr

    apply("  essays.note: hash\n")
    wait_until(lambda: "public.t2 was masked" in (instance.stream()["error"] or {}).get("message", ""), instance.log, 30)
    said = instance.stream()["error"]["message"]
    assert "column secret of public.t2 was masked, and is called note now" in said, said
    assert said.endswith("; there is more to name in 1 other table: public.t3"), said
    apply('  "*.note": hash\n')
    instance.sync()
    instance.settle()
    for table in tables[:3]:
        assert instance.query(f"FROM app.{table} ORDER BY id") == [[1, hashed("kakusu-a")], [2, hashed("kakusu-b")]]
    assert holders(instance, "kakusu") == []


def test_a_masked_table_gets_its_former_name_back(instance, database):
    """Under the name that it had there is a view meanwhile, whose columns are marked with no mask."""
    instance.write("secrets/masks.key", KEY + "\n", 0o600)
    instance.write("streams/app.yaml", STREAM.split("masks:")[0] + 'discover_every: 200ms\nmasks:\n  "*.secret": hash\n')
    database.run("CREATE TABLE essays (id int PRIMARY KEY, secret text); INSERT INTO essays VALUES (1, 'kakusu-a')")
    instance.start()
    instance.sync()
    for number, (before, now) in enumerate([("essays", "drafts"), ("drafts", "essays"), ("essays", "drafts")], 2):
        database.run(f"ALTER TABLE {before} RENAME TO {now}; INSERT INTO {now} VALUES ({number}, 'kakusu-b')")
        wait_until(lambda name=now: any(table["source"] == f"public.{name}" for table in instance.stream()["tables"]),
                   instance.log, 30)
        instance.sync()
        assert instance.query(f"SELECT secret FROM app.{now} WHERE id > 1 GROUP BY ALL") == [[hashed("kakusu-b")]]
    assert instance.query("SELECT count(*) FROM app.essays") == [[4]]
    instance.restart()
    instance.sync()
    assert holders(instance, "kakusu") == []


def test_what_is_kept_of_a_dropped_column_is_masked_too(instance, database):
    def write_stream(masks):
        instance.write("streams/app.yaml", STREAM.split("masks:")[0] + "discover_every: 200ms\nmasks:\n" + masks)

    def apply(masks):
        write_stream(masks)
        done = instance.command("apply", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        instance.sync()
        instance.settle()

    instance.write("secrets/masks.key", KEY + "\n", 0o600)
    write_stream('  "*.email": hash\n')
    for table in ["essays", "other"]:
        database.run(f"CREATE TABLE {table} (id int PRIMARY KEY, email text, memo text);"
                     f"INSERT INTO {table} VALUES (1, 'kakusu-e', 'kakusu-m')")
    instance.start()
    instance.sync()
    database.run("ALTER TABLE essays DROP memo; INSERT INTO essays VALUES (2, 'kakusu-e')")
    instance.sync()
    assert instance.query("SELECT memo FROM app.essays ORDER BY id") == [["kakusu-m"], [None]]

    # What would be left of it cannot be told from what is here: it goes.
    apply('  "*.email": hash\n  "*.memo": hash\n')
    assert instance.query("SELECT * FROM app.essays ORDER BY id") == [[1, hashed("kakusu-e")], [2, hashed("kakusu-e")]]
    database.run("ALTER TABLE essays ADD memo text; INSERT INTO essays VALUES (3, 'kakusu-e', 'kakusu-n')")
    instance.sync()
    instance.settle()
    assert instance.query("SELECT memo FROM app.essays ORDER BY id") == [[None], [None], [hashed("kakusu-n")]]
    assert "kakusu" not in json.dumps(instance.query("SELECT e, o FROM app.essays AS e, app.other AS o"))

    # Nothing more of it is to be hidden: it stays, until the column is back.
    database.run("ALTER TABLE essays DROP memo; INSERT INTO essays VALUES (4, 'kakusu-e')")
    instance.sync()
    apply('  "*.email": hash\n')
    assert instance.query("SELECT memo FROM app.essays WHERE id = 3") == [[hashed("kakusu-n")]]
    database.run("ALTER TABLE essays ADD memo text; INSERT INTO essays VALUES (5, 'kakusu-e', 'shown-m')")
    instance.sync()
    instance.settle()
    assert instance.query("SELECT id, memo FROM app.essays WHERE memo IS NOT NULL") == [[5, "shown-m"]]
    instance.restart()
    instance.sync()
