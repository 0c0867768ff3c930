import type { RoomId } from "../kernel/ids.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import {
  failure,
  type HttpAnswer,
  type HttpRequest,
  methodNotAllowed,
  notFound,
} from "../observe/http-answers.ts";
import type { StoreFailure } from "./port.ts";
import { parseRoomsQuery } from "./schema.ts";

type Handler = (request: HttpRequest, segments: readonly string[]) => Promise<HttpAnswer>;

export interface Route {
  readonly path: RegExp;
  readonly methods: Readonly<Record<string, Handler>>;
}

export async function dispatch(
  routes: readonly Route[],
  request: HttpRequest,
): Promise<HttpAnswer> {
  for (const { path, methods } of routes) {
    const match = path.exec(request.path);
    if (match === null) continue;
    const method = request.method === "HEAD" ? "GET" : request.method;
    const handler = Object.hasOwn(methods, method) ? methods[method] : undefined;
    if (handler === undefined) return methodNotAllowed(Object.keys(methods));
    return handler(request, match.slice(1));
  }
  return notFound();
}

/** The page of a listing that the query asks for; `next` is null on the last one. */
export function pageOf<T>(
  request: HttpRequest,
  lines: readonly T[],
  roomOf: (line: T) => RoomId,
): Result<{ readonly lines: readonly T[]; readonly next: RoomId | null }, HttpAnswer> {
  const query = parseRoomsQuery(request.query);
  if (!query.ok) return err(failure(400, "invalid_query", query.error));
  const { limit, after } = query.value;
  const sorted = lines
    .filter((line) => after === undefined || roomOf(line) > after)
    .sort((a, b) => (roomOf(a) < roomOf(b) ? -1 : 1));
  const page = sorted.slice(0, limit);
  const last = page.at(-1);
  return ok({ lines: page, next: last && sorted.length > limit ? roomOf(last) : null });
}

/** To be asked again: nothing is known. */
export const later = (code: string, message: string): HttpAnswer =>
  failure(503, code, message, { "retry-after": "1" });

export const unavailable = (error: StoreFailure): HttpAnswer =>
  later(error, "The store did not settle this in time; nothing is known. Ask again.");
