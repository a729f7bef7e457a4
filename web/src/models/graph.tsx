// Tables and what is made of them, from left to right. Each node is a link, in the order of the flow.
import { Link } from "wouter";
import type { Model } from "../api/types";
import { usePreferences } from "../ui/preferences";
import { layOut, type GraphNode } from "./layout";

const kWidth = 196;
const kHeight = 42;
const kGapX = 56;
const kGapY = 12;

export function modelPath(name: string): string {
  return `/models/${encodeURIComponent(name)}`;
}

// Models, without assertions, and the tables from elsewhere that they read.
export function nodesOf(models: Model[]): GraphNode[] {
  const shown = models.filter(({ type }) => type !== "assertion");
  const assertions = new Set(
    models.filter(({ type }) => type === "assertion").map(({ name }) => name),
  );
  const nodes = shown.map(({ name, depends_on }) => ({
    name,
    needs: depends_on.filter((other) => !assertions.has(other)),
  }));
  const known = new Set(nodes.map(({ name }) => name));
  const sources = new Set(nodes.flatMap(({ needs }) => needs).filter((name) => !known.has(name)));
  return [...[...sources].map((name) => ({ name, needs: [] })), ...nodes];
}

export function LineageGraph(props: { nodes: GraphNode[]; models: Model[]; here?: string }) {
  const { t } = usePreferences();
  const { places, columns, rows } = layOut(props.nodes);
  const states = new Map(props.models.map((model) => [model.name, model]));
  const width = columns * (kWidth + kGapX) - kGapX;
  const height = rows * (kHeight + kGapY) - kGapY;
  const x = (name: string) => places.get(name)!.column * (kWidth + kGapX);
  const y = (name: string) => places.get(name)!.row * (kHeight + kGapY);
  const lines = props.nodes.flatMap(({ name, needs }) =>
    needs
      .filter((other) => places.has(other))
      .map((other) => {
        const fromX = x(other) + kWidth;
        const fromY = y(other) + kHeight / 2;
        const toX = x(name);
        const toY = y(name) + kHeight / 2;
        const bend = (toX - fromX) / 2;
        return {
          key: `${other}→${name}`,
          near: other === props.here || name === props.here,
          d: `M${fromX},${fromY}C${fromX + bend},${fromY} ${toX - bend},${toY} ${toX},${toY}`,
        };
      }),
  );
  const inOrder = [...props.nodes].sort(
    (a, b) => x(a.name) - x(b.name) || y(a.name) - y(b.name),
  );
  return (
    <div className="lineage" role="group" aria-label={t("lineage")} tabIndex={0}>
      <div className="lineage-plane" style={{ width, height }}>
        <svg width={width} height={height} aria-hidden="true">
          {lines.map(({ key, d, near }) => (
            <path key={key} d={d} className={near ? "near" : undefined} />
          ))}
        </svg>
        {inOrder.map(({ name }) => {
          const model = states.get(name);
          const dot = name.lastIndexOf(".");
          const tone = !model ? "source" : model.state === "failed" ? "bad" : model.type;
          return (
            <Link
              key={name}
              href={modelPath(name)}
              className={`node ${tone}`}
              aria-current={name === props.here ? "true" : undefined}
              style={{ left: x(name), top: y(name), width: kWidth, height: kHeight }}
              title={model?.description ?? name}
            >
              <span className="node-name">{name.slice(dot + 1)}</span>
              <span className="node-kind">
                {name.slice(0, dot)} · {model ? t(`type_${model.type}`) : t("type_source")}
              </span>
            </Link>
          );
        })}
      </div>
    </div>
  );
}
