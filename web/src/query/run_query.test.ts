import { int32, tableFromArrays, tableToIPC } from "@uwdata/flechette";
import { afterEach, describe, expect, test, vi } from "vitest";
import { ApiError, UnreachableError } from "../api/client";
import { CutResultError, runQuery } from "./run_query";

const kArrow = { "Content-Type": "application/vnd.apache.arrow.stream" };
const kStream = tableToIPC(tableFromArrays({ id: [1, 2, 3] }, { types: { id: int32() } }), {
  format: "stream",
})!;

function answering(answer: (url: string, init: RequestInit) => Promise<Response> | Response) {
  const fetched = vi.fn(async (url: string, init: RequestInit = {}) => answer(url, init));
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

const run = (signal = new AbortController().signal) =>
  runQuery({ sql: "SELECT 1", rowLimit: 10, signal, onRows: () => undefined });

afterEach(() => vi.unstubAllGlobals());

describe("a query", () => {
  test("asks for Arrow, names itself, and gives all rows", async () => {
    const fetched = answering(() => new Response(kStream as BodyInit, { headers: kArrow }));
    expect((await run()).rowCount).toBe(3);
    const [url, init] = fetched.mock.calls[0]!;
    expect(url).toBe("/api/v1/query");
    expect(JSON.parse(init!.body as string)).toEqual({ sql: "SELECT 1", row_limit: 10 });
    expect((init!.headers as Record<string, string>)["X-Query-Id"]).toMatch(/^[A-Za-z0-9-]{1,64}$/);
  });

  test("that the server refuses gives its message and hint", async () => {
    const error = { kind: "user", message: "no such table", hint: "Did you mean answers?" };
    answering(() => new Response(JSON.stringify({ error }), { status: 400 }));
    await expect(run()).rejects.toMatchObject({
      message: "no such table",
      hint: "Did you mean answers?",
      kind: "user",
    });
  });

  test("whose stream ends before its end mark is cut, never short", async () => {
    answering(() => new Response(kStream.slice(0, -8) as BodyInit, { headers: kArrow }));
    await expect(run()).rejects.toBeInstanceOf(CutResultError);
  });

  test("whose connection breaks is cut", async () => {
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(kStream.slice(0, 50)),
      pull: (controller) => controller.error(new TypeError("network error")),
    });
    answering(() => new Response(body, { headers: kArrow }));
    await expect(run()).rejects.toBeInstanceOf(CutResultError);
  });

  test("that is answered with something else is an error", async () => {
    answering(() => new Response("<html>", { headers: { "Content-Type": "text/html" } }));
    await expect(run()).rejects.toBeInstanceOf(ApiError);
    answering(() => new Response("<html> and more", { headers: kArrow }));
    await expect(run()).rejects.toMatchObject({ kind: "corrupt" });
    answering(() => new Response("bad gateway", { status: 502, statusText: "Bad Gateway" }));
    await expect(run()).rejects.toMatchObject({ message: "The server answered 502 Bad Gateway." });
  });

  test("to a server that is gone says so", async () => {
    answering(() => Promise.reject(new TypeError("failed to fetch")));
    await expect(run()).rejects.toBeInstanceOf(UnreachableError);
  });

  test("that is cancelled tells the server by the query's own name", async () => {
    const controller = new AbortController();
    const fetched = answering((_, init) => {
      if (init.method === "DELETE") return new Response("{}");
      return new Promise((_resolve, reject) =>
        init.signal!.addEventListener("abort", () => reject(init.signal!.reason as Error)),
      );
    });
    const running = run(controller.signal);
    controller.abort();
    await expect(running).rejects.toMatchObject({ name: "AbortError" });
    const id = (fetched.mock.calls[0]![1]!.headers as Record<string, string>)["X-Query-Id"];
    expect(fetched.mock.calls[1]).toMatchObject([`/api/v1/queries/${id}`, { method: "DELETE" }]);
  });
});
