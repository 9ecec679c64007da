import { type Adapter, AdapterTypeSchema, type BaseModel } from "@tunesmith/sdk";
import { Link } from "wouter";
import { enumWord } from "../ui/enumWord.js";
import { Time } from "../ui/Time.js";
import { bytes, shortCount } from "../ui/words.js";
import { AdapterStatusBadge } from "./AdapterStatusBadge.js";
import { whyNot } from "./composable.js";
import { nameOf } from "./useBaseModels.js";

interface AdapterRowsProps {
  adapters: readonly Adapter[];
  models: readonly BaseModel[];
  /** Those that are to be composed. */
  picked: readonly Adapter[];
  onPick(adapter: Adapter, picked: boolean): void;
}

/** The adapters as a table, each with a box to compose it. */
export function AdapterRows({ adapters, models, picked, onPick }: AdapterRowsProps) {
  return (
    <div className="panel panel-table">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">
              <span className="visually-hidden">Compose</span>
            </th>
            <th scope="col">Name</th>
            <th scope="col" className="wide-only">
              Base model
            </th>
            <th scope="col" className="wide-only">
              Type
            </th>
            <th scope="col" className="number">
              Rank
            </th>
            <th scope="col" className="number wide-only">
              Parameters
            </th>
            <th scope="col" className="number wide-only">
              Size
            </th>
            <th scope="col">Status</th>
            <th scope="col" className="number wide-only">
              Added
            </th>
          </tr>
        </thead>
        <tbody>
          {adapters.map((adapter) => {
            const isPicked = picked.some(({ id }) => id === adapter.id);
            const against = isPicked ? "" : whyNot(adapter, picked);
            return (
              <tr key={adapter.id}>
                <td>
                  <input
                    type="checkbox"
                    className="adapter-pick"
                    aria-label={`Compose ${adapter.displayName}`}
                    checked={isPicked}
                    disabled={against !== ""}
                    title={against}
                    onChange={(event) => onPick(adapter, event.target.checked)}
                  />
                </td>
                <td>
                  <Link href={`/adapters?id=${encodeURIComponent(adapter.id)}`} className="name">
                    {adapter.displayName || adapter.id}
                  </Link>
                  <div className="soft sub narrow-only">
                    {nameOf(models, adapter.baseModelId)} · {enumWord(AdapterTypeSchema, adapter.type)} · {bytes(adapter.sizeBytes)}
                  </div>
                  {adapter.error && <div className="sub adapter-error">{adapter.error}</div>}
                </td>
                <td className="wide-only">{nameOf(models, adapter.baseModelId)}</td>
                <td className="wide-only">{enumWord(AdapterTypeSchema, adapter.type)}</td>
                <td className="number">{adapter.rank || "–"}</td>
                <td className="number wide-only">{shortCount(adapter.parameterCount)}</td>
                <td className="number wide-only">{bytes(adapter.sizeBytes)}</td>
                <td>
                  <AdapterStatusBadge status={adapter.status} />
                </td>
                <td className="number wide-only">
                  <Time time={adapter.createTime} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
