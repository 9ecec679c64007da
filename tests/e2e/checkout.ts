import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync } from "node:fs";
import { dirname } from "node:path";
import { ROOT } from "./places.ts";

/** A copy of the working tree with the same installed packages, in which a proto can be changed. */
export class Checkout {
  readonly folder = mkdtempSync("/tmp/ts-checkout-");

  constructor() {
    const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: ROOT, encoding: "utf8" });
    const gone = execFileSync("git", ["ls-files", "-z", "--deleted"], { cwd: ROOT, encoding: "utf8" }).split("\0");
    for (const file of listed.split("\0").filter((name) => name && !gone.includes(name))) {
      mkdirSync(dirname(`${this.folder}/${file}`), { recursive: true });
      cpSync(ROOT + file, `${this.folder}/${file}`);
    }
    // The workspace's own packages are those of the copy; everybody else's are shared.
    const modules = `${this.folder}/node_modules`;
    mkdirSync(`${modules}/@tunesmith`, { recursive: true });
    for (const name of readdirSync(`${ROOT}node_modules`).filter((each) => each !== "@tunesmith")) {
      symlinkSync(`${ROOT}node_modules/${name}`, `${modules}/${name}`);
    }
    symlinkSync(`${this.folder}/gateway/sdk/typescript`, `${modules}/@tunesmith/sdk`);
  }

  /** What programs of this copy need to find its modules before the installed ones. */
  get environment(): Record<string, string> {
    return { PYTHONPATH: `${this.folder}:${this.folder}/gateway/sdk/python/src` };
  }

  /** Run a program of the virtual environment in the copy; what it printed. */
  run(program: string, ...words: string[]): string {
    return execFileSync(`${ROOT}.venv/bin/${program}`, words, {
      cwd: this.folder,
      encoding: "utf8",
      env: { ...process.env, ...this.environment, PATH: `${ROOT}.venv/bin:${process.env.PATH}` },
    });
  }
}
