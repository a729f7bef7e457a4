"""Each key of a config against each type: who takes it, here and in Dataform."""
import os
import pathlib
import re

import pytest

from test_oracle import oracle, ours  # noqa: F401

TYPES = ["table", "view", "incremental", "assertion", "operations", "declaration", "test"]
MODELS = ["table", "view", "incremental"]
STORED = ["table", "incremental"]
ACTIONS = MODELS + ["assertion", "operations"]
NOT_TESTS = ACTIONS + ["declaration"]

# key -> a value, the types that have it, and what else a type has to say with it.
KEYS = {
    "name": ('"other"', TYPES, {}),
    "schema": ('"sales"', NOT_TESTS, {}),
    "dataset": ('"mart"', NOT_TESTS, {}),  # of a test: the model
    "database": ('"proj"', NOT_TESTS, {}),
    "project": ('"proj"', NOT_TESTS, {}),
    "tags": ('["x"]', TYPES, {}),
    "description": ('"what it is"', NOT_TESTS, {}),
    "columns": ('{ a: "the a" }', MODELS + ["operations", "declaration"],
                {"operations": "hasOutput: true"}),
    "dependencies": ('["m"]', ACTIONS, {}),
    "dependencyTargets": ('[{ name: "m", dataset: "mart" }]', ACTIONS, {}),
    "dependOnDependencyAssertions": ("true", ACTIONS, {}),
    "disabled": ("true", ACTIONS, {}),
    "hermetic": ("true", ACTIONS, {}),
    "reservation": ('"r"', ACTIONS, {}),
    "hasOutput": ("true", ["operations"], {}),
    "materialized": ("true", ["view"], {}),
    "assertions": ('{ nonNull: ["a"] }', MODELS, {}),
    "preOperations": ('["SELECT 1"]', MODELS, {}),
    "postOperations": ('["SELECT 1"]', MODELS, {}),
    "uniqueKey": ('["a"]', ["incremental"], {}),
    "incrementalStrategy": ('"MERGE"', ["incremental"], {"incremental": 'uniqueKey: ["a"]'}),
    "onSchemaChange": ('"EXTEND"', ["incremental"], {}),
    "protected": ("true", ["incremental"], {}),
    "updatePartitionFilter": ('"a > 1"', ["incremental"], {"incremental": 'uniqueKey: ["a"]'}),
    "incrementalPredicates": ('["T.a > 1"]', ["incremental"], {"incremental": 'uniqueKey: ["a"]'}),
    "partitionBy": ('"a"', MODELS, {"view": "materialized: true"}),
    "clusterBy": ('["a"]', MODELS, {"view": "materialized: true"}),
    "labels": ('{ team: "x" }', MODELS, {}),
    "additionalOptions": ('{ a: "b" }', MODELS, {}),
    "bigquery": ('{ labels: { team: "x" } }', MODELS, {}),
    "partitionExpirationDays": ("3", STORED, {one: 'partitionBy: "a"' for one in STORED}),
    "requirePartitionFilter": ("true", STORED, {one: 'partitionBy: "a"' for one in STORED}),
    "iceberg": ('{ bucketName: "b" }', STORED, {}),
    "preserveGovernanceControls": ("true", ["table"], {}),
    "metadata": ('{ overview: "o" }', MODELS + ["assertion"], {}),
}

# Biwa's own, which Dataform refuses.
OURS = {
    "refresh": ('"10m"', STORED, {}),
    "freshness": ('{ warn: "10m" }', MODELS, {}),
    "contract": ('"enforced"', MODELS,
                 {one: 'columns: { a: { type: "INTEGER" } }' for one in MODELS}),
    "severity": ('"warn"', ["assertion"], {}),
    "intervals": ('{ column: "a", from: "2026-01-01", every: "1d" }', ["incremental"], {}),
    "history": ("{}", MODELS, {one: 'uniqueKey: ["a"]' for one in MODELS}),
}


def write_project(folder, key, value, with_it):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "biwa.yaml").write_text("name: keys\n")
    (folder / "workflow_settings.yaml").write_text("defaultProject: proj\ndefaultDataset: mart\n")
    (folder / "definitions").mkdir()
    (folder / "definitions/m.sqlx").write_text('config { type: "table" }\nSELECT 1 AS a\n')
    for kind in TYPES:
        parts = [f'type: "{kind}"']
        if kind == "test" and key != "dataset":
            parts.append('dataset: "m"')
        if kind == "test" and key == "dataset":
            value_here = '"m"'
        else:
            value_here = value
        parts += [with_it[kind]] if kind in with_it else []
        parts.append(f"{key}: {value_here.replace('other', 'other_' + kind)}")
        sql = "" if kind == "declaration" else "SELECT 1 AS a\n"
        (folder / f"definitions/of_{kind}.sqlx").write_text(
            "config { " + ", ".join(parts) + " }\n" + sql)


def refused(graph):
    """The types whose file has an error, and what it says."""
    found = {}
    for error in (graph or {}).get("graphErrors", {}).get("compilationErrors", []):
        kind = re.fullmatch(r"definitions/of_(\w+)\.sqlx", error.get("fileName", ""))
        if kind:
            found.setdefault(kind[1], error["message"])
    return found


@pytest.mark.parametrize("key", KEYS)
def test_the_types_that_dataform_has_it_for_take_a_key(oracle, tmp_path, key):  # noqa: F811
    value, types, with_it = KEYS[key]
    write_project(tmp_path, key, value, with_it)
    folder = pathlib.Path(os.path.realpath(tmp_path))
    theirs = refused(oracle.ask(folder, {})["graph"])
    graph, said = ours(folder, [])
    mine = refused(graph)
    # A test's dataset is the model that it tests.
    expected = {kind for kind in TYPES if kind not in types and (key, kind) != ("dataset", "test")}
    assert set(theirs) == expected, theirs
    assert set(mine) == expected, (mine, said)
    for kind, message in mine.items():
        assert f'"{key}" is for type' in message, message
        assert kind not in message.partition(" is for type")[2], message


@pytest.mark.parametrize("key", OURS)
def test_keys_of_our_own_are_for_the_types_that_say_so(tmp_path, key):
    value, types, with_it = OURS[key]
    write_project(tmp_path, key, value, with_it)
    graph, said = ours(tmp_path, [])
    mine = refused(graph)
    assert set(mine) == set(TYPES) - set(types), (mine, said)
    for message in mine.values():
        assert f'"{key}" is for type' in message, message


@pytest.mark.parametrize("key", [*KEYS, *OURS])
def test_a_misspelt_key_is_told_which_was_meant(tmp_path, key):
    wrong = key[:-1]
    (tmp_path / "definitions").mkdir()
    (tmp_path / "biwa.yaml").write_text("name: keys\n")
    value = {**KEYS, **OURS}[key][0]
    (tmp_path / "definitions/m.sqlx").write_text(
        f'config {{ type: "table", {wrong}: {value} }}\nSELECT 1 AS a\n')
    _, said = ours(tmp_path, [])
    assert f'definitions/m.sqlx:1:25: unknown config key "{wrong}". Did you mean "{key}"?' in said, said
