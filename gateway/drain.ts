import type { Clock, Timer } from "../src/kernel/clock.ts";
import { type Random, randomBelow } from "../src/kernel/random.ts";
import type { Connection } from "./connection.ts";

const STEP_MS = 100;

/**
 * Empties a gateway over `drainMs`: some connections at a time are told when to come back, and
 * closed. `part` is how one goes; a client that is attached elsewhere first goes the same way.
 */
export class Drain {
  readonly #done: Promise<void>;
  #timer: Timer | undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly drainMs: number;
    readonly connections: ReadonlySet<Connection>;
    readonly part: (connection: Connection) => void;
  }) {
    const { clock, connections, drainMs, part } = options;
    const endsAt = clock.now() + drainMs;
    this.#done = new Promise((resolve) => {
      const step = (): void => {
        const steps = Math.max(1, Math.ceil((endsAt - clock.now()) / STEP_MS));
        let left = Math.ceil(connections.size / steps);
        for (const connection of [...connections]) if (left-- > 0) part(connection);
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
}

/** Tells one client to come back after a delay of its own, and closes. */
export const partForGood =
  (random: Random, spreadMs: number) =>
  (connection: Connection): void => {
    connection.tell({ type: "retryAfter", afterMs: randomBelow(random, spreadMs) });
    connection.close("goingAway");
  };
