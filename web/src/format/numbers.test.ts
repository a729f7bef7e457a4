import { describe, expect, test } from "vitest";
import {
  formatBytes,
  formatCompact,
  formatCount,
  formatRate,
  formatSeconds,
  formatSigned,
  formatValue,
} from "./numbers";

describe("bytes", () => {
  test("are written in the largest binary unit that keeps a whole digit", () => {
    expect(formatBytes(0, "en")).toBe("0 B");
    expect(formatBytes(1023, "en")).toBe("1,023 B");
    expect(formatBytes(1024, "en")).toBe("1.0 KiB");
    expect(formatBytes(16 * 1024 ** 2, "en")).toBe("16.0 MiB");
    expect(formatBytes(734003200, "en")).toBe("700 MiB");
    expect(formatBytes(5 * 1024 ** 6, "en")).toBe("5,120 PiB");
  });
  test("that are not known, or no number, are a dash", () => {
    for (const bad of [null, NaN, Infinity]) expect(formatBytes(bad, "en")).toBe("–");
  });
});

describe("seconds", () => {
  test("take the unit that a person would", () => {
    const wanted: [number, string][] = [
      [0, "0 s"],
      [0.0000004, "< 1 ms"],
      [0.0123, "12 ms"],
      [0.9996, "1.0 s"],
      [1.234, "1.2 s"],
      [9.96, "10 s"],
      [59.6, "1 min"],
      [75, "1 min 15 s"],
      [3600, "1 h"],
      [3725, "1 h 2 min"],
      [90000, "1 d 1 h"],
      [-2, "-2.0 s"],
    ];
    for (const [seconds, text] of wanted)
      expect(formatSeconds(seconds), String(seconds)).toBe(text);
  });
  test("that are not known are a dash", () => {
    expect(formatSeconds(null)).toBe("–");
    expect(formatSeconds(NaN)).toBe("–");
  });
});

test("counts and rates are grouped, and a small rate keeps a digit", () => {
  expect(formatCount(3214998, "en")).toBe("3,214,998");
  expect(formatCount(null, "en")).toBe("–");
  expect(formatRate(0.25, "en")).toBe("0.3");
  expect(formatRate(1234.5, "en")).toBe("1,235");
});

test("large numbers are shortened as each language does", () => {
  expect(formatCompact(321_5000, "en")).toBe("3.2M");
  expect(formatCompact(321_5000, "ja")).toBe("321.5万");
});

test("values keep the digits that say something", () => {
  expect(formatValue(189586, "en")).toBe("189,586");
  expect(formatValue(71.354, "en")).toBe("71.35");
  expect(formatValue(812.44, "en")).toBe("812.4");
  expect(formatValue(0.012345, "en")).toBe("0.0123");
  expect(formatValue(1234.56, "en")).toBe("1,235");
});

test("a change says its sign", () => {
  expect(formatSigned(12, "en")).toBe("+12");
  expect(formatSigned(-1.5, "en")).toBe("−1.5");
  expect(formatSigned(0, "en")).toBe("±0");
});
