import type { NatsClient } from "../bus/nats-client.ts";
import { delay } from "../kernel/clock.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import {
  type ApiError,
  callApi,
  type Json,
  object,
  STREAM_NAME_IN_USE,
  STREAM_NOT_FOUND,
} from "./nats-api.ts";
import {
  generationOf,
  planStreams,
  readInfo,
  type StreamInfo,
  streamInfo,
} from "./nats-streams.ts";

export interface ProvisionOptions {
  /** 1 on a single server, 3 in production. */
  readonly replicas: 1 | 3;
  /** Of streams that do not exist yet; existing ones keep theirs. */
  readonly generation?: number;
}

export interface ProvisionLimits {
  /** Fresh servers need 5 to 9 s to elect, and say all kinds of errors until then. */
  readonly waitMsMax: number;
  readonly pollMs: number;
  readonly requestMsMax: number;
  /** Leaders moved in one call, at most. */
  readonly movesMax: number;
}

export const PROVISION_LIMITS: ProvisionLimits = {
  waitMsMax: 60_000,
  pollMs: 250,
  requestMsMax: 3_000,
  movesMax: 32,
};

/** The last thing that went wrong before the deadline, for the operator. */
export interface ProvisionError {
  readonly code: "unavailable";
  readonly stream: string;
  readonly detail: string;
}

/** Fields that an existing stream is brought to. Others, an operator may have tuned. */
const OWNED = ["num_replicas", "allow_direct", "republish", "max_msgs_per_subject", "discard"];

/**
 * Makes the streams that are missing, brings existing ones up to date and spreads their leaders
 * over the servers. May be repeated and may run in several processes at once.
 */
export async function provisionStreams(
  client: NatsClient,
  options: ProvisionOptions,
  limits: ProvisionLimits = PROVISION_LIMITS,
): Promise<Result<{ readonly generation: number }, ProvisionError>> {
  const deadline = client.clock.now() + limits.waitMsMax;
  let generation = options.generation ?? 1;
  for (const { name } of planStreams(options.replicas, generation)) {
    const made = await untilReady(client, name, deadline, limits, () => {
      // A journal stream that exists tells the generation of those that are still missing.
      const plan = planStreams(options.replicas, generation).find((one) => one.name === name);
      return ensureStream(client, name, plan?.config ?? {}, limits.requestMsMax);
    });
    if (!made.ok) return made;
    generation = Math.max(generation, generationOf(made.value.config));
  }
  if (options.replicas > 1) await balanceLeaders(client, limits);
  return ok({ generation });
}

async function untilReady(
  client: NatsClient,
  stream: string,
  deadline: number,
  limits: ProvisionLimits,
  attempt: () => Promise<Result<StreamInfo, ApiError>>,
): Promise<Result<StreamInfo, ProvisionError>> {
  for (;;) {
    const info = await attempt();
    if (info.ok && info.value.leader !== "") return info;
    const detail = info.ok ? "no leader yet" : info.error.reason;
    client.observer.log.info({ stream, detail }, "waiting for JetStream");
    if (client.clock.now() >= deadline) return err({ code: "unavailable", stream, detail });
    await delay(client.clock, limits.pollMs);
  }
}

async function ensureStream(
  client: NatsClient,
  name: string,
  wanted: Json,
  timeoutMs: number,
): Promise<Result<StreamInfo, ApiError>> {
  const existing = await streamInfo(client, name, timeoutMs);
  if (existing.ok) {
    if (isUpToDate(existing.value.config, wanted)) return existing;
    const owned = OWNED.filter((field) => field in wanted).map((field) => [field, wanted[field]]);
    const config = { ...existing.value.config, ...Object.fromEntries(owned) };
    return change(client, `$JS.API.STREAM.UPDATE.${name}`, config, timeoutMs);
  }
  const missing = existing.error.kind === "refused" && existing.error.code === STREAM_NOT_FOUND;
  if (!missing) return existing;
  const created = await change(client, `$JS.API.STREAM.CREATE.${name}`, wanted, timeoutMs);
  const raced =
    !created.ok && created.error.kind === "refused" && created.error.code === STREAM_NAME_IN_USE;
  // Another provisioner made it differently; the next look brings it up to date.
  return raced ? streamInfo(client, name, timeoutMs) : created;
}

async function change(
  client: NatsClient,
  subject: string,
  config: Json,
  timeoutMs: number,
): Promise<Result<StreamInfo, ApiError>> {
  const answer = await callApi(client, subject, config, timeoutMs);
  return answer.ok ? ok(readInfo(answer.value)) : answer;
}

function isUpToDate(existing: Json, wanted: Json): boolean {
  return OWNED.every((field) => !(field in wanted) || covers(existing[field], wanted[field]));
}

/** The server leaves falsy fields out and may add fields of its own. */
function covers(existing: unknown, wanted: unknown): boolean {
  if (typeof wanted !== "object" || wanted === null)
    return (existing ?? falsyLike(wanted)) === wanted;
  return Object.entries(wanted).every(([name, value]) => covers(object(existing)[name], value));
}

const falsyLike = (value: unknown): unknown => (typeof value === "boolean" ? false : undefined);

/** Only speed depends on it, so whatever fails is left as it is. */
async function balanceLeaders(client: NatsClient, limits: ProvisionLimits): Promise<void> {
  const names = planStreams(3, 1).map((plan) => plan.name);
  for (let moves = 0; moves < limits.movesMax; moves++) {
    const led = new Map<string, string[]>();
    for (const name of names) {
      const info = await streamInfo(client, name, limits.requestMsMax);
      if (!info.ok || info.value.leader === "") return;
      for (const server of info.value.servers) led.set(server, led.get(server) ?? []);
      led.get(info.value.leader)?.push(name);
    }
    const byLoad = [...led].sort(([, a], [, b]) => a.length - b.length);
    const [idlest] = byLoad;
    const busiest = byLoad.at(-1);
    if (!idlest || !busiest || busiest[1].length - idlest[1].length <= 1) return;
    const stream = busiest[1].at(-1) as string;
    const body = { placement: { preferred: idlest[0] } };
    const subject = `$JS.API.STREAM.LEADER.STEPDOWN.${stream}`;
    const moved = await callApi(client, subject, body, limits.requestMsMax);
    client.observer.log.info({ stream, to: idlest[0], moved: moved.ok }, "moved a stream leader");
    if (!moved.ok) return;
    await untilLedBy(client, stream, idlest[0], limits);
  }
}

async function untilLedBy(
  client: NatsClient,
  stream: string,
  server: string,
  limits: ProvisionLimits,
): Promise<void> {
  const deadline = client.clock.now() + limits.requestMsMax;
  while (client.clock.now() < deadline) {
    const info = await streamInfo(client, stream, limits.requestMsMax);
    if (info.ok && info.value.leader === server) return;
    await delay(client.clock, limits.pollMs);
  }
}
