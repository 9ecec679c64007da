import type { DescEnum } from "@bufbuild/protobuf";

/** Words that people write in a way of their own. */
const WRITTEN: Record<string, string> = {
  chatml: "ChatML",
  dora: "DoRA",
  dpo: "DPO",
  gguf: "GGUF",
  jsonl: "JSONL",
  lora: "LoRA",
  onnx: "ONNX",
  openai: "OpenAI",
  qlora: "QLoRA",
  sharegpt: "ShareGPT",
};

/** A value of an enum as a word for people: the enum's own, so that one added to the protos shows at once. */
export function enumWord(schema: DescEnum, value: number): string {
  const words = schema.value[value]?.localName.toLowerCase().split("_") ?? ["value", String(value)];
  const name = words.map((word) => WRITTEN[word] ?? word).join(" ");
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** The values of an enum that mean something, as words and as addresses name them. */
export function enumChoices(schema: DescEnum): { value: number; name: string; word: string; path: string }[] {
  return schema.values
    .filter(({ number }) => number !== 0)
    .map(({ number, name, localName }) => ({ value: number, name, word: enumWord(schema, number), path: localName.toLowerCase() }));
}
