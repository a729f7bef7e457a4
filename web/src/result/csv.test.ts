import { expect, test } from "vitest";
import type { Cell } from "../api/types";
import { csvParts, csvRow } from "./csv";
import { jsonRows } from "./json_rows";

const columns = [
  { name: "氏名", type: "VARCHAR" },
  { name: "n,m", type: "BIGINT" },
  { name: "at", type: "TIMESTAMP WITH TIME ZONE" },
];

function rowText(...cells: Cell[]): string {
  return csvRow(jsonRows(columns, [cells]), 0);
}

test("what a reader could mistake is quoted", () => {
  expect(rowText('a "b", c', 1, null)).toBe('"a ""b"", c",1,');
  expect(rowText("two\nlines", 1, null)).toBe('"two\nlines",1,');
  expect(rowText(" space", 1, null)).toBe('" space",1,');
  expect(rowText("佐藤 陽葵", 1, null)).toBe("佐藤 陽葵,1,");
});

test("NULL and an empty text are two things", () => {
  expect(rowText(null, null, null)).toBe(",,");
  expect(rowText("", 0, null)).toBe('"",0,');
});

test("an instant is written in UTC, whoever downloads it", () => {
  expect(rowText("x", 1, "2026-11-23T05:06:07Z")).toBe("x,1,2026-11-23 05:06:07+00");
});

test("a file has a byte order mark, its header and every row, in parts", () => {
  const cells = Array.from({ length: 25_000 }, (_, i): Cell[] => ["x", i, null]);
  const parts = [...csvParts(jsonRows(columns, cells))];
  expect(parts.length).toBe(4);
  expect(parts[0]).toBe('\ufeff氏名,"n,m",at\r\n');
  const lines = parts.slice(1).join("").split("\r\n");
  expect(lines.length).toBe(25_001);
  expect(lines[24_999]).toBe("x,24999,");
});
