// Moments in the viewer's own time zone, and the exact instant in UTC to show on hover.

// Microseconds since 1970 of an ISO 8601 text; null where it is none. Date alone would lose what is
// finer than a millisecond.
export function parseMicros(iso: string): number | null {
  const ms = Date.parse(iso);
  if (Number.isNaN(ms)) return null;
  const fraction = /\.(\d+)/.exec(iso)?.[1] ?? "";
  const micros = Number(fraction.padEnd(6, "0").slice(3, 6));
  return ms * 1000 + micros;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, "0");
}

function year(value: number): string {
  return value >= 0 ? pad(value, 4) : `-${pad(-value, 6)}`;
}

// "2026-11-23 14:06:07.123456", without the fraction where it is zero.
function clockText(date: Date, micros: number, utc: boolean): string {
  const get = utc
    ? [
        date.getUTCFullYear(),
        date.getUTCMonth(),
        date.getUTCDate(),
        date.getUTCHours(),
        date.getUTCMinutes(),
        date.getUTCSeconds(),
      ]
    : [
        date.getFullYear(),
        date.getMonth(),
        date.getDate(),
        date.getHours(),
        date.getMinutes(),
        date.getSeconds(),
      ];
  const [y, mo, d, h, mi, s] = get as [number, number, number, number, number, number];
  const below = ((micros % 1_000_000) + 1_000_000) % 1_000_000;
  const fraction = below === 0 ? "" : `.${pad(below, 6).replace(/0+$/, "")}`;
  return `${year(y)}-${pad(mo + 1, 2)}-${pad(d, 2)} ${pad(h, 2)}:${pad(mi, 2)}:${pad(s, 2)}${fraction}`;
}

const kMicrosMax = 8.64e18;

function dateOf(micros: number): Date {
  return new Date(Math.floor(micros / 1000));
}

// A moment beyond what a calendar holds is how the warehouse writes "infinity".
function infinite(micros: number): string | null {
  if (micros > kMicrosMax) return "infinity";
  return micros < -kMicrosMax ? "-infinity" : null;
}

export function localText(micros: number): string {
  return infinite(micros) ?? clockText(dateOf(micros), micros, false);
}

// A timestamp without a zone is no instant: it is shown as it was written.
export function plainText(micros: number): string {
  return infinite(micros) ?? clockText(dateOf(micros), micros, true);
}

export function utcText(micros: number): string {
  return infinite(micros) ?? `${clockText(dateOf(micros), micros, true)} UTC`;
}

export function dateText(days: number): string {
  const micros = days * 86_400_000_000;
  return infinite(micros) ?? clockText(dateOf(micros), 0, true).split(" ")[0]!;
}

// "14:06:07" when it was today, "Nov 23, 14:06" in this year, with the year before.
export function shortTime(micros: number, now: number, lang: string): string {
  const date = dateOf(micros);
  const today = new Date(now);
  if (date.toDateString() === today.toDateString()) {
    return date.toLocaleTimeString(lang, {
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      hour12: false,
    });
  }
  const options: Intl.DateTimeFormatOptions = {
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hour12: false,
  };
  if (date.getFullYear() !== today.getFullYear()) options.year = "numeric";
  return date.toLocaleString(lang, options);
}

const kAgoUnits: [number, Intl.RelativeTimeFormatUnit][] = [
  [60, "second"],
  [3600, "minute"],
  [86400, "hour"],
  [Infinity, "day"],
];

// "3 seconds ago". Clocks of two machines differ a little: what seems to be ahead is now.
export function agoText(micros: number, now: number, lang: string): string {
  const seconds = Math.max(0, Math.round((now - micros / 1000) / 1000));
  const format = new Intl.RelativeTimeFormat(lang, { numeric: "auto", style: "short" });
  let divisor = 1;
  for (const [limit, unit] of kAgoUnits) {
    if (seconds < limit) return format.format(-Math.floor(seconds / divisor), unit);
    divisor = limit;
  }
  return "";
}
