import type { TokenBin } from "@tunesmith/sdk";
import type { CSSProperties } from "react";
import { count } from "../../ui/words.js";

/** How long rows are: a bar for each range of lengths, and the same as a table. */
export function Histogram({ bins }: { bins: readonly TokenBin[] }) {
  const most = Math.max(1, ...bins.map(({ rowCount }) => Number(rowCount)));
  if (bins.length === 0) {
    return null;
  }
  const last = bins.at(-1)!;
  return (
    <figure className="histogram">
      <figcaption className="soft">Rows by their length in tokens</figcaption>
      <div className="histogram-bars" aria-hidden="true">
        {bins.map((bin) => (
          <span
            key={String(bin.lower)}
            data-empty={bin.rowCount === 0n || undefined}
            style={{ "--share": Number(bin.rowCount) / most } as CSSProperties}
            title={`${rangeOf(bin)} tokens: ${count(bin.rowCount)} rows`}
          />
        ))}
      </div>
      <div className="histogram-axis soft" aria-hidden="true">
        <span>{count(bins[0]!.lower)}</span>
        <span>{count(last.upper)}</span>
      </div>
      <details>
        <summary>Show as table</summary>
        <table className="table histogram-table">
          <thead>
            <tr>
              <th scope="col">Tokens</th>
              <th scope="col" className="number">
                Rows
              </th>
            </tr>
          </thead>
          <tbody>
            {bins.map((bin) => (
              <tr key={String(bin.lower)}>
                <td>{rangeOf(bin)}</td>
                <td className="number">{count(bin.rowCount)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}

/** `0 – 63`: both ends belong to it. */
function rangeOf({ lower, upper }: TokenBin): string {
  return upper > lower + 1n ? `${count(lower)} – ${count(upper - 1n)}` : count(lower);
}
