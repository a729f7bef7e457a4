import { describe, expect, it } from "vitest";
import { around, layOut } from "./layout";

const kNodes = [
  { name: "answers", needs: [] },
  { name: "pupils", needs: [] },
  { name: "daily", needs: ["answers"] },
  { name: "risk", needs: ["daily", "pupils"] },
  { name: "alone", needs: ["elsewhere"] },
];

describe("layOut", () => {
  it("puts each behind all that it needs", () => {
    const { places, columns } = layOut(kNodes);
    expect(places.get("answers")!.column).toBe(0);
    expect(places.get("daily")!.column).toBe(1);
    expect(places.get("risk")!.column).toBe(2);
    expect(places.get("alone")!.column).toBe(0);
    expect(columns).toBe(3);
  });

  it("gives no two the same place", () => {
    const wide = Array.from({ length: 40 }, (_, i) => ({
      name: `m${i}`,
      needs: i < 10 ? [] : [`m${i % 10}`, `m${(i * 7) % 10}`],
    }));
    const { places, rows } = layOut(wide);
    const taken = new Set([...places.values()].map(({ column, row }) => `${column}/${row}`));
    expect(taken.size).toBe(40);
    expect(rows).toBe(30);
  });

  it("keeps lines from crossing where they need not", () => {
    const { places } = layOut([
      { name: "a", needs: [] },
      { name: "b", needs: [] },
      { name: "x", needs: ["b"] },
      { name: "y", needs: ["a"] },
    ]);
    const row = (name: string) => places.get(name)!.row;
    expect(row("a") < row("b")).toBe(row("y") < row("x"));
  });

  it("ends on a cycle, and on nothing", () => {
    expect(layOut([{ name: "a", needs: ["b"] }, { name: "b", needs: ["a"] }]).places.size).toBe(2);
    expect(layOut([])).toEqual({ places: new Map(), columns: 0, rows: 0 });
  });
});

describe("around", () => {
  it("is what a model needs and what needs it, not their other kin", () => {
    expect([...around(kNodes, "daily")].sort()).toEqual(["answers", "daily", "risk"]);
    expect([...around(kNodes, "pupils")].sort()).toEqual(["pupils", "risk"]);
  });
});
