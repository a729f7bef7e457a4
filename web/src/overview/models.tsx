import { useState } from "react";
import { Link } from "wouter";
import type { AssertionResult, Model, ModelState } from "../api/types";
import { formatBytes, formatCount, formatSeconds, kUnknown } from "../format/numbers";
import {
  CheckIcon,
  ChevronIcon,
  CrossIcon,
  DashIcon,
  SearchIcon,
  SyncIcon,
  WaitIcon,
} from "../ui/icons";
import { Badge, EmptyState, ErrorNote, Moment, Quantity, type Tone } from "../ui/parts";
import { usePreferences } from "../ui/preferences";

const kModelLook: Record<ModelState, [Tone, () => React.JSX.Element]> = {
  never: ["idle", WaitIcon],
  running: ["busy", SyncIcon],
  ok: ["ok", CheckIcon],
  warned: ["warn", CheckIcon],
  failed: ["bad", CrossIcon],
  skipped: ["idle", DashIcon],
};

function Assertions({ assertions }: { assertions: AssertionResult[] }) {
  if (assertions.length === 0) return <span className="faint">{kUnknown}</span>;
  const good = assertions.filter(({ state }) => state === "ok").length;
  const failed = assertions.some(({ state }) => state === "failed");
  return (
    <span
      className={`assertions ${failed ? "bad-text" : good === assertions.length ? "ok-text" : ""}`}
    >
      {failed ? <CrossIcon /> : <CheckIcon />}
      <span className="num">
        {good}/{assertions.length}
      </span>
    </span>
  );
}

function ModelDetails({ model }: { model: Model }) {
  const { t, lang } = usePreferences();
  return (
    <div className="model-details">
      {model.description && <p>{model.description}</p>}
      <p>
        <Link href={`/models/${encodeURIComponent(model.name)}`}>{t("open_model")}</Link>
      </p>
      <dl>
        <dt>{t("file")}</dt>
        <dd>
          <code>{model.file}</code>
        </dd>
        {model.depends_on.length > 0 && (
          <>
            <dt>{t("depends_on")}</dt>
            <dd>
              {model.depends_on.map((name) => (
                <code key={name}>{name}</code>
              ))}
            </dd>
          </>
        )}
        {model.tags.length > 0 && (
          <>
            <dt>{t("tags")}</dt>
            <dd>
              {model.tags.map((tag) => (
                <span key={tag} className="tag">
                  {tag}
                </span>
              ))}
            </dd>
          </>
        )}
        {model.assertions.map((assertion) => (
          <div key={assertion.name} className="assertion">
            <dt>{assertion.name}</dt>
            <dd
              className={
                assertion.state === "failed"
                  ? "bad-text"
                  : assertion.state === "ok"
                    ? "ok-text"
                    : ""
              }
            >
              {t(`assertion_${assertion.state}`)}
              {assertion.failing_rows
                ? ` · ${t("failing_rows", { n: formatCount(assertion.failing_rows, lang) })}`
                : ""}
              {assertion.error && (
                <ErrorNote message={assertion.error.message} hint={assertion.error.hint} />
              )}
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function ModelRow({ model }: { model: Model }) {
  const { t, lang } = usePreferences();
  const [open, setOpen] = useState(false);
  const [tone, Icon] = kModelLook[model.state];
  const detailsId = `details-of-${model.name}`;
  const dot = model.name.lastIndexOf(".");
  return (
    <>
      <tr className={open || model.error ? "has-details" : undefined}>
        <th scope="row" className="name">
          <button
            type="button"
            className="disclose"
            aria-expanded={open}
            aria-controls={detailsId}
            aria-label={t("details_of", { name: model.name })}
            onClick={() => setOpen(!open)}
          >
            <ChevronIcon />
            <span>
              <span className="faint">{model.name.slice(0, dot + 1)}</span>
              {model.name.slice(dot + 1)}
            </span>
          </button>
          <span className="tag">{t(`type_${model.type}`)}</span>
        </th>
        <td className="cell-state">
          <Badge tone={tone} icon={<Icon />}>
            {t(`model_${model.state}`)}
          </Badge>
        </td>
        <td className="right" data-label={t("rows")}>
          <span className="num">{formatCount(model.rows, lang)}</span>
        </td>
        <td className="right" data-label={t("size")} title={t("size_of_values")}>
          <span className="num">{formatBytes(model.bytes, lang)}</span>
        </td>
        <td className="right" data-label={t("duration")}>
          <Quantity text={formatSeconds(model.seconds)} />
        </td>
        <td className="right" data-label={t("last_run")}>
          <Moment iso={model.last_run_at} as="ago" />
        </td>
        <td
          className="right"
          data-label={t("freshness")}
          title={
            model.refresh_seconds
              ? t("refreshed_every", { n: formatSeconds(model.refresh_seconds) })
              : undefined
          }
        >
          <Moment iso={model.fresh_as_of} as="ago" />
        </td>
        <td className="right" data-label={t("assertions")}>
          <Assertions assertions={model.assertions} />
        </td>
      </tr>
      <tr id={detailsId} className="details" hidden={!open && !model.error}>
        <td colSpan={8}>
          {model.error && <ErrorNote message={model.error.message} hint={model.error.hint} />}
          {open && <ModelDetails model={model} />}
        </td>
      </tr>
    </>
  );
}

export function Models({ models }: { models: Model[] }) {
  const { t, lang } = usePreferences();
  const [filter, setFilter] = useState("");
  const wanted = filter.trim().toLowerCase();
  const shown = models.filter(({ name, description, tags }) =>
    [name, description ?? "", ...tags].some((text) => text.toLowerCase().includes(wanted)),
  );
  return (
    <section aria-labelledby="models-title">
      <div className="section-head">
        <h2 id="models-title">
          {t("models")}{" "}
          {models.length > 0 && (
            <span className="faint num">{formatCount(models.length, lang)}</span>
          )}
        </h2>
        {models.length > 0 && (
          <label className="search">
            <SearchIcon />
            <input
              type="search"
              value={filter}
              placeholder={t("filter_models")}
              aria-label={t("filter_models")}
              onChange={(event) => setFilter(event.target.value)}
              onKeyDown={(event) => {
                if (event.key === "Escape") setFilter("");
              }}
            />
            <kbd>/</kbd>
          </label>
        )}
      </div>
      {models.length === 0 && <EmptyState title={t("no_models")} next={t("no_models_next")} />}
      {models.length > 0 && (
        <div className="card flush">
          <table className="list models">
            <thead>
              <tr>
                <th scope="col">{t("model")}</th>
                <th scope="col">{t("state")}</th>
                <th scope="col" className="right">
                  {t("rows")}
                </th>
                <th scope="col" className="right" title={t("size_of_values")}>
                  {t("size")}
                </th>
                <th scope="col" className="right">
                  {t("duration")}
                </th>
                <th scope="col" className="right">
                  {t("last_run")}
                </th>
                <th scope="col" className="right">
                  {t("freshness")}
                </th>
                <th scope="col" className="right">
                  {t("assertions")}
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((model) => (
                <ModelRow key={model.name} model={model} />
              ))}
            </tbody>
          </table>
          {shown.length === 0 && <p className="none">{t("nothing_matches", { text: filter })}</p>}
        </div>
      )}
    </section>
  );
}
