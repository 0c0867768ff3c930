import http from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../kernel/clock.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { failure, type HttpAnswer, type HttpHandler } from "./http-answers.ts";
import { badTarget, refusalOf, refuse } from "./http-refusal.ts";
import type { Observer } from "./observer.ts";

export interface HttpLimits {
  readonly bodyBytesMax: number;
  /** A larger body is read on up to here: an answer to a peer that still sends may be lost. */
  readonly bodyBytesReadMax: number;
  /** Of the request line and the headers together. */
  readonly headerBytesMax: number;
  readonly connectionsMax: number;
  /** From the first byte of a request to its last. */
  readonly requestMsMax: number;
  /** From an answer's first byte to its last, as fast as the peer takes it. */
  readonly answerMsMax: number;
  /** How long a connection that was refused may stay, to take the refusal in. */
  readonly lingerMsMax: number;
}

/** For people and scrapers, not for clients: everything is small. */
export const HTTP_LIMITS: HttpLimits = {
  bodyBytesMax: 16 * 1024,
  bodyBytesReadMax: 1024 * 1024,
  headerBytesMax: 8 * 1024,
  connectionsMax: 256,
  requestMsMax: 10_000,
  answerMsMax: 30_000,
  lingerMsMax: 1_000,
};

/** A deadline is looked at this many times, so a connection outlives it by a tenth at most. */
const DEADLINE_CHECKS = 10;

export interface HttpServer {
  readonly port: number;
  /** Ends open connections too. */
  close(): Promise<void>;
}

export type ListenError = "port_taken" | "not_permitted" | "address_unavailable";

export interface HttpOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly handle: HttpHandler;
  readonly observer: Observer;
  readonly clock: Clock;
  /** Over `HTTP_LIMITS`. */
  readonly limits?: Partial<HttpLimits>;
}

/** Serves health, metrics and the operator API. Every answer is counted by its status. */
export async function listenHttp(options: HttpOptions): Promise<Result<HttpServer, ListenError>> {
  const limits = { ...HTTP_LIMITS, ...options.limits };
  const server = http.createServer({
    maxHeaderSize: limits.headerBytesMax,
    requestTimeout: limits.requestMsMax,
    headersTimeout: limits.requestMsMax,
    // Node looks every 30 s by itself, whatever the deadlines are.
    connectionsCheckingInterval: Math.ceil(limits.requestMsMax / DEADLINE_CHECKS),
    // Checked in `#answer`, where it is counted.
    requireHostHeader: false,
  });
  server.maxConnections = limits.connectionsMax;
  const connections = new Connections(options, limits);
  server.on("request", (request, response) => connections.request(request, response));
  server.on("checkExpectation", (_request, response: http.ServerResponse) =>
    connections.send(
      response,
      failure(417, "expectation_failed", "Only 100-continue may be expected."),
    ),
  );
  server.on("clientError", (error: NodeJS.ErrnoException, socket) =>
    connections.mistake(error.code, socket),
  );
  server.on("connect", (_request, socket) => connections.refuse(socket, badTarget()));
  server.on("drop", () => connections.count("dropped"));
  const listening = await new Promise<Result<void, ListenError>>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const code = LISTEN_ERRORS[error.code ?? ""];
      if (code === undefined) reject(error);
      else resolve(err(code));
    });
    server.listen(options.port, options.host, () => resolve(ok(undefined)));
  });
  if (!listening.ok) return listening;
  return ok({
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        connections.destroyRefused();
      }),
  });
}

/** What becomes of requests, and of connections whose bytes are none. */
class Connections {
  readonly #options: HttpOptions;
  readonly #limits: HttpLimits;
  /** Of each connection the requests without an answer, in their order. */
  readonly #unanswered = new WeakMap<Duplex, Set<http.ServerResponse>>();
  readonly #refused = new Set<Duplex>();

  constructor(options: HttpOptions, limits: HttpLimits) {
    this.#options = options;
    this.#limits = limits;
  }

  request(request: http.IncomingMessage, response: http.ServerResponse): void {
    if (this.#refused.has(request.socket)) return;
    if (Number(request.headers["content-length"] ?? 0) > this.#limits.bodyBytesMax) {
      // Nobody has to send it all to hear that; what comes of it all the same is thrown away.
      request.on("error", () => undefined).resume();
      this.refuse(request.socket, this.#tooLarge());
      return;
    }
    const unanswered = this.#unanswered.get(request.socket) ?? new Set();
    this.#unanswered.set(request.socket, unanswered.add(response));
    response.once("close", () => unanswered.delete(response));
    this.#answer(request)
      .then((given) => this.send(response, given))
      .catch((error: unknown) => {
        // Bugs are answered above; here the peer went away in the middle of its request.
        this.#options.observer.log.debug({ error }, "An HTTP request was broken off.");
        response.destroy();
      });
  }

  /** Bytes that are no request, or not in time. What follows the first mistake is reported, too. */
  mistake(code: string | undefined, socket: Duplex): void {
    if (this.#refused.has(socket)) return;
    // Opened ahead of need, as browsers do, and never used: there is no request to refuse.
    const unused = (socket as Socket).bytesRead === 0;
    const refusal = unused ? undefined : refusalOf(code, this.#limits);
    if (refusal === undefined) {
      socket.destroy();
      return;
    }
    this.refuse(socket, refusal);
  }

  /** Hangs up with this answer, after those to the requests before. */
  refuse(socket: Duplex, answer: HttpAnswer): void {
    this.#refused.add(socket);
    socket.once("close", () => this.#refused.delete(socket));
    const hangUp = (): void => {
      if (!socket.writable) return;
      this.count(String(answer.status));
      refuse(socket, answer, this.#options.clock, this.#limits.lingerMsMax);
    };
    const unanswered = [...(this.#unanswered.get(socket) ?? [])];
    const before = unanswered.findLast((response) => response.req.complete);
    // Sent at once, it would be taken for the answer to a request that was good.
    if (before === undefined) hangUp();
    else before.once("close", hangUp);
  }

  /** Those that Node no longer parses it no longer closes either. */
  destroyRefused(): void {
    for (const socket of this.#refused) socket.destroy();
  }

  count(status: string): void {
    this.#options.observer.metrics.add("roomcluster_http_requests_total", 1, { status });
  }

  send(response: http.ServerResponse, given: HttpAnswer): void {
    this.count(String(given.status));
    const body = typeof given.body === "string" ? Buffer.from(given.body) : (given.body ?? "");
    response.writeHead(given.status, {
      "x-content-type-options": "nosniff",
      ...given.headers,
      // A 304 speaks about the length of what it does not carry, so it says nothing.
      ...(given.status === 304 ? {} : { "content-length": body.length }),
    });
    const late = this.#options.clock.after(this.#limits.answerMsMax, () => response.destroy());
    response.once("close", () => late.cancel());
    response.end(response.req.method === "HEAD" ? undefined : body);
  }

  #tooLarge(): HttpAnswer {
    const message = `A body has at most ${this.#limits.bodyBytesMax} bytes.`;
    return failure(413, "too_large", message);
  }

  async #answer(request: http.IncomingMessage): Promise<HttpAnswer> {
    const { handle, observer } = this.#options;
    const body = await readBody(request, this.#limits);
    const url = parseTarget(request.url ?? "");
    if (url === undefined) return badTarget();
    if (request.httpVersion === "1.1" && request.headers.host === undefined) {
      return failure(400, "bad_request", "HTTP/1.1 wants a Host header.");
    }
    if (body === undefined) {
      const { headers, ...given } = this.#tooLarge();
      return { ...given, headers: { ...headers, connection: "close" } };
    }
    try {
      return await handle({
        method: request.method ?? "GET",
        path: url.path,
        query: url.query,
        headers: request.headers,
        body,
        fromLoopback: LOOPBACK.test(request.socket.remoteAddress ?? ""),
      });
    } catch (error) {
      observer.log.error({ error, path: url.path }, "A bug in answering an HTTP request.");
      return failure(500, "internal", "This is a bug; the process's log has more.");
    }
  }
}

const LISTEN_ERRORS: Readonly<Record<string, ListenError>> = {
  EADDRINUSE: "port_taken",
  EACCES: "not_permitted",
  EADDRNOTAVAIL: "address_unavailable",
  ENOTFOUND: "address_unavailable",
};

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/;

/**
 * Not `new URL`: it resolves `..` and takes `//host/path` for another host, so the handler would
 * judge a path that nobody sent.
 */
function parseTarget(target: string): { path: string; query: URLSearchParams } | undefined {
  if (!target.startsWith("/")) return undefined;
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  return { path, query: new URLSearchParams(mark < 0 ? "" : target.slice(mark)) };
}

/**
 * Undefined where the body is larger than allowed. Not `for await`: leaving such a loop early
 * destroys the connection, and with it the way to say so.
 */
function readBody(
  request: http.IncomingMessage,
  { bodyBytesMax, bodyBytesReadMax }: HttpLimits,
): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= bodyBytesMax) chunks.push(chunk);
      else chunks = [];
      if (bytes > bodyBytesReadMax) resolve(undefined);
    });
    request.once("end", () => resolve(bytes > bodyBytesMax ? undefined : Buffer.concat(chunks)));
    request.once("error", reject);
  });
}
