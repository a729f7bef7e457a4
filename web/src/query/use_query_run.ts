// The state of the query that runs, or ran last, on the query page.
import { useCallback, useEffect, useRef, useState } from "react";
import type { ArrowRows } from "../result/arrow_rows";
import { runQuery } from "./run_query";

export const kRowLimit = 500_000;
const kShowEveryMs = 80;

export type QueryState = {
  phase: "idle" | "running" | "done" | "failed" | "cancelled";
  rows: ArrowRows | null;
  // The rows grow in place, so their number is what tells that there are more.
  rowCount: number;
  startedAt: number;
  seconds: number;
  error: unknown;
};

const kIdle: QueryState = {
  phase: "idle",
  rows: null,
  rowCount: 0,
  startedAt: 0,
  seconds: 0,
  error: null,
};

export function useQueryRun(onEnd: (sql: string, state: QueryState) => void) {
  const [state, setState] = useState(kIdle);
  const running = useRef<AbortController | null>(null);
  const ended = useRef(onEnd);
  ended.current = onEnd;

  useEffect(() => () => running.current?.abort(), []);

  const cancel = useCallback((): boolean => {
    if (!running.current) return false;
    running.current.abort();
    return true;
  }, []);

  const run = useCallback(async (sql: string) => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    const startedAt = performance.now();
    let rows: ArrowRows | null = null;
    let shownAt = 0;
    const now = (phase: QueryState["phase"], error: unknown = null): QueryState => ({
      phase,
      rows,
      rowCount: rows?.rowCount ?? 0,
      startedAt,
      seconds: (performance.now() - startedAt) / 1000,
      error,
    });
    setState(now("running"));
    let last: QueryState;
    try {
      rows = await runQuery({
        sql,
        rowLimit: kRowLimit,
        signal: controller.signal,
        onRows: (arrived) => {
          rows = arrived;
          if (controller.signal.aborted || performance.now() - shownAt < kShowEveryMs) return;
          shownAt = performance.now();
          setState(now("running"));
        },
      });
      last = now("done");
    } catch (error) {
      last = controller.signal.aborted ? now("cancelled") : now("failed", error);
    }
    // Another query took its place meanwhile: that one is what is shown.
    if (running.current !== controller) return;
    running.current = null;
    setState(last);
    ended.current(sql, last);
  }, []);

  return { state, run, cancel };
}
