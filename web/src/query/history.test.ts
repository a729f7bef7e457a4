import { beforeEach, expect, test, vi } from "vitest";
import { readHistory, withQuery, writeHistory, type PastQuery } from "./history";

const past = (sql: string): PastQuery => ({ sql, at: "2026-11-23T00:00:00Z", seconds: 1, rows: 1 });

beforeEach(() => {
  const kept = new Map<string, string>();
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  });
});

test("the newest query comes first, and each text once", () => {
  let history: PastQuery[] = [];
  for (const sql of ["a", "b", " a "]) history = withQuery(history, past(sql));
  expect(history.map(({ sql }) => sql)).toEqual(["a", "b"]);
});

test("only so many are kept, and nothing empty or huge", () => {
  let history: PastQuery[] = [];
  for (let i = 0; i < 150; i += 1) history = withQuery(history, past(`SELECT ${i}`));
  expect(history.length).toBe(100);
  expect(withQuery(history, past("  "))).toBe(history);
  expect(withQuery(history, past("x".repeat(30_000)))).toBe(history);
});

test("what was written is read again", () => {
  writeHistory([past("SELECT 1")]);
  expect(readHistory()).toEqual([past("SELECT 1")]);
});

test("what somebody else wrote there, or a browser that keeps nothing, is no history", () => {
  for (const bad of ["{", "5", '[1, null, {"sql": 5}]']) {
    localStorage.setItem("biwa.history", bad);
    expect(readHistory(), bad).toEqual([]);
  }
  vi.stubGlobal("localStorage", {
    getItem: () => {
      throw new Error("denied");
    },
    setItem: () => {
      throw new Error("denied");
    },
  });
  writeHistory([past("SELECT 1")]);
  expect(readHistory()).toEqual([]);
});
