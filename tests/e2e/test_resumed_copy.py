"""What happens at the source between two halves of the first copy."""
import pytest

from harness.compare import assert_same_table
from harness.wait import wait_until


@pytest.fixture
def half_copied(database, instance):
    """Killed after the slot was made, before table `essays` was copied: a lock holds the copy up."""
    database.run("CREATE TABLE a_large (id int PRIMARY KEY, body text);"
                 "INSERT INTO a_large SELECT i, repeat('x', 100) FROM generate_series(1, 300000) i;"
                 "CREATE TABLE b_locked (id int PRIMARY KEY);"
                 "CREATE TABLE essays (id int PRIMARY KEY, title text, body text);"
                 "ALTER TABLE essays ALTER body SET STORAGE EXTERNAL;"
                 "INSERT INTO essays SELECT i, 'title', repeat(i::text, 5000) "
                 "FROM generate_series(1, 9) i")
    instance.start()
    wait_until(lambda: instance.stream() and instance.stream()["state"] == "snapshot",
               "the copy to begin", 30, every=0.005)
    with database.server.connect(database.name) as other:
        other.autocommit = False
        other.cursor().execute("LOCK TABLE b_locked IN ACCESS EXCLUSIVE MODE")

        def states():
            return {table["name"]: table["state"] for table in instance.stream()["tables"]}

        wait_until(lambda: states()["a_large"] == "live", states, 30)
        assert states()["b_locked"] != "live", "the lock came too late"
        instance.kill()
        other.rollback()
    return database, instance


def test_rows_that_moved_keep_their_long_values(half_copied):
    database, instance = half_copied
    database.run("UPDATE essays SET id = id + 100 WHERE id <= 3")
    database.run("BEGIN; UPDATE essays SET id = id + 100 WHERE id BETWEEN 4 AND 6;"
                 "UPDATE essays SET id = id + 100, title = 'moved twice' WHERE id > 103; COMMIT")
    database.run("UPDATE essays SET title = 'changed' WHERE id = 7")
    database.run("DELETE FROM essays WHERE id = 8")
    instance.start()
    instance.sync()
    assert assert_same_table(database, instance, "essays") == 8
    assert_same_table(database, instance, "a_large")


def test_a_row_whose_old_key_was_given_to_another_keeps_its_long_value(half_copied):
    database, instance = half_copied
    database.run("BEGIN; UPDATE essays SET id = 10, title = 'moved' WHERE id = 9;"
                 "INSERT INTO essays VALUES (9, 'in its place', 'short'); COMMIT")
    instance.start()
    instance.sync()
    assert assert_same_table(database, instance, "essays") == 10


def test_a_row_that_was_copied_and_then_moved_within_the_table_is_there_once(database, instance):
    database.run("CREATE TABLE large (id int PRIMARY KEY, title text, body text);"
                 "ALTER TABLE large ALTER body SET STORAGE EXTERNAL;"
                 "INSERT INTO large SELECT i, repeat('x', 100), CASE WHEN i < 10 THEN "
                 "repeat('long', 2000) END FROM generate_series(1, 800000) i")
    instance.start(env={"BIWA_SNAPSHOT_SLICE_MS": "1"})
    wait_until(lambda: (instance.stream() or {}).get("state") in ("snapshot", "streaming"),
               "the copy to begin", 30)
    count = "SELECT count(*) FROM app.large"
    wait_until(lambda: instance.value(count) > 0, "the first slice", 30)
    assert instance.value(count) < 800_000, "it was killed too late"
    instance.kill()
    # Their new versions lie at the end of the table, in a range that is copied later.
    database.run("UPDATE large SET title = 'changed' WHERE id < 10")
    database.run("DELETE FROM large WHERE id = 5")
    instance.start()
    instance.sync()
    assert assert_same_table(database, instance, "large") == 799_999


def test_a_column_that_was_added_is_copied(half_copied):
    database, instance = half_copied
    database.run("ALTER TABLE essays ADD COLUMN mark int DEFAULT 5, ADD COLUMN note text")
    database.run("UPDATE essays SET note = 'x' WHERE id = 1")
    database.run("ALTER TABLE a_large ADD COLUMN mark int DEFAULT 7")
    database.run("UPDATE a_large SET mark = 8 WHERE id = 1")
    instance.start()
    instance.sync()
    assert assert_same_table(database, instance, "essays") == 9
    assert_same_table(database, instance, "a_large")


def test_a_column_that_was_dropped_is_left_out(half_copied):
    database, instance = half_copied
    database.run("ALTER TABLE essays DROP COLUMN title")
    database.run("UPDATE essays SET id = 10 WHERE id = 1")
    instance.start()
    instance.sync()
    assert instance.query("SELECT id, title, length(body) FROM app.essays WHERE id >= 9 ORDER BY 1"
                          ) == [[9, None, 5000], [10, None, 5000]]


def test_a_table_that_was_dropped_does_not_stop_the_others(half_copied):
    database, instance = half_copied
    database.run("DROP TABLE essays")
    instance.start()
    instance.sync()
    assert_same_table(database, instance, "a_large")


def test_a_table_that_was_rewritten_between_the_halves_is_copied_anew(database, instance):
    database.run("CREATE TABLE large (id int PRIMARY KEY, title text);"
                 "INSERT INTO large SELECT i, repeat('x', 100) FROM generate_series(1, 800000) i;"
                 "DELETE FROM large WHERE id % 3 > 0")
    instance.start(env={"BIWA_SNAPSHOT_SLICE_MS": "1"})
    wait_until(lambda: (instance.stream() or {}).get("state") in ("snapshot", "streaming"),
               "the copy to begin", 30)
    count = "SELECT count(*) FROM app.large"
    wait_until(lambda: instance.value(count) > 0, "the first slice", 30)
    assert instance.value(count) < 266_666, "it was killed too late"
    instance.kill()
    # The rows of the later ranges lie in the earlier ones then.
    database.run("VACUUM FULL large")
    instance.start()
    instance.settle()
    instance.sync()
    assert assert_same_table(database, instance, "large") == 266_666


def test_a_table_that_is_dropped_while_others_are_copied_does_not_stop_the_stream(database, instance):
    database.run("CREATE TABLE a_large (id int PRIMARY KEY, body text);"
                 "INSERT INTO a_large SELECT i, repeat('x', 100) FROM generate_series(1, 300000) i;"
                 "CREATE TABLE b_locked (id int PRIMARY KEY);"
                 "CREATE TABLE c_dropped (id int PRIMARY KEY)")
    instance.start()
    wait_until(lambda: instance.stream() and instance.stream()["state"] == "snapshot",
               "the copy to begin", 30, every=0.005)
    with database.server.connect(database.name) as other:
        other.autocommit = False
        other.cursor().execute("LOCK TABLE b_locked IN ACCESS EXCLUSIVE MODE")

        def states():
            return {table["name"]: table["state"] for table in instance.stream()["tables"]}

        wait_until(lambda: states()["a_large"] == "live", states, 30)
        assert states()["b_locked"] != "live", "the lock came too late"
        database.run("DROP TABLE c_dropped")
        other.rollback()
    instance.settle()
    instance.sync()
    assert_same_table(database, instance, "a_large")
