// Reads an Arrow IPC stream with the Arrow reader that the web page uses and prints what it found.
//   node arrow_to_json.mjs READER_MODULE STREAM_FILE
// -> {"types": [text of each column's type], "batches": rows of each batch, "rows": [[…]]}
// Integers of 64 bits and decimals (unscaled) end with "n"; bytes are arrays of numbers.
import { readFileSync } from 'node:fs';

const [, , reader, file] = process.argv;
const { tableFromIPC, Type } = await import(reader);

const nameOf = (type) => {
  const name = Object.keys(Type).find((key) => Type[key] === type.typeId);
  const details = Object.entries(type)
    .filter(([key, value]) => ['bitWidth', 'precision', 'scale', 'unit', 'timezone', 'signed'].includes(key) && value !== null)
    .map(([key, value]) => `${key}=${value}`)
    .sort();
  const children = (type.children ?? []).map((child) => `${child.name}:${nameOf(child.type)}`);
  return `${name}(${[...details, ...children].join(',')})`;
};

const plain = (value) => {
  if (value === null || value === undefined) return null;
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (typeof value === 'object') return Array.from(value, plain);
  return value;
};

const table = tableFromIPC(readFileSync(file), { useBigInt: true, useDecimalInt: true });
const columns = table.schema.fields.map((_, index) => table.getChildAt(index));
const rows = [];
for (let row = 0; row < table.numRows; ++row) rows.push(columns.map((column) => plain(column.at(row))));
console.log(JSON.stringify({
  names: table.schema.fields.map((field) => field.name),
  types: table.schema.fields.map((field) => nameOf(field.type)),
  batches: columns.length > 0 ? columns[0].data.map((batch) => batch.length) : [],
  rows: rows.length <= 100 ? rows : [rows[0], rows[rows.length - 1]],
}));
