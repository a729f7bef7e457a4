// The SQL editor: CodeMirror with the warehouse's names.
import {
  acceptCompletion,
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  closeCompletion,
  completionKeymap,
  completionStatus,
  type CompletionContext,
} from "@codemirror/autocomplete";
import {
  defaultKeymap,
  history,
  historyKeymap,
  indentLess,
  indentMore,
} from "@codemirror/commands";
import { PostgreSQL, SQLDialect, sql } from "@codemirror/lang-sql";
import {
  bracketMatching,
  HighlightStyle,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { Compartment, EditorState, Prec } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  keymap,
  lineNumbers,
  placeholder,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useImperativeHandle, useRef, type Ref } from "react";
import type { Catalog } from "../api/types";
import { columnCompletions, completionSchema } from "./completion";

// DuckDB writes PostgreSQL's SQL with words of its own.
const kDuckDb = SQLDialect.define({
  ...PostgreSQL.spec,
  keywords: `${PostgreSQL.spec.keywords} qualify pivot unpivot asof positional anti semi summarize describe exclude replace sample macro try_cast ilike`,
  types: `${PostgreSQL.spec.types} hugeint ubigint uinteger usmallint utinyint tinyint blob struct map list varchar`,
});

const kHighlight = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword], color: "var(--code-keyword)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: [tags.comment], color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.typeName, tags.standard(tags.name)], color: "var(--code-type)" },
]);

const kLook = EditorView.theme({
  "&": {
    height: "100%",
    fontSize: "13.5px",
    color: "var(--text)",
    backgroundColor: "var(--surface)",
  },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6" },
  ".cm-content": { caretColor: "var(--accent)", padding: "10px 0" },
  ".cm-cursor": { borderLeftColor: "var(--accent)", borderLeftWidth: "2px" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--faint)", border: "none" },
  ".cm-lineNumbers .cm-gutterElement": { minWidth: "34px", padding: "0 10px 0 6px" },
  ".cm-activeLine": { backgroundColor: "var(--row-hover)" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground":
    {
      backgroundColor: "var(--selection)",
    },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": {
    backgroundColor: "var(--accent-soft)",
  },
  ".cm-placeholder": { color: "var(--faint)" },
  ".cm-tooltip": {
    backgroundColor: "var(--surface)",
    border: "1px solid var(--line-strong)",
    borderRadius: "8px",
    boxShadow: "var(--shadow)",
    overflow: "hidden",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": {
    fontFamily: "var(--mono)",
    fontSize: "12.5px",
    maxHeight: "16em",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 10px", lineHeight: "1.5" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": {
    backgroundColor: "var(--accent)",
    color: "var(--on-accent)",
  },
  ".cm-completionDetail": { fontStyle: "normal", opacity: "0.7", marginLeft: "1.2em" },
  ".cm-completionIcon": { opacity: "0.5" },
});

function columnSource(catalog: Catalog) {
  return (context: CompletionContext) => {
    const word = context.matchBefore(/[\p{L}\p{N}_]*/u);
    if (!word || (word.from === word.to && !context.explicit)) return null;
    // Behind a dot the schema's own completion answers.
    if (context.state.sliceDoc(word.from - 1, word.from) === ".") return null;
    return {
      from: word.from,
      options: columnCompletions(context.state.doc.toString(), catalog),
      validFor: /^[\p{L}\p{N}_]*$/u,
    };
  };
}

function language(catalog: Catalog | null) {
  const support = sql({
    dialect: kDuckDb,
    schema: catalog ? completionSchema(catalog) : undefined,
  });
  return catalog
    ? [support, kDuckDb.language.data.of({ autocomplete: columnSource(catalog) })]
    : support;
}

export type EditorHandle = {
  text: () => string;
  setText: (text: string) => void;
  insert: (text: string) => void;
  focus: () => void;
};

type Props = {
  ref: Ref<EditorHandle>;
  initial: string;
  label: string;
  hint: string;
  catalog: Catalog | null;
  onRun: () => void;
  // Gives whether there was something to cancel.
  onCancel: () => boolean;
  onChange: (text: string) => void;
};

export function Editor({ ref, initial, label, hint, catalog, onRun, onCancel, onChange }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const languageSlot = useRef(new Compartment());
  const handlers = useRef({ onRun, onCancel, onChange });
  handlers.current = { onRun, onCancel, onChange };

  useEffect(() => {
    const run = () => {
      closeCompletion(made);
      handlers.current.onRun();
      return true;
    };
    const made = new EditorView({
      parent: place.current!,
      state: EditorState.create({
        doc: initial,
        extensions: [
          lineNumbers(),
          history(),
          drawSelection(),
          highlightActiveLine(),
          bracketMatching(),
          closeBrackets(),
          autocompletion({ icons: false }),
          indentUnit.of("  "),
          placeholder(hint),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({
            "aria-label": label,
            spellcheck: "false",
            autocapitalize: "off",
          }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) handlers.current.onChange(update.state.doc.toString());
          }),
          Prec.highest(
            keymap.of([
              { key: "Mod-Enter", run },
              {
                key: "Escape",
                run: (editor) => {
                  if (completionStatus(editor.state) !== null) return closeCompletion(editor);
                  // Nothing to cancel: the key leaves the editor, so that Tab moves on from here.
                  if (!handlers.current.onCancel()) editor.contentDOM.blur();
                  return true;
                },
              },
              {
                key: "Tab",
                run: (editor) => acceptCompletion(editor) || indentMore(editor),
                shift: indentLess,
              },
            ]),
          ),
          keymap.of([
            ...closeBracketsKeymap,
            ...completionKeymap,
            ...historyKeymap,
            ...defaultKeymap,
          ]),
          syntaxHighlighting(kHighlight),
          kLook,
          languageSlot.current.of(language(null)),
        ],
      }),
    });
    view.current = made;
    return () => {
      made.destroy();
      view.current = null;
    };
    // The editor owns its text from here on, so what it began with is not followed.
  }, []);

  useEffect(() => {
    view.current?.dispatch({ effects: languageSlot.current.reconfigure(language(catalog)) });
  }, [catalog]);

  useImperativeHandle(ref, () => ({
    text: () => {
      const state = view.current!.state;
      const { from, to } = state.selection.main;
      return from === to ? state.doc.toString() : state.sliceDoc(from, to);
    },
    setText: (text) => {
      const made = view.current!;
      made.dispatch({
        changes: { from: 0, to: made.state.doc.length, insert: text },
        selection: { anchor: text.length },
      });
      made.focus();
    },
    insert: (text) => {
      const made = view.current!;
      made.dispatch(made.state.replaceSelection(text));
      made.focus();
    },
    focus: () => view.current?.focus(),
  }));

  return <div className="editor" ref={place} />;
}
