// Which chart shows a result best, from what its columns are and what its first rows hold.
import { asNumber, isTemporal, type Rows } from "../result/column";

export type ChartType = "line" | "bar";
// Columns by their number in the result.
export type ChartChoice = { type: ChartType; x: number; y: number[]; series: number | null };

const kSampleRows = 500;
const kSeriesMax = 12;
const kLinesMax = 6;

function isId(name: string): boolean {
  return /(^|_)id$/i.test(name);
}

// How many different texts a column has in the sample; more than `max` is told as max + 1.
function distinct(rows: Rows, column: number, max: number): number {
  const seen = new Set<string>();
  for (let row = 0; row < Math.min(rows.rowCount, kSampleRows) && seen.size <= max; row += 1) {
    seen.add(String(rows.value(row, column)));
  }
  return seen.size;
}

function rises(rows: Rows, column: number): boolean {
  let before = -Infinity;
  for (let row = 0; row < Math.min(rows.rowCount, kSampleRows); row += 1) {
    const value = asNumber(rows.value(row, column));
    if (value === null || value <= before) return false;
    before = value;
  }
  return true;
}

export function numericColumns(rows: Rows): number[] {
  return rows.columns.flatMap(({ kind }, i) => (kind === "number" ? [i] : []));
}

// Null when there is nothing to draw: fewer than two rows, or no column of numbers.
export function chooseChart(rows: Rows): ChartChoice | null {
  if (rows.rowCount < 2) return null;
  const numbers = numericColumns(rows);
  if (numbers.length === 0) return null;
  const of = (wanted: (kind: string, name: string) => boolean) =>
    rows.columns.flatMap(({ kind, name }, i) => (wanted(kind, name) ? [i] : []));
  const times = of((kind) => isTemporal(kind as never));
  const texts = of((kind) => kind === "text" || kind === "boolean");

  let x = times[0] ?? texts[0];
  // Numbers alone: one that rises from row to row (a year, a week, an id) is what the others are by.
  if (x === undefined)
    x =
      numbers.length > 1
        ? (numbers.find((column) => rises(rows, column)) ?? numbers[0]!)
        : undefined;
  if (x === undefined) return null;

  const others = numbers.filter((column) => column !== x);
  const measures = others.filter((column) => !isId(rows.columns[column]!.name));
  const y = (measures.length > 0 ? measures : others).slice(0, kLinesMax);
  if (y.length === 0) return null;
  const type = texts.includes(x) ? "bar" : "line";

  // A second dimension splits one measure, where its values are few and x alone comes twice.
  const split = texts.find((column) => column !== x);
  const count = split === undefined ? 0 : distinct(rows, split, kSeriesMax);
  const sample = Math.min(rows.rowCount, kSampleRows);
  const repeats = distinct(rows, x, kSampleRows) < sample;
  if (split !== undefined && count > 1 && count <= kSeriesMax && repeats) {
    return { type, x, y: y.slice(0, 1), series: split };
  }
  return { type, x, y, series: null };
}
