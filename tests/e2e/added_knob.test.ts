import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Checkout } from "./checkout.ts";
import { type Browser, Complaints, openBrowser } from "./chromium.ts";
import { JobForm } from "./job_form.ts";
import { ROOT, whySkipped } from "./places.ts";
import { Stack } from "./stack.ts";

// A knob that nothing in the project has heard of; every word about it stands here and nowhere else.
const KNOB = `
  // How many steps ahead the crystal ball looks.
  optional int32 foresight = 4711 [
    (buf.validate.field).int32.gte = 3,
    (buf.validate.field).int32.lte = 77,
    (tunesmith.options.v1.knob) = {
      label: "Foresight"
      help: "How far the crystal ball looks; more than 9 is hazy."
      unit: "omens"
      default_value: {number: 5}
      recommended: {min: 4, max: 9}
      scale: SCALE_LOG2
      widget: WIDGET_SLIDER
    }
  ];
`;
const REFUSAL = "must be greater than or equal to 3 and less than or equal to 77";

describe.skipIf(whySkipped())("a knob that is added to a proto", () => {
  let checkout: Checkout;
  let stack: Stack;
  let browser: Browser;

  beforeAll(async () => {
    checkout = new Checkout();
    const proto = `${checkout.folder}/protos/tunesmith/config/v1/schedule.proto`;
    const before = readFileSync(proto, "utf8");
    writeFileSync(proto, before.replace("message Schedule {\n", `message Schedule {${KNOB}`));
    expect(readFileSync(proto, "utf8")).not.toBe(before);
    // What `make setup` does after a change of a proto.
    checkout.run("python", "protos/generate.py");
    checkout.run("npm", "run", "--silent", "build", "--workspace", "gateway/sdk/typescript");
    checkout.run("npm", "run", "--silent", "build", "--workspace", "web");
    stack = await Stack.start(checkout.environment, { checkout: checkout.folder, signs: ["starter: done"] });
    browser = await openBrowser();
  }, 240_000);
  afterAll(async () => {
    await browser?.close();
    await stack?.stop();
    rmSync(checkout.folder, { recursive: true, force: true });
  });

  test("is on the form with its range, unit, default and help, and judged there", async () => {
    const page = await browser.context.newPage();
    const complaints = new Complaints(page);
    await page.goto(`${stack.url}/jobs/new`);
    const form = new JobForm(page);
    await form.open("Schedule");
    // No provider knows it, and the form says so by name before anybody counts on it.
    await page.getByText(/^Not used by Local: .*Foresight/).click();
    await page.getByText("local does not use this field").waitFor();
    const field = page.locator(".field", { has: form.box("Foresight") });
    const text = (await field.innerText()).replace(/\s+/g, " ");
    for (const word of ["Foresight", "default 5", "3 to 77", "4 to 9", "omens", "crystal ball"]) {
      expect(text).toContain(word);
    }
    await form.box("Foresight").fill("78");
    await field.getByText(REFUSAL).waitFor();
    await form.box("Foresight").fill("20");
    await field.getByText(/usually|recommended/i).first().waitFor();
    expect(complaints.found).toEqual([]);
  });

  test("is in the console's reference", async () => {
    const page = await browser.context.newPage();
    await page.goto(`${stack.url}/parameters#schedule.foresight`);
    await page.getByText("crystal ball").first().waitFor();
  });

  test("is validated by the server, in the form's words", async () => {
    const configuration = {
      model: { base_model: "any/model" },
      datasets: { training_file_id: "any" },
      method: { type: "TRAINING_METHOD_FULL" },
      schedule: { foresight: 78 },
    };
    const answer = await fetch(`${stack.url}/v1/jobs`, { method: "POST", body: JSON.stringify({ provider: "local", configuration }) });
    expect(answer.status).toBe(400);
    expect(JSON.stringify(await answer.json())).toContain(REFUSAL);
  });

  test("is in the written reference", () => {
    checkout.run("python", "-m", "services.parameter.reference");
    const page = readFileSync(`${checkout.folder}/.build/docs/parameters.md`, "utf8");
    expect(page).toContain("schedule.foresight");
    expect(page).toContain("crystal ball");
  });

  test("is known to the command line", () => {
    const server = stack.url.replace("http://", "");
    expect(checkout.run("tunesmith", "--server", server, "parameters", "-o", "json")).toContain('"schedule.foresight"');
    const job = `${checkout.folder}/job.yaml`;
    writeFileSync(job, "model: {base_model: a/b}\ndatasets: {training_file_id: x}\nmethod: {type: TRAINING_METHOD_FULL}\nschedule: {foresight: 78}\n");
    const refused = spawnSync(`${ROOT}.venv/bin/tunesmith`, ["--server", server, "jobs", "create", "-f", job], {
      cwd: checkout.folder,
      encoding: "utf8",
      env: { ...process.env, ...checkout.environment },
    });
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain("schedule.foresight");
    expect(refused.stderr.replace(/\s+/g, " ")).toContain(REFUSAL);
  });
});
