import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { Clock } from "../kernel/clock.ts";
import { failure, type HttpAnswer } from "./http-answers.ts";

/** The limits that a peer can break before there is a request to answer. */
export interface HeadLimits {
  readonly headerBytesMax: number;
  readonly requestMsMax: number;
}

export const badTarget = (): HttpAnswer =>
  failure(400, "bad_request", "The request's target is no path; what is not ASCII is escaped.");

/**
 * What to say to bytes that Node's parser did not take, by its error code. Undefined where there is
 * nobody to tell: the peer went away.
 */
export function refusalOf(code: string | undefined, limits: HeadLimits): HttpAnswer | undefined {
  if (code === "ECONNRESET" || code === "EPIPE") return undefined;
  if (code === "HPE_HEADER_OVERFLOW") {
    const message = `The target and the headers have at most ${limits.headerBytesMax} bytes.`;
    return failure(431, "headers_too_large", message);
  }
  if (code === "HPE_CHUNK_EXTENSIONS_OVERFLOW") {
    return failure(413, "too_large", "The chunks' extensions are too large.");
  }
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    const message = `A request arrives whole within ${limits.requestMsMax} ms.`;
    return failure(408, "request_timeout", message);
  }
  if (code === "HPE_INVALID_URL") return badTarget();
  return failure(400, "bad_request", "This is no HTTP request.");
}

/**
 * Answers on the bare socket and hangs up. What still arrives is read for a while and thrown away:
 * a socket closed over unread bytes is reset, and the answer lost with it. A peer that never closes
 * its side is cut off, or it would hold one of the few connections.
 */
export function refuse(
  socket: Duplex,
  answer: HttpAnswer,
  clock: Clock,
  lingerMsMax: number,
): void {
  const body = Buffer.from(answer.body ?? "");
  const head = [
    `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status]}`,
    ...Object.entries(answer.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${body.length}`,
    "connection: close",
  ];
  // From here on an error of the socket is only its end.
  socket.on("error", () => socket.destroy());
  socket.end(Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), body]));
  socket.resume();
  const linger = clock.after(lingerMsMax, () => socket.destroy());
  socket.once("close", () => linger.cancel());
}
