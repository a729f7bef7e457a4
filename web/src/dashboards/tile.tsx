import { lazy, Suspense, useMemo } from "react";
import { Link } from "wouter";
import type { Tile, TileResult } from "../api/types";
import { chartData } from "../chart/data";
import { formatCount, formatPercent, formatSigned, formatValue } from "../format/numbers";
import { localText, parseMicros, utcText } from "../format/times";
import { asNumber, valueText, type Kind, type Rows, type Value } from "../result/column";
import { jsonRows } from "../result/json_rows";
import { ErrorNote } from "../ui/parts";
import { QueryIcon } from "../ui/icons";
import { usePreferences } from "../ui/preferences";
import { counterOf } from "./counter";
import { tileChart } from "./tile_chart";

const Chart = lazy(() => import("../chart/chart"));

const kTableRowsMax = 200;

// Grouped digits for numbers; a name that ends in "id" or "year" is a number that nobody groups.
function shownText(value: NonNullable<Value>, kind: Kind, name: string, lang: string): string {
  if (kind === "number" && !/(^|_)(id|year)$|^年/i.test(name)) {
    const number = asNumber(value);
    if (number !== null && Math.abs(number) < Number.MAX_SAFE_INTEGER)
      return formatValue(number, lang);
  }
  // What is finer than a second is on hover.
  const text = valueText(value, kind);
  return kind === "timestamp" || kind === "timestamptz" ? text.replace(/\.\d+$/, "") : text;
}

function CounterTile({ tile, rows }: { tile: Tile; rows: Rows }) {
  const { t, lang } = usePreferences();
  const counter = counterOf(rows, tile.y);
  if (!counter) return <p className="none">{t("tile_empty")}</p>;
  const { value, kind, previous, change } = counter;
  return (
    <div className="counter">
      <p className="counter-value num">
        {value === null ? "–" : shownText(value, kind, "", lang)}
        {tile.unit && <span className="unit">{tile.unit}</span>}
      </p>
      {change !== null && previous !== null && (
        <p className="counter-change num">
          <span aria-hidden="true">{change > 0 ? "▲" : change < 0 ? "▼" : "▬"}</span>
          {t("change_since", { n: formatSigned(change, lang), m: formatValue(previous, lang) })}
          {previous !== 0 &&
            ` (${change > 0 ? "+" : ""}${formatPercent(change / Math.abs(previous), lang)})`}
        </p>
      )}
    </div>
  );
}

function ChartTile({ tile, rows }: { tile: Tile; rows: Rows }) {
  const { t } = usePreferences();
  const choice = useMemo(() => tileChart(tile, rows), [tile, rows]);
  const data = useMemo(() => choice && chartData(rows, choice), [choice, rows]);
  if (rows.rowCount === 0) return <p className="none">{t("tile_empty")}</p>;
  if (!choice || !data) return <p className="none">{t("chart_impossible")}</p>;
  const name = (column: number) => rows.columns[column]!.name;
  return (
    <Suspense fallback={null}>
      <Chart
        data={data}
        type={choice.type}
        unit={tile.unit}
        label={t("chart_label", { y: choice.y.map(name).join(", "), x: name(choice.x) })}
      />
    </Suspense>
  );
}

function TableTile({ tile, rows }: { tile: Tile; rows: Rows }) {
  const { t, lang } = usePreferences();
  if (rows.rowCount === 0) return <p className="none">{t("tile_empty")}</p>;
  const shown = Math.min(rows.rowCount, kTableRowsMax);
  return (
    <div className="tile-rows" tabIndex={0} role="region" aria-label={tile.title}>
      <table className="list">
        <thead>
          <tr>
            {rows.columns.map(({ name, kind }) => (
              <th key={name} scope="col" className={kind === "number" ? "right" : ""}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {Array.from({ length: shown }, (_, row) => (
            <tr key={row}>
              {rows.columns.map(({ name, kind }, column) => {
                const value = rows.value(row, column);
                const instant =
                  kind === "timestamptz" && typeof value === "number"
                    ? `${localText(value)}\n${utcText(value)}`
                    : undefined;
                return (
                  <td
                    key={column}
                    className={kind === "number" ? "right num" : kind === "text" ? "" : "num"}
                    title={instant}
                  >
                    {value === null ? (
                      <span className="null">NULL</span>
                    ) : (
                      shownText(value, kind, name, lang)
                    )}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
      {shown < rows.rowCount && (
        <p className="none">
          {t("tile_cut", { n: formatCount(shown, lang), m: formatCount(rows.rowCount, lang) })}
        </p>
      )}
    </div>
  );
}

const kBodies = { counter: CounterTile, line: ChartTile, bar: ChartTile, table: TableTile };

// `result` is null until the first answer; `changes` counts the answers after it.
export function TileCard({
  tile,
  result,
  changes,
}: {
  tile: Tile;
  result: TileResult | null;
  changes: number;
}) {
  const { t } = usePreferences();
  const rows = useMemo(
    () => (result && !result.error ? jsonRows(result.columns, result.rows) : null),
    [result],
  );
  const Body = kBodies[tile.type];
  const micros = result && parseMicros(result.as_of);
  return (
    <section
      className={`card tile tile-${tile.type}`}
      style={{ "--width": tile.width, "--height": tile.height } as React.CSSProperties}
      aria-label={tile.title}
      aria-busy={!result}
    >
      {changes > 0 && <i key={changes} className="tile-pulse" />}
      <header>
        <h2 title={tile.description ?? undefined}>{tile.title}</h2>
        {tile.unit && tile.type !== "counter" && <span className="unit">{tile.unit}</span>}
        <Link
          className="tile-sql"
          href={`/query?sql=${encodeURIComponent(tile.sql)}`}
          aria-label={t("open_in_query", { title: tile.title })}
          title={[
            t("open_in_query", { title: tile.title }),
            micros === null ? "" : utcText(micros),
          ].join("\n")}
        >
          <QueryIcon />
        </Link>
      </header>
      <div className="tile-body">
        {!result && <div className="skeleton" />}
        {result?.error && <ErrorNote message={result.error.message} hint={result.error.hint} />}
        {rows && <Body tile={tile} rows={rows} />}
      </div>
    </section>
  );
}
