import type { DescMessage, Message } from "@bufbuild/protobuf";
import { useMemo, useReducer } from "react";
import { describe } from "../describe.js";
import { begin, type Edit, edited, type FormState } from "../edit.js";

/** A form's state, and how to change it. What is there now depends on the rules alone, never on the provider. */
export function useForm<M extends Message>(schema: DescMessage, initial: () => M): [FormState<M>, (edit: Edit<M>) => void] {
  const parts = useMemo(() => describe(schema), [schema]);
  return useReducer(
    (state: FormState<M>, edit: Edit<M>) => edited(schema, parts, state, edit),
    undefined,
    () => begin(schema, parts, initial()),
  );
}
