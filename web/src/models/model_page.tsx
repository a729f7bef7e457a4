import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { getJson } from "../api/client";
import { useStatus } from "../api/status_context";
import type { ColumnOrigin, ModelPage as Page } from "../api/types";
import { formatBytes, formatCount, formatSeconds } from "../format/numbers";
import { EmptyState, FailureNote, Loading, Moment, Quantity } from "../ui/parts";
import { usePreferences } from "../ui/preferences";
import { Code } from "./code";
import { LineageGraph, modelPath, nodesOf } from "./graph";
import { around } from "./layout";

function Origins({ origins }: { origins: ColumnOrigin[] }) {
  const { t } = usePreferences();
  if (origins.length === 0) return <span className="faint">—</span>;
  return (
    <ul className="origins">
      {origins.map(({ table, column, copied }) => (
        <li key={`${table}.${column}`} title={copied ? t("origin_copied") : t("origin_computed")}>
          <span aria-hidden="true" className="faint">
            {copied ? "=" : "ƒ"}
          </span>
          <span className="visually-hidden">
            {copied ? t("origin_copied") : t("origin_computed")}
          </span>{" "}
          <Link href={modelPath(table)}>{table}</Link>.{column}
        </li>
      ))}
    </ul>
  );
}

function Columns({ page }: { page: Page }) {
  const { t } = usePreferences();
  return (
    <section aria-labelledby="columns-title">
      <h2 id="columns-title">{t("columns")}</h2>
      {page.lineage_unknown && (
        <p className="faint">{t("lineage_unknown", { why: page.lineage_unknown })}</p>
      )}
      {page.columns.length === 0 ? (
        <EmptyState title={t("no_columns")} next={t("no_columns_next")} />
      ) : (
        <div className="card flush">
          <table className="list columns">
            <thead>
              <tr>
                <th scope="col">{t("column")}</th>
                <th scope="col">{t("column_type")}</th>
                <th scope="col">{t("comes_from")}</th>
                <th scope="col">{t("goes_to")}</th>
              </tr>
            </thead>
            <tbody>
              {page.columns.map((column) => (
                <tr key={column.name}>
                  <th scope="row">
                    {column.name}
                    {column.description && <p className="faint">{column.description}</p>}
                  </th>
                  <td data-label={t("column_type")}>
                    <code>{column.type}</code>
                  </td>
                  <td data-label={t("comes_from")}>
                    <Origins origins={column.sources} />
                  </td>
                  <td data-label={t("goes_to")}>
                    <Origins origins={column.used_in} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {(page.conditions?.length ?? 0) > 0 && (
        <div className="conditions">
          <h3>{t("conditions")}</h3>
          <Origins origins={page.conditions!} />
        </div>
      )}
    </section>
  );
}

function Sql({ page }: { page: Page }) {
  const { t } = usePreferences();
  const compiled = [
    ...(page.pre_operations ?? []),
    page.sql ?? "",
    ...(page.operations ?? []),
    ...(page.post_operations ?? []),
  ]
    .filter((text) => text !== "")
    .join("\n---\n");
  const views = [
    { name: t("sql_definition"), text: page.source ?? "" },
    { name: t("sql_compiled"), text: compiled },
    { name: t("sql_incremental"), text: page.incremental_sql ?? "" },
  ].filter(({ text }) => text !== "");
  const [chosen, setChosen] = useState(0);
  if (views.length === 0) return null;
  const shown = views[Math.min(chosen, views.length - 1)]!;
  return (
    <section aria-labelledby="sql-title">
      <div className="section-head">
        <h2 id="sql-title">SQL</h2>
        <div className="segmented" role="group" aria-label="SQL">
          {views.map(({ name }, index) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === shown.name}
              onClick={() => setChosen(index)}
            >
              {name}
            </button>
          ))}
        </div>
      </div>
      <Code text={shown.text} label={shown.name} />
    </section>
  );
}

function Builds({ page }: { page: Page }) {
  const { t, lang } = usePreferences();
  if (page.builds.length === 0) return null;
  return (
    <section aria-labelledby="builds-title">
      <h2 id="builds-title">{t("builds")}</h2>
      <div className="card flush">
        <table className="list builds">
          <thead>
            <tr>
              <th scope="col">{t("last_run")}</th>
              <th scope="col">{t("build_kind")}</th>
              <th scope="col" className="right">
                {t("rows")}
              </th>
              <th scope="col" className="right" title={t("size_of_values")}>
                {t("size")}
              </th>
              <th scope="col" className="right">
                {t("duration")}
              </th>
            </tr>
          </thead>
          <tbody>
            {page.builds.map((build, index) => (
              <tr key={`${build.run_id}-${index}`}>
                <th scope="row">
                  <Moment iso={build.at} />
                </th>
                <td data-label={t("build_kind")}>{build.kind}</td>
                <td className="right" data-label={t("rows")}>
                  <span className="num">{formatCount(build.rows, lang)}</span>
                </td>
                <td className="right" data-label={t("size")}>
                  <Quantity text={formatBytes(build.bytes, lang)} />
                </td>
                <td className="right" data-label={t("duration")}>
                  <Quantity text={formatSeconds(build.seconds)} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

export default function ModelPage({ name }: { name: string }) {
  const { t } = usePreferences();
  const { status } = useStatus();
  // Asked again when it was built anew.
  const builtAt = status?.models.find((model) => model.name === name)?.last_run_at ?? null;
  const answer = useQuery({
    queryKey: ["model", name, builtAt],
    queryFn: ({ signal }) =>
      getJson<Page>(`/api/v1/models/${encodeURIComponent(name)}`, signal),
    placeholderData: (before) => before,
  });
  if (answer.isPending) return <Loading />;
  if (!answer.data) return <FailureNote error={answer.error} />;
  const page = answer.data;
  const nodes = status ? nodesOf(status.models) : [];
  const near = around(nodes, name);
  const dot = page.name.lastIndexOf(".");
  return (
    <div className="page model-page">
      <p className="crumbs">
        <Link href="/models">{t("all_models")}</Link>
      </p>
      <h1>
        <span className="faint">{page.name.slice(0, dot + 1)}</span>
        {page.name.slice(dot + 1)} <span className="tag">{t(`type_${page.type}`)}</span>
        {page.tags?.map((tag) => (
          <span key={tag} className="tag">
            {tag}
          </span>
        ))}
      </h1>
      {page.description && <p>{page.description}</p>}
      {page.file && (
        <p className="faint">
          <code>{page.file}</code>
        </p>
      )}
      {near.size > 1 && (
        <section aria-labelledby="lineage-title">
          <h2 id="lineage-title">{t("lineage")}</h2>
          <div className="card flush">
            <LineageGraph
              nodes={nodes.filter((node) => near.has(node.name))}
              models={status!.models}
              here={name}
            />
          </div>
        </section>
      )}
      <Columns page={page} />
      <Sql page={page} />
      <Builds page={page} />
    </div>
  );
}
