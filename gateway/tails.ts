import type { Clock, Timer } from "../src/kernel/clock.ts";
import type { Viewer } from "./viewer.ts";

/**
 * Whoever acted waits for the answer: what is for one session only goes alone where the next frame
 * is too far off. One timer for all of a room.
 */
export class Tails {
  readonly #clock: Clock;
  readonly #tailMs: number;
  /** Writes to them, if the room can be shown. */
  readonly #show: (viewers: readonly Viewer[]) => void;
  /** Who has been told something alone since the last flush. */
  readonly #told = new Set<Viewer>();
  #timer: Timer | undefined;

  constructor(clock: Clock, tailMs: number, show: (viewers: readonly Viewer[]) => void) {
    this.#clock = clock;
    this.#tailMs = tailMs;
    this.#show = show;
  }

  due(viewer: Viewer): void {
    this.#told.add(viewer);
    this.#timer ??= this.#clock.after(this.#tailMs, () => this.#flush());
  }

  gone(viewer: Viewer): void {
    this.#told.delete(viewer);
  }

  /** Whoever could not be written to is looked at again. */
  again(): void {
    if (this.#told.size > 0 && !this.#timer) this.#flush();
  }

  cancel(): void {
    this.#timer?.cancel();
  }

  #flush(): void {
    this.#timer = undefined;
    const due = [...this.#told].filter(({ admitted, outbox }) => admitted && !outbox.empty);
    if (due.length > 0) this.#show(due);
    for (const viewer of this.#told) if (viewer.outbox.empty) this.#told.delete(viewer);
  }
}
