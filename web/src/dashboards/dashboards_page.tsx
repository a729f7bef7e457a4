import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { getJson } from "../api/client";
import type { DashboardEntry } from "../api/types";
import { DashboardIcon, SearchIcon } from "../ui/icons";
import { EmptyState, FailureNote, Loading } from "../ui/parts";
import { usePreferences } from "../ui/preferences";

export function DashboardsPage() {
  const { t } = usePreferences();
  const [filter, setFilter] = useState("");
  const dashboards = useQuery({
    queryKey: ["dashboards"],
    queryFn: ({ signal }) => getJson<DashboardEntry[]>("/api/v1/dashboards", signal),
  });
  if (dashboards.isPending) return <Loading />;
  const wanted = filter.trim().toLowerCase();
  const shown = (dashboards.data ?? []).filter(({ name, title, description }) =>
    [name, title, description ?? ""].some((text) => text.toLowerCase().includes(wanted)),
  );
  return (
    <div className="page">
      <div className="section-head">
        <h1>{t("dashboards")}</h1>
        {(dashboards.data?.length ?? 0) > 0 && (
          <label className="search">
            <SearchIcon />
            <input
              type="search"
              value={filter}
              placeholder={t("dashboards_filter")}
              aria-label={t("dashboards_filter")}
              onChange={(event) => setFilter(event.target.value)}
            />
            <kbd>/</kbd>
          </label>
        )}
      </div>
      {dashboards.error && <FailureNote error={dashboards.error} />}
      {dashboards.data?.length === 0 && (
        <EmptyState title={t("dashboards_empty")} next={t("dashboards_empty_next")} />
      )}
      <ul className="dashboard-list">
        {shown.map(({ name, title, description }) => (
          <li key={name}>
            <Link href={`/dashboards/${encodeURIComponent(name)}`} className="card">
              <DashboardIcon />
              <b>{title}</b>
              <code>{name}</code>
              {description && <p>{description}</p>}
            </Link>
          </li>
        ))}
      </ul>
      {dashboards.data && dashboards.data.length > 0 && shown.length === 0 && (
        <p className="none">{t("nothing_matches", { text: filter })}</p>
      )}
    </div>
  );
}
