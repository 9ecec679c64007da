import { type ConnectRouter, createRouterTransport } from "@connectrpc/connect";
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render } from "@testing-library/react";
import { createTunesmith } from "@tunesmith/sdk";
import type { ReactNode } from "react";
import { afterEach } from "vitest";
import { createQueryClient } from "../../src/console/queries.js";
import { TunesmithProvider } from "../../src/ui/tunesmith.js";

export const BASE = "http://127.0.0.1:8080";

afterEach(() => {
  cleanup();
  window.scrollTo(0, 0);
});

/** A page of the console at an address, with a client of its own whose calls the routes answer. */
export function opened(address: string, page: ReactNode, routes: (router: ConnectRouter) => void, baseUrl = BASE) {
  window.history.replaceState(null, "", address);
  const tunesmith = createTunesmith({ baseUrl, transport: createRouterTransport(routes) });
  const client = createQueryClient();
  const view = render(
    <TunesmithProvider value={tunesmith}>
      <QueryClientProvider client={client}>{page}</QueryClientProvider>
    </TunesmithProvider>,
  );
  return { ...view, client, tunesmith };
}
