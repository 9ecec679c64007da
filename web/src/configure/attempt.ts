import { create, equals, type MessageInitShape } from "@bufbuild/protobuf";
import { type CreateJobRequest, CreateJobRequestSchema } from "@tunesmith/sdk";

/** A name for a write that no other has. `crypto.randomUUID` is missing on pages that came over plain HTTP. */
function newName(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Names attempts to create a job: the same request again is the same attempt, so that a click that is repeated after a broken
 * connection finds the job that the first one made.
 */
export class Attempts {
  #last: CreateJobRequest | undefined;

  /** The request with its name. */
  name(body: MessageInitShape<typeof CreateJobRequestSchema>): CreateJobRequest {
    const request = create(CreateJobRequestSchema, { ...body, requestId: this.#last?.requestId ?? newName() });
    if (this.#last && !equals(CreateJobRequestSchema, this.#last, request)) {
      request.requestId = newName();
    }
    this.#last = request;
    return request;
  }

  /** The job was made: the same request is another one from now on. */
  done(): void {
    this.#last = undefined;
  }
}
