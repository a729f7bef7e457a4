"""MariaDB and MySQL do not number columns: whatever way a masked column gets the name of one that is clear, and whatever
the stream does meanwhile, nothing of it comes in clear."""
import contextlib

import pytest

from harness.either import database, instance, is_mysql, maria  # noqa: F401
from harness.wait import wait_until

SECRET = "clear as day"
EXCHANGE = "ALTER TABLE t RENAME COLUMN secret TO pub, RENAME COLUMN pub TO secret"
STEPS = ("ALTER TABLE t RENAME COLUMN secret TO was; ALTER TABLE t RENAME COLUMN pub TO secret;"
         "ALTER TABLE t RENAME COLUMN was TO pub")
# As pt-online-schema-change does it.
SHADOW = ("CREATE TABLE _t_new LIKE t; ALTER TABLE _t_new RENAME COLUMN secret TO pub, RENAME COLUMN pub TO secret;"
          "INSERT INTO _t_new (id, pub, secret, other) SELECT id, secret, pub, other FROM t;"
          "RENAME TABLE t TO _t_old, _t_new TO t")
SUCCESSION = "ALTER TABLE t DROP pub; ALTER TABLE t RENAME COLUMN secret TO pub"


def write(instance, *masks, by_default=False, exclude="", clear=()):
    lines = ["connection: app_db", "dataset: app", f'tables: ["{instance.database.name}.*"]',
             # What stands between two statements is not looked at.
             "discover_every: 1h",
             f"exclude: [{exclude}]", f"mask: {'by_default' if by_default else 'listed'}", f"clear: [{', '.join(clear)}]",
             "masks: {" + ", ".join(masks) + "}"]
    instance.write("streams/app.yaml", "\n".join(lines) + "\n")


def ask(instance, *arguments):
    done = instance.command("stream", *arguments)
    assert done.returncode == 0, done.stderr


def begin(database, instance, mask="drop"):
    database.run("CREATE TABLE t (id int PRIMARY KEY, pub varchar(40), secret varchar(40), other varchar(40));"
                 f"INSERT INTO t VALUES (1, 'p', '{SECRET}', 'o'); CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1)")
    write(instance, f"{database.name}.t.secret: {mask}")
    instance.start()
    instance.sync()
    assert instance.query("SELECT pub FROM app.t") == [["p"]]


def table(instance, name="t"):
    stream = instance.stream() or {"tables": []}
    return next((one for one in stream["tables"] if one["name"] == name), {"state": "not known yet"})


def left_out(instance):
    return table(instance)["state"] == "gone" or (instance.stream() or {"state": ""})["state"] == "failed"


def assert_refused(instance, *said):
    # Between a table's going and the refusal of what has come by its name it is only gone.
    wait_until(lambda: table(instance)["state"] == "gone" and all(text in str(table(instance)) for text in said),
               lambda: (said, instance.stream(), instance.log()))


def assert_not_in_files(instance):
    files = b"".join(path.read_bytes() for path in (instance.folder / ".biwa").rglob("*") if path.is_file())
    assert SECRET.encode() not in files


def assert_nowhere(instance):
    """Nothing in clear, over a restart either."""
    instance.restart()
    instance.sync()
    assert_not_in_files(instance)
    assert "secret" in str(table(instance))


def mend(database, instance, *masks, key=False):
    """Who names the columns as they are has the table again."""
    if instance.is_running():
        assert instance.stop() == 0
    write(instance, *(f"{database.name}.t.{mask}" for mask in masks))
    if key:
        instance.write("secrets/masks.key", "a key that only this test knows\n", 0o600)
        path = instance.folder / "streams/app.yaml"
        path.write_text(path.read_text(encoding="utf-8") + "mask_key: ${file:secrets/masks.key}\n", encoding="utf-8")
    instance.start()
    instance.sync()
    wait_until(lambda: table(instance)["state"] == "live", lambda: (instance.stream(), instance.log()))


@pytest.mark.parametrize("mask", ["drop", "'null'"])
@pytest.mark.parametrize("how", [EXCHANGE, STEPS, SHADOW, SUCCESSION], ids=["exchange", "steps", "shadow", "succession"])
def test_names_given_to_others_while_the_table_is_paused(database, instance, how, mask):
    begin(database, instance, mask)
    ask(instance, "pause", "app", "t")
    instance.sync()
    database.run(how + f"; INSERT INTO t (id, pub) VALUES (2, '{SECRET}'); INSERT INTO u VALUES (2)")
    instance.sync()
    ask(instance, "resume", "app", "t")
    assert_refused(instance, "secret", "pub", "mask")
    # The others go on.
    database.run("INSERT INTO u VALUES (3)")
    instance.sync()
    assert instance.query("SELECT count(*) FROM app.u") == [[3]]
    assert_nowhere(instance)
    if how == SUCCESSION:
        assert "pub or other" in str(table(instance)), table(instance)
        mend(database, instance, "pub: 'null'", "other: 'null'")
        mend(database, instance, "pub: 'null'")
        wait_until(lambda: instance.query("SELECT other FROM app.t ORDER BY id") == [["o"], [None]], instance.log)
    else:
        mend(database, instance, "pub: 'null'")
    assert instance.query("SELECT id, pub FROM app.t ORDER BY id") == [[1, None], [2, None]]
    database.run(f"INSERT INTO t (id, pub) VALUES (3, '{SECRET}')")
    instance.sync()
    assert instance.query("SELECT id, pub FROM app.t WHERE id = 3") == [[3, None]]


@pytest.mark.parametrize("how", [STEPS, SHADOW], ids=["steps", "shadow"])
@pytest.mark.parametrize("metadata", ["FULL", "MINIMAL"])
def test_names_given_to_others_while_it_is_followed(database, instance, how, metadata):
    database.run(f"SET GLOBAL binlog_row_metadata = '{metadata}'")
    try:
        begin(database, instance)
        database.run(f"INSERT INTO t VALUES (2, 'p', '{SECRET}', 'o'); {how}; INSERT INTO t (id, pub) VALUES (3, '{SECRET}')")
        wait_until(lambda: left_out(instance), instance.log)
        instance.kill()
        instance.start()
        wait_until(lambda: left_out(instance), instance.log)
        files = b"".join(path.read_bytes() for path in (instance.folder / ".biwa").rglob("*") if path.is_file())
        assert SECRET.encode() not in files
        mend(database, instance, "pub: 'null'")
        assert instance.query("SELECT id, pub FROM app.t ORDER BY id") == [[1, None], [2, None], [3, None]]
    finally:
        database.run("SET GLOBAL binlog_row_metadata = DEFAULT")


@contextlib.contextmanager
def held_back(database, instance, heard):
    """No copy begins while a transaction is prepared: of this the first statement is heard, what follows is not."""
    with contextlib.closing(database.connect()) as other:
        database.run("XA START 'x'; INSERT INTO u VALUES (2); XA END 'x'; XA PREPARE 'x'", other)
        database.run(heard)
        wait_until(lambda: table(instance)["state"] == "waiting", lambda: (instance.stream(), instance.log()))
        yield
        database.run("XA ROLLBACK 'x'", other)


@pytest.mark.parametrize("then", ["ALTER TABLE t RENAME COLUMN secret TO pub; ALTER TABLE t RENAME COLUMN was TO secret",
                                  "ALTER TABLE t RENAME COLUMN secret TO pub; ALTER TABLE t DROP was, ADD secret varchar(40)",
                                  "ALTER TABLE t RENAME COLUMN was TO way; ALTER TABLE t RENAME COLUMN secret TO pub;"
                                  "ALTER TABLE t RENAME COLUMN way TO secret"], ids=["exchange", "anew", "on the way"])
def test_a_clear_column_makes_room_before_the_table_waits_to_be_copied(database, instance, then):
    begin(database, instance)
    with held_back(database, instance, "ALTER TABLE t RENAME COLUMN pub TO was"):
        database.run(then)
    assert_refused(instance, "secret", "pub", "mask")
    assert_nowhere(instance)
    mend(database, instance, "pub: 'null'", "other: 'null'")
    mend(database, instance, "pub: 'null'")
    wait_until(lambda: instance.query("SELECT pub, other FROM app.t") == [[None, "o"]], instance.log)
    assert instance.query("SELECT secret FROM app.t") == [[None if "DROP was" in then else "p"]]


@pytest.mark.parametrize("mask", ["drop", "'null'"])
@pytest.mark.parametrize("heard, then", [
    ("ALTER TABLE t RENAME COLUMN secret TO secret2, RENAME COLUMN pub TO secret", "ALTER TABLE t RENAME COLUMN secret2 TO pub"),
    ("ALTER TABLE t RENAME COLUMN SECRET TO secret2",
     "ALTER TABLE t RENAME COLUMN secret2 TO pub, RENAME COLUMN pub TO secret2"),
], ids=["another takes the name", "in capitals"])
def test_a_masked_column_gets_another_masked_name_before_the_table_waits(database, instance, heard, then, mask):
    begin(database, instance, mask)
    assert instance.stop() == 0
    instance.write("streams/app.yaml", (instance.folder / "streams/app.yaml").read_text(encoding="utf-8").replace(
        f"{database.name}.t.secret:", '"*.secret*":'))
    instance.start()
    instance.sync()
    with held_back(database, instance, heard):
        database.run(then)
    wait_until(lambda: left_out(instance), lambda: (instance.stream(), instance.log()))
    assert "secret2" in str(instance.stream()) and "pub" in str(instance.stream())
    instance.restart()
    wait_until(lambda: left_out(instance), lambda: (instance.stream(), instance.log()))
    assert_not_in_files(instance)


def test_names_are_compared_as_the_server_compares_them(database, instance):
    database.run("CREATE TABLE t (id int PRIMARY KEY, pub varchar(40), `ärzte` varchar(40));"
                 f"INSERT INTO t VALUES (1, 'p', '{SECRET}'); CREATE TABLE u (id int PRIMARY KEY)")
    write(instance, f"{database.name}.t.ärzte: drop")
    instance.start()
    instance.sync()
    database.run("ALTER TABLE t DROP pub; ALTER TABLE t RENAME COLUMN `ÄRZTE` TO pub; ALTER TABLE t ADD `ärzte` varchar(40) AFTER pub;"
                 f"INSERT INTO t (id, pub) VALUES (2, '{SECRET}')")
    wait_until(lambda: left_out(instance), instance.log)
    assert_not_in_files(instance)


@pytest.mark.parametrize("mask", ["drop", "'null'"])
def test_types_that_a_masked_column_got_while_it_was_followed_are_known(database, instance, mask):
    database.run("CREATE TABLE t (id int PRIMARY KEY, points bigint, salary int); INSERT INTO t VALUES (1, 5, 987654321);"
                 "CREATE TABLE u (id int PRIMARY KEY)")
    write(instance, f"{database.name}.t.salary: {mask}")
    instance.start()
    instance.sync()
    database.run("ALTER TABLE t MODIFY salary bigint; INSERT INTO t VALUES (2, 6, 987654321)")
    instance.sync()
    ask(instance, "pause", "app", "t")
    instance.sync()
    database.run("ALTER TABLE t DROP points; ALTER TABLE t RENAME COLUMN salary TO points")
    ask(instance, "resume", "app", "t")
    assert_refused(instance, "salary", "points", "mask")
    assert 987654321 not in [row[0] for row in instance.query("SELECT points FROM app.t")]


@pytest.mark.parametrize("fails", ["DROP secret", "RENAME COLUMN secret TO open"])
def test_an_alter_in_two_phases_that_fails_has_done_nothing(database, instance, is_mysql, fails):
    if is_mysql:
        pytest.skip("MySQL logs an ALTER when it is done")
    begin(database, instance)
    with contextlib.closing(database.connect()) as other:
        database.run(f"SET SESSION binlog_alter_two_phase = 1; INSERT INTO t VALUES (2, 'p', '{SECRET}', 'o')", other)
        with pytest.raises(Exception, match="Duplicate"):
            database.run(f"ALTER TABLE t {fails}, ADD UNIQUE (pub)", other)
        database.run("ALTER TABLE t ADD more int DEFAULT 5; INSERT INTO t VALUES (3, 'r', 's', 'o', 6)", other)
    instance.sync()
    # What is read only when the ALTER has been done, without names of columns in the log, is copied anew.
    instance.settle()
    assert instance.query("SELECT id, pub, more FROM app.t ORDER BY id") == [[1, "p", 5], [2, "p", 5], [3, "r", 6]]
    ask(instance, "pause", "app", "t")
    instance.sync()
    database.run(EXCHANGE)
    ask(instance, "resume", "app", "t")
    assert_refused(instance, "secret", "pub", "mask")
    assert_nowhere(instance)


def test_a_masked_name_there_and_back(database, instance):
    begin(database, instance)
    database.run("ALTER TABLE t RENAME COLUMN secret TO tmp; ALTER TABLE t RENAME COLUMN tmp TO secret")
    wait_until(lambda: '"*.tmp"' in str(instance.stream()), lambda: (instance.stream(), instance.log()))
    assert instance.stop() == 0
    write(instance, f"{database.name}.t.secret: drop", '"*.tmp": drop')
    instance.start()
    instance.sync()
    instance.settle()
    assert instance.query("FROM app.t") == [[1, "p", "o"]]
    assert_not_in_files(instance)


def test_what_the_log_says_of_clear_columns_when_the_table_waits_already_is_no_doubt(database, instance):
    begin(database, instance)
    database.run("ALTER TABLE t RENAME COLUMN pub TO public; ALTER TABLE t DROP other")
    instance.sync()
    instance.settle()
    assert table(instance)["state"] == "live", (instance.stream(), instance.log())
    assert instance.query("SELECT public FROM app.t") == [["p"]]


@pytest.mark.parametrize("how", [EXCHANGE, SUCCESSION], ids=["exchange", "succession"])
def test_names_given_to_others_while_masks_change(database, instance, how):
    """With what was known of the table would go what tells."""
    begin(database, instance)
    instance.kill()
    database.run(how)
    # Names that are not there are refused in any case.
    kept = [] if how == SUCCESSION else [f"{database.name}.t.secret: drop"]
    write(instance, *kept, f"{database.name}.t.other: 'null'")
    done = instance.command("apply", "--yes")
    assert done.returncode != 0 and "secret" in done.stderr and "pub" in done.stderr, done.stdout + done.stderr
    write(instance, f"{database.name}.t.pub: 'null'", f"{database.name}.t.other: 'null'")
    instance.start()
    instance.sync()
    wait_until(lambda: instance.query("SELECT id, pub, other FROM app.t") == [[1, None, None]], instance.log)


def test_names_given_to_others_while_the_table_is_excluded(database, instance):
    begin(database, instance)
    db = database.name
    assert instance.stop() == 0
    write(instance, f"{db}.t.secret: drop", exclude=f"{db}.t")
    instance.start()
    instance.sync()
    database.run(EXCHANGE)
    instance.sync()
    assert instance.stop() == 0
    write(instance, f"{db}.t.secret: drop")
    instance.start()
    assert_refused(instance, "secret", "pub")
    assert_nowhere(instance)


def test_what_was_only_moved_comes_again_when_somebody_has_looked(database, instance):
    begin(database, instance)
    db = database.name
    database.run("ALTER TABLE t MODIFY pub varchar(40) AFTER secret; INSERT INTO t VALUES (2, 'x', 'q', 'o')")
    assert_refused(instance, "moved")
    mend(database, instance, "secret: drop", "pub: 'null'")
    mend(database, instance, "secret: drop")
    wait_until(lambda: instance.query("SELECT id, pub FROM app.t ORDER BY id") == [[1, "p"], [2, "q"]], instance.log)
    # And what is not beside a masked column may be moved, dropped and added as anybody likes.
    database.run("ALTER TABLE t ADD more int DEFAULT 7 FIRST, ADD rest int AFTER pub; ALTER TABLE t DROP other;"
                 "ALTER TABLE t MODIFY id int FIRST; INSERT INTO t VALUES (3, 8, 'x', 'r', 1)")
    instance.sync()
    # A column with values that nobody has seen has the table copied anew.
    wait_until(lambda: "8" in str(instance.query("SELECT * FROM app.t WHERE id = 3")), lambda: (table(instance), instance.log()))
    assert instance.query("SELECT id, pub, more, rest FROM app.t ORDER BY id") == [
        [1, "p", 7, None], [2, "q", 7, None], [3, "r", 8, 1]]
    assert table(instance)["state"] == "live"


def test_a_masked_column_that_is_dropped_says_so_and_nothing_more(database, instance):
    begin(database, instance, "'null'")
    db = database.name
    database.run("ALTER TABLE t DROP secret; INSERT INTO t VALUES (2, 'q', 'o')")
    instance.sync()
    ask(instance, "recopy", "app", "t")
    instance.sync()
    wait_until(lambda: instance.query("SELECT id, pub FROM app.t ORDER BY id") == [[1, "p"], [2, "q"]], instance.log)
    assert "is not there any more" in str(table(instance))


def test_with_masks_by_default(database, instance):
    database.run("CREATE TABLE t (id int PRIMARY KEY, pub varchar(40), secret varchar(40), other int);"
                 f"INSERT INTO t VALUES (1, 'p', '{SECRET}', 7)")
    db = database.name
    write(instance, by_default=True, clear=(f"{db}.t.id", f"{db}.t.pub", f"\"{db}.biwa_test_marker.*\""))
    instance.start()
    instance.sync()
    assert instance.query("SELECT * FROM app.t") == [[1, "p", None, None]]
    ask(instance, "pause", "app", "t")
    instance.sync()
    database.run(SUCCESSION)
    ask(instance, "resume", "app", "t")
    assert_refused(instance, "secret", "pub")
    assert_nowhere(instance)


def test_names_given_to_others_while_the_table_is_copied(database, instance):
    """A view of the rows is none of the columns' names."""
    database.run("CREATE TABLE a_large (id int PRIMARY KEY, filler varchar(2000)); INSERT INTO a_large VALUES (1, repeat('x', 2000))")
    for power in range(14):
        database.run(f"INSERT INTO a_large SELECT id + {2 ** power}, filler FROM a_large")
    database.run("CREATE TABLE b_locked (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, pub varchar(40), secret varchar(40));"
                 f"INSERT INTO t VALUES (1, 'p', '{SECRET}')")
    write(instance, f"{database.name}.t.secret: drop")
    instance.start()
    wait_until(lambda: instance.stream()["state"] == "snapshot", instance.log, every=0.002)
    with contextlib.closing(database.server.connect(database.name)) as other:
        other.cursor().execute("LOCK TABLES b_locked WRITE")
        wait_until(lambda: table(instance, "a_large")["state"] == "live", instance.log)
        assert table(instance)["state"] == "waiting", "the lock came too late"
        database.run(EXCHANGE)
        other.cursor().execute("UNLOCK TABLES")
    wait_until(lambda: left_out(instance), lambda: (table(instance), instance.log()))
    assert instance.query("SELECT * FROM app.t") == []
    assert_nowhere(instance)


@pytest.mark.parametrize("how", [EXCHANGE, STEPS, SHADOW, SUCCESSION], ids=["exchange", "steps", "shadow", "succession"])
def test_names_given_to_others_while_a_copy_is_cut_off(database, instance, how):
    database.run("CREATE TABLE t (id int PRIMARY KEY, pub varchar(40), secret varchar(40), other varchar(2000));"
                 f"INSERT INTO t VALUES (1, 'p', '{SECRET}', repeat('x', 2000))")
    for power in range(14):
        database.run(f"INSERT INTO t SELECT id + {2 ** power}, pub, secret, other FROM t")
    write(instance, f"{database.name}.t.secret: drop")
    instance.start(env={"BIWA_SNAPSHOT_SLICE_MS": "20"})
    wait_until(lambda: instance.parts_copied("t") > 0, instance.log, every=0.01)
    instance.kill()
    database.run(how)
    instance.start()
    # Told by the catalogue or, statement by statement, by the log: whichever is read first. Over a restart too.
    for _ in range(2):
        wait_until(lambda: left_out(instance), lambda: (table(instance), instance.log()))
        assert_not_in_files(instance)
        instance.restart()


@pytest.mark.parametrize("before", ["", "ALTER TABLE t ADD more datetime DEFAULT now()"], ids=["alone", "with a column"])
def test_what_the_log_says_is_read_before_a_table_is_copied_for_what_the_catalogue_says(database, instance, before):
    """Names and order are in the end what they were, and only the log tells; over a restart too."""
    begin(database, instance)
    if before:
        database.run(before)
    database.run("ALTER TABLE t DROP pub; ALTER TABLE t RENAME COLUMN secret TO pub; ALTER TABLE t ADD secret varchar(40) AFTER pub;"
                 f"INSERT INTO t (id, pub) VALUES (3, '{SECRET}')")
    for _ in range(2):
        assert "is called pub now" in str(instance.wait_state("failed", 30)["error"])
        instance.kill()
        instance.start()
    assert "is called pub now" in str(instance.wait_state("failed", 30)["error"])
    assert SECRET not in str(instance.query("FROM app.t"))


def test_what_the_log_says_of_columns_that_went_is_no_doubt(database, instance):
    begin(database, instance)
    for alter in ("ALTER TABLE t DROP other", "ALTER TABLE t RENAME COLUMN pub TO public"):
        database.run(alter)
        database.run("INSERT INTO u SELECT max(id) + 1 FROM u")
        instance.sync()
        ask(instance, "recopy", "app", "t")
        instance.sync()
        wait_until(lambda: table(instance)["state"] == "live", lambda: (table(instance), instance.log()))
    assert instance.query("SELECT public FROM app.t") == [["p"]]


def test_a_shadow_that_drops_and_renames_is_found_by_its_first_change(database, instance):
    """As gh-ost does it, whose tables have the rows of the ones in whose place they come."""
    begin(database, instance)
    database.run("CREATE TABLE _t_gho LIKE t; ALTER TABLE _t_gho DROP pub; ALTER TABLE _t_gho RENAME COLUMN secret TO pub;"
                 "INSERT INTO _t_gho SELECT id, secret, other FROM t; RENAME TABLE t TO _t_del, _t_gho TO t; DROP TABLE _t_del;"
                 f"INSERT INTO t VALUES (2, '{SECRET}', 'o')")
    assert_refused(instance, "secret", "pub")
    assert_nowhere(instance)


@pytest.mark.parametrize("how", ["live", "paused"])
def test_a_mask_that_shows_more_is_as_none(database, instance, how):
    begin(database, instance)
    db = database.name
    mend(database, instance, "secret: drop", "pub: truncate 30")
    if how == "paused":
        ask(instance, "pause", "app", "t")
        instance.sync()
    database.run(EXCHANGE + f"; INSERT INTO t (id, pub) VALUES (2, '{SECRET}')")
    if how == "paused":
        ask(instance, "resume", "app", "t")
        assert_refused(instance, "secret", "pub")
        assert_nowhere(instance)
    else:
        said = f"column secret of {db}.t was masked, and is called pub now, which is masked otherwise"
        assert said in str(instance.wait_state("failed", 30)["error"])
        instance.kill()
    mend(database, instance, "secret: truncate 30", "pub: hash", key=True)
    assert instance.query("SELECT id, secret, length(pub) FROM app.t ORDER BY id") == [[1, "p", 64], [2, None, 64]]


def test_a_column_that_was_made_again_is_known_again(database, instance):
    begin(database, instance)
    database.run("ALTER TABLE t DROP secret; INSERT INTO t VALUES (2, 'q', 'o');"
                 f"ALTER TABLE t ADD secret varchar(40) AFTER pub; INSERT INTO t VALUES (3, 'r', '{SECRET}', 'o')")
    instance.sync()
    wait_until(lambda: instance.query("SELECT pub FROM app.t ORDER BY id") == [["p"], ["q"], ["r"]], lambda: (table(instance), instance.log()))
    database.run("CREATE TABLE _t_gho LIKE t; ALTER TABLE _t_gho RENAME COLUMN secret TO pub, RENAME COLUMN pub TO secret;"
                 "INSERT INTO _t_gho SELECT * FROM t; RENAME TABLE t TO _t_del, _t_gho TO t; DROP TABLE _t_del;"
                 f"INSERT INTO t (id, pub) VALUES (4, '{SECRET}')")
    assert_refused(instance, "secret", "pub")
    assert_nowhere(instance)


def test_tables_and_columns_whose_names_differ_in_capitals(database, instance):
    begin(database, instance)
    database.run("ALTER TABLE t RENAME COLUMN other TO Other; INSERT INTO t VALUES (2, 'q', 's', 'o')")
    instance.sync()
    assert instance.stop() == 0
    write(instance, '"*.secret": drop')
    database.run("RENAME TABLE t TO T")
    instance.start()
    instance.sync()
    for _ in range(2):
        wait_until(lambda: instance.query("SELECT id, pub FROM app.t ORDER BY id") == [[1, "p"], [2, "q"]],
                   lambda: (instance.stream(), instance.log()))
        instance.restart()
        instance.sync()


def test_tables_without_masks_in_a_stream_that_has_some_are_compared(database, instance):
    begin(database, instance)
    database.run("INSERT INTO u VALUES (2); INSERT INTO t VALUES (2, 'q', 's', 'o')")
    instance.sync()
    for _ in range(2):
        done = instance.command("reconcile", "app")
        assert done.returncode == 0, (done.stdout, done.stderr)
        instance.restart()
        instance.sync()
