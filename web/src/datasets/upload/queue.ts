import { Code, type Dataset, DatasetFormat, type Tunesmith, type TunesmithError, toTunesmithError } from "@tunesmith/sdk";

/** A file on its way. `checking`: all of it is there, and the server looks at every row. */
export interface Upload {
  id: number;
  file: File;
  displayName: string;
  format: DatasetFormat;
  state: "chosen" | "waiting" | "sending" | "checking" | "stored" | "refused";
  sent: number;
  /** Bytes a second since it began. */
  speed: number;
  error?: TunesmithError;
  dataset?: Dataset;
}

/** Told of what became of a queue. */
type Listener = () => void;

/** Files that are uploaded one after the other, also while somebody looks at another page. */
export class UploadQueue {
  #uploads: readonly Upload[] = [];
  readonly #listeners = new Set<Listener>();
  readonly #stops = new Map<number, AbortController>();
  #next = 1;
  #busy = false;

  constructor(
    private readonly tunesmith: Pick<Tunesmith, "uploadDataset">,
    private readonly onStored: () => void,
  ) {}

  readonly subscribe = (listener: Listener): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** The same array until something changes. */
  readonly uploads = (): readonly Upload[] => this.#uploads;

  /** Take files in; they wait until somebody says what they are. */
  choose(files: Iterable<File>): void {
    const chosen = Array.from(files, (file): Upload => {
      const id = this.#next++;
      return { id, file, displayName: "", format: DatasetFormat.UNSPECIFIED, state: "chosen", sent: 0, speed: 0 };
    });
    this.#set([...this.#uploads, ...chosen]);
  }

  /** Say what a file that was chosen is. */
  describe(id: number, what: Partial<Pick<Upload, "displayName" | "format">>): void {
    this.#change(id, what);
  }

  /** Upload all files that were chosen. */
  start(): void {
    this.#set(this.#uploads.map((upload) => (upload.state === "chosen" ? { ...upload, state: "waiting" } : upload)));
    void this.#work();
  }

  /** Stop a file, or put it away when it is over. */
  remove(id: number): void {
    this.#stops.get(id)?.abort();
    this.#set(this.#uploads.filter((upload) => upload.id !== id));
  }

  /** Say again what a refused file is, and upload it once more. */
  reconsider(id: number): void {
    this.#change(id, { state: "chosen", sent: 0, speed: 0, error: undefined });
  }

  async #work(): Promise<void> {
    if (this.#busy) {
      return;
    }
    this.#busy = true;
    try {
      for (let upload = this.#waiting(); upload; upload = this.#waiting()) {
        await this.#send(upload);
      }
    } finally {
      this.#busy = false;
    }
  }

  #waiting(): Upload | undefined {
    return this.#uploads.find(({ state }) => state === "waiting");
  }

  async #send({ id, file, displayName, format }: Upload): Promise<void> {
    const stop = new AbortController();
    const began = performance.now();
    this.#stops.set(id, stop);
    this.#change(id, { state: "sending" });
    const onProgress = (sent: number, total: number) => {
      const seconds = Math.max((performance.now() - began) / 1000, 0.001);
      this.#change(id, { sent, speed: sent / seconds, state: sent >= total ? "checking" : "sending" });
    };
    try {
      const options = { filename: file.name, displayName: displayName.trim(), format, onProgress, signal: stop.signal };
      const dataset = await this.tunesmith.uploadDataset(file, options);
      this.#change(id, { state: "stored", sent: file.size, dataset });
      this.onStored();
    } catch (thrown) {
      const error = toTunesmithError(thrown);
      if (error.code !== Code.Canceled) {
        this.#change(id, { state: "refused", error });
      }
    } finally {
      this.#stops.delete(id);
    }
  }

  #change(id: number, change: Partial<Upload>): void {
    this.#set(this.#uploads.map((upload) => (upload.id === id ? { ...upload, ...change } : upload)));
  }

  #set(uploads: readonly Upload[]): void {
    this.#uploads = uploads;
    for (const listener of this.#listeners) {
      listener();
    }
  }
}
