// The columns that a tile names, as a choice of chart; what it does not name is chosen from its result.
import type { Tile } from "../api/types";
import { chooseChart, type ChartChoice } from "../chart/choice";
import type { Rows } from "../result/column";

export function tileChart(
  tile: Pick<Tile, "type" | "x" | "y" | "series">,
  rows: Rows,
): ChartChoice | null {
  const at = (name: string | null) =>
    name === null ? -1 : rows.columns.findIndex((column) => column.name === name);
  const type = tile.type === "bar" ? "bar" : "line";
  const x = at(tile.x);
  const y = (tile.y ?? []).map(at).filter((column) => column !== -1);
  const series = at(tile.series);
  const chosen = x === -1 || y.length === 0 ? chooseChart(rows) : null;
  const found = { x: x === -1 ? chosen?.x : x, y: y.length === 0 ? chosen?.y : y };
  if (found.x === undefined || found.y === undefined) return null;
  return { type, x: found.x, y: found.y, series: series === -1 ? null : series };
}
