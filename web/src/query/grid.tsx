// A result as a table of which only the rows in sight exist: hundreds of thousands scroll as ten do.
import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
} from "@tanstack/virtual-core";
import {
  useCallback,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
  type ClipboardEvent,
  type KeyboardEvent,
  type PointerEvent,
} from "react";
import { utcText } from "../format/times";
import { valueText, type Rows } from "../result/column";
import { usePreferences } from "../ui/preferences";
import { bounds, moved, type Place, type Selection } from "./selection";

const kRowPx = 26;
const kHeaderPx = 44;
const kWidthPxMin = 56;
const kWidthPxMax = 380;
const kWidthStepPx = 24;
const kSampleRows = 60;
const kCopyCellsMax = 1_000_000;
const kTitleCharactersMax = 2_000;

// A wide character (Chinese, Japanese, Korean) takes the place of two.
function textPx(text: string): number {
  let units = 0;
  for (const character of text.slice(0, 60)) units += character.codePointAt(0)! > 0x2e7f ? 2 : 1;
  return units * 7.4 + 22;
}

function fittingWidth(rows: Rows, column: number): number {
  const { name, type, kind } = rows.columns[column]!;
  let width = Math.max(textPx(name) + 6, Math.min(textPx(type) * 0.85, 120));
  for (let row = 0; row < Math.min(rows.rowCount, kSampleRows); row += 1) {
    const value = rows.value(row, column);
    if (value !== null) width = Math.max(width, textPx(valueText(value, kind)));
  }
  return Math.round(Math.max(kWidthPxMin, Math.min(width, kWidthPxMax, window.innerWidth * 0.6)));
}

function useVirtualRows(count: number, scroller: React.RefObject<HTMLDivElement | null>) {
  const [, rerender] = useReducer((n: number) => n + 1, 0);
  const [virtualizer] = useState(
    () =>
      new Virtualizer<HTMLDivElement, Element>({
        count,
        getScrollElement: () => scroller.current,
        estimateSize: () => kRowPx,
        scrollToFn: elementScroll,
        observeElementRect,
        observeElementOffset,
        overscan: 12,
        scrollPaddingStart: kHeaderPx,
        onChange: rerender,
      }),
  );
  virtualizer.setOptions({ ...virtualizer.options, count });
  useLayoutEffect(() => virtualizer._didMount(), [virtualizer]);
  useLayoutEffect(() => virtualizer._willUpdate());
  return virtualizer;
}

type Props = { rows: Rows; rowCount: number; label: string; onCopied: (cells: number) => void };

export function Grid({ rows, rowCount, label, onCopied }: Props) {
  const { t, lang } = usePreferences();
  const id = useId();
  const scroller = useRef<HTMLDivElement>(null);
  const virtualizer = useVirtualRows(rowCount, scroller);
  const [selection, setSelection] = useState<Selection | null>(null);
  const [chosenWidths, setChosenWidths] = useState<Record<number, number>>({});
  const dragging = useRef(false);

  // Widths follow the first rows, and then stay where they are while more arrive.
  const sampled = Math.min(rowCount, kSampleRows) > 0;
  const fitting = useMemo(
    () => rows.columns.map((_, column) => fittingWidth(rows, column)),
    [rows, sampled],
  );
  const widths = fitting.map((width, column) => chosenWidths[column] ?? width);
  const numberWidth = Math.max(44, rowCount.toLocaleString(lang).length * 7 + 18);
  const template = `${numberWidth}px ${widths.map((width) => `${width}px`).join(" ")}`;
  const totalWidth = numberWidth + widths.reduce((sum, width) => sum + width, 0);

  const setWidth = (column: number, width: number) =>
    setChosenWidths((chosen) => ({
      ...chosen,
      [column]: Math.round(Math.max(kWidthPxMin, width)),
    }));

  const reveal = useCallback(
    ({ row, column }: Place) => {
      virtualizer.scrollToIndex(row, { align: "auto" });
      const element = scroller.current;
      if (!element) return;
      const left = widths.slice(0, column).reduce((sum, width) => sum + width, 0);
      const right = left + (widths[column] ?? 0) + numberWidth;
      const leftmost = right - element.clientWidth;
      // A column wider than the view shows its beginning.
      if (left < element.scrollLeft || leftmost > left) element.scrollLeft = left;
      else if (leftmost > element.scrollLeft) element.scrollLeft = leftmost;
    },
    [virtualizer, widths, numberWidth],
  );

  const onKeyDown = (event: KeyboardEvent) => {
    const now = selection ?? { anchor: { row: 0, column: 0 }, active: { row: 0, column: 0 } };
    if (event.altKey && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      const column = now.active.column;
      setWidth(
        column,
        widths[column]! + (event.key === "ArrowRight" ? kWidthStepPx : -kWidthStepPx),
      );
      event.preventDefault();
      return;
    }
    const page = Math.max(
      1,
      Math.floor(((scroller.current?.clientHeight ?? 0) - kHeaderPx) / kRowPx) - 1,
    );
    const next = moved(
      now,
      { key: event.key, shift: event.shiftKey, ctrl: event.ctrlKey || event.metaKey },
      { rows: rowCount, columns: rows.columns.length, page },
    );
    if (!next) return;
    event.preventDefault();
    setSelection(next);
    reveal(next.active);
  };

  const onCopy = (event: ClipboardEvent) => {
    if (!selection) return;
    const { top, bottom, left, right } = bounds(selection);
    if ((bottom - top + 1) * (right - left + 1) > kCopyCellsMax) return;
    const lines: string[] = [];
    for (let row = top; row <= bottom; row += 1) {
      const cells: string[] = [];
      for (let column = left; column <= right; column += 1) {
        const value = rows.value(row, column);
        cells.push(
          value === null
            ? ""
            : valueText(value, rows.columns[column]!.kind).replace(/[\t\r\n]+/g, " "),
        );
      }
      lines.push(cells.join("\t"));
    }
    event.clipboardData.setData("text/plain", lines.join("\n"));
    event.preventDefault();
    onCopied((bottom - top + 1) * (right - left + 1));
  };

  const placeAt = (event: PointerEvent): Place | null => {
    const cell = (event.target as Element).closest<HTMLElement>("[data-column]");
    const row = cell?.closest<HTMLElement>("[data-row]");
    return cell && row
      ? { row: Number(row.dataset.row), column: Number(cell.dataset.column) }
      : null;
  };
  const onPointerDown = (event: PointerEvent) => {
    const place = event.button === 0 ? placeAt(event) : null;
    if (!place) return;
    dragging.current = event.pointerType === "mouse";
    setSelection((before) => ({
      anchor: event.shiftKey && before ? before.anchor : place,
      active: place,
    }));
  };
  const onPointerMove = (event: PointerEvent) => {
    if (!dragging.current || event.buttons !== 1) return;
    const place = placeAt(event);
    if (place) setSelection((before) => ({ anchor: before?.anchor ?? place, active: place }));
  };
  useEffect(() => {
    const stop = () => {
      dragging.current = false;
    };
    window.addEventListener("pointerup", stop);
    return () => window.removeEventListener("pointerup", stop);
  }, []);

  const onResize = (column: number) => (event: PointerEvent<HTMLSpanElement>) => {
    event.preventDefault();
    event.stopPropagation();
    const handle = event.currentTarget;
    const from = event.clientX;
    const width = widths[column]!;
    handle.setPointerCapture(event.pointerId);
    handle.onpointermove = (move) => setWidth(column, width + move.clientX - from);
    handle.onpointerup = () => {
      handle.onpointermove = null;
      handle.onpointerup = null;
    };
  };

  const selected = selection && bounds(selection);
  const isSelected = (row: number, column: number) =>
    selected &&
    row >= selected.top &&
    row <= selected.bottom &&
    column >= selected.left &&
    column <= selected.right;
  const cellId = (row: number, column: number) => `${id}-${row}-${column}`;

  return (
    <div
      className="grid"
      ref={scroller}
      role="grid"
      tabIndex={0}
      aria-label={label}
      aria-rowcount={rowCount + 1}
      aria-colcount={rows.columns.length}
      aria-multiselectable="true"
      aria-activedescendant={
        selection ? cellId(selection.active.row, selection.active.column) : undefined
      }
      onKeyDown={onKeyDown}
      onCopy={onCopy}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
    >
      <div
        className="grid-size"
        style={{ width: totalWidth, height: virtualizer.getTotalSize() + kHeaderPx }}
      >
        <div
          className="grid-row grid-head"
          role="row"
          aria-rowindex={1}
          style={{ gridTemplateColumns: template }}
        >
          <span className="grid-number" role="presentation" />
          {rows.columns.map(({ name, type, kind }, column) => (
            <span
              key={column}
              role="columnheader"
              aria-colindex={column + 1}
              className={kind === "number" ? "right" : ""}
              title={`${name}\n${type}`}
            >
              <b>{name}</b>
              <small>{type.toLowerCase()}</small>
              <i
                className="grid-resize"
                title={t("column_resize", { name })}
                onPointerDown={onResize(column)}
                onDoubleClick={() => setWidth(column, fitting[column]!)}
              />
            </span>
          ))}
        </div>
        {virtualizer.getVirtualItems().map((item) => (
          <div
            key={item.index}
            className="grid-row"
            role="row"
            data-row={item.index}
            aria-rowindex={item.index + 2}
            style={{ gridTemplateColumns: template, transform: `translateY(${item.start}px)` }}
          >
            <span className="grid-number num" role="presentation">
              {(item.index + 1).toLocaleString(lang)}
            </span>
            {rows.columns.map(({ kind }, column) => {
              const value = rows.value(item.index, column);
              const text = value === null ? null : valueText(value, kind);
              const active =
                selection?.active.row === item.index && selection.active.column === column;
              return (
                <span
                  key={column}
                  id={cellId(item.index, column)}
                  role="gridcell"
                  data-column={column}
                  aria-colindex={column + 1}
                  aria-selected={isSelected(item.index, column) ?? false}
                  className={`${kind === "number" ? "right num" : kind === "text" || kind === "nested" ? "" : "num"} ${active ? "active" : ""}`}
                  title={
                    text === null
                      ? undefined
                      : kind === "timestamptz" && typeof value === "number"
                        ? `${text}\n${utcText(value)}`
                        : text.length > 12
                          ? text.slice(0, kTitleCharactersMax)
                          : undefined
                  }
                >
                  {text === null ? <span className="null">NULL</span> : text}
                </span>
              );
            })}
          </div>
        ))}
      </div>
    </div>
  );
}
