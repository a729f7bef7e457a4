"""Brings the oracle's graph and ours into one form, so that what is left to differ is wrong.

What is evened out, and why:
- Names in SQL: `project.dataset.table` is BigQuery's, "dataset"."table" this warehouse's.
- Strings in the SQL of row conditions: BigQuery escapes by a backslash, SQL doubles the quote.
- The warehouse of the settings: "bigquery" there, "duckdb" here.
- White space around a piece of SQL, and pieces of nothing else: ours are trimmed, also where they
  stand in brackets as a test's input.
- The dataset of assertions, where it is the default one: said or left out.
- The file of a declaration in an actions.yaml: the oracle has forgotten it.
- Values that are a field's default, which protobuf's JSON may leave out.
- The order of actions and of their dependencies.
- Errors: by kind; the words are our own. Each of ours has to stand in a file where the oracle has
  one of that kind, too: where it says a thing of two files, we say it of one and name the other.
- Of a graph with errors only those are compared: the oracle keeps what it had when it gave up.
"""
import re

GROUPS = ("tables", "operations", "assertions", "declarations", "tests", "notebooks",
          "dataPreparations")
SQL_FIELDS = ("query", "incrementalQuery", "where", "testQuery", "expectedOutputQuery")
SQL_LISTS = ("queries", "preOps", "postOps", "incrementalPreOps", "incrementalPostOps")

# kind -> what the oracle says of it, what we say.
KINDS = {
    "yaml": (r"is not a valid YAML", r"no YAML|not closed before the end of the file"),
    "settings": (r"cannot be defined alongside|Workflow settings error|Dataform json error",
                 r"beside workflow_settings.yaml|workflow_settings.yaml:\d|dataform.json:\d"),
    "missing": (r"Missing dependency detected|Could not resolve|could not be found",
                r"there is no model or table|makes no table that could be tested"),
    "ambiguous": (r"Ambiguous Action name", r"may mean"),
    "circular": (r"Circular dependency", r"in a circle"),
    "duplicate": (r"Duplicate (action name|canonical target)", r"is already (made|named) by|has the name of another"),
    "property": (r"Unexpected property|Unexpected empty value|\.map is not a function|'protected: true'",
                 r"unknown [\w.]+ key|expected .*, found|must not be empty|\" is for types? "),
    "type": (r"Unrecognized action type", r"unknown type"),
    "semicolon": (r"Semi-colons are not allowed", r"no \";\""),
    "statements": (r"more than one SQL statement", r"has one SQL statement"),
    "where": (r"incremental_where if", r"incremental_where is for"),
    "where_statements": (r"'(incremental_where|input)' code blocks may only", r"holds one SQL statement"),
    "operations": (r"may only include (pre|post)_operations", r"pre_operations and post_operations are"),
    "input": (r"may only include input blocks", r"input blocks are for"),
    "dot": (r"cannot include '\.'", r"must have no \"\.\""),
    "no_output": (r"cannot resolve operations which do not produce", r"makes no table that could be read"),
    "columns": (r"may only describe columns if", r"columns are described"),
    "unique_keys": (r"at most one of 'assertions.uniqueKey'", r"uniqueKey or assertions.uniqueKeys"),
    "conflict": (r'Conflicting "includeDependentAssertions"', r"and without its assertions"),
    "merge": (r"'merge' requires", r'"MERGE" needs'),
    "overwrite": (r"'insert_overwrite' requires", r'"INSERT_OVERWRITE" needs'),
    "predicates": (r"cannot be both set", r"incrementalPredicates or updatePartitionFilter"),
    "materialized": (r"only to materialized views", r"for materialized views only"),
    "partition": (r"not valid for non partitioned", r"for partitioned tables only"),
    "twice": (r"has been declared twice", r"is given twice"),
    "file_format": (r"Unexpected file format", r"Parquet"),
    "connection": (r"The connection must be in the format", r"is no connection"),
    "bucket": (r"bucket name must be defined", r"names no bucket"),
    "test_dataset": (r"must operate upon a specified dataset|Cannot convert undefined or null", r"names no model to test"),
    "test_input": (r"Input for dataset .* has not been provided", r"has no input for"),
    "test_name": (r"Duplicate test name", r"another test is called"),
    "test_empty": (r"(Test|Expected) query is empty", r"has no SQL"),
    "name": (r"must have a populated 'name'|Action name is not specified", r"names no table|needs a name"),
    "arguments": (r"Invalid input. Accepted inputs", r"takes a name"),
    "sqlx_file": (r"\.sqlx files cannot be referenced", r"\.sqlx files? .*of its own"),
    "no_file": (r"Cannot find module", r"there is no file"),
    "empty_action": (r"Empty action configs", r"says no type of action"),
    "choice": (r'value "\w*" is not supported', r"expected one of"),
    "thrown": (r"^stop here$", r"stop here"),
    "javascript": (r"is not defined|is not a function|Unexpected (token|identifier)|Cannot read propert|Invalid or unexpected",
                   r"JavaScript|never closed|is not closed|(Reference|Syntax|Type)Error"),
}


def kind_of(message, side):
    """The kind of an error of the oracle's (side 0) or of ours (1)."""
    for kind, patterns in KINDS.items():
        if re.search(patterns[side], message):
            return kind
    return f"unknown: {message}"


def sql(text):
    text = re.sub(r"`(?:[^`.]+\.)?([^`.]+)\.([^`.]+)`", r'"\1"."\2"', text)
    return text.strip()


def row_conditions(text):
    def requote(match):
        plain = re.sub(r"\\(.)", r"\1", match[1])
        return "'" + plain.replace("'", "''") + "' AS failing_row_condition"
    return re.sub(r"'((?:[^'\\]|\\.)*)' AS failing_row_condition", requote, text)


def without_defaults(value):
    if isinstance(value, dict):
        kept = {key: without_defaults(item) for key, item in value.items()}
        return {key: item for key, item in kept.items()
                if item not in (None, False, "", 0, [], {}, "IGNORE", "UNKNOWN",
                                "INCREMENTAL_STRATEGY_UNSPECIFIED")}
    if isinstance(value, list):
        return [without_defaults(item) for item in value]
    return value


def target_key(target):
    return (target.get("database", ""), target.get("schema", ""), target.get("name", ""))


def action(value, of_oracle):
    value = dict(value)
    for field in SQL_FIELDS:
        if field in value:
            value[field] = sql(value[field])
    for field in SQL_LISTS:
        if field in value:
            value[field] = [text for text in map(sql, value[field]) if text]
    if of_oracle and "query" in value:
        value["query"] = row_conditions(value["query"])
    if "testQuery" in value:
        value["testQuery"] = re.sub(r"\(\s+", "(", re.sub(r"\s+\)", ")", value["testQuery"]))
    if value.get("fileName", "").endswith("/actions.yaml"):
        del value["fileName"]
    targets = value.get("dependencyTargets", [])
    for target in targets:
        target.pop("includeDependentAssertions", None)
    value["dependencyTargets"] = sorted(targets, key=target_key)
    return without_defaults(value)


def graph(value, of_oracle):
    config = {**value.get("projectConfig", {}), "warehouse": "any"}
    if config.get("assertionSchema") == config.get("defaultSchema"):
        config.pop("assertionSchema", None)
    normal = {"projectConfig": without_defaults(config),
              "dataformCoreVersion": value.get("dataformCoreVersion"),
              "targets": sorted(value.get("targets", []), key=target_key)}
    for group in GROUPS:
        for one in value.get(group, []):
            one = action(one, of_oracle)
            name = ".".join(target_key(one.get("target", {})))
            normal.setdefault(group, {})[name + one.get("name", "")] = one
    return normal


def errors(value, side):
    found = value.get("graphErrors", {}).get("compilationErrors", [])
    return {(error.get("fileName", ""), kind_of(error["message"], side)) for error in found}


def differences(theirs, ours, path=""):
    """Lines that say where two values are not the same."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        lines = []
        for key in sorted(theirs.keys() | ours.keys()):
            below = f"{path}/{key}"
            if key not in ours:
                lines.append(f"{below}: missing, oracle has {theirs[key]!r}")
            elif key not in theirs:
                lines.append(f"{below}: oracle has none, ours {ours[key]!r}")
            else:
                lines += differences(theirs[key], ours[key], below)
        return lines
    if theirs == ours:
        return []
    return [f"{path}:\n  oracle {theirs!r}\n  ours   {ours!r}"]


def compare(answer, ours, stderr):
    """Lines of difference. `answer` is the oracle's; `ours` our JSON, None where there is none."""
    if "thrown" in answer:
        kind = kind_of(answer["thrown"], 0)
        if ours is not None:
            found = {kind for _, kind in errors(ours, 1)}
            return [] if kind in found else [f"oracle throws {kind}, ours has {found}"]
        our_kinds = {kind_of(line, 1) for line in stderr.splitlines() if line.strip()}
        return [] if kind in our_kinds else [f"oracle throws {kind}: {answer['thrown']}\nours {stderr}"]
    if ours is None:
        return [f"oracle compiles, ours says {stderr}"]
    their_errors, our_errors = errors(answer["graph"], 0), errors(ours, 1)
    same_kinds = {kind for _, kind in their_errors} == {kind for _, kind in our_errors}
    # What a test has no input for, the oracle says of the model, and we of the test. A circle may
    # begin with any of its files.
    misplaced = {error for error in our_errors - their_errors
                 if error[1] not in ("test_input", "circular")}
    if not same_kinds or misplaced:
        return [f"errors:\n  oracle {sorted(their_errors)}\n  ours   {sorted(our_errors)}\n"
                f"  oracle's words {answer['graph'].get('graphErrors')}\n"
                f"  ours {ours.get('graphErrors')}"]
    if their_errors:
        return []
    return differences(graph(answer["graph"], True), graph(ours, False))
