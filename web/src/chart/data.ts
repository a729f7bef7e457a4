// From rows to what is drawn: the values of x in their order, and a row of numbers a series.
import { asNumber, valueText, type Rows } from "../result/column";
import type { ChartChoice } from "./choice";

export type ChartData = {
  // Set where x is a time: milliseconds since 1970, else null.
  times: number[] | null;
  labels: string[];
  series: { name: string; values: (number | null)[] }[];
  // How many rows were read; fewer than there are when there are too many to draw.
  rowsRead: number;
};

export const kChartRowsMax = 20_000;
const kSeriesMax = 30;

export function chartData(rows: Rows, choice: ChartChoice): ChartData {
  const rowsRead = Math.min(rows.rowCount, kChartRowsMax);
  const xColumn = rows.columns[choice.x]!;
  const temporal =
    xColumn.kind === "date" || xColumn.kind === "timestamp" || xColumn.kind === "timestamptz";
  const labels: string[] = [];
  const times: number[] = [];
  const placeOf = new Map<string, number>();
  const series = new Map<string, (number | null)[]>();

  for (let row = 0; row < rowsRead; row += 1) {
    const x = rows.value(row, choice.x);
    if (temporal && typeof x !== "number") continue;
    const label = x === null ? "NULL" : valueText(x, xColumn.kind);
    // Rows of one x are one place where they are split into series; else each row is its own.
    const key = choice.series === null ? String(row) : label;
    let place = placeOf.get(key);
    if (place === undefined) {
      place = labels.length;
      placeOf.set(key, place);
      labels.push(label);
      if (temporal) times.push(timeOf(x as number, xColumn.kind));
    }
    if (choice.series === null) {
      for (const column of choice.y)
        put(series, rows.columns[column]!.name, place, asNumber(rows.value(row, column)));
    } else {
      const name = rows.value(row, choice.series);
      const text = name === null ? "NULL" : valueText(name, rows.columns[choice.series]!.kind);
      if (!series.has(text) && series.size >= kSeriesMax) continue;
      put(series, text, place, asNumber(rows.value(row, choice.y[0]!)));
    }
  }

  return sorted({
    times: temporal ? times : null,
    labels,
    series: [...series].map(([name, values]) => ({
      name,
      values: Array.from({ length: labels.length }, (_, i) => values[i] ?? null),
    })),
    rowsRead,
  });
}

// A date is a day of the calendar: it is drawn at the viewer's own midnight, so that the axis says
// that day in every zone. So is a timestamp without a zone.
function timeOf(value: number, kind: string): number {
  const ms = kind === "date" ? value * 86_400_000 : value / 1000;
  if (kind === "timestamptz") return ms;
  const utc = new Date(ms);
  return new Date(
    utc.getUTCFullYear(),
    utc.getUTCMonth(),
    utc.getUTCDate(),
    utc.getUTCHours(),
    utc.getUTCMinutes(),
    utc.getUTCSeconds(),
  ).getTime();
}

function put(
  series: Map<string, (number | null)[]>,
  name: string,
  place: number,
  value: number | null,
) {
  let values = series.get(name);
  if (!values) {
    values = [];
    series.set(name, values);
  }
  values[place] = value;
}

// Time runs to the right, however the query ordered its rows.
function sorted(data: ChartData): ChartData {
  const { times } = data;
  if (!times) return data;
  const order = times.map((_, i) => i).sort((a, b) => times[a]! - times[b]!);
  return {
    ...data,
    times: order.map((i) => times[i]!),
    labels: order.map((i) => data.labels[i]!),
    series: data.series.map(({ name, values }) => ({ name, values: order.map((i) => values[i]!) })),
  };
}
