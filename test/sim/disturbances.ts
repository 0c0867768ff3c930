import type { SimClient } from "./sim-client.ts";
import type { SimProcess } from "./sim-process.ts";

/**
 * What a fault may have caused, and until when: a verdict, a closed socket or an ended membership
 * that no disturbance explains is a violation.
 */
export class Disturbances {
  readonly #until = new Map<SimProcess | SimClient | "nats" | "placement", number>();

  /** Something is or was wrong with `who` until then. */
  add(who: SimProcess | SimClient | "nats" | "placement", untilMs: number): void {
    this.#until.set(who, Math.max(untilMs, this.#until.get(who) ?? 0));
  }

  /** Whether anything was wrong with `who` within the last `graceMs`. */
  explain(
    who: SimProcess | SimClient | "nats" | "placement",
    now: number,
    graceMs: number,
  ): boolean {
    return now <= (this.#until.get(who) ?? Number.NEGATIVE_INFINITY) + graceMs;
  }
}
