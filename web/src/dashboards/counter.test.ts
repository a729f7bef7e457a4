import { expect, test } from "vitest";
import { jsonRows } from "../result/json_rows";
import { counterOf } from "./counter";
import { tileChart } from "./tile_chart";

const columns = [
  { name: "answers", type: "BIGINT" },
  { name: "previous", type: "BIGINT" },
];

test("a counter shows its column, and the change since the previous one", () => {
  expect(counterOf(jsonRows(columns, [[12, 10]]), ["answers"])).toMatchObject({
    value: 12,
    previous: 10,
    change: 2,
  });
  expect(counterOf(jsonRows(columns, [[12, 10]]), null)).toMatchObject({ value: 12, change: 2 });
});

test("a counter without a previous value, or without a row, shows no change", () => {
  expect(counterOf(jsonRows(columns.slice(0, 1), [[12]]), null)).toMatchObject({
    value: 12,
    change: null,
  });
  expect(counterOf(jsonRows(columns, [[12, null]]), null)).toMatchObject({ change: null });
  expect(counterOf(jsonRows(columns, [[null, 10]]), null)).toMatchObject({
    value: null,
    change: null,
  });
  expect(counterOf(jsonRows(columns, []), null)).toBeNull();
});

test("a tile draws the columns that it names", () => {
  const rows = jsonRows(
    [{ name: "day", type: "DATE" }, ...columns],
    [
      ["2026-11-01", 1, 2],
      ["2026-11-02", 3, 4],
    ],
  );
  const tile = { type: "bar" as const, x: "day", y: ["previous"], series: null };
  expect(tileChart(tile, rows)).toEqual({ type: "bar", x: 0, y: [2], series: null });
});

test("a tile that names nothing, or what is not there, draws what fits", () => {
  const rows = jsonRows(
    [{ name: "day", type: "DATE" }, columns[0]!],
    [
      ["2026-11-01", 1],
      ["2026-11-02", 3],
    ],
  );
  for (const x of [null, "gone"]) {
    expect(tileChart({ type: "line", x, y: ["gone"], series: "gone" }, rows)).toEqual({
      type: "line",
      x: 0,
      y: [1],
      series: null,
    });
  }
  expect(
    tileChart({ type: "line", x: null, y: null, series: null }, jsonRows(columns, [])),
  ).toBeNull();
});
