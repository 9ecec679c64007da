import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";

/** The header under which the server names a call in its logs. */
const REQUEST_ID_HEADER = "x-request-id";

/** What is wrong with one field of a request. */
export interface FieldViolation {
  /** As the protos write it: `configuration.optimizer.learning_rate`. Empty for the request as a whole. */
  fieldPath: string;
  /** A sentence for people, with what to do. */
  message: string;
  /** The stable id of the rule: `double.gte_lte`. Empty where no rule of the protos was broken. */
  reason: string;
}

/** What a TunesmithError knows beside its code and its sentence. */
export interface ErrorFacts {
  violations?: readonly FieldViolation[];
  reason?: string;
  metadata?: Readonly<Record<string, string>>;
  requestId?: string;
  cause?: unknown;
}

/** Every error of this package. Its message is a sentence that ends in what to do next. */
export class TunesmithError extends Error {
  readonly code: Code;
  /** The fields that are wrong; empty unless the request itself is. */
  readonly violations: readonly FieldViolation[];
  /** A word for programs, such as `DATASET_TOO_LARGE`. Empty where the code says it all. */
  readonly reason: string;
  /** Figures and names that belong to the reason. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The call's name in the server's logs; empty if no server answered. */
  readonly requestId: string;

  constructor(message: string, code: Code, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = "TunesmithError";
    this.code = code;
    this.violations = facts.violations ?? [];
    this.reason = facts.reason ?? "";
    this.metadata = facts.metadata ?? {};
    this.requestId = facts.requestId ?? "";
  }
}

/** Whatever was thrown, as a TunesmithError; one that already is comes back as it is. */
export function toTunesmithError(error: unknown): TunesmithError {
  if (error instanceof TunesmithError) {
    return error;
  }
  const found = ConnectError.from(error);
  if (found.cause instanceof TunesmithError) {
    return found.cause;
  }
  const info = found.findDetails(ErrorInfoSchema)[0];
  return new TunesmithError(found.rawMessage || `The call ended with code ${Code[found.code]}.`, found.code, {
    violations: found
      .findDetails(BadRequestSchema)
      .flatMap((detail) => detail.fieldViolations)
      .map(({ field, description, reason }) => ({ fieldPath: field, message: description, reason })),
    reason: info?.reason,
    metadata: info?.metadata,
    // It may stand in the headers and in the trailers, which connect joins.
    requestId: found.metadata.get(REQUEST_ID_HEADER)?.split(",")[0] ?? "",
    // Of connect's own error everything is here by now; printing it again with its bytes would bury the sentence.
    cause: found === error ? found.cause : error,
  });
}

/** The error of a plain HTTP answer: google.rpc.Status as JSON, or whatever a proxy on the way said. */
export function errorOfAnswer(status: number, body: string, requestId: string | null): TunesmithError {
  const facts = { requestId: requestId ?? "" };
  const answer = parsed(body);
  if (typeof answer.code !== "number" || !(answer.code in Code) || typeof answer.message !== "string") {
    const sentence = `HTTP ${status} came without a reason, so not from Tunesmith. Check the address, or try again.`;
    return new TunesmithError(sentence, codeOfHttpStatus(status), { ...facts, cause: body });
  }
  const details = Array.isArray(answer.details) ? (answer.details as unknown[]).map(asRecord) : [];
  const named = (type: string) => details.filter((detail) => String(detail["@type"]).endsWith(`/${type}`));
  const info = named("google.rpc.ErrorInfo")[0];
  return new TunesmithError(answer.message, answer.code, {
    ...facts,
    violations: named("google.rpc.BadRequest")
      .flatMap((detail) => (Array.isArray(detail.field_violations) ? (detail.field_violations as unknown[]) : []))
      .map(asRecord)
      .map((each) => ({ fieldPath: text(each.field), message: text(each.description), reason: text(each.reason) })),
    reason: text(info?.reason),
    metadata: Object.fromEntries(Object.entries(asRecord(info?.metadata)).map(([key, value]) => [key, text(value)])),
    cause: answer,
  });
}

function parsed(body: string): Record<string, unknown> {
  try {
    return asRecord(JSON.parse(body));
  } catch {
    return {};
  }
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function codeOfHttpStatus(status: number): Code {
  switch (status) {
    case 401:
      return Code.Unauthenticated;
    case 403:
      return Code.PermissionDenied;
    case 404:
      return Code.NotFound;
    case 413:
      return Code.ResourceExhausted;
    case 408:
    case 504:
      return Code.DeadlineExceeded;
    default:
      return status >= 500 ? Code.Unavailable : Code.Unknown;
  }
}
