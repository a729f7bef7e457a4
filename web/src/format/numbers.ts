// Numbers as people read them. Every function takes null for "not known" and gives a dash.
export const kUnknown = "–";

const kBinaryUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

const formats = new Map<string, Intl.NumberFormat>();

function numberFormat(lang: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = lang + JSON.stringify(options);
  let format = formats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(lang, options);
    formats.set(key, format);
  }
  return format;
}

export function formatBytes(bytes: number | null, lang: string): string {
  if (bytes === null || !Number.isFinite(bytes)) return kUnknown;
  let unit = 0;
  let value = bytes;
  while (Math.abs(value) >= 1024 && unit < kBinaryUnits.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || Math.abs(value) >= 100 ? 0 : 1;
  const text = numberFormat(lang, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(value);
  return `${text} ${kBinaryUnits[unit]}`;
}

// 0.0123 → "12 ms", 1.234 → "1.2 s", 75 → "1 min 15 s", 90000 → "1 d 1 h"
export function formatSeconds(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return kUnknown;
  if (seconds < 0) return `-${formatSeconds(-seconds)}`;
  if (seconds === 0) return "0 s";
  if (seconds < 0.001) return "< 1 ms";
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const parts: [number, string][] = [
    [Math.floor(whole / 86400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(" ");
}

export function formatCount(count: number | null, lang: string): string {
  if (count === null || !Number.isFinite(count)) return kUnknown;
  return numberFormat(lang, { maximumFractionDigits: 0 }).format(count);
}

// Something a second: a digit behind the point only where it says something.
export function formatRate(rate: number | null, lang: string): string {
  if (rate === null || !Number.isFinite(rate)) return kUnknown;
  return numberFormat(lang, { maximumFractionDigits: rate < 10 ? 1 : 0 }).format(rate);
}

export function formatCompact(value: number, lang: string): string {
  return numberFormat(lang, { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

// For a dashboard: grouped digits and as much of a fraction as a reader takes in.
export function formatValue(value: number, lang: string): string {
  const size = Math.abs(value);
  const digits = Number.isInteger(value) || size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 4;
  return numberFormat(lang, { maximumFractionDigits: digits }).format(value);
}

export function formatSigned(value: number, lang: string): string {
  if (value === 0) return "±0";
  return (value > 0 ? "+" : "−") + formatValue(Math.abs(value), lang);
}

export function formatPercent(ratio: number, lang: string): string {
  return numberFormat(lang, { style: "percent", maximumFractionDigits: 0 }).format(ratio);
}
