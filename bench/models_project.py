"""Writes a project of N models, as Dataform's and Biwa's compilers both read it."""
import os

INCLUDES = {
    "constants.js": """const COLUMNS = ["id", "pupil_id", "answered_at", "seconds", "correct"];
module.exports = { COLUMNS, MIN_SECONDS: 3 };
""",
    "helpers.js": """function bucket(column, sizes) {
  const cases = sizes.map((size, i) => `WHEN ${column} < ${size} THEN ${i}`);
  return `CASE ${cases.join(" ")} ELSE ${sizes.length} END`;
}
module.exports = { bucket, list: (columns) => columns.join(", ") };
""",
}


def model(i, before):
    """Of ten models six are tables with three assertions, and one is of each other kind."""
    source = f'${{ref("m{before:05}")}}' if before is not None else '${ref("app", "answers")}'
    kind = i % 10
    if kind < 6:
        return f"""config {{
  type: "table",
  description: "model {i}",
  tags: ["daily", "t{i % 7}"],
  assertions: {{
    uniqueKey: ["id"],
    nonNull: ["pupil_id"],
    rowConditions: ["seconds >= 0", "id > 0"]
  }}
}}

SELECT a.id, a.pupil_id, a.answered_at, a.seconds, a.correct, count(*) AS answers
FROM {source} AS a
WHERE a.seconds > {i}
GROUP BY ALL
"""
    if kind == 6:
        return f"""config {{ type: "incremental", uniqueKey: ["id"], tags: ["hourly"] }}

SELECT id, pupil_id, answered_at, seconds, correct FROM {source}
${{when(incremental(), `WHERE answered_at > (SELECT max(answered_at) FROM ${{self()}})`)}}
"""
    if kind == 7:
        return f"""config {{ type: "operations", hasOutput: true }}

CREATE OR REPLACE TABLE ${{self()}} AS SELECT id, pupil_id, answered_at, seconds, correct FROM {source}
---
DELETE FROM ${{self()}} WHERE seconds < {i}
"""
    if kind == 8:
        return f"""config {{ type: "view" }}

js {{
  const sizes = [{i % 5 + 1}, 10, 100];
  const columns = constants.COLUMNS.filter((column) => column !== "bucket");
}}

SELECT ${{helpers.list(columns)}}, ${{helpers.bucket("seconds", sizes)}} AS bucket
FROM {source} WHERE seconds > ${{constants.MIN_SECONDS}}
"""
    return f"""config {{ type: "view" }}

SELECT id, pupil_id, answered_at, seconds, correct FROM {source}
"""


def write(folder, count):
    def put(path, text):
        path = os.path.join(folder, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    put("biwa.yaml", "name: bench\nmodels:\n  default_dataset: mart\n")
    put("workflow_settings.yaml", "defaultProject: bench\ndefaultDataset: mart\n"
        "defaultAssertionDataset: assertions\ndefaultLocation: US\n")
    put("definitions/sources.js", 'declare({ schema: "app", name: "answers" });\n')
    for name, text in INCLUDES.items():
        put(f"includes/{name}", text)
    for i in range(count):
        # Layers of a tenth of the models: each reads one of the layer before.
        layer = max(count // 10, 1)
        before = i - layer if i >= layer else None
        put(f"definitions/layer{i // layer:02}/m{i:05}.sqlx", model(i, before))
