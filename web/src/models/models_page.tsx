import { useStatus } from "../api/status_context";
import { Models } from "../overview/models";
import { EmptyState, Loading } from "../ui/parts";
import { usePreferences } from "../ui/preferences";
import { LineageGraph, nodesOf } from "./graph";

// A picture of more is a thicket: each model shows its own surroundings.
const kGraphMax = 150;

export default function ModelsPage() {
  const { t } = usePreferences();
  const { status, state } = useStatus();
  if (!status) return state === "lost" ? null : <Loading />;
  const nodes = nodesOf(status.models);
  return (
    <div className="page models-page">
      <h1>{t("models")}</h1>
      {status.models.length === 0 && (
        <EmptyState title={t("no_models")} next={t("no_models_next")} />
      )}
      {nodes.length > kGraphMax && <p className="faint">{t("lineage_too_large")}</p>}
      {nodes.length > 0 && nodes.length <= kGraphMax && (
        <div className="card flush">
          <LineageGraph nodes={nodes} models={status.models} />
        </div>
      )}
      {status.models.length > 0 && <Models models={status.models} />}
    </div>
  );
}
