// The small parts that every page is made of.
import { useEffect, useState, type ReactNode } from "react";
import { ApiError, UnreachableError } from "../api/client";
import { agoText, localText, parseMicros, shortTime, utcText } from "../format/times";
import { kUnknown } from "../format/numbers";
import { AlertIcon, CrossIcon } from "./icons";
import { usePreferences } from "./preferences";

export type Tone = "ok" | "busy" | "warn" | "bad" | "idle";

export function Badge({
  tone,
  icon,
  children,
}: {
  tone: Tone;
  icon: ReactNode;
  children: ReactNode;
}) {
  return (
    <span className={`badge ${tone}`}>
      {icon}
      {children}
    </span>
  );
}

// Text in which `this` is code.
export function WithCode({ text }: { text: string }) {
  return text
    .split("`")
    .map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part));
}

export function ErrorNote(props: {
  title?: string;
  message: string;
  hint: string | null;
  tone?: "bad" | "warn";
}) {
  return (
    <div className={`note ${props.tone ?? "bad"}`} role="alert">
      {props.tone === "warn" ? <AlertIcon /> : <CrossIcon />}
      <div>
        {props.title && <strong>{props.title}</strong>}
        <p className={props.message.includes("\n") ? "message lines" : "message"}>
          {props.message}
        </p>
        {props.hint && (
          <p className="hint">
            <WithCode text={props.hint} />
          </p>
        )}
      </div>
    </div>
  );
}

// Whatever was thrown by a request, in words.
export function FailureNote({ error, title }: { error: unknown; title?: string }) {
  const { t } = usePreferences();
  if (error instanceof ApiError)
    return <ErrorNote title={title} message={error.message} hint={error.hint} />;
  if (error instanceof UnreachableError) {
    return <ErrorNote title={title} message={t("unreachable")} hint={t("unreachable_hint")} />;
  }
  return (
    <ErrorNote
      title={title}
      message={error instanceof Error ? error.message : String(error)}
      hint={null}
    />
  );
}

export function EmptyState({
  title,
  next,
  children,
}: {
  title: string;
  next: string;
  children?: ReactNode;
}) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      <p>
        <WithCode text={next} />
      </p>
      {children}
    </div>
  );
}

export function Spinner() {
  return <span className="spinner" aria-hidden="true" />;
}

export function Loading() {
  const { t } = usePreferences();
  return (
    <p className="loading" role="status">
      <Spinner /> {t("loading")}
    </p>
  );
}

// Now, every so many milliseconds, for what grows older on the screen. However many follow, one timer
// moves them all, in one go.
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    let clock = clocks.get(everyMs);
    if (!clock) {
      const followers = new Set<(now: number) => void>();
      const tick = () => {
        const at = Date.now();
        for (const follow of followers) follow(at);
      };
      clock = { followers, timer: setInterval(tick, everyMs) };
      clocks.set(everyMs, clock);
    }
    const { followers, timer } = clock;
    followers.add(setNow);
    return () => {
      followers.delete(setNow);
      if (followers.size > 0) return;
      clearInterval(timer);
      clocks.delete(everyMs);
    };
  }, [everyMs]);
  return now;
}

type Clock = { followers: Set<(now: number) => void>; timer: ReturnType<typeof setInterval> };
const clocks = new Map<number, Clock>();

// A moment in the viewer's zone, or its age; on hover the exact instant.
export function Moment({ iso, as = "time" }: { iso: string | null; as?: "time" | "ago" }) {
  const { lang } = usePreferences();
  const now = useNow(as === "ago" ? 1000 : 60_000);
  if (iso === null) return <>{kUnknown}</>;
  const micros = parseMicros(iso);
  if (micros === null) return <>{iso}</>;
  const text = as === "ago" ? agoText(micros, now, lang) : shortTime(micros, now, lang);
  return (
    <time dateTime={iso} title={`${localText(micros)}\n${utcText(micros)}`}>
      {text}
    </time>
  );
}

// A number with its unit, the unit quieter.
export function Quantity({ text }: { text: string }) {
  const match = /^(<? ?[−+±\-\d.,  ]+) ?(\D*)$/.exec(text);
  if (!match || !match[2]) return <span className="num">{text}</span>;
  return (
    <span className="num">
      {match[1]!.trim()} <span className="unit">{match[2]}</span>
    </span>
  );
}

export function Sparkline({ values, label }: { values: number[]; label: string }) {
  const width = 120;
  const height = 28;
  if (values.length < 2) return null;
  const top = Math.max(...values, 1e-9);
  const step = width / (values.length - 1);
  const points = values.map(
    (value, i) =>
      `${(i * step).toFixed(1)},${(height - 2 - (value / top) * (height - 4)).toFixed(1)}`,
  );
  return (
    <svg
      className="sparkline"
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <polygon points={`0,${height} ${points.join(" ")} ${width},${height}`} />
      <polyline points={points.join(" ")} />
    </svg>
  );
}

export function Progress({
  label,
  done,
  total,
}: {
  label: string;
  done: number;
  total: number | null;
}) {
  const known = total !== null && total > 0;
  const ratio = known ? Math.min(1, done / total) : 0;
  return (
    <div
      className={known ? "progress" : "progress unknown"}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={known ? Math.round(ratio * 100) : undefined}
    >
      <div style={known ? { width: `${ratio * 100}%` } : undefined} />
    </div>
  );
}
