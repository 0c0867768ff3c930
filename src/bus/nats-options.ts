import type { Clock } from "../kernel/clock.ts";
import type { Random } from "../kernel/random.ts";
import type { Observer } from "../observe/observer.ts";

export interface NatsTarget {
  /** Every server of the cluster: the client goes on with the next one when its own is gone. */
  readonly servers: readonly string[];
  readonly user: string;
  readonly password: string;
  /** Replies arrive below it; each user may hear its own prefix only. */
  readonly inboxPrefix: string;
  /** What the server's listings and disconnect advisories call this connection. */
  readonly name: string;
  /** Which connection of this process it is: the `bus` label of its metrics, e.g. `control`. */
  readonly label: string;
}

export interface NatsLimits {
  /** How long `openNats` tries until it gives up. */
  readonly openMsMax: number;
  /** One attempt on one server. It bounds, with the pings, how long a hung server goes unseen. */
  readonly dialMsMax: number;
  /** A hung server is left after pingMs × (pingsOutMax + 1) + dialMsMax. */
  readonly pingMs: number;
  readonly pingsOutMax: number;
  /** Each wait before the same server is tried again is drawn from this range. */
  readonly redialMsMin: number;
  readonly redialMsMax: number;
  /**
   * A server that is about to stop is left within this time, so that not all clients go at once.
   */
  readonly leaveMsMax: number;
  /** Requests waiting for an answer; one more is answered `timeout` at once. */
  readonly requestsMax: number;
  readonly flushMsMax: number;
}

export const NATS_LIMITS: NatsLimits = {
  openMsMax: 30_000,
  dialMsMax: 1_000,
  pingMs: 1_000,
  pingsOutMax: 2,
  redialMsMin: 50,
  redialMsMax: 250,
  leaveMsMax: 2_000,
  requestsMax: 65_536,
  flushMsMax: 5_000,
};

export interface NatsRuntime {
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: Observer;
}

/** `unauthorized` will not get better by waiting; `unreachable` was tried until the deadline. */
export interface NatsOpenError {
  readonly code: "unreachable" | "unauthorized";
  readonly detail: string;
}
