import { describe, expect, test } from "vitest";
import { agoText, dateText, localText, parseMicros, plainText, shortTime, utcText } from "./times";

// vite.config.ts runs the tests in Asia/Tokyo, nine hours ahead of UTC.
const kInstant = "2026-11-23T05:06:07.123456Z";

describe("an ISO time", () => {
  test("is read to the microsecond", () => {
    expect(parseMicros(kInstant)).toBe(Date.UTC(2026, 10, 23, 5, 6, 7, 123) * 1000 + 456);
    expect(parseMicros("1969-12-31T23:59:59.999999Z")).toBe(-1);
  });
  test("that is none gives null", () => {
    for (const bad of ["", "yesterday", "2026-13-01T00:00:00Z"])
      expect(parseMicros(bad), bad).toBeNull();
  });
});

test("a moment is shown in the viewer's zone, and exactly in UTC", () => {
  const micros = parseMicros(kInstant)!;
  expect(localText(micros)).toBe("2026-11-23 14:06:07.123456");
  expect(utcText(micros)).toBe("2026-11-23 05:06:07.123456 UTC");
});

test("a timestamp without a zone is shown as it was written", () => {
  expect(plainText(parseMicros("2026-01-02T03:04:05Z")!)).toBe("2026-01-02 03:04:05");
  expect(plainText(-1)).toBe("1969-12-31 23:59:59.999999");
});

test("moments beyond the calendar are infinite", () => {
  expect(localText(9.22e18)).toBe("infinity");
  expect(plainText(-9.22e18)).toBe("-infinity");
  expect(dateText(2147483647)).toBe("infinity");
});

test("a date counts from 1970, before it too", () => {
  expect(dateText(0)).toBe("1970-01-01");
  expect(dateText(-1)).toBe("1969-12-31");
  expect(dateText(20780)).toBe("2026-11-23");
});

test("a short time says the day only where it was another", () => {
  const now = Date.UTC(2026, 10, 23, 6, 0, 0);
  expect(shortTime(parseMicros(kInstant)!, now, "en")).toBe("14:06:07");
  expect(shortTime(parseMicros("2026-11-22T05:06:07Z")!, now, "en")).toBe("Nov 22, 14:06");
  expect(shortTime(parseMicros("2025-11-22T05:06:07Z")!, now, "en")).toContain("2025");
});

test("an age is told in its largest unit, and never lies ahead", () => {
  const now = Date.UTC(2026, 10, 23);
  const ago = (seconds: number) => agoText((now - seconds * 1000) * 1000, now, "en");
  expect(ago(3)).toBe("3 sec. ago");
  expect(ago(125)).toBe("2 min. ago");
  expect(ago(7300)).toBe("2 hr. ago");
  expect(ago(86400 * 3)).toBe("3 days ago");
  expect(ago(-5)).toBe("now");
});
