import type { JsonObject } from "@bufbuild/protobuf";
import { DatasetFormat } from "@tunesmith/sdk";
import { LongText } from "./LongText.js";
import { textOf, turnsOf } from "./turns.js";

/** Formats whose columns are texts to read one below the other; others are tables. */
const BLOCKS: ReadonlySet<DatasetFormat> = new Set([
  DatasetFormat.TEXT,
  DatasetFormat.PROMPT_COMPLETION,
  DatasetFormat.ALPACA,
  DatasetFormat.PREFERENCE,
  DatasetFormat.MESSAGES,
  DatasetFormat.SHAREGPT,
]);

interface RowsProps {
  format: DatasetFormat;
  columns: string[];
  rows: JsonObject[];
}

/** Rows as people read them, as plain text. */
export function Rows({ format, columns, rows }: RowsProps) {
  if (!BLOCKS.has(format)) {
    return <TableOfRows columns={columns} rows={rows} />;
  }
  return (
    <ol className="rows">
      {rows.map((row, index) => (
        <li key={index} className="panel">
          <span className="rows-number soft">Row {index + 1}</span>
          <OneRow row={row} columns={columns} />
        </li>
      ))}
    </ol>
  );
}

function OneRow({ row, columns }: { row: JsonObject; columns: string[] }) {
  const turns = turnsOf(row);
  const others = columns.filter((name) => name in row && !(turns && (name === "messages" || name === "conversations")));
  return (
    <>
      {turns && (
        <ol className="turns" aria-label="Conversation">
          {turns.map((turn, index) => (
            <li key={index} className="turn" data-role={turn.role}>
              <span className="turn-role">{turn.role}</span>
              <LongText text={turn.text} />
            </li>
          ))}
        </ol>
      )}
      {others.length > 0 && (
        <dl className="blocks">
          {others.map((name) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <LongText text={textOf(row[name])} />
              </dd>
            </div>
          ))}
        </dl>
      )}
    </>
  );
}

function TableOfRows({ columns, rows }: { columns: string[]; rows: JsonObject[] }) {
  return (
    <div className="panel panel-table rows-table" tabIndex={0} role="region" aria-label="Rows as a table">
      <table className="table">
        <thead>
          <tr>
            <th scope="col" className="number">
              Row
            </th>
            {columns.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={index}>
              <td className="number soft">{index + 1}</td>
              {columns.map((name) => (
                <td key={name}>
                  <LongText text={textOf(row[name])} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
