import { clone, create, isMessage, type DescMessage, type DescMethod, type MessageInitShape } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";

/** A UUID of random bits. `crypto.randomUUID` is missing on pages that came over plain HTTP from another machine. */
export function newRequestId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** The request, with a name if its method takes one and it has none: the server then knows a repeated write for the same. */
export function named<Input extends DescMessage>(
  method: DescMethod & { input: Input },
  input: MessageInitShape<Input>,
): MessageInitShape<Input> {
  const wanted = method.idempotency === MethodOptions_IdempotencyLevel.IDEMPOTENT && "requestId" in method.input.field;
  if (!wanted || (input as { requestId?: string }).requestId) {
    return input;
  }
  // The caller's object stays as it is: the same one may be meant as another write next time.
  const message = isMessage(input, method.input) ? clone(method.input, input) : create(method.input, input);
  return Object.assign(message, { requestId: newRequestId() }) as MessageInitShape<Input>;
}

/** Whether a call that may have arrived can be made again. */
export function isRepeatable(method: DescMethod): boolean {
  return (
    method.idempotency === MethodOptions_IdempotencyLevel.IDEMPOTENT ||
    method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS
  );
}
