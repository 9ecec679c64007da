import type { DescMessage } from "@bufbuild/protobuf";
import type { DatasetFormat } from "@tunesmith/sdk";
import { createContext, useContext } from "react";
import type { Part } from "../describe.js";
import type { Edit, FormState } from "../edit.js";
import type { Finding } from "../judge.js";

/** What every part of a form stands in. */
export interface FormContext {
  schema: DescMessage;
  /** The description, limited to what the provider can do. */
  parts: readonly Part[];
  state: FormState;
  /** Where each finding belongs, with the findings there. */
  findings: ReadonlyMap<string, readonly Finding[]>;
  edit(edit: Edit): void;
  /** Something that the configuration names has changed: what was said of it may no longer hold. */
  reconsider(): void;
  /** The name of the provider, for sentences. */
  providerName: string;
  /** Formats its training datasets may have; none: any. */
  datasetFormats: readonly DatasetFormat[];
  /** Whether somebody tried to send the form: then what is missing is an error, and not only still to do. */
  attempted: boolean;
  /** The page that explains every knob. */
  parametersUrl: string;
  /** Begins every id of this form, so that two forms on a page don't share one. */
  prefix: string;
}

const Context = createContext<FormContext | null>(null);

export const FormProvider = Context.Provider;

/** The form this part stands in. */
export function useFormContext(): FormContext {
  const form = useContext(Context);
  if (!form) {
    throw new Error("useFormContext is called outside of a FormProvider");
  }
  return form;
}

/** The id of a field's control; findings lead there. */
export function controlId(prefix: string, path: string): string {
  return `${prefix}${path.replaceAll(".", "-")}`;
}
