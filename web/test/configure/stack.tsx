// A gateway made of real handlers, and the component in front of it.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import {
  type CreateJobRequest,
  createTunesmith,
  CreateJobResponseSchema,
  DatasetFormat,
  FieldLoweringSchema,
  JobService,
  JobState,
  BaseModelSchema,
  type CheckConfigurationRequest,
  LoweringAction,
  PreflightService,
  ProviderService,
  ReportSchema,
  type SuggestDefaultsRequest,
  SuggestDefaultsResponseSchema,
  type SuggestRecipesRequest,
  SuggestRecipesResponseSchema,
  RankProvidersResponseSchema,
  type UpdateBaseModelRequest,
  UpdateBaseModelResponseSchema,
  RegistryService,
} from "@tunesmith/sdk";
import { BadRequestSchema, ErrorInfoSchema } from "@tunesmith/sdk/gen/google/rpc/error_details";
import { configure as configureTesting, render } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { Configure, type ConfigureProps } from "../../src/configure/Configure.js";
import { TunesmithProvider } from "../../src/ui/tunesmith.js";
import { LIMITED } from "../form/knobs.js";

// The form is loaded when it is shown first; what that costs here is the test's, not the form's.
await import("../../src/configure/ConfigureForm.js");
await import("../../src/configure/preflight/Needs.js");
await import("../../src/configure/recipes/Recipes.js");
// Forty fields take their time in a simulated browser on a busy machine.
configureTesting({ asyncUtilTimeout: 5_000 });

/** What the gateway was asked, and how it answers a new job. */
export class Gateway {
  readonly created: CreateJobRequest[] = [];
  readonly checked: CheckConfigurationRequest[] = [];
  readonly asked: { recipes: SuggestRecipesRequest[]; defaults: SuggestDefaultsRequest[] } = { recipes: [], defaults: [] };
  /** What is known of a configuration beside what becomes of its fields. */
  report: (request: CheckConfigurationRequest) => MessageInitShape<typeof ReportSchema> | Promise<MessageInitShape<typeof ReportSchema>> =
    () => ({});
  recipes: MessageInitShape<typeof SuggestRecipesResponseSchema> = {};
  defaults: MessageInitShape<typeof SuggestDefaultsResponseSchema> = {};
  ranking: MessageInitShape<typeof RankProvidersResponseSchema> = {};
  /** Thrown instead of the next answers, one a call. */
  readonly refusals: Error[] = [];
  empty = false;
  baseModels: MessageInitShape<typeof BaseModelSchema>[] = [
    { id: "m1", hubRepo: "tunesmith/pico", displayName: "pico", trainable: true, parameterCount: 2_164_416n, dtype: "F32" },
  ];
  readonly updated: UpdateBaseModelRequest[] = [];

  readonly transport = createRouterTransport(({ service }) => {
    service(ProviderService, {
      listProviders: () => ({ providers: [LIMITED, { id: "other", displayName: "Other (elsewhere)" }] }),
    });
    service(PreflightService, {
      checkConfiguration: async (request) => {
        this.checked.push(request);
        const dropped = request.configuration?.schedule?.maxSteps
          ? [{ fieldPath: "schedule.epochs", action: LoweringAction.DROPPED, detail: "max_steps decides" }]
          : [];
        // As the server: what breaks its own rules is not put into a provider's words.
        const whole = request.configuration?.model?.baseModel && request.configuration.method?.type;
        const sent = [{ fieldPath: "model.base_model", action: LoweringAction.SENT, detail: "as it is" }, ...dropped];
        const known = await this.report(request);
        return { report: create(ReportSchema, { ok: true, lowering: whole ? sent.map(lowering) : [], ...known }) };
      },
      suggestRecipes: (request) => {
        this.asked.recipes.push(request);
        return create(SuggestRecipesResponseSchema, this.recipes);
      },
      suggestDefaults: (request) => {
        this.asked.defaults.push(request);
        return create(SuggestDefaultsResponseSchema, this.defaults);
      },
      rankProviders: () => create(RankProvidersResponseSchema, this.ranking),
    });
    service(RegistryService, {
      listBaseModels: () => ({ baseModels: this.empty ? [] : this.baseModels }),
      updateBaseModel: (request) => {
        this.updated.push(request);
        const baseModel = create(BaseModelSchema, this.baseModels.find(({ id }) => id === request.id) as MessageInitShape<typeof BaseModelSchema>);
        return create(UpdateBaseModelResponseSchema, { baseModel: Object.assign(baseModel, { credentialId: request.credentialId }) });
      },
      listDatasets: () => ({
        datasets: this.empty
          ? []
          : [
              {
                id: "d1",
                displayName: "alpaca",
                rowCount: 52_002n,
                sizeBytes: 9_000_000n,
                format: DatasetFormat.ALPACA,
                version: 1,
              },
              { id: "d2", displayName: "chats", rowCount: 12n, sizeBytes: 900n, format: DatasetFormat.MESSAGES, version: 2 },
            ],
      }),
    });
    service(JobService, {
      createJob: (request) => {
        this.created.push(request);
        const refusal = this.refusals.shift();
        if (refusal) {
          throw refusal;
        }
        return create(CreateJobResponseSchema, { job: { id: "j1", displayName: "pico on alpaca", state: JobState.QUEUED } });
      },
    });
  });
}

/** The component before a gateway, and a person. */
export function show(props: ConfigureProps = {}, gateway = new Gateway()) {
  const client = createTunesmith({ baseUrl: "http://gateway.test", transport: gateway.transport });
  const view = (next: ConfigureProps) => (
    <TunesmithProvider value={client}>
      <Configure {...next} />
    </TunesmithProvider>
  );
  const { rerender, container } = render(view(props));
  return { gateway, container, user: userEvent.setup(), rerender: (next: ConfigureProps) => rerender(view(next)) };
}

/** What a LoRA job needs. */
export const COMPLETE = {
  model: { base_model: "tunesmith/pico" },
  datasets: { training_file_id: "d1" },
  method: { type: "TRAINING_METHOD_LORA", lora_config: {} },
};

/** An answer that names fields of the request. */
export function badRequest(...fields: [field: string, description: string][]): ConnectError {
  const value = { fieldViolations: fields.map(([field, description]) => ({ field, description })) };
  return new ConnectError("the request is wrong", Code.InvalidArgument, undefined, [{ desc: BadRequestSchema, value }]);
}

/** The answer to a dataset of few rows. */
export function warningsNotAccepted(message: string): ConnectError {
  const value = { reason: "WARNINGS_NOT_ACCEPTED", metadata: { field_path: "configuration.datasets.training_file_id" } };
  return new ConnectError(message, Code.FailedPrecondition, undefined, [{ desc: ErrorInfoSchema, value }]);
}

function lowering(init: MessageInitShape<typeof FieldLoweringSchema>) {
  return create(FieldLoweringSchema, init);
}
