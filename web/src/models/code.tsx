// SQL to be read, with its words coloured.
import { PostgreSQL } from "@codemirror/lang-sql";
import { highlightCode, tagHighlighter, tags } from "@lezer/highlight";
import type { ReactNode } from "react";
import { CopyButton } from "./copy_button";

const kHighlighter = tagHighlighter([
  { tag: [tags.keyword, tags.operatorKeyword], class: "code-keyword" },
  { tag: [tags.string, tags.special(tags.string)], class: "code-string" },
  { tag: [tags.number, tags.bool, tags.null], class: "code-number" },
  { tag: [tags.comment], class: "code-comment" },
  { tag: [tags.typeName, tags.standard(tags.name)], class: "code-type" },
]);

export function Code({ text, label }: { text: string; label: string }) {
  const parts: ReactNode[] = [];
  highlightCode(
    text,
    PostgreSQL.language.parser.parse(text),
    kHighlighter,
    (piece, classes) =>
      parts.push(
        classes ? (
          <span key={parts.length} className={classes}>
            {piece}
          </span>
        ) : (
          piece
        ),
      ),
    () => parts.push("\n"),
  );
  return (
    <div className="code-view">
      <CopyButton text={text} />
      <pre tabIndex={0} aria-label={label}>
        <code>{parts}</code>
      </pre>
    </div>
  );
}
