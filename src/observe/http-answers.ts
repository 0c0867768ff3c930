import type { IncomingHttpHeaders } from "node:http";

export interface HttpRequest {
  readonly method: string;
  /** As sent: still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** Empty where there is none; never more than `HttpLimits.bodyBytesMax`. */
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

export const methodNotAllowed = (allowed: readonly string[]): HttpAnswer =>
  failure(405, "method_not_allowed", `Allowed here: ${allowed.join(", ")}.`, {
    allow: allowed.join(", "),
  });

export const notFound = (): HttpAnswer => failure(404, "not_found", "There is no such resource.");
