import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { Link } from "wouter";
import { getJson } from "../api/client";
import { openLive, type Live, type LiveState } from "../api/live";
import type { Dashboard, TileResult } from "../api/types";
import { ChevronIcon } from "../ui/icons";
import { EmptyState, FailureNote, Loading, Moment } from "../ui/parts";
import { usePreferences } from "../ui/preferences";
import { TileCard } from "./tile";

type Received = { result: TileResult; changes: number };

// The newest result of each tile, by its id.
function useTiles(name: string, dashboard: Dashboard | undefined) {
  const [tiles, setTiles] = useState<ReadonlyMap<number, Received>>(new Map());
  const [state, setState] = useState<LiveState>("connecting");
  const live = useRef<Live | null>(null);
  useEffect(() => {
    if (!dashboard) return;
    // Of a dashboard that was applied anew, what came before belongs to other tiles.
    setTiles(new Map());
    const opened = openLive({
      url: `/api/v1/dashboards/${encodeURIComponent(name)}/live`,
      event: "tile",
      onState: setState,
      onData: (data) => {
        const result = data as TileResult;
        setTiles((before) => {
          const known = before.get(result.id);
          // After a lost connection every tile comes again; only a new answer is a change.
          const same = known && JSON.stringify(known.result.rows) === JSON.stringify(result.rows);
          const changes = known ? known.changes + (same ? 0 : 1) : 0;
          return new Map(before).set(result.id, { result, changes });
        });
      },
    });
    live.current = opened;
    return () => opened.close();
  }, [name, dashboard]);
  return { tiles, state, retryNow: () => live.current?.retryNow() };
}

export function DashboardPage({ name }: { name: string }) {
  const { t } = usePreferences();
  const dashboard = useQuery({
    queryKey: ["dashboard", name],
    queryFn: ({ signal }) =>
      getJson<Dashboard>(`/api/v1/dashboards/${encodeURIComponent(name)}`, signal),
    refetchInterval: 15_000,
  });
  const { tiles, state, retryNow } = useTiles(name, dashboard.data);

  if (dashboard.isPending) return <Loading />;
  if (!dashboard.data) {
    return (
      <div className="page">
        <FailureNote error={dashboard.error} />
        <p>
          <Link href="/dashboards">{t("all_dashboards")}</Link>
        </p>
      </div>
    );
  }
  const { title, description, tiles: wanted } = dashboard.data;
  const asOf =
    [...tiles.values()]
      .map(({ result }) => result.as_of)
      .sort()
      .at(-1) ?? null;
  return (
    <div className="page dashboard">
      <header className="dashboard-head">
        <nav aria-label={t("all_dashboards")}>
          <Link href="/dashboards">{t("dashboards")}</Link>
          <ChevronIcon />
        </nav>
        <h1>{title}</h1>
        <span className={`as-of ${state}`}>
          <i />
          {asOf === null ? t("as_of_waiting") : <AsOf iso={asOf} />}
          {state === "lost" && (
            <button type="button" onClick={retryNow}>
              {t("connection_lost")} · {t("retry_now")}
            </button>
          )}
        </span>
        {description && <p className="description">{description}</p>}
      </header>
      {wanted.length === 0 && (
        <EmptyState title={t("dashboard_no_tiles")} next={t("dashboard_no_tiles_next", { name })} />
      )}
      <div className="tiles">
        {wanted.map((tile) => {
          const received = tiles.get(tile.id);
          return (
            <TileCard
              key={tile.id}
              tile={tile}
              result={received?.result ?? null}
              changes={received?.changes ?? 0}
            />
          );
        })}
      </div>
    </div>
  );
}

function AsOf({ iso }: { iso: string }) {
  const { t } = usePreferences();
  const [before, after] = t("as_of").split("{time}");
  return (
    <span className="num">
      {before}
      <Moment iso={iso} />
      {after}
    </span>
  );
}
