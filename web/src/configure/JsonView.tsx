import { type JobConfiguration, JobConfigurationSchema } from "@tunesmith/sdk";
import { useId, useState } from "react";
import { readJson, writeJson } from "../form/json.js";
import { Button } from "../ui/Button.js";
import { Notice } from "../ui/Notice.js";

/** The configuration as JSON: to read, and to put another one in its place. */
export function JsonView({
  configuration,
  onReplace,
}: {
  configuration: JobConfiguration;
  onReplace(next: JobConfiguration): void;
}) {
  const id = useId();
  const [typed, setTyped] = useState<string>();
  const [faults, setFaults] = useState<readonly string[]>([]);
  const written = writeJson(JobConfigurationSchema, configuration);
  const use = () => {
    const read = readJson(JobConfigurationSchema, typed ?? "");
    setFaults(read.faults ?? []);
    if (read.configuration) {
      onReplace(read.configuration);
      setTyped(undefined);
    }
  };
  const discard = () => {
    setTyped(undefined);
    setFaults([]);
  };
  return (
    <details className="panel json-view">
      <summary className="section-head">
        <h2>As JSON</h2>
        <span className="section-line">What the server gets; paste another configuration here</span>
      </summary>
      <div className="section-body">
        <label htmlFor={id} className="visually-hidden">
          The configuration as JSON
        </label>
        <textarea
          id={id}
          className="input json-text"
          rows={Math.min(24, Math.max(8, (typed ?? written).split("\n").length + 1))}
          spellCheck={false}
          value={typed ?? written}
          aria-invalid={faults.length > 0}
          aria-describedby={`${id}-said`}
          onChange={(event) => setTyped(event.currentTarget.value)}
        />
        <div id={`${id}-said`}>
          {faults.length > 0 && (
            <Notice tone="bad">
              <ul>
                {faults.map((fault) => (
                  <li key={fault}>{fault}</li>
                ))}
              </ul>
            </Notice>
          )}
        </div>
        {typed !== undefined && (
          <div className="row">
            <Button look="primary" onClick={use}>
              Use this configuration
            </Button>
            <Button onClick={discard}>Discard</Button>
          </div>
        )}
      </div>
    </details>
  );
}
