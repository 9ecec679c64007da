import { toTunesmithError, type TunesmithError } from "@tunesmith/sdk";
import { useCallback, useEffect, useState } from "react";

/** More than this is found by its id. */
const MOST_PAGES = 10;

/** What a list answered. */
export interface All<Item> {
  items?: readonly Item[];
  error?: TunesmithError;
  retry(): void;
}

/** Every item of a list that comes in pages. `load` has to stay the same between renders. */
export function useAll<Item>(
  load: (pageToken: string, signal: AbortSignal) => Promise<{ items: Item[]; nextPageToken: string }>,
): All<Item> {
  const [answer, setAnswer] = useState<Omit<All<Item>, "retry">>({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const ended = new AbortController();
    const readAll = async () => {
      const items: Item[] = [];
      let pageToken = "";
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const answer = await load(pageToken, ended.signal);
        items.push(...answer.items);
        pageToken = answer.nextPageToken;
        if (!pageToken) {
          break;
        }
      }
      return items;
    };
    readAll().then(
      (items) => !ended.signal.aborted && setAnswer({ items }),
      (error: unknown) => !ended.signal.aborted && setAnswer({ error: toTunesmithError(error) }),
    );
    return () => ended.abort();
  }, [load, turn]);
  return { ...answer, retry: useCallback(() => setTurn((now) => now + 1), []) };
}
