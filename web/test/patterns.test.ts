// @vitest-environment node
// Pages judge patterns by the browser's engine, servers by RE2: both have to say the same of every pattern of the protos.
import { type DescMessage, getOption, hasOption } from "@bufbuild/protobuf";
import { RE2JS } from "@bufbuild/re2";
import * as sdk from "@tunesmith/sdk";
import { field as fieldRules } from "@tunesmith/sdk/gen/buf/validate/validate";
import { expect, test } from "vitest";
import { RE2JS as Native } from "../native_regex.js";

const messages = (Object.values(sdk) as unknown[]).filter(
  (value): value is DescMessage => typeof value === "object" && value !== null && "kind" in value && value.kind === "message",
);
const patterns = new Set(
  messages.flatMap(({ fields }) =>
    fields.flatMap((field) => {
      const rules = hasOption(field, fieldRules) ? getOption(field, fieldRules) : undefined;
      const inner = rules?.type.case === "repeated" ? rules.type.value.items : rules;
      const pattern = inner?.type.case === "string" ? inner.type.value.pattern : "";
      return pattern ? [pattern] : [];
    }),
  ),
);
const ALPHABET = ["a", "Z", "0", "_", ".", "-", "/", ",", " ", "\n", "é", "😀", "f"];

/** Every text of up to three letters of the alphabet, and some that are meant. */
const texts = ["HF_TOKEN", "organisation/model-1.5", "q_proj, v_proj", "q_proj,,v_proj", "a/b/c", "0".repeat(64), "0".repeat(65)];
for (let length = 0, last = [""]; length <= 3; length += 1) {
  texts.push(...last);
  last = last.flatMap((text) => ALPHABET.map((letter) => text + letter));
}

test("there are patterns, and texts to try them with", () => {
  expect(patterns.size).toBe(5);
  expect(texts.length).toBe(7 + 1 + 13 + 13 ** 2 + 13 ** 3);
});

test.each([...patterns])("%s", (pattern) => {
  const [re2, native] = [RE2JS.compile(pattern), Native.compile(pattern)];
  expect(texts.filter((text) => re2.test(text) !== native.test(text))).toEqual([]);
  expect(texts.some((text) => native.test(text))).toBe(true);
});
