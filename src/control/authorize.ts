import { createHash, timingSafeEqual } from "node:crypto";
import { failure, type HttpAnswer, type HttpRequest } from "../observe/http-answers.ts";

export interface AccessPolicy {
  /** Undefined only in dev mode: then the loopback interface is open. */
  readonly token: string | undefined;
  readonly dev: boolean;
}

const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/;

/** Undefined where the request may go on, else the answer that refuses it. */
export function authorize(policy: AccessPolicy, request: HttpRequest): HttpAnswer | undefined {
  if (policy.token !== undefined) {
    const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
    return given !== undefined && sameSecret(given, policy.token) ? undefined : unauthorized();
  }
  if (!policy.dev || !request.fromLoopback) return unauthorized();
  const host = request.headers.host ?? "";
  const { origin } = request.headers;
  // A name that an attacker made resolve to 127.0.0.1 arrives over loopback as well.
  const local = LOOPBACK_HOST.test(host) && (origin === undefined || origin === `http://${host}`);
  return local ? undefined : failure(403, "foreign_origin", "Only pages of this host may ask.");
}

/** Digests have one length, so comparing them tells nothing of the token, not even its length. */
function sameSecret(given: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

const unauthorized = (): HttpAnswer =>
  failure(401, "unauthorized", "Send the control token: Authorization: Bearer <token>.", {
    "www-authenticate": 'Bearer realm="roomcluster"',
  });
