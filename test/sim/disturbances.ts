import type { SimPerson } from "./sim-person.ts";
import type { SimProcess } from "./sim-process.ts";

export type Sufferer = SimProcess | SimPerson<unknown> | "nats" | "placement";

/** A process by its name: its next incarnation may suffer from the same. */
const keyOf = (who: Sufferer): SimPerson<unknown> | string =>
  typeof who === "object" && "role" in who ? who.name : who;

/**
 * What a fault may have caused, and until when: a verdict, a closed socket or an ended membership
 * that no disturbance explains is a violation.
 */
export class Disturbances {
  readonly #until = new Map<SimPerson<unknown> | string, number>();

  /** Something is or was wrong with `who` until then. */
  add(who: Sufferer, untilMs: number): void {
    const key = keyOf(who);
    this.#until.set(key, Math.max(untilMs, this.#until.get(key) ?? 0));
  }

  /** Whether anything was wrong with `who` within the last `graceMs`. */
  explain(who: Sufferer, now: number, graceMs: number): boolean {
    return now <= (this.#until.get(keyOf(who)) ?? Number.NEGATIVE_INFINITY) + graceMs;
  }
}
