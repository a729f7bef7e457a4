// The state of the instance, kept live for all pages by one connection.
import {
  createContext,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  type ReactNode,
} from "react";
import { getJson } from "./client";
import { openLive, type Live, type LiveState } from "./live";
import type { Status } from "./types";

export type LiveStatus = {
  status: Status | null;
  // When it was received, in milliseconds since 1970.
  at: number | null;
  state: LiveState;
  retryNow: () => void;
};

const StatusContext = createContext<LiveStatus | null>(null);

export function StatusProvider({ children }: { children: ReactNode }) {
  const [received, setReceived] = useState<{ status: Status; at: number } | null>(null);
  const [state, setState] = useState<LiveState>("connecting");
  const live = useRef<Live | null>(null);

  useEffect(() => {
    const receive = (data: unknown) => setReceived({ status: data as Status, at: Date.now() });
    const opened = openLive({
      url: "/api/v1/events",
      event: "status",
      onData: receive,
      onState: setState,
    });
    live.current = opened;
    // A quiet instance may have no event to send for a while.
    const first = new AbortController();
    getJson<Status>("/api/v1/status", first.signal).then(receive, () => {
      // The connection above is tried on, and says so.
    });
    return () => {
      first.abort();
      opened.close();
    };
  }, []);

  const value = useMemo<LiveStatus>(
    () => ({
      status: received?.status ?? null,
      at: received?.at ?? null,
      state,
      retryNow: () => live.current?.retryNow(),
    }),
    [received, state],
  );
  return <StatusContext.Provider value={value}>{children}</StatusContext.Provider>;
}

export function useStatus(): LiveStatus {
  const value = useContext(StatusContext);
  if (!value) throw new Error("useStatus outside of StatusProvider");
  return value;
}
