import type { NatsClient } from "../bus/nats-client.ts";
import { backoffMs } from "../kernel/backoff.ts";
import { delay } from "../kernel/clock.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { StoreError } from "./journal.ts";

/** JetStream's own codes, of its errors.json, that mean something to us. */
export const STREAM_NOT_FOUND = 10059;
export const STREAM_NAME_IN_USE = 10058;
const MESSAGE_NOT_FOUND = 10037;
/** The leader compared: the tail is another one. */
const WRONG_LAST_SEQUENCE = 10071;
/**
 * The leader did not compare, because another write to the subject is in flight. That one may land
 * or not; it may also be the caller's own, acknowledged a moment ago. So this decides nothing.
 */
const SUBJECT_BUSY = 10164;
const BUSY_WAIT = { baseMs: 2, capMs: 50 };
export const EXPECTED_SEQUENCE = "Nats-Expected-Last-Subject-Sequence";

const NO_BYTES = new Uint8Array(0);
const utf8 = new TextEncoder();
const text = new TextDecoder();

/** An answer that is an error. `unanswered` carries the reason why there was none. */
export type ApiError =
  | { readonly kind: "unanswered"; readonly reason: string }
  | { readonly kind: "refused"; readonly code: number; readonly reason: string };

export type Json = Readonly<Record<string, unknown>>;

/** Reads a field of a JSON object that came from the server; an empty object where it is none. */
export function object(value: unknown): Json {
  return typeof value === "object" && value !== null ? (value as Json) : {};
}

export const natural = (value: unknown): number =>
  Number.isSafeInteger(value) ? Number(value) : 0;

/** One call of the JetStream API; `body` goes as JSON. */
export async function callApi(
  client: NatsClient,
  subject: string,
  body: Json | undefined,
  timeoutMs: number,
): Promise<Result<Json, ApiError>> {
  const data = body ? utf8.encode(JSON.stringify(body)) : NO_BYTES;
  return readAnswer(await client.request(subject, data, { timeoutMs }));
}

/**
 * Publishes into a stream, expecting the subject's last message at `expected`. Repeats the write
 * where it was turned away undecided before anything was stored.
 */
export async function publishExpecting(
  client: NatsClient,
  subject: string,
  data: Uint8Array,
  options: { readonly expected: number; readonly timeoutMs: number },
): Promise<{ kind: "stored"; sequence: number } | { kind: "lost_race" } | ApiUndecided> {
  const headers = { [EXPECTED_SEQUENCE]: String(options.expected) };
  const deadline = client.clock.now() + options.timeoutMs;
  for (let attempt = 0; ; attempt++) {
    const timeoutMs = Math.max(0, deadline - client.clock.now());
    const answer = readAnswer(await client.request(subject, data, { timeoutMs, headers }));
    if (answer.ok) {
      const sequence = natural(answer.value.seq);
      if (sequence > 0) return { kind: "stored", sequence };
      return { kind: "undecided", reason: "an acknowledgement without a sequence" };
    }
    const { error } = answer;
    const code = error.kind === "refused" ? error.code : 0;
    if (code === WRONG_LAST_SEQUENCE) return { kind: "lost_race" };
    if (code !== SUBJECT_BUSY) return { kind: "undecided", reason: error.reason };
    client.observer.metrics.add("roomcluster_store_busy_total");
    const waitMs = backoffMs(attempt, BUSY_WAIT, client.random);
    if (client.clock.now() + waitMs >= deadline)
      return { kind: "undecided", reason: "another write to the subject is in flight" };
    await delay(client.clock, waitMs);
  }
}

export interface ApiUndecided {
  readonly kind: "undecided";
  readonly reason: string;
}

function readAnswer(answer: Result<{ readonly data: Uint8Array }, string>): Result<Json, ApiError> {
  if (!answer.ok) return err({ kind: "unanswered", reason: answer.error });
  let json: Json;
  try {
    json = object(JSON.parse(text.decode(answer.value.data)));
  } catch {
    return err({ kind: "unanswered", reason: "an answer that is no JSON" });
  }
  if (json.error === undefined) return ok(json);
  const error = object(json.error);
  const code = natural(error.err_code);
  return err({ kind: "refused", code, reason: `${code} ${String(error.description)}` });
}

export interface StreamMessage {
  readonly subject: string;
  readonly sequence: number;
  readonly data: Uint8Array;
}

/** `next`: the first message on `subject` at `from` or later. */
export type MessageQuery =
  | { readonly last: string }
  | { readonly next: string; readonly from: number };

/** One stored message, answered by the stream's leader only. */
export async function getMessage(
  client: NatsClient,
  stream: string,
  query: MessageQuery,
  timeoutMs: number,
): Promise<Result<StreamMessage | undefined, StoreError>> {
  const body =
    "last" in query
      ? { last_by_subj: query.last }
      : { next_by_subj: query.next, seq: Math.max(1, query.from) };
  const answer = await callApi(client, `$JS.API.STREAM.MSG.GET.${stream}`, body, timeoutMs);
  if (!answer.ok) {
    const { error } = answer;
    const absent = error.kind === "refused" && error.code === MESSAGE_NOT_FOUND;
    return absent ? ok(undefined) : err("unavailable");
  }
  const message = object(answer.value.message);
  const sequence = natural(message.seq);
  if (sequence === 0) return err("unavailable");
  const data = Buffer.from(String(message.data ?? ""), "base64");
  // A copy: small buffers of Node share one slab, which a kept record would hold.
  return ok({ subject: String(message.subject), sequence, data: new Uint8Array(data) });
}

/**
 * Removes the messages on `subject` whose sequence is below `below`; all of them without it.
 * Answers how many.
 */
export async function purge(
  client: NatsClient,
  stream: string,
  what: { readonly subject: string; readonly below?: number },
  timeoutMs: number,
): Promise<Result<number, StoreError>> {
  const body = { filter: what.subject, ...(what.below ? { seq: what.below } : {}) };
  const answer = await callApi(client, `$JS.API.STREAM.PURGE.${stream}`, body, timeoutMs);
  const done = answer.ok && answer.value.success === true;
  return done ? ok(natural(answer.value.purged)) : err("unavailable");
}

/** Every subject of the stream below `filter` that holds a message. */
export async function listSubjects(
  client: NatsClient,
  stream: string,
  filter: string,
  timeoutMs: number,
): Promise<Result<string[], StoreError>> {
  const subjects: string[] = [];
  for (;;) {
    const body = { subjects_filter: filter, offset: subjects.length };
    const answer = await callApi(client, `$JS.API.STREAM.INFO.${stream}`, body, timeoutMs);
    if (!answer.ok) return err("unavailable");
    const page = Object.keys(object(object(answer.value.state).subjects));
    for (const subject of page) subjects.push(subject);
    if (page.length === 0 || subjects.length >= natural(answer.value.total)) return ok(subjects);
  }
}
