// Rows that came as JSON (docs/api.md, "Query").
import type { Cell, ResultColumn } from "../api/types";
import { parseMicros } from "../format/times";
import { kindOfType, type Column, type Kind, type Rows, type Value } from "./column";

const kMicrosOfDay = 86_400_000_000;

// A text without a zone is meant in UTC; Date.parse would take it for the viewer's.
function microsOf(text: string): number | null {
  const zoned = /(Z|[+-]\d\d(:?\d\d)?)$/.exec(text.slice(10));
  let iso = text.replace(" ", "T");
  if (!zoned) iso += "Z";
  else if (/^[+-]\d\d$/.test(zoned[1]!)) iso += ":00";
  return parseMicros(iso);
}

function valueOf(cell: Cell, kind: Kind): Value {
  if (typeof cell !== "string") return cell;
  switch (kind) {
    case "date": {
      const micros = parseMicros(`${cell}T00:00:00Z`);
      return micros === null ? cell : micros / kMicrosOfDay;
    }
    case "timestamp":
    case "timestamptz":
      return microsOf(cell) ?? cell;
    case "number": {
      // Digits that a number holds exactly are one; the others stay as they are.
      const number = Number(cell);
      return String(number) === cell ? number : cell;
    }
    default:
      return cell;
  }
}

export function jsonRows(columns: ResultColumn[], rows: Cell[][]): Rows {
  const typed: Column[] = columns.map(({ name, type }) => ({ name, type, kind: kindOfType(type) }));
  const values = rows.map((row) => typed.map(({ kind }, i) => valueOf(row[i] ?? null, kind)));
  return {
    columns: typed,
    rowCount: values.length,
    value: (row, column) => values[row]?.[column] ?? null,
  };
}
