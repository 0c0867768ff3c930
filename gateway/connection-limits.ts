import { CHANNELS_MAX } from "../src/protocol/client-messages.ts";
import type { GatewayConfig } from "./config.ts";
import { Allowance } from "./token-bucket.ts";

const LIMITED = ["bytes", "messages", "joins", "commands", "signals", "poses"] as const;
export type Limited = (typeof LIMITED)[number];
export type LimitOutcome = "ok" | "over" | "flooding";

/** A dropped pose weighs less than a refused message: clients draw at up to 120 Hz. */
const POSE_WEIGHT = 0.1;
const BYTES = LIMITED.indexOf("bytes");
const POSES = LIMITED.indexOf("poses");
const VIOLATIONS = LIMITED.length;

/** What every connection may send: the same for all of them. */
export class Allowances {
  readonly of: readonly Allowance[];

  constructor(config: GatewayConfig) {
    const allowance = (perSecond: number, least = 1) =>
      new Allowance({ perSecond, burst: Math.max(least, perSecond * config.burstSeconds) });
    const each: Readonly<Record<Limited, Allowance>> = {
      bytes: allowance(config.bytesPerSecond, config.payloadBytesMax),
      messages: allowance(config.messagesPerSecond),
      // A client that comes back joins all its rooms at once.
      joins: allowance(config.joinsPerSecond, CHANNELS_MAX),
      commands: allowance(config.commandsPerSecond),
      signals: allowance(config.signalsPerSecond),
      poses: allowance(config.posesPerSecond),
    };
    const burst = config.violationsMax;
    const violations = new Allowance({ perSecond: burst / 10, burst });
    this.of = [...LIMITED.map((what) => each[what]), violations];
  }
}

/** What one connection has sent of it. */
export class ConnectionLimits {
  readonly #allowances: Allowances;
  /** Of each allowance, when all of it is there again. */
  readonly #fullAt: number[];

  constructor(allowances: Allowances, now: number) {
    this.#allowances = allowances;
    this.#fullAt = allowances.of.map(() => now);
  }

  /** A pose, as `take` of its bytes and of itself would. Nothing is looked up for it. */
  takePose(now: number, bytes: number): LimitOutcome {
    if (this.#take(BYTES, now, bytes) && this.#take(POSES, now, 1)) return "ok";
    return this.#violated(now, POSE_WEIGHT);
  }

  /** `over`: not this one. `flooding`: that has gone on for too long. */
  take(what: Limited, now: number, count = 1): LimitOutcome {
    if (this.#take(LIMITED.indexOf(what), now, count)) return "ok";
    return this.#violated(now, what === "poses" ? POSE_WEIGHT : 1);
  }

  #violated(now: number, weight: number): LimitOutcome {
    return this.#take(VIOLATIONS, now, weight) ? "over" : "flooding";
  }

  #take(at: number, now: number, count: number): boolean {
    const allowance = this.#allowances.of[at] as Allowance;
    const fullAt = allowance.take(this.#fullAt[at] as number, now, count);
    if (fullAt === undefined) return false;
    this.#fullAt[at] = fullAt;
    return true;
  }
}
