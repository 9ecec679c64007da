import type { MemoryComponent, MemoryEstimate } from "@tunesmith/sdk";
import { type CSSProperties, useId } from "react";
import { bytes } from "../../ui/words.js";
import { estimated, partWord } from "./words.js";

/** There are as many colours as a peak has components; a component of a later version begins anew. */
const COLOURS = 7;
/** On a device that is more than so many times as large, nothing could be told apart in the bar of its whole memory. */
const MOST_TIMES = 4;

/** What the peak consists of beside what the device has, as a bar, as a table, and phase by phase. */
export function MemoryPicture({ memory }: { memory: MemoryEstimate }) {
  const { peakBytes, lowBytes, highBytes, deviceBytes, components, phases } = memory;
  const needed = Math.max(Number(highBytes), Number(peakBytes), 1);
  const device = Number(deviceBytes ?? 0n);
  const roomy = device > MOST_TIMES * needed;
  const most = roomy ? 1.3 * needed : Math.max(needed, device);
  const colours = new Map(components.map(({ name }, index) => [name, index % COLOURS]));
  const fits = deviceBytes === undefined || peakBytes <= deviceBytes;
  const range = `${bytes(lowBytes)} to ${bytes(highBytes)}`;
  return (
    <div className="memory" data-fits={fits}>
      <p className="memory-line">
        <strong>{bytes(peakBytes)}</strong>{" "}
        {deviceBytes === undefined ? "on each device" : `of ${bytes(deviceBytes)} on each device`},{" "}
        <span className="soft">{estimated(Number(lowBytes), Number(peakBytes), Number(highBytes))}</span>
      </p>
      <Bar components={components} colours={colours} most={most}>
        <span
          className="memory-range"
          style={{ "--from": Number(lowBytes) / most, "--to": Number(highBytes) / most } as CSSProperties}
          title={`Nineteen in twenty runs: ${range}`}
        />
        {roomy && <span className="memory-more" title={`The device has ${bytes(device)}, which is not drawn to its end`} />}
        {deviceBytes !== undefined && !roomy && (
          <span className="memory-device" style={{ "--at": device / most } as CSSProperties} title={`The device has ${bytes(device)}`} />
        )}
      </Bar>
      <MemoryTable memory={memory} colours={colours} />
      {phases.length > 0 && (
        <details className="memory-phases">
          <summary>By phase</summary>
          <dl>
            {phases.map((phase) => (
              <div key={phase.name}>
                <dt>{partWord(phase.name)}</dt>
                <dd>
                  <Bar components={phase.components} colours={colours} most={most} />
                  <span>{bytes(phase.bytes)}</span>
                </dd>
              </div>
            ))}
          </dl>
        </details>
      )}
    </div>
  );
}

interface BarProps {
  components: readonly MemoryComponent[];
  colours: ReadonlyMap<string, number>;
  most: number;
  children?: React.ReactNode;
}

/** Components after each other; the tables say the same in figures. */
function Bar({ components, colours, most, children }: BarProps) {
  return (
    <div className="memory-bar" aria-hidden="true">
      <span className="memory-parts">
        {components.map(({ name, bytes: held }) => (
          <span
            key={name}
            data-part={colours.get(name) ?? 0}
            style={{ "--share": Number(held) / most } as CSSProperties}
            title={`${partWord(name)}: ${bytes(held)}`}
          />
        ))}
      </span>
      {children}
    </div>
  );
}

function MemoryTable({ memory, colours }: { memory: MemoryEstimate; colours: ReadonlyMap<string, number> }) {
  const id = useId();
  return (
    <table className="memory-table" aria-labelledby={id}>
      <caption id={id} className="visually-hidden">
        What the peak consists of
      </caption>
      <tbody>
        {memory.components
          .filter(({ bytes: held }) => held > 0n)
          .map(({ name, bytes: held }) => (
            <tr key={name}>
              <th scope="row">
                <span className="memory-key" data-part={colours.get(name)} aria-hidden="true" />
                {partWord(name)}
              </th>
              <td>{bytes(held)}</td>
            </tr>
          ))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">Held between steps</th>
          <td>{bytes(memory.steadyBytes)}</td>
        </tr>
        <tr>
          <th scope="row">Nineteen in twenty runs</th>
          <td>
            {bytes(memory.lowBytes)} – {bytes(memory.highBytes)}
          </td>
        </tr>
      </tfoot>
    </table>
  );
}
