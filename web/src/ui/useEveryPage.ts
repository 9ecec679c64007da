import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";

/** One page of a list, and how to ask for the next. */
export interface Page<Item> {
  items: Item[];
  nextPageToken: string;
}

/** All of a list of which there are hundreds at most, page after page. While `moves` says so, it is read again every so often. */
export function useEveryPage<Item>(
  key: readonly unknown[],
  read: (pageToken: string, signal: AbortSignal) => Promise<Page<Item>>,
  { moves, everyMs = 0 }: { moves?: (item: Item) => boolean; everyMs?: number } = {},
) {
  const query = useInfiniteQuery({
    queryKey: key,
    initialPageParam: "",
    queryFn: ({ pageParam, signal }) => read(pageParam, signal),
    getNextPageParam: (last) => last.nextPageToken || undefined,
    structuralSharing: false,
    refetchInterval: ({ state }) => (moves && state.data?.pages.some((page) => page.items.some(moves)) ? everyMs : false),
  });
  const { hasNextPage, isFetching, isError, fetchNextPage } = query;
  useEffect(() => {
    if (hasNextPage && !isFetching && !isError) {
      void fetchNextPage();
    }
  }, [hasNextPage, isFetching, isError, fetchNextPage]);
  const items = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  return { ...query, items, whole: query.data !== undefined && !hasNextPage };
}
