import { create } from "@bufbuild/protobuf";
import { type CreateBaseModelRequest, CreateBaseModelRequestSchema, type Stage } from "@tunesmith/sdk";

/** Where a model comes from. */
export type Source = "hub" | "folder" | "artifact";

/** What the dialog's fields hold. */
export interface Creation {
  source: Source;
  repo: string;
  revision: string;
  folder: string;
  artifactId: string;
  hubRepo: string;
  displayName: string;
  stage: Stage;
  private: boolean;
  credentialId: string;
  license: string;
}

/** The request of what was filled in; fields of other sources are left out. */
export function requestOf(creation: Creation): CreateBaseModelRequest {
  const { source } = creation;
  return create(CreateBaseModelRequestSchema, {
    displayName: creation.displayName.trim(),
    stage: creation.stage,
    license: creation.license.trim(),
    ...(source === "hub" && {
      hub: {
        repo: creation.repo.trim(),
        revision: creation.revision.trim(),
        private: creation.private,
        // What was typed before somebody thought better of "private" is not meant.
        credentialId: creation.private ? creation.credentialId.trim() : "",
      },
    }),
    ...(source === "folder" && { localFolder: creation.folder.trim(), hubRepo: creation.hubRepo.trim() }),
    ...(source === "artifact" && { artifactId: creation.artifactId.trim(), hubRepo: creation.hubRepo.trim() }),
  });
}

/** A violation's path by the name of the source's own field, for rules about the request as a whole. */
const WHOLE: Record<Source, string> = { hub: "hub.repo", folder: "local_folder", artifact: "artifact_id" };

/** What is wrong, by the path of the field it stands at. A path that no field has goes to the source's own. */
export function errorsByField(
  source: Source,
  shown: ReadonlySet<string>,
  violations: readonly { fieldPath: string; message: string }[],
): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { fieldPath, message } of violations) {
    const at = shown.has(fieldPath) ? fieldPath : WHOLE[source];
    found.set(at, [...(found.get(at) ?? []), message]);
  }
  return found;
}
