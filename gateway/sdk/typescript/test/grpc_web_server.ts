// A real HTTP server that speaks gRPC-web, so that a test can cut an answer at any byte.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fromBinary, toBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { encodeEnvelope } from "@connectrpc/connect/protocol";

/** One call as it arrived. */
export interface Call {
  path: string;
  headers: IncomingMessage["headers"];
  body: Buffer;
  response: ServerResponse;
  /** Resolves when the connection's answer is over, from whichever side. */
  closed: Promise<void>;
}

export interface Served {
  baseUrl: string;
  calls: Call[];
  close(): Promise<void>;
}

/** A server on a free port of loopback. */
export async function serve(answer: (call: Call) => void | Promise<void>): Promise<Served> {
  const calls: Call[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    const closed = new Promise<void>((resolve) => response.once("close", resolve));
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const call = { path: request.url ?? "", headers: request.headers, body: Buffer.concat(pieces), response, closed };
      calls.push(call);
      void answer(call);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The message of a call. */
export function received<Desc extends DescMessage>(schema: Desc, call: Call): MessageShape<Desc> {
  return fromBinary(schema, call.body.subarray(5));
}

/** A message as it lies in an answer. */
export function frame<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Uint8Array {
  return encodeEnvelope(0, toBinary(schema, message));
}

/** The end of an answer. */
export function trailer(fields: Record<string, string>): Uint8Array {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return encodeEnvelope(0x80, new TextEncoder().encode(lines.join("")));
}

export const OK = trailer({ "grpc-status": "0" });

/** Begins an answer as Envoy does. */
export function begin({ response }: Call): void {
  response.writeHead(200, { "content-type": "application/grpc-web+proto", "x-request-id": "of-the-header" });
  response.flushHeaders();
}
