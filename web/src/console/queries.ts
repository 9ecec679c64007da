import { QueryClient } from "@tanstack/react-query";

/** The console's cache. The SDK repeats what is safe to repeat, so nothing is retried here a second time. */
export function createQueryClient(): QueryClient {
  return new QueryClient({ defaultOptions: { queries: { retry: false, staleTime: 5_000 }, mutations: { retry: false } } });
}
