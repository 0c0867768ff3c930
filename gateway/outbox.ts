const NOTHING: readonly Uint8Array[] = [];

/**
 * What only one session (or one connection) is told, until the next write takes it. Bounded in
 * bytes: one who does not take it in time has to resume.
 */
export class Outbox {
  /** Undefined while empty, as nearly all are nearly always. */
  #parts: Uint8Array[] | undefined;
  #bytes = 0;
  #since = 0;
  readonly #bytesMax: number;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get empty(): boolean {
    return this.#bytes === 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** When the oldest message came, in the clock's time. Only while not empty. */
  get since(): number {
    return this.#since;
  }

  push(message: Uint8Array, now: number): "queued" | "overflow" {
    if (this.#bytes + message.length > this.#bytesMax) return "overflow";
    if (this.#parts) this.#parts.push(message);
    else {
      this.#parts = [message];
      this.#since = now;
    }
    this.#bytes += message.length;
    return "queued";
  }

  /** Everything, oldest first; the outbox is empty afterwards. */
  take(): readonly Uint8Array[] {
    const parts = this.#parts ?? NOTHING;
    this.#parts = undefined;
    this.#bytes = 0;
    return parts;
  }
}
