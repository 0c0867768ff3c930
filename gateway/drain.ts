import type { Clock, Timer } from "../src/kernel/clock.ts";
import { type Random, randomBelow } from "../src/kernel/random.ts";
import type { Connection } from "./connection.ts";

const STEP_MS = 100;
/** Clients of one step do not dial at the same moment. Their turns are spread over `drainMs`. */
const TURN_SPREAD_MS = 500;

export interface DrainOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly drainMs: number;
  readonly drainGraceMs: number;
  readonly retrySpreadMs: number;
  readonly connections: ReadonlySet<Connection>;
}

/**
 * Empties a gateway within `drainMs`. Each client in its turn is told to go elsewhere; it is served
 * until it has, because its connection closes when the last of its memberships is superseded. The
 * last `drainGraceMs`, at most half of the time, are for those told last; who is still here at the
 * end is closed.
 */
export class Drain {
  readonly #done: Promise<void>;
  readonly #options: DrainOptions;
  readonly #told = new WeakSet<Connection>();
  readonly #toldBy: number;
  /** Turns that are due, of which a step may be a fraction. */
  #due = 0;
  #timer: Timer | undefined;

  constructor(options: DrainOptions) {
    const { clock, connections, drainMs, drainGraceMs } = options;
    this.#options = options;
    const closeAt = clock.now() + drainMs;
    this.#toldBy = closeAt - Math.min(drainGraceMs, drainMs / 2);
    this.#done = new Promise((resolve) => {
      const step = (): void => {
        const now = clock.now();
        this.#tell(now);
        if (now >= closeAt) this.#close();
        if (connections.size > 0) return;
        this.#timer?.cancel();
        resolve();
      };
      this.#timer = clock.every(STEP_MS, step, 0);
    });
  }

  /** Resolves when no connection is left. */
  get done(): Promise<void> {
    return this.#done;
  }

  cancel(): void {
    this.#timer?.cancel();
  }

  /** The share of this step, of those whose turn has not come and who are not on their way out. */
  #tell(now: number): void {
    const { connections, random } = this.#options;
    const waiting = [...connections].filter(
      (connection) => !connection.closing && !this.#told.has(connection),
    );
    const steps = Math.max(1, Math.ceil((this.#toldBy - now) / STEP_MS));
    this.#due += waiting.length / steps;
    for (const connection of waiting.slice(0, Math.floor(this.#due))) {
      this.#due--;
      this.#told.add(connection);
      connection.sendAway(randomBelow(random, TURN_SPREAD_MS));
    }
  }

  #close(): void {
    const { connections, random, retrySpreadMs } = this.#options;
    for (const connection of [...connections]) {
      if (connection.closing) continue;
      connection.sendAway(randomBelow(random, retrySpreadMs));
      connection.close("goingAway");
    }
  }
}
