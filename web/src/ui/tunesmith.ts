import type { Tunesmith } from "@tunesmith/sdk";
import { createContext, useContext } from "react";

const Context = createContext<Tunesmith | null>(null);

/** Hands the client to everything below: the console's own, a widget's, or a test's with a transport of its own. */
export const TunesmithProvider = Context.Provider;

/** The client of this part of the page. */
export function useTunesmith(): Tunesmith {
  const client = useContext(Context);
  if (!client) {
    throw new Error("useTunesmith is called outside of a TunesmithProvider");
  }
  return client;
}
