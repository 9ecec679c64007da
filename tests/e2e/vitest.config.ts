import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The journey that begins in an empty home comes first; all share one. */
class FreshHomeFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => (moduleId.endsWith("/journey.test.ts") ? "" : moduleId);
    return [...files].sort((a, b) => place(a).localeCompare(place(b)));
  }
}

export default defineConfig({
  test: {
    include: ["*.test.ts"],
    globalSetup: ["./setup.ts"],
    // One stack and one Chromium at a time: two cores train a model meanwhile.
    fileParallelism: false,
    sequence: { sequencer: FreshHomeFirst },
    testTimeout: 300_000,
    hookTimeout: 180_000,
  },
});
