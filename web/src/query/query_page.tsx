import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useLocation, useSearch } from "wouter";
import { getJson } from "../api/client";
import type { Catalog } from "../api/types";
import { formatCount, formatSeconds } from "../format/numbers";
import { csvParts } from "../result/csv";
import {
  ChartIcon,
  ChevronIcon,
  DownloadIcon,
  HistoryIcon,
  PlayIcon,
  StopIcon,
  TableIcon,
} from "../ui/icons";
import { EmptyState, ErrorNote, FailureNote, Loading, Moment, Spinner } from "../ui/parts";
import { usePreferences } from "../ui/preferences";
import { recall, remember } from "../ui/storage";
import { CatalogPanel } from "./catalog_panel";
import { ChartPanel } from "./chart_panel";
import { Editor, type EditorHandle } from "./editor";
import { Grid } from "./grid";
import { readHistory, withQuery, writeHistory, type PastQuery } from "./history";
import { CutResultError } from "./run_query";
import { kRowLimit, useQueryRun, type QueryState } from "./use_query_run";

const kRunKey = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘ Enter" : "Ctrl Enter";

async function downloadCsv(state: QueryState) {
  if (!state.rows) return;
  const parts: string[] = [];
  for (const part of csvParts(state.rows)) {
    parts.push(part);
    // The page stays alive while a large result is written.
    await new Promise((resolve) => setTimeout(resolve));
  }
  const url = URL.createObjectURL(new Blob(parts, { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `biwa-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

// How long the query has been running, as it runs.
function Elapsed({ since }: { since: number }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 100);
    return () => clearInterval(timer);
  }, []);
  return <span className="num">{((performance.now() - since) / 1000).toFixed(1)} s</span>;
}

function Outcome({ state }: { state: QueryState }) {
  const { t, lang } = usePreferences();
  const rows = formatCount(state.rowCount, lang);
  const seconds = formatSeconds(state.seconds);
  return (
    <span className="outcome" role="status">
      {state.phase === "running" && (
        <>
          <Spinner />
          <Elapsed since={state.startedAt} />
          {state.rowCount > 0 && <span className="num">{t("rows_so_far", { n: rows })}</span>}
        </>
      )}
      {state.phase === "done" && (
        <span className="num">
          {state.rowCount === 1
            ? t("query_one", { s: seconds })
            : t("query_done", { n: rows, s: seconds })}
        </span>
      )}
      {state.phase === "cancelled" && <span className="num">{t("cancelled", { n: seconds })}</span>}
      {state.phase === "failed" && <span className="bad-text">{t("query_failed")}</span>}
    </span>
  );
}

function History({
  past,
  onChoose,
  onClear,
}: {
  past: PastQuery[];
  onChoose: (sql: string) => void;
  onClear: () => void;
}) {
  const { t, lang } = usePreferences();
  if (past.length === 0) return <p className="none">{t("history_empty")}</p>;
  return (
    <>
      <ul className="history">
        {past.map(({ sql, at, seconds, rows }) => (
          <li key={sql}>
            <button type="button" onClick={() => onChoose(sql)}>
              <code>{sql}</code>
              <small>
                <Moment iso={at} /> · {formatSeconds(seconds)} ·{" "}
                {rows === null ? t("history_failed") : t("rows_n", { n: formatCount(rows, lang) })}
              </small>
            </button>
          </li>
        ))}
      </ul>
      <button type="button" className="quiet" onClick={onClear}>
        {t("history_clear")}
      </button>
    </>
  );
}

function Result({
  state,
  view,
  onCopied,
}: {
  state: QueryState;
  view: "table" | "chart";
  onCopied: (cells: number) => void;
}) {
  const { t, lang } = usePreferences();
  const { phase, rows, rowCount, error } = state;
  if (phase === "idle")
    return <EmptyState title={t("query_empty")} next={t("query_empty_next", { key: kRunKey })} />;
  return (
    <>
      {phase === "failed" && error instanceof CutResultError && (
        <ErrorNote
          title={t("query_cut")}
          message={t("query_cut_text", { n: formatCount(rowCount, lang) })}
          hint={t("query_cut_hint")}
        />
      )}
      {phase === "failed" && !(error instanceof CutResultError) && (
        <FailureNote title={t("query_failed")} error={error} />
      )}
      {phase === "done" && rowCount >= kRowLimit && (
        <ErrorNote
          tone="warn"
          message={t("row_limit_reached", { n: formatCount(kRowLimit, lang) })}
          hint={null}
        />
      )}
      {phase === "done" && rowCount === 0 && (
        <EmptyState title={t("no_rows")} next={t("no_rows_next")} />
      )}
      {rows && rowCount > 0 && view === "table" && (
        <Grid
          key={state.startedAt}
          rows={rows}
          rowCount={rowCount}
          label={t("result_label")}
          onCopied={onCopied}
        />
      )}
      {rows && rowCount > 0 && view === "chart" && <ChartPanel rows={rows} rowCount={rowCount} />}
    </>
  );
}

export default function QueryPage() {
  const { t, lang } = usePreferences();
  const search = useSearch();
  const [, navigate] = useLocation();
  const editor = useRef<EditorHandle>(null);
  const [asked] = useState(() => new URLSearchParams(search).get("sql"));
  const [initial] = useState(() => asked ?? recall("draft") ?? "");
  const [past, setPast] = useState(readHistory);
  const [view, setView] = useState<"table" | "chart">("table");
  const [side, setSide] = useState<"catalog" | "history">("catalog");
  // Only narrow pages fold the side panel away.
  const [sideOpen, setSideOpen] = useState(false);
  const [news, setNews] = useState("");

  const catalog = useQuery({
    queryKey: ["catalog"],
    queryFn: ({ signal }) => getJson<Catalog>("/api/v1/catalog", signal),
    refetchInterval: 30_000,
  });

  const { state, run, cancel } = useQueryRun((sql, ended) => {
    const query: PastQuery = {
      sql,
      at: new Date().toISOString(),
      seconds: ended.seconds,
      rows: ended.phase === "done" ? ended.rowCount : null,
    };
    if (ended.phase === "cancelled") return;
    const next = withQuery(past, query);
    setPast(next);
    writeHistory(next);
  });

  const running = state.phase === "running";
  const start = () => {
    const sql = editor.current?.text() ?? "";
    if (sql.trim() === "") return editor.current?.focus();
    setNews("");
    void run(sql);
  };

  useEffect(() => {
    if (asked === null) return;
    // From here on it is the viewer's draft, which a reload must not take back.
    remember("draft", asked);
    navigate("/query", { replace: true });
  }, [asked, navigate]);

  useEffect(() => {
    // Whoever has a keyboard begins to type. On a phone it would cover the page.
    if (window.matchMedia("(min-width: 761px) and (hover: hover)").matches) editor.current?.focus();
  }, []);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !document.querySelector("dialog[open]") && cancel())
        event.preventDefault();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [cancel]);

  useEffect(() => {
    if (news === "") return;
    const timer = setTimeout(() => setNews(""), 3000);
    return () => clearTimeout(timer);
  }, [news]);

  const insertTable = (name: string) => {
    const empty = (editor.current?.text() ?? "").trim() === "";
    if (empty) editor.current?.setText(`SELECT *\nFROM ${name}\nLIMIT 100`);
    else editor.current?.insert(name);
    setSideOpen(false);
  };

  return (
    <div className="page query-page">
      <h1 className="visually-hidden">{t("query")}</h1>
      <aside className={`side ${sideOpen ? "open" : ""}`}>
        <div className="tabs" role="group" aria-label={t("catalog")}>
          <button
            type="button"
            className="side-toggle"
            aria-expanded={sideOpen}
            onClick={() => setSideOpen(!sideOpen)}
          >
            <ChevronIcon />
            <span className="visually-hidden">{t("catalog")}</span>
          </button>
          <button
            type="button"
            aria-pressed={side === "catalog"}
            onClick={() => {
              setSide("catalog");
              setSideOpen(true);
            }}
          >
            <TableIcon />
            {t("catalog")}
          </button>
          <button
            type="button"
            aria-pressed={side === "history"}
            onClick={() => {
              setSide("history");
              setSideOpen(true);
            }}
          >
            <HistoryIcon />
            {t("history")}
          </button>
        </div>
        <div className="side-body">
          {side === "catalog" && catalog.isPending && <Loading />}
          {side === "catalog" && catalog.error && <FailureNote error={catalog.error} />}
          {side === "catalog" && catalog.data && (
            <CatalogPanel
              catalog={catalog.data}
              onTable={insertTable}
              onColumn={(name) => editor.current?.insert(name)}
            />
          )}
          {side === "history" && (
            <History
              past={past}
              onChoose={(sql) => {
                editor.current?.setText(sql);
                setSideOpen(false);
              }}
              onClear={() => {
                setPast([]);
                writeHistory([]);
              }}
            />
          )}
        </div>
      </aside>
      <div className="work">
        <div className="editor-frame">
          <Editor
            ref={editor}
            initial={initial}
            label={t("editor_label")}
            hint="SELECT …"
            catalog={catalog.data ?? null}
            onRun={start}
            onCancel={cancel}
            onChange={(text) => remember("draft", text)}
          />
        </div>
        <div className="toolbar">
          {running ? (
            <button type="button" className="danger" onClick={cancel}>
              <StopIcon />
              {t("cancel")}
              <kbd>Esc</kbd>
            </button>
          ) : (
            <button type="button" className="primary" onClick={start}>
              <PlayIcon />
              {t("run")}
              <kbd>{kRunKey}</kbd>
            </button>
          )}
          <Outcome state={state} />
          <span className="news" role="status">
            {news}
          </span>
          {state.rows && state.rowCount > 0 && (
            <>
              <span className="segmented" role="group" aria-label={t("result_label")}>
                <button
                  type="button"
                  aria-pressed={view === "table"}
                  onClick={() => setView("table")}
                >
                  <TableIcon />
                  {t("result_table")}
                </button>
                <button
                  type="button"
                  aria-pressed={view === "chart"}
                  onClick={() => setView("chart")}
                >
                  <ChartIcon />
                  {t("result_chart")}
                </button>
              </span>
              <button
                type="button"
                aria-label={t("download_csv_label")}
                title={t("download_csv_label")}
                disabled={running}
                onClick={() => void downloadCsv(state)}
              >
                <DownloadIcon />
                {t("download_csv")}
              </button>
            </>
          )}
        </div>
        <section className="result" aria-label={t("result_label")} aria-busy={running}>
          <Result
            state={state}
            view={view}
            onCopied={(cells) => setNews(t("copied_cells", { n: formatCount(cells, lang) }))}
          />
        </section>
      </div>
    </div>
  );
}
