import { type JsonValue, toJson } from "@bufbuild/protobuf";
import { JobSchema } from "@tunesmith/sdk";
import { useMemo } from "react";
import { Configure } from "../configure/Configure.js";
import configure from "../configure/configure.css?inline";
import form from "../form/form.css?inline";
import { Notice } from "../ui/Notice.js";
import type { ElementProps, ElementView } from "./element.js";

interface ConfigureValues {
  provider: string;
  dataset: string;
  "base-model": string;
  mode: string;
  /** As text in the attribute, as an object in the property. */
  configuration: JsonValue;
}

/**
 * `<tunesmith-configure>`: a configuration filled in, and the job made of it unless `mode="configure"`.
 *
 * Tells the page of each change by `tunesmith-change` and of the job by `tunesmith-created`.
 */
function ConfigureElement({ values, emit, keep }: ElementProps<ConfigureValues>) {
  const given = values.configuration;
  const read = useMemo(() => parsed(given), [given]);
  if (read.fault) {
    return <Notice tone="bad">{read.fault}</Notice>;
  }
  return (
    <Configure
      provider={values.provider}
      dataset={values.dataset}
      baseModel={values["base-model"]}
      initial={read.json}
      submit={values.mode !== "configure"}
      onChange={({ configuration, valid, findings, provider }) => {
        keep("configuration", configuration);
        emit("tunesmith-change", { configuration, provider, valid, findings });
      }}
      onCreated={(job) => emit("tunesmith-created", { id: job.id, job: toJson(JobSchema, job, { useProtoFieldName: true }) })}
    />
  );
}

function parsed(given: JsonValue | undefined): { json?: JsonValue; fault?: string } {
  if (typeof given !== "string") {
    return { json: given };
  }
  try {
    return { json: JSON.parse(given) as JsonValue };
  } catch (error) {
    return {
      fault: `The attribute configuration is not JSON: ${(error as Error).message}. Put a JobConfiguration as JSON there.`,
    };
  }
}

export default { component: ConfigureElement, styles: [form, configure] } satisfies ElementView;
