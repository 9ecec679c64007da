import { useQueryClient } from "@tanstack/react-query";
import { Code, type Connection, toTunesmithError, type TunesmithError } from "@tunesmith/sdk";
import { useCallback, useEffect, useState } from "react";
import { useTunesmith } from "../../ui/tunesmith.js";
import { useVisible } from "../../ui/useVisible.js";
import { feedOf } from "./feed.js";

/** Keeps every list of jobs as the server says it is, over one stream and only while somebody can see the page. */
export function useLiveJobs(): { connection: Connection; error: TunesmithError | null; again: () => void } {
  const tunesmith = useTunesmith();
  const client = useQueryClient();
  const visible = useVisible();
  const [connection, setConnection] = useState<Connection>({ state: "connecting", attempt: 1 });
  const [error, setError] = useState<TunesmithError | null>(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!visible) {
      return undefined;
    }
    const ending = new AbortController();
    const feed = feedOf(client);
    const follow = async () => {
      const told = (news: Connection) => !ending.signal.aborted && setConnection(news);
      const afterCursor = feed.cursor ?? 0n;
      const stream = tunesmith.watchJobs({ signal: ending.signal, afterCursor, onConnection: told, giveUpMs: Infinity });
      try {
        for await (const message of stream) {
          if (ending.signal.aborted) {
            return;
          }
          feed.take(message.jobs, message.cursor);
        }
      } catch (thrown) {
        if (ending.signal.aborted) {
          return;
        }
        const known = toTunesmithError(thrown);
        if (known.code === Code.InvalidArgument && feed.cursor !== undefined) {
          // The database is another one than a moment ago.
          feed.forget();
          setTurn((last) => last + 1);
        } else {
          setError(known);
        }
      }
    };
    void follow();
    return () => ending.abort();
  }, [tunesmith, client, visible, turn]);
  const again = useCallback(() => {
    setError(null);
    setTurn((last) => last + 1);
  }, []);
  return { connection, error, again };
}
