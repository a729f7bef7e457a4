// Requests that are answered with JSON, and the one shape that every failure takes.
import type { ErrorBody } from "./types";

export class ApiError extends Error {
  readonly kind: string;
  readonly hint: string | null;

  constructor(body: ErrorBody) {
    super(body.message);
    this.kind = body.kind;
    this.hint = body.hint;
  }
}

// The server was not reached, or the connection broke: nothing is known of what it thinks.
export class UnreachableError extends Error {}

export async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  try {
    const error = (JSON.parse(text) as { error?: Partial<ErrorBody> }).error;
    if (error && typeof error.message === "string") {
      return new ApiError({
        kind: error.kind ?? "unavailable",
        message: error.message,
        hint: error.hint ?? null,
      });
    }
  } catch {
    // Not JSON, so not of the API: a proxy between, perhaps. Its status is all there is to tell.
  }
  const status = `${response.status} ${response.statusText}`.trim();
  return new ApiError({
    kind: "unavailable",
    message: `The server answered ${status}.`,
    hint: null,
  });
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, { headers: { Accept: "application/json" }, signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new UnreachableError();
  }
  if (!response.ok) throw await errorOf(response);
  return (await response.json()) as T;
}
