// Runs one query and hands over its rows as they arrive.
import { ApiError, errorOf, UnreachableError } from "../api/client";
import { ArrowRows } from "../result/arrow_rows";
import { ArrowStreamError, ArrowStreamReader } from "../result/arrow_stream";

const kArrowType = "application/vnd.apache.arrow.stream";
const kCancelMsMax = 2_000;

// A result that stopped in the middle. What came before is shown, but never as if it were all.
export class CutResultError extends Error {}

export type QueryRun = {
  sql: string;
  rowLimit: number;
  signal: AbortSignal;
  onRows: (rows: ArrowRows) => void;
};

export async function runQuery({ sql, rowLimit, signal, onRows }: QueryRun): Promise<ArrowRows> {
  const id = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;
  const connection = new AbortController();
  const cancelled = new Promise<never>((_, reject) => {
    signal.addEventListener(
      "abort",
      () => {
        reject(signal.reason as Error);
        void cancel(id).finally(() => connection.abort());
      },
      { once: true },
    );
  });
  return Promise.race([receive(id, sql, rowLimit, connection.signal, onRows), cancelled]);
}

// Closing the connection cancels the query too, but a proxy between may keep its other side open. So
// the query is named first: once its connection is closed, the server may not know the name any more.
async function cancel(id: string): Promise<void> {
  try {
    const signal = AbortSignal.timeout(kCancelMsMax);
    await fetch(`/api/v1/queries/${id}`, { method: "DELETE", keepalive: true, signal });
  } catch {
    // The connection is closed all the same.
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
    throw new ApiError({
      kind: "corrupt",
      message: `The result is of type "${type}", not an Arrow stream.`,
      hint: null,
    });
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
