import type { Clock, Timer } from "../src/kernel/clock.ts";
import type { Viewer } from "./viewer.ts";

/** Whoever acted waits for the answer: it goes alone where the next frame is too far off. */
export class LateTails {
  readonly #clock: Clock;
  readonly #tailMs: number;
  readonly #flush: (due: readonly Viewer[]) => void;
  /** Who has been told something alone since the last flush. */
  readonly #told = new Set<Viewer>();
  #timer: Timer | undefined;

  constructor(clock: Clock, tailMs: number, flush: (due: readonly Viewer[]) => void) {
    this.#clock = clock;
    this.#tailMs = tailMs;
    this.#flush = flush;
  }

  told(viewer: Viewer): void {
    this.#told.add(viewer);
    this.#timer ??= this.#clock.after(this.#tailMs, () => {
      this.#timer = undefined;
      this.#flushAll();
    });
  }

  gone(viewer: Viewer): void {
    this.#told.delete(viewer);
  }

  /** For those who could not be written to when their tail was due. */
  sweep(): void {
    if (this.#told.size > 0 && !this.#timer) this.#flushAll();
  }

  cancel(): void {
    this.#timer?.cancel();
  }

  #flushAll(): void {
    const due = [...this.#told].filter(({ admitted, outbox }) => admitted && !outbox.empty);
    if (due.length > 0) this.#flush(due);
    for (const viewer of this.#told) if (viewer.outbox.empty) this.#told.delete(viewer);
  }
}
