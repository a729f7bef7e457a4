// A cell that the keyboard is at, and the rectangle from the anchor to it.
export type Place = { row: number; column: number };
export type Selection = { anchor: Place; active: Place };
export type Size = { rows: number; columns: number; page: number };

export type Key = { key: string; shift: boolean; ctrl: boolean };

function clamp(value: number, max: number): number {
  return Math.max(0, Math.min(value, max));
}

// Where a key leads; null for a key that does not move.
export function moved(
  selection: Selection,
  { key, shift, ctrl }: Key,
  size: Size,
): Selection | null {
  const { row, column } = selection.active;
  const last = { row: size.rows - 1, column: size.columns - 1 };
  if (ctrl && key.toLowerCase() === "a") return { anchor: { row: 0, column: 0 }, active: last };
  const to = ((): Place | null => {
    switch (key) {
      case "ArrowUp":
        return { row: ctrl ? 0 : row - 1, column };
      case "ArrowDown":
        return { row: ctrl ? last.row : row + 1, column };
      case "ArrowLeft":
        return { row, column: ctrl ? 0 : column - 1 };
      case "ArrowRight":
        return { row, column: ctrl ? last.column : column + 1 };
      case "PageUp":
        return { row: row - size.page, column };
      case "PageDown":
        return { row: row + size.page, column };
      case "Home":
        return { row: ctrl ? 0 : row, column: 0 };
      case "End":
        return { row: ctrl ? last.row : row, column: last.column };
      default:
        return null;
    }
  })();
  if (!to) return null;
  const active = { row: clamp(to.row, last.row), column: clamp(to.column, last.column) };
  return { anchor: shift ? selection.anchor : active, active };
}

export function bounds({ anchor, active }: Selection) {
  return {
    top: Math.min(anchor.row, active.row),
    bottom: Math.max(anchor.row, active.row),
    left: Math.min(anchor.column, active.column),
    right: Math.max(anchor.column, active.column),
  };
}
