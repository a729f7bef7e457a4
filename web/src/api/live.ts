// A connection of server-sent events that is always either there or being tried for.
//
// The browser's own reconnecting gives up for good after an answer that is not 200, which a server
// that is just starting may give. So every error closes the connection, and this tries again.
export type LiveState = "connecting" | "open" | "lost";

export type LiveOptions = {
  url: string;
  event: string;
  onData: (data: unknown) => void;
  onState: (state: LiveState) => void;
};

export type Live = { retryNow: () => void; close: () => void };

const kRetryMsFirst = 1_000;
const kRetryMsMax = 10_000;

export function openLive({ url, event, onData, onState }: LiveOptions): Live {
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;

  const drop = () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };

  const connect = () => {
    drop();
    // While it is tried again and again, the page goes on saying that the connection is lost.
    if (failures === 0) onState("connecting");
    const opened = new EventSource(url);
    source = opened;
    opened.onopen = () => {
      failures = 0;
      onState("open");
    };
    opened.onerror = () => {
      if (source !== opened) return;
      drop();
      onState("lost");
      timer = setTimeout(connect, Math.min(kRetryMsFirst * 2 ** failures, kRetryMsMax));
      failures += 1;
    };
    opened.addEventListener(event, (message) => {
      let data: unknown;
      try {
        data = JSON.parse((message as MessageEvent<string>).data);
      } catch {
        // Half an event says nothing that can be trusted; the next one is whole.
        return;
      }
      onData(data);
    });
  };

  // A browser keeps at most six connections to a server, over all of its tabs: a tab that nobody
  // looks at gives its own back.
  const onVisibility = () => {
    if (document.hidden) drop();
    else if (!source) connect();
  };
  const onOnline = () => connect();

  document.addEventListener("visibilitychange", onVisibility);
  window.addEventListener("online", onOnline);
  if (!document.hidden) connect();

  return {
    retryNow: connect,
    close: () => {
      document.removeEventListener("visibilitychange", onVisibility);
      window.removeEventListener("online", onOnline);
      drop();
    },
  };
}
