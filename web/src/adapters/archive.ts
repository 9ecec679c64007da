import type { Adapter, Tunesmith } from "@tunesmith/sdk";

const BLOCK = 512;
/** The folder in the archive, as in a job's download. */
const FOLDER = "adapter";

/** Told how many bytes have come. */
export type OnBytes = (received: number, total: number) => void;

/** All files of an adapter as one tar archive, which can be uploaded again. */
export async function archiveOf(
  { adapters }: Pick<Tunesmith, "adapters">,
  adapter: Adapter,
  onBytes: OnBytes = () => undefined,
  signal?: AbortSignal,
): Promise<Blob> {
  const parts: BlobPart[] = [];
  const total = adapter.files.reduce((sum, { sizeBytes }) => sum + Number(sizeBytes), 0);
  let received = 0;
  for (const { path, sizeBytes } of adapter.files) {
    const size = Number(sizeBytes);
    parts.push(header(`${FOLDER}/${path}`, size));
    let there = 0;
    for await (const { chunk } of adapters.readAdapterFile({ id: adapter.id, path }, { signal, timeoutMs: 0 })) {
      parts.push(chunk as Uint8Array<ArrayBuffer>);
      there += chunk.length;
      received += chunk.length;
      onBytes(received, total);
    }
    if (there !== size) {
      throw new Error(`${path} came with ${there} of ${size} bytes; download it again.`);
    }
    parts.push(new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return new Blob(parts, { type: "application/x-tar" });
}

/** One file's header, as POSIX's ustar has it. */
function header(path: string, size: number): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK);
  const write = (text: string, at: number) => block.set(new TextEncoder().encode(text), at);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  write(path, 0);
  write(octal(0o644, 7), 100);
  write(octal(0, 7), 108);
  write(octal(0, 7), 116);
  // Eleven octal digits reach 8 GiB; no adapter is as large.
  write(octal(size, 11), 124);
  write(octal(0, 11), 136);
  write("        ", 148);
  write("0", 156);
  write("ustar\u000000", 257);
  write(octal(block.reduce((sum, byte) => sum + byte, 0), 6), 148);
  block[154] = 0;
  return block;
}

/** Hands a file to the browser, as a link does. */
export function save(blob: Blob, filename: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = filename;
  link.click();
  // Some browsers read it only after the click is over.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** A name as a file can have it. */
export function filenameOf(adapter: Adapter): string {
  return `${adapter.displayName.replace(/[^\w.-]+/g, "-").replace(/^[-.]+|-+$/g, "") || "adapter"}.tar`;
}
