import { useStatus } from "../api/status_context";
import type { Status } from "../api/types";
import { formatBytes, formatSeconds } from "../format/numbers";
import { Loading, Quantity, useNow } from "../ui/parts";
import { usePreferences } from "../ui/preferences";
import { Flow } from "./flow";
import { Models } from "./models";
import { Streams } from "./streams";

function Instance({ status }: { status: Status }) {
  const { t, lang } = usePreferences();
  const now = useNow(10_000);
  const runningFor = Math.max(0, (now - Date.parse(status.started_at)) / 1000);
  const facts: [string, string][] = [
    [t("warehouse"), formatBytes(status.warehouse.bytes, lang)],
    [t("memory"), formatBytes(status.process.rss_bytes, lang)],
    [t("cpu_time"), formatSeconds(status.process.cpu_seconds)],
    [t("running_for"), formatSeconds(Math.round(runningFor))],
  ];
  return (
    <dl className="instance" aria-label={t("process")}>
      {facts.map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <Quantity text={text} />
          </dd>
        </div>
      ))}
      <div>
        <dt>{t("version")}</dt>
        <dd title={status.warehouse.path}>{status.version}</dd>
      </div>
    </dl>
  );
}

export function OverviewPage() {
  const { t } = usePreferences();
  const { status, state } = useStatus();
  if (!status) return state === "lost" ? null : <Loading />;
  return (
    <div className="page overview">
      <h1 className="visually-hidden">{t("overview")}</h1>
      <Flow status={status} />
      <Streams streams={status.streams} />
      <Models models={status.models} />
      <Instance status={status} />
    </div>
  );
}
