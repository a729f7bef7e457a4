"""Keys that MariaDB and MySQL take for the same and the warehouse does not, or the other way round, where rows are
read anew by them."""
from harness.either import database, instance, is_mysql, maria  # noqa: F401

UNHEARD = "SET SESSION sql_log_bin = 0; {}; SET SESSION sql_log_bin = 1"


def backfill(instance, table, *ends):
    done = instance.command("stream", "backfill", "app", table, *ends)
    assert done.returncode == 0, done.stdout + done.stderr


def reconcile(instance, *options):
    done = instance.command("reconcile", *options)
    return done.returncode, done.stdout


def test_a_float_is_found_by_its_text(database, instance):  # noqa: F811
    database.run("CREATE TABLE f (lat float, lon float, v int, PRIMARY KEY (lat, lon));"
                 "INSERT INTO f SELECT 35 + seq / 7, 139 - seq / 3, seq FROM seq_1_to_100;"
                 "INSERT INTO f VALUES (-0.1, 1e-30, 0), (3e38, 16777217, 0)")
    instance.start()
    instance.sync()
    backfill(instance, "f", "--from", "36", "--to", "40")
    backfill(instance, "f", "--to", "0")
    assert instance.value("SELECT count(*) FROM app.f") == 102
    database.run(UNHEARD.format("UPDATE f SET v = -v; DELETE FROM f WHERE lat > 45 AND lat < 46"))
    assert reconcile(instance)[0] == 1
    repaired = reconcile(instance, "--repair")
    assert repaired[0] == 0 and "repaired" in repaired[1], repaired
    assert instance.query("SELECT count(*), sum(v), count(*) FILTER (lat > 45 AND lat < 46) FROM app.f") == \
        [[int(word) for word in database.run("SELECT count(*), sum(v), sum(lat > 45 AND lat < 46) FROM f")[0]]]


def test_another_spelling_is_another_key_here(database, instance, is_mysql):  # noqa: F811
    collation = "utf8mb4_0900_ai_ci" if is_mysql else "utf8mb4_unicode_ci"
    database.run(f"CREATE TABLE names (k varchar(30) COLLATE {collation} PRIMARY KEY, v int);"
                 "INSERT INTO names VALUES ('Tanaka', 1), ('b', 1);"
                 "CREATE TABLE padded (k varchar(30) COLLATE utf8mb4_general_ci PRIMARY KEY, v int);"
                 "INSERT INTO padded VALUES ('a ', 1), ('b', 1);"
                 f"CREATE TABLE many (k varchar(30) COLLATE {collation} PRIMARY KEY, v int);"
                 "INSERT INTO many SELECT concat('key', seq), 1 FROM seq_1_to_6000")
    instance.start()
    instance.sync()
    database.run(UNHEARD.format("UPDATE names SET k = 'tanaka' WHERE k = 'Tanaka'; UPDATE padded SET k = 'a' WHERE "
                                "k = 'a '; UPDATE many SET k = upper(k)"))
    for table, now, before in (("names", "tanaka", "Tanaka"), ("padded", "a", "a ")):
        backfill(instance, table, "--from", now, "--to", now)
        backfill(instance, table, "--from", before, "--to", before)
        assert instance.query(f"SELECT k, v FROM app.{table} ORDER BY k != 'b'") == [["b", 1], [now, 1]]
    repaired = reconcile(instance, "--repair")
    assert repaired[0] == 0 and "repaired" in repaired[1], repaired
    assert instance.query("SELECT count(*), count(DISTINCT k), count(*) FILTER (k LIKE 'KEY%') FROM app.many") == \
        [[6000, 6000, 6000]]


def test_a_range_is_of_characters_in_whatever_set(database, instance):  # noqa: F811
    database.run("CREATE TABLE j (k varchar(30) CHARACTER SET cp932 PRIMARY KEY, v int);"
                 "INSERT INTO j VALUES ('あ', 1), ('表', 1);"
                 "CREATE TABLE l (k varchar(30) CHARACTER SET latin1 PRIMARY KEY, v int);"
                 "INSERT INTO l VALUES ('à', 1), ('z', 1)")
    instance.start()
    instance.sync()
    database.run(UNHEARD.format("INSERT INTO j VALUES ('う', 2), ('能', 2); INSERT INTO l VALUES ('ñ', 2)"))
    backfill(instance, "j", "--from", "あ", "--to", "能")
    backfill(instance, "l", "--from", "à", "--to", "ÿ")
    assert [k for (k,) in instance.query("SELECT k FROM app.j ORDER BY k")] == ["あ", "う", "能", "表"]
    assert [k for (k,) in instance.query("SELECT k FROM app.l ORDER BY k")] == ["z", "à", "ñ"]


def test_keys_that_are_one_in_unicode_are_named(database, instance):  # noqa: F811
    """Two of cp932's characters for the Roman number one: from the first change on they are one key here."""
    database.run("CREATE TABLE nec (k varchar(10) CHARACTER SET cp932 COLLATE cp932_bin PRIMARY KEY, v int);"
                 "INSERT INTO nec VALUES (x'8754', 1), (x'FA4A', 2);"
                 "CREATE TABLE sjis (k varchar(10) CHARACTER SET sjis PRIMARY KEY, v text CHARACTER SET cp932)")
    instance.start()
    instance.sync()
    notes = {table["name"]: table["notes"] for table in instance.stream()["tables"]}
    assert any("same one of Unicode" in note for note in notes["nec"]) and not notes["sjis"], notes
    assert "nec has k in its key" in instance.command("doctor").stderr
