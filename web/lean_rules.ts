import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const KEPT = "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
const NATIVE_REGEX = fileURLToPath(new URL("native_regex.ts", import.meta.url));

/**
 * Leaves out of a page what judging by the rules does not need: the second of two copies of validate.proto's descriptor (the SDK
 * generates one for its own protos, and the library that judges brings its own), and an engine for patterns beside the browser's.
 * Together they are a tenth of the form, compressed.
 */
export function leanRules(): Plugin {
  return {
    name: "lean-rules",
    apply: "build",
    enforce: "pre",
    resolveId(source, importer) {
      if (source === "@bufbuild/re2") {
        return NATIVE_REGEX;
      }
      const other = source !== KEPT && /\/buf\/validate\/validate(_pb\.js)?$/.test(source);
      return other && !importer?.includes("/protovalidate/") ? this.resolve(KEPT, importer, { skipSelf: true }) : null;
    },
  };
}
