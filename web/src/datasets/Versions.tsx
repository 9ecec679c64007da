import { useQuery } from "@tanstack/react-query";
import type { Dataset } from "@tunesmith/sdk";
import { Link } from "wouter";
import { Time } from "../ui/Time.js";
import { useTunesmith } from "../ui/tunesmith.js";
import { count } from "../ui/words.js";

/** The other versions under a dataset's name; nothing where it is the only one. */
export function Versions({ dataset }: { dataset: Dataset }) {
  const { registry } = useTunesmith();
  const { displayName } = dataset;
  const { data } = useQuery({
    queryKey: ["datasets", "list", "versions", displayName],
    queryFn: async ({ signal }) => (await registry.listDatasets({ displayName, pageSize: 200 }, { signal })).datasets,
    enabled: displayName !== "",
  });
  const versions = (data ?? []).filter((one) => one.displayName === displayName).sort((one, other) => other.version - one.version);
  if (versions.length < 2) {
    return null;
  }
  return (
    <>
      <dt>Versions</dt>
      <dd>
        <ol className="versions">
          {versions.map((one) => (
            <li key={one.id}>
              {one.id === dataset.id ? (
                <strong aria-current="page">version {one.version}</strong>
              ) : (
                <Link href={`/datasets/${one.id}`}>version {one.version}</Link>
              )}{" "}
              <span className="soft">
                {count(one.rowCount)} rows, <Time time={one.createTime} />
              </span>
            </li>
          ))}
        </ol>
      </dd>
    </>
  );
}
