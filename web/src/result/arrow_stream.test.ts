import {
  bool,
  dateDay,
  decimal128,
  dictionary,
  float64,
  int32,
  int64,
  list,
  tableFromArrays,
  tableToIPC,
  timestamp,
  TimeUnit,
  utf8,
  type DataType,
} from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { ArrowRows, decimalText } from "./arrow_rows";
import { ArrowStreamError, ArrowStreamReader } from "./arrow_stream";
import { valueText } from "./column";

const kEndMarkBytes = 8;

function streamOf(
  arrays: Record<string, unknown[]>,
  types: Record<string, DataType>,
  maxBatchRows = Infinity,
): Uint8Array {
  return tableToIPC(tableFromArrays(arrays, { types, maxBatchRows }), { format: "stream" })!;
}

function read(bytes: Uint8Array, chunkBytes: number): { rows: ArrowRows; whole: boolean } {
  const stream = new ArrowStreamReader();
  const rows = new ArrowRows();
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    for (const table of stream.push(bytes.slice(at, at + chunkBytes))) rows.add(table);
  }
  return { rows, whole: stream.whole };
}

function texts(rows: ArrowRows, column: number): (string | null)[] {
  const { kind } = rows.columns[column]!;
  return Array.from({ length: rows.rowCount }, (_, row) => {
    const value = rows.value(row, column);
    return value === null ? null : valueText(value, kind);
  });
}

describe("an Arrow stream", () => {
  const ids = Array.from({ length: 1000 }, (_, i) => i);
  const bytes = streamOf(
    { id: ids, name: ids.map((id) => (id % 7 === 0 ? null : `生徒 ${id}`)) },
    { id: int32(), name: utf8() },
    100,
  );

  test("reads alike however its bytes are cut", () => {
    for (const chunkBytes of [1, 7, 64, 1000, bytes.length]) {
      const { rows, whole } = read(bytes, chunkBytes);
      expect(whole).toBe(true);
      expect(rows.rowCount).toBe(1000);
      expect([rows.value(0, 0), rows.value(99, 0), rows.value(100, 0), rows.value(999, 0)]).toEqual(
        [0, 99, 100, 999],
      );
      expect([rows.value(0, 1), rows.value(1, 1), rows.value(998, 1)]).toEqual([
        null,
        "生徒 1",
        "生徒 998",
      ]);
    }
  });

  test("hands over each batch as soon as it is there", () => {
    const stream = new ArrowStreamReader();
    const half = stream.push(bytes.slice(0, bytes.length / 2));
    const rows = half.reduce((sum, table) => sum + table.numRows, 0);
    expect(rows).toBeGreaterThan(0);
    expect(rows).toBeLessThan(1000);
    expect(stream.whole).toBe(false);
  });

  test("without its end mark is not whole, wherever it was cut", () => {
    for (const length of [
      0,
      5,
      100,
      bytes.length / 2,
      bytes.length - kEndMarkBytes,
      bytes.length - 1,
    ]) {
      expect(read(bytes.slice(0, Math.floor(length)), 64).whole, String(length)).toBe(false);
    }
  });

  test("without rows still tells its columns", () => {
    const { rows, whole } = read(streamOf({ id: [] }, { id: int64() }), 16);
    expect(whole).toBe(true);
    expect(rows.rowCount).toBe(0);
    expect(rows.columns).toEqual([{ name: "id", type: "BIGINT", kind: "number" }]);
  });

  test("that is something else is refused", () => {
    const push = (text: string) => () =>
      new ArrowStreamReader().push(new TextEncoder().encode(text));
    expect(push('{"error": {"kind": "user"}}')).toThrow(ArrowStreamError);
    const claims = new Uint8Array(64).fill(255);
    expect(() => new ArrowStreamReader().push(claims)).toThrow(ArrowStreamError);
    const nonsense = new Uint8Array([
      255,
      255,
      255,
      255,
      16,
      0,
      0,
      0,
      ...new Array<number>(16).fill(77),
    ]);
    expect(() => new ArrowStreamReader().push(nonsense)).toThrow(ArrowStreamError);
  });
});

describe("values", () => {
  test("keep every digit", () => {
    const { rows } = read(
      streamOf(
        {
          big: [9007199254740993n, -1n],
          money: ["x", "y"].map((_, i) => [1234567890123456789n, -5n][i]),
        },
        { big: int64(), money: decimal128(20, 2) },
      ),
      999,
    );
    expect(texts(rows, 0)).toEqual(["9007199254740993", "-1"]);
    expect(texts(rows, 1)).toEqual(["12345678901234567.89", "-0.05"]);
    expect(rows.columns.map(({ type }) => type)).toEqual(["BIGINT", "DECIMAL(20,2)"]);
  });

  test("of time are in the viewer's zone where they are instants, else as written", () => {
    const ms = Date.UTC(2026, 10, 23, 5, 6, 7, 123);
    const { rows } = read(
      streamOf(
        { at: [ms], plain: [ms], day: [new Date(ms)] },
        {
          at: timestamp(TimeUnit.MICROSECOND, "UTC"),
          plain: timestamp(TimeUnit.MICROSECOND),
          day: dateDay(),
        },
      ),
      999,
    );
    expect([texts(rows, 0), texts(rows, 1), texts(rows, 2)]).toEqual([
      ["2026-11-23 14:06:07.123"],
      ["2026-11-23 05:06:07.123"],
      ["2026-11-23"],
    ]);
  });

  test("of dictionaries, lists and truth are read", () => {
    const { rows } = read(
      streamOf(
        {
          subject: ["math", "英語", "math"],
          scores: [[1, 2], [], null],
          passed: [true, false, null],
          rate: [0.5, null, -1],
        },
        {
          subject: dictionary(utf8(), int32()),
          scores: list(int64()),
          passed: bool(),
          rate: float64(),
        },
        2,
      ),
      50,
    );
    expect(texts(rows, 0)).toEqual(["math", "英語", "math"]);
    expect(texts(rows, 1)).toEqual(["[1,2]", "[]", null]);
    expect(texts(rows, 2)).toEqual(["true", "false", null]);
    expect(texts(rows, 3)).toEqual(["0.5", null, "-1"]);
  });

  test("outside of the rows are null", () => {
    const { rows } = read(streamOf({ id: [1] }, { id: int32() }), 999);
    expect([rows.value(-1, 0), rows.value(1, 0), rows.value(0, 5)]).toEqual([null, null, null]);
  });
});

test("decimals put their point where the scale says", () => {
  expect(decimalText(5n, 3)).toBe("0.005");
  expect(decimalText(-12345n, 2)).toBe("-123.45");
  expect(decimalText(7n, 0)).toBe("7");
});
