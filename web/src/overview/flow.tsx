// The way of the data in one line: sources, tables, models, dashboards, and how each of them is.
import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Status } from "../api/types";
import { formatCount, formatSeconds } from "../format/numbers";
import { ChevronIcon, DashboardIcon, ModelIcon, SourceIcon, TableIcon } from "../ui/icons";
import type { Tone } from "../ui/parts";
import { usePreferences } from "../ui/preferences";

type StepProps = {
  icon: ReactNode;
  name: string;
  value: string;
  note: ReactNode;
  tone: Tone;
  moving: boolean;
};

function Step({ icon, name, value, note, tone, moving }: StepProps) {
  return (
    <li className={`step ${tone} ${moving ? "moving" : ""}`}>
      <span className="step-icon">{icon}</span>
      <span className="step-name">{name}</span>
      <span className="step-value num">{value}</span>
      <span className="step-note">{note}</span>
      <span className="step-arrow">
        <ChevronIcon />
      </span>
    </li>
  );
}

export function Flow({ status }: { status: Status }) {
  const { t, lang } = usePreferences();
  const { streams, dashboards } = status;
  // An assertion is told of with the model that it is about.
  const models = status.models.filter(({ type }) => type !== "assertion");

  const streaming = streams.filter(({ state }) => state === "streaming").length;
  const failedStreams = streams.filter(
    ({ state }) => state === "failed" || state === "retrying",
  ).length;
  const lags = streams.map(({ lag_seconds }) => lag_seconds).filter((lag) => lag !== null);
  const tables = streams.flatMap(({ tables: of }) => of);
  const rows = tables.reduce((sum, table) => sum + (table.rows ?? 0), 0);
  const refused = tables.filter(({ state }) => state === "refused").length;
  const failedModels = status.models.filter(
    ({ state, assertions }) =>
      state === "failed" || assertions.some((assertion) => assertion.state === "failed"),
  ).length;
  const goodModels = models.filter(({ state }) => state === "ok").length;
  const moving = streams.some(
    ({ changes_per_s, rows_per_s }) => changes_per_s > 0 || rows_per_s > 0,
  );

  return (
    <ol className="flow" aria-label={t("flow_label")}>
      <Step
        icon={<SourceIcon />}
        name={t("sources")}
        value={formatCount(new Set(streams.map(({ connection }) => connection)).size, lang)}
        note={
          streams.length === 0
            ? t("no_streams")
            : failedStreams > 0
              ? t("failed_n", { n: String(failedStreams) })
              : t("n_of_m_streaming", { n: String(streaming), m: String(streams.length) })
        }
        tone={
          failedStreams > 0
            ? "bad"
            : streams.length === 0
              ? "idle"
              : streaming === streams.length
                ? "ok"
                : "busy"
        }
        moving={moving}
      />
      <Step
        icon={<TableIcon />}
        name={t("lake")}
        value={formatCount(tables.length, lang)}
        note={
          <>
            {t("rows_n", { n: formatCount(rows, lang) })}
            {lags.length > 0 && ` · ${t("worst_lag", { n: formatSeconds(Math.max(...lags)) })}`}
          </>
        }
        tone={refused > 0 ? "warn" : tables.length === 0 ? "idle" : "ok"}
        moving={moving}
      />
      <Step
        icon={<ModelIcon />}
        name={t("models")}
        value={formatCount(models.length, lang)}
        note={
          failedModels > 0
            ? t("failed_n", { n: String(failedModels) })
            : models.length === 0
              ? t("no_models")
              : t("n_of_m_ok", { n: String(goodModels), m: String(models.length) })
        }
        tone={failedModels > 0 ? "bad" : models.length === 0 ? "idle" : "ok"}
        moving={moving && models.length > 0}
      />
      <Step
        icon={<DashboardIcon />}
        name={t("dashboards")}
        value={formatCount(dashboards.length, lang)}
        note={
          dashboards.length === 0
            ? t("dashboards_empty")
            : dashboards.slice(0, 3).map(({ name, title }) => (
                <Link key={name} href={`/dashboards/${encodeURIComponent(name)}`}>
                  {title}
                </Link>
              ))
        }
        tone={dashboards.length === 0 ? "idle" : "ok"}
        moving={false}
      />
    </ol>
  );
}
