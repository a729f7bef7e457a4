// The names of the catalogue in the form in which the editor completes them.
import type { Completion } from "@codemirror/autocomplete";
import type { SQLNamespace } from "@codemirror/lang-sql";
import type { Catalog, CatalogTable } from "../api/types";

// A name as SQL needs it written: plain where that is enough, else in quotes.
export function quoteName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

function completion(name: string, more: Partial<Completion>): Completion {
  const quoted = quoteName(name);
  return quoted === name ? { label: name, ...more } : { label: name, apply: quoted, ...more };
}

function columnsOf(table: CatalogTable): Completion[] {
  return table.columns.map(({ name, type, description }) =>
    completion(name, { type: "property", detail: type, info: description ?? undefined }),
  );
}

// dataset → table → columns. Columns of all tables are not offered bare: the editor completes them
// behind a table's name or alias.
export function completionSchema(catalog: Catalog): SQLNamespace {
  const datasets: Record<string, SQLNamespace> = {};
  for (const dataset of catalog.datasets) {
    const tables: Record<string, SQLNamespace> = {};
    for (const table of dataset.tables) {
      tables[table.name] = {
        self: completion(table.name, { type: "type", detail: table.kind }),
        children: columnsOf(table),
      };
    }
    datasets[dataset.name] = {
      self: completion(dataset.name, { type: "namespace" }),
      children: tables,
    };
  }
  return datasets;
}

// The tables that a query names, for completing their columns without a prefix. A name in a comment or
// a text is taken too: it costs a few completions more.
export function tablesNamed(sql: string, catalog: Catalog): CatalogTable[] {
  if (!/\b(from|join)\b/i.test(sql)) return [];
  const words = new Set(sql.toLowerCase().match(/[\p{L}\p{N}_]+/gu));
  return catalog.datasets.flatMap(({ tables }) =>
    tables.filter(({ name }) => words.has(name.toLowerCase())),
  );
}

// Bare columns of those tables, each once, with the tables that have it.
export function columnCompletions(sql: string, catalog: Catalog): Completion[] {
  const found = new Map<string, { type: string; tables: string[] }>();
  for (const table of tablesNamed(sql, catalog)) {
    for (const column of table.columns) {
      const known = found.get(column.name);
      if (known) known.tables.push(table.name);
      else found.set(column.name, { type: column.type, tables: [table.name] });
    }
  }
  return [...found].map(([name, { type, tables }]) =>
    completion(name, { type: "property", detail: `${type} · ${tables.join(", ")}`, boost: 1 }),
  );
}
