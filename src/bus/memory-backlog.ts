import type { Clock, Timer } from "../kernel/clock.ts";
import type { PendingLimits } from "./network-faults.ts";

/**
 * What a server has for one process that the process has not taken yet: first in the sockets
 * between them, then in the server's memory, which has two limits.
 */
export class Backlog {
  #bytes = 0;
  /** Counts what the process took: whether it moves at all. */
  #taken = 0;
  #timer: Timer | undefined;
  readonly #clock: Clock;
  readonly #limits: PendingLimits;
  readonly #tooSlow: () => void;

  /** `tooSlow` is called once, when a limit is passed; then `clear` is expected. */
  constructor(clock: Clock, limits: PendingLimits, tooSlow: () => void) {
    this.#clock = clock;
    this.#limits = limits;
    this.#tooSlow = tooSlow;
  }

  /** Whether they are in the sockets; if not, they are gone when the connection is. */
  add(bytes: number): boolean {
    this.#bytes += bytes;
    return this.#bytes <= this.#limits.socketBytes;
  }

  take(bytes: number): void {
    this.#bytes -= bytes;
    this.#taken++;
  }

  clear(): void {
    this.#bytes = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** To be called after something was added to what waits. */
  check(): void {
    const { socketBytes, bytesMax, writeMsMax } = this.#limits;
    if (this.#bytes <= socketBytes) return;
    if (this.#bytes > bytesMax) {
      this.#tooSlow();
      return;
    }
    if (this.#timer) return;
    const before = this.#taken;
    this.#timer = this.#clock.after(writeMsMax, () => {
      this.#timer = undefined;
      if (this.#taken !== before) this.check();
      else this.#tooSlow();
    });
  }
}
