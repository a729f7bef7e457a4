import { describe, expect, test } from "vitest";
import type { Cell } from "../api/types";
import { jsonRows } from "../result/json_rows";
import { chooseChart } from "./choice";
import { chartData } from "./data";

function rowsOf(columns: Record<string, string>, cells: Cell[][]) {
  return jsonRows(
    Object.entries(columns).map(([name, type]) => ({ name, type })),
    cells,
  );
}

describe("the chart that is chosen", () => {
  test("is a line over time", () => {
    const rows = rowsOf({ day: "DATE", answers: "BIGINT", students: "BIGINT" }, [
      ["2026-11-01", 5, 1],
      ["2026-11-02", 6, 2],
    ]);
    expect(chooseChart(rows)).toEqual({ type: "line", x: 0, y: [1, 2], series: null });
  });

  test("is a bar a name", () => {
    const rows = rowsOf({ subject: "VARCHAR", answers: "BIGINT" }, [
      ["算数", 5],
      ["国語", 6],
    ]);
    expect(chooseChart(rows)).toEqual({ type: "bar", x: 0, y: [1], series: null });
  });

  test("splits by a second name where time repeats", () => {
    const rows = rowsOf({ day: "DATE", classroom: "VARCHAR", answers: "BIGINT" }, [
      ["2026-11-01", "a", 5],
      ["2026-11-01", "b", 6],
      ["2026-11-02", "a", 7],
    ]);
    expect(chooseChart(rows)).toEqual({ type: "line", x: 0, y: [2], series: 1 });
  });

  test("does not draw ids, unless there is nothing else", () => {
    const cells: Cell[][] = [
      ["a", 1, 10],
      ["b", 2, 20],
    ];
    expect(
      chooseChart(rowsOf({ name: "VARCHAR", student_id: "BIGINT", score: "DOUBLE" }, cells))?.y,
    ).toEqual([2]);
    expect(chooseChart(rowsOf({ name: "VARCHAR", id: "BIGINT" }, cells))?.y).toEqual([1]);
  });

  test("takes the rising one of numbers alone for what they are by", () => {
    const rows = rowsOf({ answers: "BIGINT", week: "INTEGER" }, [
      [9, 1],
      [4, 2],
      [6, 3],
    ]);
    expect(chooseChart(rows)).toEqual({ type: "line", x: 1, y: [0], series: null });
  });

  test("is none without two rows, or without a number", () => {
    expect(chooseChart(rowsOf({ day: "DATE", n: "BIGINT" }, [["2026-11-01", 5]]))).toBeNull();
    expect(
      chooseChart(
        rowsOf({ a: "VARCHAR", b: "VARCHAR" }, [
          ["x", "y"],
          ["z", "w"],
        ]),
      ),
    ).toBeNull();
    expect(chooseChart(rowsOf({ n: "BIGINT" }, [[1], [2]]))).toBeNull();
    expect(chooseChart(rowsOf({}, []))).toBeNull();
  });
});

describe("the data that is drawn", () => {
  test("runs forward in time, however it was ordered", () => {
    const rows = rowsOf({ day: "DATE", n: "BIGINT" }, [
      ["2026-11-02", 6],
      ["2026-11-01", null],
    ]);
    const data = chartData(rows, { type: "line", x: 0, y: [1], series: null });
    expect(data.labels).toEqual(["2026-11-01", "2026-11-02"]);
    expect(data.series).toEqual([{ name: "n", values: [null, 6] }]);
    expect(data.times).toEqual([new Date(2026, 10, 1).getTime(), new Date(2026, 10, 2).getTime()]);
  });

  test("leaves a gap where a series has no row", () => {
    const rows = rowsOf({ day: "DATE", room: "VARCHAR", n: "BIGINT" }, [
      ["2026-11-01", "a", 1],
      ["2026-11-02", "b", 2],
      ["2026-11-02", null, 3],
    ]);
    expect(chartData(rows, { type: "line", x: 0, y: [2], series: 1 }).series).toEqual([
      { name: "a", values: [1, null] },
      { name: "b", values: [null, 2] },
      { name: "NULL", values: [null, 3] },
    ]);
  });

  test("reads no more rows than can be drawn, and says so", () => {
    const rows = rowsOf(
      { x: "VARCHAR", n: "BIGINT" },
      Array.from({ length: 20_001 }, (_, i) => [`${i}`, i]),
    );
    expect(chartData(rows, { type: "bar", x: 0, y: [1], series: null }).rowsRead).toBe(20_000);
  });
});
