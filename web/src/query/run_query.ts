// Runs one query and hands over its rows as they arrive.
import { ApiError, errorOf, UnreachableError } from "../api/client";
import { ArrowRows } from "../result/arrow_rows";
import { ArrowStreamError, ArrowStreamReader } from "../result/arrow_stream";

const kArrowType = "application/vnd.apache.arrow.stream";

// A result that stopped in the middle. What came before is shown, but never as if it were all.
export class CutResultError extends Error {}

export type QueryRun = { sql: string; rowLimit: number; signal: AbortSignal; onRows: (rows: ArrowRows) => void };

export async function runQuery({ sql, rowLimit, signal, onRows }: QueryRun): Promise<ArrowRows> {
  const id = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
  const path = `/api/v1/queries/${id}`;
  // Closing the connection cancels the query too; a proxy between may not close its other side.
  const onAbort = () => void fetch(path, { method: "DELETE", keepalive: true }).catch(() => undefined);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await receive(id, sql, rowLimit, signal, onRows);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function receive(
  id: string,
  sql: string,
  rowLimit: number,
  signal: AbortSignal,
  onRows: (rows: ArrowRows) => void,
): Promise<ArrowRows> {
  let response: Response;
  try {
    response = await fetch("/api/v1/query", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: kArrowType, "X-Query-Id": id },
      body: JSON.stringify({ sql, row_limit: rowLimit }),
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new UnreachableError();
  }
  if (!response.ok) throw await errorOf(response);
  const type = response.headers.get("Content-Type") ?? "";
  if (!type.startsWith(kArrowType) || !response.body) {
    throw new ApiError({ kind: "corrupt", message: `The result is of type "${type}", not an Arrow stream.`, hint: null });
  }

  const stream = new ArrowStreamReader();
  const rows = new ArrowRows();
  const body = response.body.getReader();
  for (;;) {
    let chunk: ReadableStreamReadResult<Uint8Array>;
    try {
      chunk = await body.read();
    } catch (error) {
      if (signal.aborted) throw error;
      throw new CutResultError();
    }
    if (chunk.done) break;
    try {
      for (const table of stream.push(chunk.value)) rows.add(table);
    } catch (error) {
      void body.cancel().catch(() => undefined);
      throw error instanceof ArrowStreamError
        ? new ApiError({ kind: "corrupt", message: error.message, hint: null })
        : error;
    }
    onRows(rows);
  }
  if (!stream.whole) throw new CutResultError();
  return rows;
}
