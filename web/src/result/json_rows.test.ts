import { expect, test } from "vitest";
import { kindOfType, valueText } from "./column";
import { jsonRows } from "./json_rows";

test("the kind of a type is known by DuckDB's and PostgreSQL's names", () => {
  const wanted = {
    BIGINT: "number",
    HUGEINT: "number",
    int4: "number",
    "DECIMAL(18,3)": "number",
    "double precision": "number",
    VARCHAR: "text",
    UUID: "text",
    INTERVAL: "text",
    DATE: "date",
    TIME: "time",
    TIMESTAMP: "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    timestamptz: "timestamptz",
    "BIGINT[]": "nested",
    "STRUCT(a BIGINT)": "nested",
    BLOB: "bytes",
    BOOLEAN: "boolean",
  };
  for (const [type, kind] of Object.entries(wanted)) expect(kindOfType(type), type).toBe(kind);
});

test("JSON cells become values, and digits beyond a number's reach stay digits", () => {
  const rows = jsonRows(
    [
      { name: "n", type: "BIGINT" },
      { name: "money", type: "DECIMAL(10,2)" },
      { name: "day", type: "DATE" },
      { name: "at", type: "TIMESTAMP WITH TIME ZONE" },
      { name: "plain", type: "TIMESTAMP" },
    ],
    [
      [
        "9007199254740993",
        "10.50",
        "2026-11-23",
        "2026-11-23T05:06:07.5Z",
        "2026-11-23T05:06:07.5",
      ],
      [5, "7", null, "2026-11-23 05:06:07+00", "not a time"],
    ],
  );
  const text = (row: number, column: number) => {
    const value = rows.value(row, column);
    return value === null ? null : valueText(value, rows.columns[column]!.kind);
  };
  expect(rows.value(0, 0)).toBe("9007199254740993");
  expect(rows.value(0, 1)).toBe("10.50");
  expect(rows.value(1, 1)).toBe(7);
  expect(text(0, 2)).toBe("2026-11-23");
  expect(text(0, 3)).toBe("2026-11-23 14:06:07.5");
  expect(text(0, 4)).toBe("2026-11-23 05:06:07.5");
  expect(text(1, 2)).toBeNull();
  expect(text(1, 3)).toBe("2026-11-23 14:06:07");
  expect(text(1, 4)).toBe("not a time");
});

test("a row that is too short reads as NULL", () => {
  const rows = jsonRows(
    [
      { name: "a", type: "BIGINT" },
      { name: "b", type: "BIGINT" },
    ],
    [[1]],
  );
  expect([rows.value(0, 0), rows.value(0, 1), rows.value(1, 0)]).toEqual([1, null, null]);
});
