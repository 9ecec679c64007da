import { type Artifact, ArtifactKind, ArtifactKindSchema, type Tunesmith } from "@tunesmith/sdk";
import { enumWord } from "../ui/enumWord.js";

/** The files that belong together: an adapter, a model, a checkpoint. */
export interface ArtifactSet {
  id: string;
  /** The folder its paths begin with. */
  name: string;
  kind: ArtifactKind;
  step: bigint;
  sizeBytes: bigint;
  files: Artifact[];
}

// What a person came for is first.
const RESULTS = [ArtifactKind.ADAPTER, ArtifactKind.MODEL, ArtifactKind.GGUF, ArtifactKind.ONNX];
const ORDER = [...RESULTS, ArtifactKind.CHECKPOINT, ArtifactKind.TRAINING_STATE];

const PAGE = 1000;

/** Every set that a job has made so far. Results come last in the list, so no page of it may be left out. */
export async function listArtifactSets(jobs: Tunesmith["jobs"], jobId: string, signal: AbortSignal): Promise<ArtifactSet[]> {
  const artifacts: Artifact[] = [];
  let pageToken = "";
  do {
    const page = await jobs.listArtifacts({ jobId, pageSize: PAGE, pageToken }, { signal });
    artifacts.push(...page.artifacts);
    pageToken = page.nextPageToken;
  } while (pageToken);
  return artifactSets(artifacts);
}

/** Artifacts by their sets: results first, then checkpoints, the latest first. */
function artifactSets(artifacts: Artifact[]): ArtifactSet[] {
  const sets = new Map<string, ArtifactSet>();
  for (const artifact of artifacts) {
    const { setId, kind, step, path } = artifact;
    const set = sets.get(setId) ?? { id: setId, name: path.split("/", 1)[0]!, kind, step, sizeBytes: 0n, files: [] };
    sets.set(setId, set);
    set.files.push(artifact);
    set.sizeBytes += artifact.sizeBytes;
  }
  const place = (kind: ArtifactKind) => (ORDER.indexOf(kind) + ORDER.length + 1) % (ORDER.length + 1);
  return [...sets.values()].sort((a, b) => place(a.kind) - place(b.kind) || Number(b.step - a.step));
}

/** What a kind of set is called: the enum's own word, inside a sentence. */
export function kindWord(kind: ArtifactKind): string {
  const word = ArtifactKindSchema.value[kind] ? enumWord(ArtifactKindSchema, kind) : "set";
  return word === word.toUpperCase() ? word : word.toLowerCase();
}

/** What people use, as against what the next attempt goes on from. */
export function isResult({ kind }: ArtifactSet): boolean {
  return RESULTS.includes(kind);
}

/** What an export can make something of. */
export function isExportable({ kind }: ArtifactSet): boolean {
  return kind === ArtifactKind.ADAPTER || kind === ArtifactKind.MODEL || kind === ArtifactKind.CHECKPOINT;
}
