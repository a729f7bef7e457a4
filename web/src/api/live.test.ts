import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openLive, type LiveState } from "./live";

class FakeSource extends EventTarget {
  static all: FakeSource[] = [];
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  closed = false;
  constructor(readonly url: string) {
    super();
    FakeSource.all.push(this);
  }
  close() {
    this.closed = true;
  }
  send(event: string, data: string) {
    this.dispatchEvent(new MessageEvent(event, { data }));
  }
}

const last = () => FakeSource.all.at(-1)!;
let page: EventTarget & { hidden: boolean };
let states: LiveState[];
let received: unknown[];

function open() {
  return openLive({
    url: "/events",
    event: "status",
    onData: (data) => received.push(data),
    onState: (state) => states.push(state),
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSource.all = [];
  states = [];
  received = [];
  page = Object.assign(new EventTarget(), { hidden: false });
  vi.stubGlobal("EventSource", FakeSource);
  vi.stubGlobal("document", page);
  vi.stubGlobal("window", new EventTarget());
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a live connection", () => {
  test("hands over its events and no others", () => {
    open();
    last().onopen!();
    last().send("status", '{"a": 1}');
    last().send("other", "{}");
    last().send("status", '{"half');
    last().send("status", '{"a": 2}');
    expect(states).toEqual(["connecting", "open"]);
    expect(received).toEqual([{ a: 1 }, { a: 2 }]);
  });

  test("that is lost is tried again, later each time, and stays lost until it is there", () => {
    open();
    last().onopen!();
    const waits: number[] = [];
    for (let failure = 0; failure < 6; failure += 1) {
      last().onerror!();
      expect(last().closed).toBe(true);
      const before = FakeSource.all.length;
      let waited = 0;
      while (FakeSource.all.length === before) {
        vi.advanceTimersByTime(500);
        waited += 500;
      }
      waits.push(waited);
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 10000, 10000]);
    expect(states.slice(2).every((state) => state === "lost")).toBe(true);
    last().onopen!();
    expect(states.at(-1)).toBe("open");
    last().onerror!();
    vi.advanceTimersByTime(1000);
    expect(FakeSource.all.length).toBe(8);
  });

  test("is tried at once when the viewer asks, or the network is back", () => {
    const live = open();
    last().onerror!();
    live.retryNow();
    expect(FakeSource.all.length).toBe(2);
    last().onerror!();
    window.dispatchEvent(new Event("online"));
    expect(FakeSource.all.length).toBe(3);
    vi.advanceTimersByTime(60_000);
    expect(FakeSource.all.length).toBe(3);
  });

  test("is given back while nobody looks", () => {
    open();
    const first = last();
    page.hidden = true;
    page.dispatchEvent(new Event("visibilitychange"));
    expect(first.closed).toBe(true);
    page.hidden = false;
    page.dispatchEvent(new Event("visibilitychange"));
    expect(FakeSource.all.length).toBe(2);
    expect(states).toEqual(["connecting", "connecting"]);
  });

  test("that was closed stays closed", () => {
    const live = open();
    last().onerror!();
    live.close();
    vi.advanceTimersByTime(60_000);
    page.dispatchEvent(new Event("visibilitychange"));
    expect(FakeSource.all.length).toBe(1);
  });
});
