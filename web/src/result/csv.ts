// A result as CSV (RFC 4180): what a spreadsheet and COPY … FROM read alike. NULL is an empty field,
// an empty text is "".
import { valueText, type Rows } from "./column";

const kRowsPerPart = 10_000;
// Excel takes a file without it for the system's old encoding and breaks Japanese.
const kByteOrderMark = "\ufeff";

function field(text: string): string {
  return text === "" || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csvRow(rows: Rows, row: number): string {
  return rows.columns
    .map(({ kind }, column) => {
      const value = rows.value(row, column);
      return value === null ? "" : field(valueText(value, kind, true));
    })
    .join(",");
}

// In parts, so that a large result is never one string.
export function* csvParts(rows: Rows): Generator<string> {
  yield `${kByteOrderMark}${rows.columns.map(({ name }) => field(name)).join(",")}\r\n`;
  for (let from = 0; from < rows.rowCount; from += kRowsPerPart) {
    const to = Math.min(from + kRowsPerPart, rows.rowCount);
    let part = "";
    for (let row = from; row < to; row += 1) part += `${csvRow(rows, row)}\r\n`;
    yield part;
  }
}
