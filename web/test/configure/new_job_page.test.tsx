import { create, fromJson } from "@bufbuild/protobuf";
import { createRouterTransport } from "@connectrpc/connect";
import {
  createTunesmith,
  GetJobResponseSchema,
  JobConfigurationSchema,
  JobService,
  PreflightService,
  ProviderService,
  RegistryService,
} from "@tunesmith/sdk";
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Router } from "wouter";
import { memoryLocation } from "wouter/memory-location";
import { createQueryClient } from "../../src/console/queries.js";
import NewJobPage from "../../src/jobs/NewJobPage.js";
import { TunesmithProvider } from "../../src/ui/tunesmith.js";
import { LIMITED } from "../form/knobs.js";
import { COMPLETE } from "./stack.js";

const EARLIER = { ...COMPLETE, optimizer: { learning_rate: 2e-4 } };

beforeEach(() => sessionStorage.clear());
afterEach(cleanup);

/** The page at an address, before a gateway that has one earlier job. */
function visit(path: string) {
  const transport = createRouterTransport(({ service }) => {
    service(ProviderService, { listProviders: () => ({ providers: [LIMITED] }) });
    service(PreflightService, { checkConfiguration: () => ({ report: { ok: true } }), suggestRecipes: () => ({}) });
    service(RegistryService, { listBaseModels: () => ({}), listDatasets: () => ({}) });
    service(JobService, {
      getJob: ({ id }) =>
        create(GetJobResponseSchema, {
          job: {
            id,
            displayName: "earlier",
            provider: "limited",
            spec: { case: "configuration", value: fromJson(JobConfigurationSchema, EARLIER) },
          },
        }),
      createJob: () => ({ job: { id: "new-one" } }),
    });
  });
  const { hook, searchHook, history } = memoryLocation({ path, record: true });
  const page = render(
    <TunesmithProvider value={createTunesmith({ baseUrl: "http://gateway.test", transport })}>
      <QueryClientProvider client={createQueryClient()}>
        <Router hook={hook} searchHook={searchHook}>
          <NewJobPage />
        </Router>
      </QueryClientProvider>
    </TunesmithProvider>,
  );
  return { ...page, history, user: userEvent.setup() };
}

/** What the form holds. */
async function held(): Promise<unknown> {
  const text = (await screen.findByLabelText("The configuration as JSON")) as HTMLTextAreaElement;
  return JSON.parse(text.value);
}

describe("the page of a new job", () => {
  test("begins with what the address names", async () => {
    visit("/jobs/new?dataset=rows&base_model=tunesmith%2Fpico");
    expect(await held()).toEqual({ model: { base_model: "tunesmith/pico" }, datasets: { training_file_id: "rows" }, method: {} });
    expect(screen.queryByText("With what you had set before.")).toBeNull();
  });

  test("copies another job's configuration and goes to the job it makes", async () => {
    const { history, user } = visit("/jobs/new?from=j0");
    expect(await screen.findByText("With the configuration of earlier.")).toBeTruthy();
    expect(await held()).toEqual(EARLIER);
    expect((screen.getByLabelText("Display name") as HTMLInputElement).value).toBe("earlier");
    await user.click(screen.getByRole("button", { name: "Create job" }));
    await waitFor(() => expect(history.at(-1)).toBe("/jobs/new-one"));
    expect(sessionStorage.length).toBe(0);
  });

  test("keeps what was changed over a reload, for this address only, until somebody begins anew", async () => {
    const first = visit("/jobs/new?dataset=rows");
    await first.user.selectOptions(await screen.findByRole("combobox", { name: /^Method/ }), "Full");
    first.unmount();

    const other = visit("/jobs/new?dataset=others");
    expect(await held()).toMatchObject({ datasets: { training_file_id: "others" }, method: {} });
    other.unmount();

    const again = visit("/jobs/new?dataset=rows");
    expect(await held()).toMatchObject({ datasets: { training_file_id: "rows" }, method: { type: "TRAINING_METHOD_FULL" } });
    expect(screen.getByText("With what you had set before.")).toBeTruthy();
    await again.user.click(screen.getByRole("button", { name: "Start anew" }));
    expect(await held()).toEqual({ model: {}, datasets: { training_file_id: "rows" }, method: {} });
    expect(sessionStorage.length).toBe(0);
  });
});
