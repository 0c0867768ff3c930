/** What `push` did: a full queue is an answer, not an exception. */
export type PushOutcome = "queued" | "full";

/** First in, first out, with a limit on items and on bytes. Taking from the front is O(1). */
export class BoundedQueue<T> {
  #items: (T | undefined)[] = [];
  #head = 0;
  #bytes = 0;
  readonly #itemsMax: number;
  readonly #bytesMax: number;
  readonly #sizeOf: (item: T) => number;

  constructor(limits: {
    readonly itemsMax: number;
    readonly bytesMax?: number;
    readonly sizeOf?: (item: T) => number;
  }) {
    this.#itemsMax = limits.itemsMax;
    this.#bytesMax = limits.bytesMax ?? Number.POSITIVE_INFINITY;
    this.#sizeOf = limits.sizeOf ?? (() => 0);
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(item: T): PushOutcome {
    const size = this.#sizeOf(item);
    if (this.length >= this.#itemsMax || this.#bytes + size > this.#bytesMax) return "full";
    this.#items.push(item);
    this.#bytes += size;
    return "queued";
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head] as T;
    this.#items[this.#head++] = undefined;
    this.#bytes -= this.#sizeOf(item);
    if (this.#head === this.#items.length || this.#head >= 1024) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
  }
}
