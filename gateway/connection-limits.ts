import { CHANNELS_MAX } from "../src/protocol/client-messages.ts";
import type { GatewayConfig } from "./config.ts";
import { TokenBucket } from "./token-bucket.ts";

export type Limited = "bytes" | "messages" | "joins" | "commands" | "signals" | "poses";

/** A dropped pose weighs less than a refused message: clients draw at up to 120 Hz. */
const POSE_WEIGHT = 0.1;

/** What one connection may send. */
export class ConnectionLimits {
  readonly #buckets: Readonly<Record<Limited, TokenBucket>>;
  readonly #bytes: TokenBucket;
  readonly #poses: TokenBucket;
  readonly #violations: TokenBucket;

  constructor(config: GatewayConfig, now: number) {
    const bucket = (perSecond: number, least = 1) =>
      new TokenBucket({ perSecond, burst: Math.max(least, perSecond * config.burstSeconds) }, now);
    this.#buckets = {
      bytes: bucket(config.bytesPerSecond, config.payloadBytesMax),
      messages: bucket(config.messagesPerSecond),
      // A client that comes back joins all its rooms at once.
      joins: bucket(config.joinsPerSecond, CHANNELS_MAX),
      commands: bucket(config.commandsPerSecond),
      signals: bucket(config.signalsPerSecond),
      poses: bucket(config.posesPerSecond),
    };
    this.#bytes = this.#buckets.bytes;
    this.#poses = this.#buckets.poses;
    const burst = config.violationsMax;
    this.#violations = new TokenBucket({ perSecond: burst / 10, burst }, now);
  }

  /** A pose, as `take` of its bytes and of itself would. Nothing is looked up for it. */
  takePose(now: number, bytes: number): "ok" | "over" | "flooding" {
    if (this.#bytes.take(now, bytes) && this.#poses.take(now, 1)) return "ok";
    return this.#violations.take(now, POSE_WEIGHT) ? "over" : "flooding";
  }

  /** `over`: not this one. `flooding`: that has gone on for too long. */
  take(what: Limited, now: number, count = 1): "ok" | "over" | "flooding" {
    if (this.#buckets[what].take(now, count)) return "ok";
    const weight = what === "poses" ? POSE_WEIGHT : 1;
    return this.#violations.take(now, weight) ? "over" : "flooding";
  }
}
