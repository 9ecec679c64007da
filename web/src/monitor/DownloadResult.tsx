import { useTunesmith } from "../ui/tunesmith.js";
import { type ArtifactSet, kindWord } from "./artifactSets.js";

/** The way to a job's result: all its files as one archive. */
export function DownloadResult({ result }: { result: ArtifactSet }) {
  const { artifactSetUrl } = useTunesmith();
  return (
    <a className="button button-primary" href={artifactSetUrl(result.files[0]!.id)} download>
      Download {kindWord(result.kind)}
    </a>
  );
}
