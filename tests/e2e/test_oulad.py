"""Real data: the Open University Learning Analytics Dataset, loaded, replayed and compared."""
import re
import subprocess

import pytest

from harness.compare import assert_same_rows, assert_same_table, tables_of
from harness.instance import Instance, make_marker
from harness.paths import OULAD, ROOT, oulad_data

PROJECT = ROOT / "examples" / "oulad" / "project"
DATA = oulad_data()
# Published with the dataset (Kuzilek et al. 2017, table of final results).
FINAL_RESULTS = {"Pass": 12_361, "Withdrawn": 10_156, "Fail": 7_052, "Distinction": 3_024}

pytestmark = pytest.mark.skipif(
    DATA is None, reason="the OULAD's files are not here: name their folder in BIWA_OULAD")


def oulad(database, *arguments):
    done = subprocess.run([OULAD, *arguments, "--data", DATA, "--url", database.url],
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def example_definitions(instance):
    for file in sorted((PROJECT / "definitions").rglob("*.sqlx")):
        instance.write(str(file.relative_to(PROJECT)), file.read_text(encoding="utf-8"))


def marts():
    return {file.stem: file.read_text(encoding="utf-8")
            for file in sorted((PROJECT / "definitions" / "marts").glob("*.sqlx"))}


def sql_for_source(sqlx):
    """The model's SELECT with the source's tables in the place of its references."""
    assert sqlx.startswith("config {")
    sql = sqlx[sqlx.index("\n}\n") + 3:]
    return re.sub(r'\$\{ref\("app", "(\w+)"\)\}', r"public.\1", sql)


@pytest.fixture(scope="module")
def replayed(server, tmp_path_factory):
    with server.database("oulad") as database:
        oulad(database, "load", "--without-submissions")
        make_marker(database)
        with Instance(tmp_path_factory.mktemp("oulad") / "project", database) as instance:
            example_definitions(instance)
            instance.start()
            instance.sync()
            assert instance.value("SELECT count(*) FROM app.student_assessment") == 0
            oulad(database, "replay", "--rate", "max")
            instance.sync()
            yield database, instance
            assert instance.stop() == 0, instance.log()


def test_every_table_equals_its_source(replayed):
    database, instance = replayed
    rows = {table: assert_same_table(database, instance, table) for table in tables_of(database)}
    assert rows["student_assessment"] == 173_912
    assert rows["student_info"] == 32_593
    assert min(rows.values()) > 0


def test_final_results_are_those_that_were_published(replayed):
    _, instance = replayed
    assert dict(instance.query(
        "SELECT final_result, count(*) FROM app.student_info GROUP BY 1")) == FINAL_RESULTS


@pytest.mark.parametrize("mart", sorted(marts()))
def test_a_mart_says_what_postgresql_answers_to_the_same_query(replayed, mart):
    database, instance = replayed
    sql = sql_for_source(marts()[mart])
    # Built once more after the last change, so that nothing is compared with an older state.
    status, _, answer = instance.request("POST", "/api/v1/run", {"select": [f"mart.{mart}"]},
                                         {"Authorization": f"Bearer {instance.token}"})
    assert status == 200, answer
    with database.connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM ({sql}) AS mart LIMIT 0")
        columns = [column.name for column in cursor.description]
        floats = {column.name for column in cursor.description if column.type_code == 701}
    # A sum of floats depends on the order of its parts in the last digits.
    texts = ", ".join(
        f"coalesce(CAST({f'CAST({name} AS numeric(30,9))' if name in floats else name} AS text), "
        f"'(null)') AS c{place}" for place, name in enumerate(columns))
    order = ", ".join(f"c{place}" for place in range(len(columns)))
    count = assert_same_rows(
        database, f"SELECT {texts} FROM ({sql}) AS mart ORDER BY {order}",
        instance, f"SELECT {texts} FROM mart.{mart} ORDER BY {order}", mart)
    assert count > 0


def test_assertions_of_the_example_hold(replayed):
    _, instance = replayed
    models = instance.status()["models"]
    assertions = [one for model in models for one in model["assertions"]]
    assertions += [model for model in models if model["type"] == "assertion"]
    assert len(assertions) > 10
    assert [one for one in assertions if one["state"] != "ok"] == []
