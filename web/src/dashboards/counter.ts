// What a counter shows of its result: the first row's y[0], or its first column, and the change since
// the column named `previous`.
import { asNumber, type Kind, type Rows, type Value } from "../result/column";

const kPrevious = "previous";

export type Counter = { value: Value; kind: Kind; previous: number | null; change: number | null };

export function counterOf(rows: Rows, y: string[] | null): Counter | null {
  if (rows.rowCount === 0 || rows.columns.length === 0) return null;
  const named = y?.[0] === undefined ? -1 : rows.columns.findIndex(({ name }) => name === y[0]);
  const at = named === -1 ? 0 : named;
  const value = rows.value(0, at);
  const before = rows.columns.findIndex(({ name }) => name === kPrevious);
  const previous = before === -1 || before === at ? null : asNumber(rows.value(0, before));
  const number = asNumber(value);
  return {
    value,
    kind: rows.columns[at]!.kind,
    previous,
    change: previous === null || number === null ? null : number - previous,
  };
}
