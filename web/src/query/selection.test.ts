import { expect, test } from "vitest";
import { bounds, moved, type Selection } from "./selection";

const size = { rows: 1000, columns: 4, page: 20 };
const at = (row: number, column: number): Selection => ({
  anchor: { row, column },
  active: { row, column },
});
const press = (key: string, held: { shift?: boolean; ctrl?: boolean } = {}) => ({
  key,
  shift: held.shift ?? false,
  ctrl: held.ctrl ?? false,
});

test("keys move the active cell and stop at the edges", () => {
  expect(moved(at(5, 1), press("ArrowDown"), size)).toEqual(at(6, 1));
  expect(moved(at(0, 0), press("ArrowUp"), size)).toEqual(at(0, 0));
  expect(moved(at(999, 3), press("ArrowRight"), size)).toEqual(at(999, 3));
  expect(moved(at(5, 1), press("PageDown"), size)).toEqual(at(25, 1));
  expect(moved(at(990, 1), press("PageDown"), size)).toEqual(at(999, 1));
  expect(moved(at(5, 1), press("End", { ctrl: true }), size)).toEqual(at(999, 3));
  expect(moved(at(5, 1), press("Home"), size)).toEqual(at(5, 0));
});

test("shift widens the selection from where it began", () => {
  const one = moved(at(5, 1), press("ArrowDown", { shift: true }), size)!;
  const two = moved(one, press("ArrowLeft", { shift: true }), size)!;
  expect(bounds(two)).toEqual({ top: 5, bottom: 6, left: 0, right: 1 });
  expect(bounds(moved(at(0, 0), press("a", { ctrl: true }), size)!)).toEqual({
    top: 0,
    bottom: 999,
    left: 0,
    right: 3,
  });
});

test("a key that does not move is left to others", () => {
  for (const key of ["a", "Enter", "Tab", "Escape"])
    expect(moved(at(5, 1), press(key), size), key).toBeNull();
});
