// What a column holds, and how one of its values is written, whichever way the result came: as Arrow
// from a query, or as JSON on a dashboard.
//
// A value is kept as what it is best compared and drawn by:
//   number                 number, bigint, or digits in a string where neither holds it exactly
//   date                   days since 1970-01-01
//   time                   microseconds since midnight
//   timestamp(tz)          microseconds since 1970-01-01 00:00 (of UTC)
//   text, boolean, bytes   string, boolean, Uint8Array
//   nested                 arrays and objects of plain values
import { dateText, localText, plainText, utcText } from "../format/times";

export type Kind =
  | "number"
  | "boolean"
  | "text"
  | "date"
  | "time"
  | "timestamp"
  | "timestamptz"
  | "bytes"
  | "nested";

export type Value = null | number | bigint | string | boolean | Uint8Array | object;

export type Column = { name: string; type: string; kind: Kind };

// Rows to show, copy or draw. It may still grow while it is read.
export type Rows = {
  readonly columns: Column[];
  readonly rowCount: number;
  value(row: number, column: number): Value;
};

// The kind of a type's name in DuckDB's or PostgreSQL's writing.
export function kindOfType(type: string): Kind {
  const name = type.trim().toUpperCase();
  if (name.endsWith("]") || /^(STRUCT|MAP|UNION|LIST)\b/.test(name)) return "nested";
  if (/^(TIMESTAMP WITH TIME ZONE|TIMESTAMPTZ)\b/.test(name)) return "timestamptz";
  if (/^(TIMESTAMP|DATETIME)/.test(name)) return "timestamp";
  if (name === "DATE") return "date";
  if (/^TIME\b/.test(name) || name === "TIMETZ") return "time";
  if (/^BOOL/.test(name)) return "boolean";
  if (/^(BLOB|BYTEA|BYTES|BINARY|VARBINARY)\b/.test(name)) return "bytes";
  if (
    /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER|\d+)?|DECIMAL|NUMERIC|DOUBLE|FLOAT\d*|REAL)\b/.test(name)
  ) {
    return "number";
  }
  return "text";
}

export function isTemporal(kind: Kind): boolean {
  return kind === "date" || kind === "timestamp" || kind === "timestamptz";
}

function timeText(micros: number): string {
  return plainText(micros).split(" ")[1]!;
}

function bytesText(bytes: Uint8Array): string {
  return `\\x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function nestedText(value: object): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "bigint" ? part.toString() : part,
  );
}

// The exact text of a value that is not null. `exact` writes instants in UTC, for files and other
// programs; else they are in the viewer's zone.
export function valueText(value: NonNullable<Value>, kind: Kind, exact = false): string {
  if (typeof value === "number" && kind !== "number") {
    switch (kind) {
      case "date":
        return dateText(value);
      case "time":
        return timeText(value);
      case "timestamp":
        return plainText(value);
      case "timestamptz":
        return exact ? utcText(value).replace(" UTC", "+00") : localText(value);
      default:
        return String(value);
    }
  }
  if (value instanceof Uint8Array) return bytesText(value);
  if (typeof value === "object") return nestedText(value);
  return String(value);
}

// A number to draw or to add up, which may be less exact than the value.
export function asNumber(value: Value): number | null {
  if (value === null || value === "" || typeof value === "boolean" || typeof value === "object")
    return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}
