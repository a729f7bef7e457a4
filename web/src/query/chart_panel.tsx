// The result as a chart: what seems best to begin with, and every choice open.
import { lazy, Suspense, useMemo, useState } from "react";
import { chooseChart, numericColumns, type ChartChoice, type ChartType } from "../chart/choice";
import { chartData, kChartRowsMax } from "../chart/data";
import { formatCount } from "../format/numbers";
import type { Rows } from "../result/column";
import { Loading } from "../ui/parts";
import { usePreferences } from "../ui/preferences";

const Chart = lazy(() => import("../chart/chart"));

export function ChartPanel({ rows, rowCount }: { rows: Rows; rowCount: number }) {
  const { t, lang } = usePreferences();
  const [chosen, setChosen] = useState<{ rows: Rows; choice: ChartChoice } | null>(null);
  const choice = useMemo(
    () => (chosen?.rows === rows ? chosen.choice : chooseChart(rows)),
    // The rows grow in place.
    [chosen, rows, rowCount],
  );
  const data = useMemo(() => choice && chartData(rows, choice), [choice, rows, rowCount]);
  if (!choice || !data) return <p className="none">{t("chart_impossible")}</p>;

  const change = (part: Partial<ChartChoice>) =>
    setChosen({ rows, choice: { ...choice, ...part } });
  const name = (column: number) => rows.columns[column]!.name;
  const toggleY = (column: number) => {
    if (choice.series !== null) return change({ y: [column] });
    const without = choice.y.filter((other) => other !== column);
    return change({
      y:
        without.length < choice.y.length
          ? without.length
            ? without
            : choice.y
          : [...choice.y, column],
    });
  };
  const types: [ChartType, string][] = [
    ["line", t("chart_line")],
    ["bar", t("chart_bar")],
  ];
  return (
    <div className="chart-panel">
      <div className="chart-choices">
        <span className="segmented" role="group" aria-label={t("chart_type")}>
          {types.map(([type, text]) => (
            <button
              key={type}
              type="button"
              aria-pressed={choice.type === type}
              onClick={() => change({ type })}
            >
              {text}
            </button>
          ))}
        </span>
        <label>
          {t("chart_x")}
          <select value={choice.x} onChange={(event) => change({ x: Number(event.target.value) })}>
            {rows.columns.map((column, i) => (
              <option key={i} value={i}>
                {column.name}
              </option>
            ))}
          </select>
        </label>
        <span className="chips" role="group" aria-label={t("chart_y")}>
          <span>{t("chart_y")}</span>
          {numericColumns(rows)
            .filter((column) => column !== choice.x)
            .map((column) => (
              <button
                key={column}
                type="button"
                className="chip"
                aria-pressed={choice.y.includes(column)}
                onClick={() => toggleY(column)}
              >
                {name(column)}
              </button>
            ))}
        </span>
        <label>
          {t("chart_series")}
          <select
            value={choice.series ?? ""}
            onChange={(event) =>
              event.target.value === ""
                ? change({ series: null })
                : change({ series: Number(event.target.value), y: choice.y.slice(0, 1) })
            }
          >
            <option value="">{t("chart_none")}</option>
            {rows.columns.map((column, i) =>
              i === choice.x || choice.y.includes(i) ? null : (
                <option key={i} value={i}>
                  {column.name}
                </option>
              ),
            )}
          </select>
        </label>
        {data.rowsRead < rowCount && (
          <span className="faint">{t("chart_cut", { n: formatCount(kChartRowsMax, lang) })}</span>
        )}
      </div>
      <Suspense fallback={<Loading />}>
        <Chart
          data={data}
          type={choice.type}
          unit={null}
          label={t("chart_label", { y: choice.y.map(name).join(", "), x: name(choice.x) })}
        />
      </Suspense>
    </div>
  );
}
