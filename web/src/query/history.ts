// The queries that were run in this browser, newest first, each text once.
import { recall, remember } from "../ui/storage";

export type PastQuery = { sql: string; at: string; seconds: number; rows: number | null };

const kKey = "history";
const kQueriesMax = 100;
const kSqlCharactersMax = 20_000;

function isPastQuery(value: unknown): value is PastQuery {
  const past = value as PastQuery;
  return (
    typeof past === "object" &&
    past !== null &&
    typeof past.sql === "string" &&
    typeof past.at === "string"
  );
}

export function readHistory(): PastQuery[] {
  try {
    const stored: unknown = JSON.parse(recall(kKey) ?? "[]");
    return Array.isArray(stored) ? stored.filter(isPastQuery) : [];
  } catch {
    return [];
  }
}

export function withQuery(history: PastQuery[], query: PastQuery): PastQuery[] {
  const sql = query.sql.trim();
  if (sql === "" || sql.length > kSqlCharactersMax) return history;
  return [{ ...query, sql }, ...history.filter((past) => past.sql !== sql)].slice(0, kQueriesMax);
}

export function writeHistory(history: PastQuery[]): void {
  remember(kKey, JSON.stringify(history));
}
