import { ArtifactKind, type Job } from "@tunesmith/sdk";
import type { ArtifactSet } from "../../monitor/artifactSets.js";
import { trainingOf } from "./specs.js";

/** How the rest of the world loads what a job made, once it was downloaded to a folder. */
export function loadingCode(job: Job, { kind, name, files }: ArtifactSet, folder: string): string {
  const place = `${folder}/${name}`;
  switch (kind) {
    case ArtifactKind.MODEL:
      return `from transformers import AutoModelForCausalLM\n\nmodel = AutoModelForCausalLM.from_pretrained("${place}")`;
    case ArtifactKind.GGUF:
      return `llama-cli -m ${folder}/${files.find(({ path }) => path.endsWith(".gguf"))?.path ?? `${name}/model.gguf`}`;
    case ArtifactKind.ONNX:
      return `import onnxruntime\n\nsession = onnxruntime.InferenceSession("${place}/model.onnx")`;
    default:
      return [
        "from peft import PeftModel",
        "from transformers import AutoModelForCausalLM",
        "",
        "# The base model's folder, or its name on the Hugging Face hub.",
        `base = AutoModelForCausalLM.from_pretrained(${JSON.stringify(trainingOf(job)?.model?.baseModel ?? "")})`,
        `model = PeftModel.from_pretrained(base, "${place}")`,
      ].join("\n");
  }
}
