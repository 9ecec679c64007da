import { create, type JsonValue, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { CreateBaseModelRequestSchema, CreateJobRequestSchema, type JobState, JobStateSchema } from "@tunesmith/sdk";

/** The same thing to do, for three places to do it from. */
export interface Commands {
  curl: string;
  cli: string;
  python: string;
}

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** A text as one word of a POSIX shell, whatever it holds. */
export function shellQuote(text: string): string {
  // No argument of a program can hold NUL, so there is nothing to keep.
  const possible = text.replaceAll("\0", "");
  return PLAIN.test(possible) ? possible : `'${possible.replaceAll("'", "'\\''")}'`;
}

/** A value as Python writes it, over several lines where it has parts. */
export function pythonLiteral(value: JsonValue, indent = ""): string {
  const inner = `${indent}    `;
  if (value === null) {
    return "None";
  }
  if (typeof value === "boolean") {
    return value ? "True" : "False";
  }
  if (typeof value !== "object") {
    return typeof value === "string" ? pythonString(value) : String(value);
  }
  if (Array.isArray(value)) {
    const plain = value.every((item) => item === null || typeof item !== "object");
    const items = value.map((item) => pythonLiteral(item, inner));
    return plain ? `[${items.join(", ")}]` : `[\n${items.map((item) => `${inner}${item},\n`).join("")}${indent}]`;
  }
  const entries = Object.entries(value);
  const lines = entries.map(([key, item]) => `${inner}${pythonString(key)}: ${pythonLiteral(item, inner)},\n`);
  return entries.length === 0 ? "{}" : `{\n${lines.join("")}${indent}}`;
}

/** JSON's escapes are Python's too, but for half of a surrogate pair, which JSON.stringify escapes and both read alike. */
function pythonString(text: string): string {
  return JSON.stringify(text);
}

/** A text as a shell's here-document, which nothing in it can end early. */
export function hereDocument(text: string): string {
  const lines = new Set(text.split("\n"));
  let word = "EOF";
  for (let turn = 2; lines.has(word); turn += 1) {
    word = `EOF${turn}`;
  }
  return `<<'${word}'\n${text}${text.endsWith("\n") ? "" : "\n"}${word}`;
}

/** Create a job: the request as it would be sent, without the name of this one write. */
export function createJobCommands(baseUrl: string, request: MessageInitShape<typeof CreateJobRequestSchema>): Commands {
  const message = create(CreateJobRequestSchema, request);
  const body = fields(toJson(CreateJobRequestSchema, message, { useProtoFieldName: true }));
  return {
    curl: post(baseUrl, "/v1/jobs", body),
    cli: `${cli(baseUrl)} jobs create -f - ${hereDocument(JSON.stringify(body, null, 2))}`,
    python: python(baseUrl, `print(client.jobs.create_job(${keywords(body)}).job.id)`),
  };
}

/** Look at one job. */
export function getJobCommands(baseUrl: string, id: string): Commands {
  return {
    curl: get(baseUrl, `/v1/jobs/${encodeURIComponent(id)}`),
    cli: `${cli(baseUrl)} jobs get ${word(id)}`,
    python: python(baseUrl, `print(client.jobs.get_job(id=${pythonString(id)}))`),
  };
}

/** Follow one job until it is over. */
export function watchJobCommands(baseUrl: string, id: string): Commands {
  return {
    curl: `curl -N ${shellQuote(url(baseUrl, `/v1/jobs/${encodeURIComponent(id)}:watch`))}`,
    cli: `${cli(baseUrl)} jobs watch ${word(id)}`,
    python: python(baseUrl, `for change in client.watch_job(${pythonString(id)}):\n    print(change)`),
  };
}

/** Cancel, pause or resume one job. */
export function jobActionCommands(baseUrl: string, id: string, action: "cancel" | "pause" | "resume"): Commands {
  return {
    curl: post(baseUrl, `/v1/jobs/${encodeURIComponent(id)}:${action}`, {}),
    cli: `${cli(baseUrl)} jobs ${action} ${word(id)}`,
    python: python(baseUrl, `client.jobs.${action}_job(id=${pythonString(id)})`),
  };
}

/** What a list of jobs is filtered by. */
export interface JobsFilter {
  states?: readonly JobState[];
  provider?: string;
  search?: string;
}

/** List jobs by the same filters; the command line has no search, so it lists what the other filters leave. */
export function listJobsCommands(baseUrl: string, filter: JobsFilter): Commands {
  const states = (filter.states ?? []).map((state) => JobStateSchema.value[state]).filter((value) => value !== undefined);
  const query: [string, string][] = states.map((value) => ["states", value.name]);
  const given: [string, JsonValue][] = states.length > 0 ? [["states", states.map((value) => value.name)]] : [];
  const options = states.map((value) => ` --state ${value.localName.toLowerCase()}`);
  if (filter.provider) {
    query.push(["provider", filter.provider]);
    given.push(["provider", filter.provider]);
    options.push(` --provider=${shellQuote(filter.provider)}`);
  }
  if (filter.search) {
    query.push(["search", filter.search]);
    given.push(["search", filter.search]);
  }
  const passed = given.map(([name, value]) => `${name}=${pythonLiteral(value)}`).join(", ");
  return {
    curl: get(baseUrl, `/v1/jobs${queryOf(query)}`),
    cli: `${cli(baseUrl)} jobs list${options.join("")}`,
    python: python(baseUrl, `for job in client.jobs.list_jobs(${passed}).jobs:\n    print(job.id, job.display_name)`),
  };
}

/** Take away what a job made. */
export function downloadJobCommands(baseUrl: string, id: string, artifactId: string): Commands {
  const path = `/v1/artifacts/${encodeURIComponent(artifactId)}/set:download`;
  return {
    curl: `curl -o artifacts.tar ${shellQuote(url(baseUrl, path))}`,
    cli: `${cli(baseUrl)} jobs download ${word(id)}`,
    python: python(baseUrl, `client.download_artifacts(${pythonString(id)}, ${pythonString(id)})`),
  };
}

/** Register a base model. */
export function createBaseModelCommands(
  baseUrl: string,
  request: MessageInitShape<typeof CreateBaseModelRequestSchema>,
): Commands {
  const message = create(CreateBaseModelRequestSchema, request);
  const body = fields(toJson(CreateBaseModelRequestSchema, message, { useProtoFieldName: true }));
  const source = message.hub?.repo || message.localFolder || (message.artifactId && `artifact:${message.artifactId}`);
  const { private: closed, credentialId } = message.hub ?? {};
  // The short way to a hub model takes its name alone.
  const long = message.hub && (closed || credentialId || message.license);
  const options = [
    message.hub?.revision ? ` --revision=${shellQuote(message.hub.revision)}` : "",
    closed ? " --private" : "",
    credentialId ? ` --credential=${shellQuote(credentialId)}` : "",
    long && message.license ? ` --license=${shellQuote(message.license)}` : "",
    message.hubRepo ? ` --name=${shellQuote(message.hubRepo)}` : "",
    message.displayName ? ` --display-name=${shellQuote(message.displayName)}` : "",
  ];
  return {
    curl: post(baseUrl, "/v1/base-models", body),
    cli: long
      ? `${cli(baseUrl)} models add --hub=${shellQuote(source)}${options.join("")}`
      : `${cli(baseUrl)} models import ${word(source)}${options.join("")}`,
    python: python(baseUrl, `print(client.registry.create_base_model(${keywords(body)}).base_model.id)`),
  };
}

/** Look at one base model. */
export function getBaseModelCommands(baseUrl: string, id: string): Commands {
  return {
    curl: get(baseUrl, `/v1/base-models/${encodeURIComponent(id)}`),
    cli: `${cli(baseUrl)} models get ${word(id)}`,
    python: python(baseUrl, `print(client.registry.get_base_model(id=${pythonString(id)}))`),
  };
}

/** Upload a file of rows; its format is detected unless it is said as the enum names it. */
export function uploadDatasetCommands(
  baseUrl: string,
  { file, displayName = "", format = "" }: { file: string; displayName?: string; format?: string },
): Commands {
  const query: [string, string][] = [["filename", file.split("/").at(-1) ?? file]];
  const options: string[] = [];
  const given = [pythonString(file)];
  if (displayName) {
    query.push(["display_name", displayName]);
    options.push(` --name=${shellQuote(displayName)}`);
    given.push(`display_name=${pythonString(displayName)}`);
  }
  if (format) {
    query.push(["format", format]);
    options.push(` --format ${shellQuote(format.replace("DATASET_FORMAT_", "").toLowerCase())}`);
    given.push(`format=${pythonString(format)}`);
  }
  const address = url(baseUrl, `/v1/datasets:upload${queryOf(query)}`);
  return {
    curl: `curl --data-binary @${shellQuote(file)} ${shellQuote(address)}`,
    cli: `${cli(baseUrl)} datasets upload ${word(file)}${options.join("")}`,
    python: python(baseUrl, `print(client.upload_dataset(${given.join(", ")}).id)`),
  };
}

/** Look at one dataset's first rows. */
export function previewDatasetCommands(baseUrl: string, id: string): Commands {
  return {
    curl: get(baseUrl, `/v1/datasets/${encodeURIComponent(id)}:preview`),
    cli: `${cli(baseUrl)} datasets preview ${word(id)}`,
    python: python(baseUrl, `print(client.registry.preview_dataset(id=${pythonString(id)}).rows)`),
  };
}

/** Count what is in a dataset, by a model's tokenizer or by an estimate. */
export function statisticsCommands(baseUrl: string, id: string, baseModel: string): Commands {
  const query: [string, string][] = baseModel ? [["base_model", baseModel]] : [];
  const given = [`id=${pythonString(id)}`, ...(baseModel ? [`base_model=${pythonString(baseModel)}`] : [])];
  return {
    curl: get(baseUrl, `/v1/datasets/${encodeURIComponent(id)}/statistics${queryOf(query)}`),
    cli: `${cli(baseUrl)} datasets stats${baseModel ? ` --model=${shellQuote(baseModel)}` : ""} ${word(id)}`,
    python: python(baseUrl, `print(client.registry.get_dataset_statistics(${given.join(", ")}).statistics)`),
  };
}

/** Look at one recipe. */
export function getRecipeCommands(baseUrl: string, id: string): Commands {
  return {
    curl: get(baseUrl, `/v1/recipes/${encodeURIComponent(id)}`),
    cli: `${cli(baseUrl)} recipes show ${word(id)}`,
    python: python(baseUrl, `print(client.recipes.get_recipe(id=${pythonString(id)}).recipe)`),
  };
}

/** Look at one adapter. */
export function getAdapterCommands(baseUrl: string, id: string): Commands {
  return {
    curl: get(baseUrl, `/v1/adapters/${encodeURIComponent(id)}`),
    cli: `${cli(baseUrl)} adapters show ${word(id)}`,
    python: python(baseUrl, `print(client.adapters.get_adapter(id=${pythonString(id)}).adapter)`),
  };
}

function fields(json: JsonValue): Record<string, JsonValue> {
  const { request_id: _ofOneWrite, ...rest } = json as Record<string, JsonValue>;
  return rest;
}

function keywords(body: Record<string, JsonValue>): string {
  const lines = Object.entries(body).map(([key, value]) => `    ${key}=${pythonLiteral(value, "    ")},\n`);
  return lines.length === 0 ? "" : `\n${lines.join("")}`;
}

function url(baseUrl: string, path: string): string {
  return `${baseUrl.replace(/\/+$/, "")}${path}`;
}

function queryOf(pairs: [string, string][]): string {
  return pairs.length === 0 ? "" : `?${pairs.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join("&")}`;
}

function get(baseUrl: string, path: string): string {
  return `curl ${shellQuote(url(baseUrl, path))}`;
}

function post(baseUrl: string, path: string, body: JsonValue): string {
  // The gateway reads a body by its content, so no header is needed.
  return `curl ${shellQuote(url(baseUrl, path))} -d ${shellQuote(JSON.stringify(body, null, 2))}`;
}

/** An argument that stands by itself: one that begins with a dash would be taken for an option. */
function word(text: string): string {
  return text.startsWith("-") ? `-- ${shellQuote(text)}` : shellQuote(text);
}

/** `host:port`, as the command line and the Python client take it; with its scheme where that is not plain HTTP. */
function address(baseUrl: string): string {
  const { protocol, hostname, port } = new URL(baseUrl);
  return protocol === "https:" ? `https://${hostname}:${port || "443"}` : `${hostname}:${port || "80"}`;
}

function cli(baseUrl: string): string {
  return `tunesmith --server ${shellQuote(address(baseUrl))}`;
}

function python(baseUrl: string, call: string): string {
  return `from tunesmith import Tunesmith\n\nclient = Tunesmith(${pythonString(address(baseUrl))})\n${call}\n`;
}
