// What there is to ask for: datasets, their tables, their columns. A click, or Enter, puts the name
// into the query.
import { useRef, useState, type KeyboardEvent } from "react";
import type { Catalog, CatalogTable } from "../api/types";
import { formatCompact } from "../format/numbers";
import { ChevronIcon, SearchIcon, TableIcon } from "../ui/icons";
import { EmptyState } from "../ui/parts";
import { usePreferences } from "../ui/preferences";
import { quoteName } from "./completion";

type Props = {
  catalog: Catalog;
  onTable: (name: string) => void;
  onColumn: (name: string) => void;
};

function matches(text: string, wanted: string): boolean {
  return text.toLowerCase().includes(wanted);
}

function TableItem({
  dataset,
  table,
  wanted,
  onTable,
  onColumn,
}: { dataset: string; table: CatalogTable; wanted: string } & Omit<Props, "catalog">) {
  const { t, lang } = usePreferences();
  const [opened, setOpened] = useState(false);
  const full = `${quoteName(dataset)}.${quoteName(table.name)}`;
  // A search that finds columns shows them, and only them.
  const byName = wanted === "" || matches(`${dataset}.${table.name}`, wanted);
  const columns = byName
    ? table.columns
    : table.columns.filter(({ name }) => matches(name, wanted));
  const open = opened || !byName;
  return (
    <li>
      <div className="catalog-table">
        <button
          type="button"
          className="disclose"
          aria-expanded={open}
          aria-label={t("columns_of", { name: table.name })}
          onClick={() => setOpened(!opened)}
        >
          <ChevronIcon />
        </button>
        <button
          type="button"
          className="catalog-name"
          onClick={() => onTable(full)}
          title={t("insert_name", { name: full })}
        >
          <TableIcon />
          <span>{table.name}</span>
          <small className="num">
            {table.kind === "view"
              ? t("view")
              : table.rows === null
                ? ""
                : formatCompact(table.rows, lang)}
          </small>
        </button>
      </div>
      {open && (
        <ul className="catalog-columns">
          {columns.map((column) => (
            <li key={column.name}>
              <button
                type="button"
                className="catalog-name"
                onClick={() => onColumn(quoteName(column.name))}
                title={column.description ?? t("insert_name", { name: column.name })}
              >
                <span>{column.name}</span>
                <small>{column.type.toLowerCase()}</small>
              </button>
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

export function CatalogPanel({ catalog, onTable, onColumn }: Props) {
  const { t } = usePreferences();
  const [filter, setFilter] = useState("");
  const list = useRef<HTMLDivElement>(null);
  const wanted = filter.trim().toLowerCase();
  const datasets = catalog.datasets
    .map((dataset) => ({
      ...dataset,
      tables: dataset.tables.filter(
        (table) =>
          matches(`${dataset.name}.${table.name}`, wanted) ||
          table.columns.some(({ name }) => matches(name, wanted)),
      ),
    }))
    .filter(({ tables }) => tables.length > 0);

  const move = (event: KeyboardEvent) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const names = [...(list.current?.querySelectorAll<HTMLElement>(".catalog-name") ?? [])];
    const at = names.indexOf(document.activeElement as HTMLElement);
    const next = names[at + (event.key === "ArrowDown" ? 1 : -1)];
    if (!next) return;
    event.preventDefault();
    next.focus();
  };

  if (catalog.datasets.every(({ tables }) => tables.length === 0)) {
    return <EmptyState title={t("catalog_empty")} next={t("catalog_empty_next")} />;
  }
  return (
    <div onKeyDown={move}>
      <label className="search">
        <SearchIcon />
        <input
          type="search"
          value={filter}
          placeholder={t("catalog_filter")}
          aria-label={t("catalog_filter")}
          onChange={(event) => setFilter(event.target.value)}
        />
        <kbd>/</kbd>
      </label>
      <div className="catalog-list" ref={list}>
        {datasets.map((dataset) => (
          <section key={dataset.name} aria-label={dataset.name}>
            <h3>{dataset.name}</h3>
            <ul>
              {dataset.tables.map((table) => (
                <TableItem
                  key={table.name}
                  dataset={dataset.name}
                  table={table}
                  wanted={wanted}
                  onTable={onTable}
                  onColumn={onColumn}
                />
              ))}
            </ul>
          </section>
        ))}
        {datasets.length === 0 && <p className="none">{t("nothing_matches", { text: filter })}</p>}
      </div>
    </div>
  );
}
