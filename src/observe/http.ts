import http from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { err, ok, type Result } from "../kernel/result.ts";
import type { MetricsRegistry } from "./metrics.ts";
import type { Observer } from "./observer.ts";

export interface HttpRequest {
  readonly method: string;
  /** As sent: still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<http.IncomingHttpHeaders>;
  /** Empty where there is none; never more than `HTTP_LIMITS.bodyBytesMax`. */
  readonly body: Uint8Array;
  readonly fromLoopback: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** Never rejects for a bad request: that is an answer. What it throws is a bug: 500. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpAnswer> | HttpAnswer;

/** For people and scrapers, not for clients: everything is small. */
export const HTTP_LIMITS = {
  bodyBytesMax: 16 * 1024,
  headerBytesMax: 8 * 1024,
  connectionsMax: 256,
  requestMsMax: 10_000,
};

export interface HttpServer {
  readonly port: number;
  /** Ends open connections too. */
  close(): Promise<void>;
}

export type ListenError = "port_taken" | "not_permitted" | "address_unavailable";

/** Answers JSON, with the length and without caching. */
export const json = (status: number, value: unknown): HttpAnswer => ({
  status,
  headers: { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" },
  body: `${JSON.stringify(value)}\n`,
});

/** The one form of every error: `{error: {code, message}}`. */
export const failure = (
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer => {
  const answer = json(status, { error: { code, message } });
  return { ...answer, headers: { ...answer.headers, ...headers } };
};

export async function listenHttp(options: {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly handle: HttpHandler;
  readonly log: Observer["log"];
}): Promise<Result<HttpServer, ListenError>> {
  const server = http.createServer(
    {
      maxHeaderSize: HTTP_LIMITS.headerBytesMax,
      requestTimeout: HTTP_LIMITS.requestMsMax,
      headersTimeout: HTTP_LIMITS.requestMsMax,
    },
    (request, response) => {
      answer(options, request)
        .then((given) => send(response, request.method ?? "GET", given))
        .catch((error: unknown) => {
          // Bugs are answered above; here the peer went away in the middle of its request.
          options.log.debug({ error }, "An HTTP request was broken off.");
          response.destroy();
        });
    },
  );
  server.maxConnections = HTTP_LIMITS.connectionsMax;
  server.on("clientError", (_error, socket: Socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
  });
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
      }),
  });
}

const LISTEN_ERRORS: Readonly<Record<string, ListenError>> = {
  EADDRINUSE: "port_taken",
  EACCES: "not_permitted",
  EADDRNOTAVAIL: "address_unavailable",
  ENOTFOUND: "address_unavailable",
};

const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/;

async function answer(
  options: { readonly handle: HttpHandler; readonly log: Observer["log"] },
  request: http.IncomingMessage,
): Promise<HttpAnswer> {
  const url = parseTarget(request.url ?? "");
  if (url === undefined) return failure(400, "bad_request", "The request's target is no path.");
  const body = await readBody(request);
  if (body === undefined) {
    const message = `A body has at most ${HTTP_LIMITS.bodyBytesMax} bytes.`;
    return failure(413, "too_large", message, { connection: "close" });
  }
  try {
    return await options.handle({
      method: request.method ?? "GET",
      path: url.path,
      query: url.query,
      headers: request.headers,
      body,
      fromLoopback: LOOPBACK.test(request.socket.remoteAddress ?? ""),
    });
  } catch (error) {
    options.log.error({ error, path: url.path }, "A bug in answering an HTTP request.");
    return failure(500, "internal", "This is a bug; the process's log has more.");
  }
}

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

/** Undefined where the body is larger than allowed. */
async function readBody(request: http.IncomingMessage): Promise<Uint8Array | undefined> {
  let chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Read on for a while: an answer to a peer that still sends would be lost in a reset.
    if (bytes > HTTP_LIMITS.bodyBytesMax * 64) return undefined;
    if (bytes > HTTP_LIMITS.bodyBytesMax) chunks = [];
    else chunks.push(chunk);
  }
  return bytes > HTTP_LIMITS.bodyBytesMax ? undefined : Buffer.concat(chunks);
}

function send(response: http.ServerResponse, method: string, given: HttpAnswer): void {
  const body = typeof given.body === "string" ? Buffer.from(given.body) : (given.body ?? "");
  response.writeHead(given.status, {
    "x-content-type-options": "nosniff",
    ...given.headers,
    // A 304 speaks about the length of what it does not carry, so it says nothing.
    ...(given.status === 304 ? {} : { "content-length": body.length }),
  });
  response.end(method === "HEAD" ? undefined : body);
}

export interface Health {
  /** What this process still waits for before it can serve; empty when it is ready. */
  notReady(): readonly string[];
}

/**
 * `/healthz`, `/readyz` and `/metrics`; undefined for anything else. Healthy means that the main
 * loop runs, which the answer itself proves: restarting a process that merely waits for the bus
 * would make an outage worse.
 */
export function healthHandler(
  health: Health,
  metrics: Pick<MetricsRegistry, "text" | "contentType">,
): (request: HttpRequest) => Promise<HttpAnswer> | undefined {
  const routes: Readonly<Record<string, () => Promise<HttpAnswer>>> = {
    "/healthz": async () => json(200, { healthy: true }),
    "/readyz": async () => {
      const waitingFor = health.notReady();
      const ready = waitingFor.length === 0;
      return json(ready ? 200 : 503, { ready, waitingFor });
    },
    "/metrics": async () => ({
      status: 200,
      headers: { "content-type": metrics.contentType, "cache-control": "no-store" },
      body: await metrics.text(),
    }),
  };
  return (request) => {
    const route = Object.hasOwn(routes, request.path) ? routes[request.path] : undefined;
    if (route === undefined) return undefined;
    if (request.method === "GET" || request.method === "HEAD") return route();
    return Promise.resolve(methodNotAllowed(["GET", "HEAD"]));
  };
}

export const methodNotAllowed = (allowed: readonly string[]): HttpAnswer =>
  failure(405, "method_not_allowed", `Allowed here: ${allowed.join(", ")}.`, {
    allow: allowed.join(", "),
  });

export const notFound = (): HttpAnswer => failure(404, "not_found", "There is no such resource.");
