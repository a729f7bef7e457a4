import { useState } from "react";
import type { Reconciliation, Stream, StreamState, StreamTable, TableState } from "../api/types";
import {
  formatBytes,
  formatCount,
  formatPercent,
  formatRate,
  formatSeconds,
} from "../format/numbers";
import {
  AlertIcon,
  CheckIcon,
  ChevronIcon,
  CopyingIcon,
  CrossIcon,
  FlowIcon,
  StopIcon,
  SyncIcon,
  WaitIcon,
} from "../ui/icons";
import {
  Badge,
  EmptyState,
  ErrorNote,
  Moment,
  Progress,
  Quantity,
  Sparkline,
  type Tone,
} from "../ui/parts";
import { usePreferences } from "../ui/preferences";

const kStreamLook: Record<StreamState, [Tone, () => React.JSX.Element]> = {
  starting: ["busy", WaitIcon],
  snapshot: ["busy", CopyingIcon],
  catching_up: ["busy", SyncIcon],
  streaming: ["ok", FlowIcon],
  retrying: ["warn", AlertIcon],
  failed: ["bad", CrossIcon],
  stopped: ["idle", StopIcon],
  paused: ["idle", StopIcon],
};

const kTableLook: Record<TableState, [Tone, () => React.JSX.Element]> = {
  waiting: ["idle", WaitIcon],
  copying: ["busy", CopyingIcon],
  live: ["ok", CheckIcon],
  refused: ["warn", AlertIcon],
  paused: ["idle", StopIcon],
  gone: ["warn", AlertIcon],
};

function TableBadge({ state }: { state: TableState }) {
  const { t } = usePreferences();
  const [tone, Icon] = kTableLook[state];
  return (
    <Badge tone={tone} icon={<Icon />}>
      {t(`table_${state}`)}
    </Badge>
  );
}

function CopyingTable({ table }: { table: StreamTable }) {
  const { t, lang } = usePreferences();
  const done = table.rows_copied ?? 0;
  const total = table.rows_estimate;
  return (
    <li className="copying">
      <span className="copying-name">{table.name}</span>
      <Progress label={t("copying_progress", { table: table.name })} done={done} total={total} />
      <span className="copying-rows num">
        {total
          ? t("copied_of", { n: formatCount(done, lang), m: formatCount(total, lang) })
          : t("copied", { n: formatCount(done, lang) })}
      </span>
      <span className="copying-percent num">
        {total ? formatPercent(Math.min(1, done / total), lang) : ""}
      </span>
    </li>
  );
}

function StreamTables({ tables }: { tables: StreamTable[] }) {
  const { t, lang } = usePreferences();
  return (
    <table className="list tables">
      <thead>
        <tr>
          <th scope="col">{t("table")}</th>
          <th scope="col">{t("state")}</th>
          <th scope="col" className="right">
            {t("rows")}
          </th>
          <th scope="col" className="right">
            {t("last_change")}
          </th>
          <th scope="col">{t("notes")}</th>
        </tr>
      </thead>
      <tbody>
        {tables.map((table) => (
          <tr key={table.name}>
            <th scope="row" className="name">
              {table.name}
            </th>
            <td>
              <TableBadge state={table.state} />
            </td>
            <td className="right num">{formatCount(table.rows, lang)}</td>
            <td className="right">
              <Moment iso={table.last_change_at} as="ago" />
            </td>
            <td className="notes">
              {Object.keys(table.masks).length > 0 && (
                <p>
                  {t("masked", {
                    columns: Object.entries(table.masks)
                      .map(([column, mask]) => `${column} (${mask})`)
                      .join(", "),
                  })}
                </p>
              )}
              {table.notes.map((note) => (
                <p key={note}>{note}</p>
              ))}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

// The last comparison with the source, as one line; what differs, with its first keys.
function Compared({ reconciliation }: { reconciliation: Reconciliation }) {
  const { t, lang } = usePreferences();
  const { results, running, tables_done, tables } = reconciliation;
  const differing = results.filter(({ outcome }) => outcome === "differs");
  const equal = results.filter(({ outcome }) => outcome === "equal" || outcome === "repaired");
  const last = results.map(({ at }) => at ?? "").reduce((a, b) => (a > b ? a : b), "");
  if (!running && results.length === 0) return null;
  return (
    <div className="compared">
      {running && (
        <p>
          {t("comparing", { n: formatCount(tables_done, lang), m: formatCount(tables, lang) })}
        </p>
      )}
      {last !== "" && (
        <p className={differing.length > 0 ? "warn-text" : undefined}>
          {differing.length > 0 ? <AlertIcon /> : <CheckIcon />}
          {t("compared_equal", {
            n: formatCount(equal.length, lang),
            m: formatCount(results.length, lang),
          })}{" "}
          <Moment iso={last} as="ago" />
        </p>
      )}
      {differing.map((result) => (
        <p key={result.source} className="warn-text">
          {t("compared_differs", {
            table: result.source,
            missing: formatCount(result.missing, lang),
            extra: formatCount(result.extra, lang),
            different: formatCount(result.different, lang),
          })}{" "}
          {result.keys
            .slice(0, 5)
            .map(({ key }) => key.join(", "))
            .join(" · ")}
        </p>
      ))}
    </div>
  );
}

function StreamCard({ stream }: { stream: Stream }) {
  const { t, lang } = usePreferences();
  const copying = stream.tables.filter(({ state }) => state === "copying");
  const refused = stream.tables.some(({ state, notes }) => state === "refused" || notes.length > 0);
  const [open, setOpen] = useState(false);
  const [tone, Icon] = kStreamLook[stream.state];
  const rates = stream.history.map(({ changes_per_s }) => changes_per_s);
  const tablesId = `tables-of-${stream.name}`;
  const errors = Object.values(stream.errors_total).reduce((sum, count) => sum + count, 0);
  return (
    <article className="card stream" aria-label={stream.name}>
      <header>
        <h3>{stream.name}</h3>
        <Badge tone={tone} icon={<Icon />}>
          {t(`stream_${stream.state}`)}
        </Badge>
        <span className="route">
          {stream.source} <b>{stream.connection}</b>
          <ChevronIcon />
          <b>{stream.dataset}</b>
        </span>
      </header>
      {stream.error && (
        <ErrorNote
          message={stream.error.message}
          hint={stream.error.hint}
          tone={stream.state === "retrying" ? "warn" : "bad"}
        />
      )}
      {stream.warning && <ErrorNote message={stream.warning} hint={null} tone="warn" />}
      <dl className="metrics">
        <div title={t("lag_help")}>
          <dt>{t("lag")}</dt>
          <dd className="big">
            <Quantity text={formatSeconds(stream.lag_seconds)} />
          </dd>
          <dd className="sub num">{formatBytes(stream.lag_bytes, lang)}</dd>
        </div>
        <div className="with-spark">
          <dt>{t("changes_per_s")}</dt>
          <dd className="big num">
            {formatRate(stream.changes_per_s, lang)} <span className="unit">{t("per_second")}</span>
          </dd>
          <dd className="sub num">
            {t("changes_total", { n: formatCount(stream.changes_total, lang) })}
          </dd>
          <dd className="spark">
            <Sparkline
              values={rates}
              label={t("history_label", { n: formatRate(Math.max(0, ...rates), lang) })}
            />
          </dd>
        </div>
        <div>
          <dt>{t("rows_per_s")}</dt>
          <dd className="big num">
            {formatRate(stream.rows_per_s, lang)} <span className="unit">{t("per_second")}</span>
          </dd>
        </div>
        <div title={t("retained_help")}>
          <dt>{t("retained")}</dt>
          <dd className="big">
            <Quantity text={formatBytes(stream.retained_bytes, lang)} />
          </dd>
          {stream.position && <dd className="sub num">{t("position", { n: stream.position })}</dd>}
        </div>
        <div title={t("batch_help")}>
          <dt>{t("batch")}</dt>
          <dd className="big num">{formatCount(stream.batch.changes, lang)}</dd>
          <dd className="sub num">
            {t("batch_size", {
              n: formatBytes(stream.batch.bytes, lang),
              s: formatSeconds(stream.batch.seconds),
            })}
          </dd>
        </div>
        <div title={t("queue_help")}>
          <dt>{t("queue")}</dt>
          <dd className="big">
            <Quantity text={formatBytes(stream.queue.bytes, lang)} />
          </dd>
          <dd className="sub num">
            {t("queue_of", { n: formatBytes(stream.queue.bytes_max, lang) })}
          </dd>
        </div>
        <div title={t("errors_help")}>
          <dt>{t("errors")}</dt>
          <dd className="big num">{formatCount(errors, lang)}</dd>
        </div>
      </dl>
      {copying.length > 0 && (
        <ul className="copyings">
          {copying.map((table) => (
            <CopyingTable key={table.name} table={table} />
          ))}
        </ul>
      )}
      <Compared reconciliation={stream.reconciliation} />
      {stream.tables.length > 0 && (
        <button
          type="button"
          className="disclose"
          aria-expanded={open}
          aria-controls={tablesId}
          onClick={() => setOpen(!open)}
        >
          <ChevronIcon />
          {t("tables_n", { n: formatCount(stream.tables.length, lang) })}
          {refused && !open && (
            <span className="warn-text">
              <AlertIcon />
              {t("notes")}
            </span>
          )}
        </button>
      )}
      <div id={tablesId} className="scroll-x">
        {open && <StreamTables tables={stream.tables} />}
      </div>
    </article>
  );
}

export function Streams({ streams }: { streams: Stream[] }) {
  const { t } = usePreferences();
  return (
    <section aria-labelledby="streams-title">
      <h2 id="streams-title">{t("streams")}</h2>
      {streams.length === 0 && <EmptyState title={t("no_streams")} next={t("no_streams_next")} />}
      <div className="cards">
        {streams.map((stream) => (
          <StreamCard key={stream.name} stream={stream} />
        ))}
      </div>
    </section>
  );
}
