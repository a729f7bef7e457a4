// The shapes of docs/api.md.

export type ErrorBody = { kind: string; message: string; hint: string | null };

export type StreamState =
  "starting" | "snapshot" | "catching_up" | "streaming" | "retrying" | "failed" | "stopped" | "paused";

export type TableState = "waiting" | "copying" | "live" | "refused" | "paused" | "gone";

export type StreamTable = {
  name: string;
  state: TableState;
  rows: number | null;
  rows_copied: number | null;
  rows_estimate: number | null;
  last_change_at: string | null;
  masks: Record<string, string>;
  notes: string[];
};

export type Comparison = {
  source: string;
  outcome: "equal" | "differs" | "repaired" | "not_compared" | "not_comparable";
  reason: string;
  at: string | null;
  seconds: number;
  rows: number;
  missing: number;
  extra: number;
  different: number;
  changing: number;
  repaired: number;
  keys: { key: string[]; difference: "missing" | "extra" | "different" }[];
};

// What came of comparing a stream's tables with their source.
export type Reconciliation = {
  running: boolean;
  repairing: boolean;
  table: string;
  tables_done: number;
  tables: number;
  parts_done: number;
  parts: number;
  error: string;
  last_run: string[];
  results: Comparison[];
};

export type HistoryPoint = { at: string; changes_per_s: number; lag_seconds: number | null };

export type Stream = {
  name: string;
  connection: string;
  source: string;
  dataset: string;
  state: StreamState;
  error: ErrorBody | null;
  warning: string | null;
  lag_bytes: number | null;
  lag_seconds: number | null;
  retained_bytes: number | null;
  position: string | null;
  changes_total: number;
  changes_per_s: number;
  rows_per_s: number;
  batch: { changes: number; bytes: number; seconds: number };
  queue: { bytes: number; bytes_max: number };
  errors_total: Record<string, number>;
  history: HistoryPoint[];
  tables: StreamTable[];
  reconciliation: Reconciliation;
};

export type AssertionResult = {
  name: string;
  state: "never" | "ok" | "failed";
  failing_rows: number | null;
  error: ErrorBody | null;
};

export type ModelType = "table" | "view" | "incremental" | "assertion" | "operations";
export type ModelState = "never" | "running" | "ok" | "warned" | "failed" | "skipped";

export type Model = {
  name: string;
  type: ModelType;
  file: string;
  description: string | null;
  tags: string[];
  state: ModelState;
  last_run_at: string | null;
  seconds: number | null;
  rows: number | null;
  bytes: number | null;
  error: ErrorBody | null;
  refresh_seconds: number | null;
  fresh_as_of: string | null;
  depends_on: string[];
  assertions: AssertionResult[];
};

// A column that a value comes from or goes to; `copied` when it is not changed on the way.
export type ColumnOrigin = { table: string; column: string; copied: boolean };

// A model, or a table that models read; of the latter there is no definition.
export type ModelPage = {
  name: string;
  type: ModelType | "source";
  file?: string;
  description?: string;
  tags?: string[];
  source?: string | null;
  sql?: string;
  incremental_sql?: string | null;
  pre_operations?: string[];
  post_operations?: string[];
  operations?: string[];
  depends_on?: string[];
  used_by: string[];
  columns: {
    name: string;
    type: string;
    description: string;
    sources: ColumnOrigin[];
    used_in: ColumnOrigin[];
  }[];
  conditions?: ColumnOrigin[];
  lineage_unknown?: string | null;
  builds: { run_id: string; kind: string; at: string; seconds: number; rows: number | null; bytes: number | null }[];
};

export type Status = {
  version: string;
  project: string;
  environment: string;
  started_at: string;
  process: { rss_bytes: number; cpu_seconds: number };
  warehouse: { path: string; bytes: number };
  streams: Stream[];
  models: Model[];
  dashboards: { name: string; title: string }[];
};

export type CatalogColumn = { name: string; type: string; description: string | null };
export type CatalogTable = {
  name: string;
  kind: "table" | "view";
  rows: number | null;
  columns: CatalogColumn[];
};
export type CatalogDataset = { name: string; tables: CatalogTable[] };
export type Catalog = { datasets: CatalogDataset[] };

export type DashboardEntry = { name: string; title: string; description: string | null };

export type TileType = "counter" | "line" | "bar" | "table";
export type Tile = {
  id: number;
  title: string;
  description: string | null;
  type: TileType;
  sql: string;
  x: string | null;
  y: string[] | null;
  series: string | null;
  unit: string | null;
  width: number;
  height: number;
};
export type Dashboard = {
  name: string;
  title: string;
  description: string | null;
  refresh_seconds: number;
  tiles: Tile[];
};

// A value of a JSON result: integers beyond 2^53 and decimals come as strings of digits.
export type Cell = string | number | boolean | null | Cell[] | { [key: string]: Cell };
export type ResultColumn = { name: string; type: string };
export type TileResult = {
  id: number;
  columns: ResultColumn[];
  rows: Cell[][];
  error: ErrorBody | null;
  as_of: string;
  seconds: number;
};
