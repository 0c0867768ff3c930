import type { NatsClient } from "../bus/nats-client.ts";
import { delay } from "../kernel/clock.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import {
  INDEX_BUCKET,
  INDEX_HINTS,
  JOURNAL_SHARDS,
  journalStream,
  journalSubjects,
  SNAPSHOT_STREAM,
  SNAPSHOT_SUBJECTS,
} from "../protocol/subjects.ts";
import type { StoreError } from "./journal.ts";
import { type ApiError, callApi, type Json, natural, object } from "./nats-api.ts";

export const INDEX_STREAM = `KV_${INDEX_BUCKET}`;
export const indexSubject = (key: string): string => `$KV.${INDEX_BUCKET}.${key}`;

export const JOURNAL_STREAMS: readonly string[] = Array.from({ length: JOURNAL_SHARDS }, (_, i) =>
  journalStream(i),
);

/** A stream's configuration, in JetStream's own words. */
export interface StreamPlan {
  readonly name: string;
  readonly config: Json;
}

/** Every stream there is, for a cluster of this many replicas and this generation. */
export function planStreams(replicas: 1 | 3, generation: number): StreamPlan[] {
  const common = { num_replicas: replicas, storage: "file", retention: "limits", max_age: 0 };
  const journals = JOURNAL_STREAMS.map((name, shard) => ({
    name,
    config: {
      ...common,
      name,
      subjects: [journalSubjects(generation, shard)],
      // Full means: refuse. Dropping the oldest record would break every room's chain.
      discard: "new",
      deny_delete: false,
      deny_purge: false,
      // For batched reads of history only; a tail is always asked of the leader.
      allow_direct: true,
      metadata: { generation: String(generation) },
    },
  }));
  const snapshots = {
    name: SNAPSHOT_STREAM,
    config: {
      ...common,
      name: SNAPSHOT_STREAM,
      subjects: [SNAPSHOT_SUBJECTS],
      discard: "new",
      deny_purge: false,
      // Snapshots never change and carry their digest, so any replica may answer.
      allow_direct: true,
    },
  };
  const index = {
    name: INDEX_STREAM,
    config: {
      ...common,
      name: INDEX_STREAM,
      subjects: [indexSubject(">")],
      discard: "new",
      max_msgs_per_subject: 1,
      allow_rollup_hdrs: true,
      deny_delete: true,
      allow_direct: false,
      // Only what was accepted is republished; a subscription to the bucket would show the rest.
      republish: { src: indexSubject(">"), dest: `${INDEX_HINTS}.>` },
    },
  };
  return [...journals, snapshots, index];
}

export interface StreamInfo {
  readonly config: Json;
  /** Empty while the stream has no leader. */
  readonly leader: string;
  readonly servers: readonly string[];
  readonly firstSequence: number;
  readonly lastSequence: number;
}

/** What its leader says about a stream. */
export async function streamInfo(
  client: NatsClient,
  stream: string,
  timeoutMs: number,
): Promise<Result<StreamInfo, ApiError>> {
  const answer = await callApi(client, `$JS.API.STREAM.INFO.${stream}`, undefined, timeoutMs);
  return answer.ok ? ok(readInfo(answer.value)) : answer;
}

export function readInfo(answer: Json): StreamInfo {
  const cluster = object(answer.cluster);
  const state = object(answer.state);
  // One server alone tells no cluster; then it leads by being there.
  const leader = answer.cluster === undefined ? "single" : String(cluster.leader ?? "");
  const replicas = Array.isArray(cluster.replicas) ? cluster.replicas : [];
  const others = replicas.map((replica) => String(object(replica).name));
  return {
    config: object(answer.config),
    leader,
    servers: [...(leader === "" ? [] : [leader]), ...others],
    firstSequence: natural(state.first_seq),
    lastSequence: natural(state.last_seq),
  };
}

export const generationOf = (config: Json): number =>
  natural(Number(object(config.metadata).generation));

/** The generation of the journal streams; unavailable while they do not agree on one. */
export async function readGeneration(
  client: NatsClient,
  timeoutMs: number,
): Promise<Result<number, StoreError>> {
  const infos = await Promise.all(
    JOURNAL_STREAMS.map((stream) => streamInfo(client, stream, timeoutMs)),
  );
  const generations = infos.map((info) => (info.ok ? generationOf(info.value.config) : 0));
  const [generation = 0] = generations;
  const agreed = generation > 0 && generations.every((other) => other === generation);
  return agreed ? ok(generation) : err("unavailable");
}

export interface WaitLimits {
  readonly waitMsMax: number;
  readonly pollMs: number;
  readonly requestMsMax: number;
}

/** Three fresh servers need 5 to 9 s for their first election, and placement makes the streams. */
export const WAIT_LIMITS: WaitLimits = { waitMsMax: 60_000, pollMs: 250, requestMsMax: 1_000 };

/**
 * Waits until the streams are there and led. Gateways have the rights to look at the `journal`
 * streams only; nodes need `all`.
 */
export async function waitForStreams(
  client: NatsClient,
  which: "journal" | "all",
  limits: WaitLimits = WAIT_LIMITS,
): Promise<Result<{ readonly generation: number }, StoreError>> {
  const others = which === "all" ? [SNAPSHOT_STREAM, INDEX_STREAM] : [];
  const deadline = client.clock.now() + limits.waitMsMax;
  for (;;) {
    const [generation, ...rest] = await Promise.all([
      readGeneration(client, limits.requestMsMax),
      ...others.map((stream) => streamInfo(client, stream, limits.requestMsMax)),
    ]);
    const led = rest.every((info) => info.ok && info.value.leader !== "");
    if (generation.ok && led) return ok({ generation: generation.value });
    if (client.clock.now() >= deadline) return err("unavailable");
    await delay(client.clock, limits.pollMs);
  }
}
