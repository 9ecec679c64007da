import { createTunesmith } from "@tunesmith/sdk";
import { waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { COMPLETE, Gateway } from "./stack.js";

interface ConfigureElement extends HTMLElement {
  client: unknown;
  configuration: unknown;
}

beforeAll(async () => {
  await import("../../src/elements/tunesmith.js");
  await import("../../src/elements/configure.js");
});

afterEach(() => document.body.replaceChildren());

/** The element on a page, in front of a gateway, and what the page was told. */
async function place(attributes: Record<string, string>, gateway = new Gateway()) {
  const element = document.createElement("tunesmith-configure") as ConfigureElement;
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.client = createTunesmith({ baseUrl: "http://gateway.test", transport: gateway.transport });
  const told: [type: string, detail: Record<string, unknown>][] = [];
  for (const type of ["tunesmith-change", "tunesmith-created"]) {
    // On the document: events have to come out of the shadow root.
    document.addEventListener(type, (event) => told.push([type, (event as CustomEvent).detail]));
  }
  document.body.append(element);
  const mounted = await waitFor(() => {
    const found = element.shadowRoot!.querySelector<HTMLElement>(".element");
    expect(found?.firstElementChild).toBeTruthy();
    return found!;
  });
  return { element, gateway, told, inside: within(mounted) };
}

describe("<tunesmith-configure>", () => {
  test("takes its attributes, tells of changes and of the job", async () => {
    const { gateway, told, inside, element } = await place({ dataset: "d1", "base-model": "tunesmith/pico" });
    const method = await inside.findByLabelText(/^Method needed/);
    expect(told[0]).toMatchObject([
      "tunesmith-change",
      { valid: false, configuration: { datasets: { training_file_id: "d1" } } },
    ]);
    const user = userEvent.setup();
    await user.selectOptions(method, "LoRA");
    await waitFor(() => expect(told.at(-1)).toMatchObject(["tunesmith-change", { valid: true, configuration: COMPLETE }]));
    expect(element.configuration).toEqual(COMPLETE);
    await user.click(inside.getByText("Create job"));
    await waitFor(() =>
      expect(told.at(-1)).toMatchObject(["tunesmith-created", { id: "j1", job: { id: "j1", state: "JOB_STATE_QUEUED" } }]),
    );
    expect(gateway.created).toHaveLength(1);
  });

  test("takes a configuration as an attribute and as a property, and makes no job where it is told not to", async () => {
    const { inside, element } = await place({ configuration: JSON.stringify(COMPLETE), mode: "configure" });
    const rank = (await inside.findByLabelText("Rank", { selector: "input[type=text]" })) as HTMLInputElement;
    expect(inside.queryByText("Create job")).toBeNull();
    element.configuration = { ...COMPLETE, method: { type: "TRAINING_METHOD_LORA", lora_config: { rank: 64 } } };
    await waitFor(() => expect(rank.value).toBe("64"));
  });

  test("says what is wrong with the attribute", async () => {
    const { inside } = await place({ configuration: "{" });
    expect(await inside.findByText(/The attribute configuration is not JSON/)).toBeTruthy();
  });
});
