import type { Clock, Timer } from "../kernel/clock.ts";
import type { ProcessId } from "../kernel/ids.ts";
import { decodeRun, encode } from "../protocol/msgpack.ts";
import { BATCH_HEAD, BATCH_MESSAGES_MAX } from "../protocol/room-messages.ts";
import type { Bus } from "./bus.ts";

/**
 * Batches are cut here: 1 to 4 KB is where NATS is cheapest, large messages stay far below 1 MB.
 */
const BATCH_BYTES_SOFT = 4 * 1024;

/**
 * The outgoing half of one (sender, receiver) pair: collects messages and publishes them as one
 * numbered batch. Ordered; a lost batch shows at the receiver as a gap in the numbers.
 */
export class OutLink {
  #parts: Uint8Array[] = [];
  #bytes = 0;
  #sequence: number;
  #timer: Timer | undefined;
  #flushedAt = Number.NEGATIVE_INFINITY;
  readonly #bus: Pick<Bus, "publish">;
  readonly #clock: Clock;
  readonly #self: ProcessId;
  readonly #subject: string;
  readonly #flushMs: number;

  /**
   * `flushMs`: the time between two batches. A message waits for as much of it as is left, so one
   * that comes alone goes at the end of its turn; `flush` sends at once. `after`: the highest
   * number that the receiver may know of a link before this one.
   */
  constructor(
    bus: Pick<Bus, "publish">,
    clock: Clock,
    options: {
      readonly self: ProcessId;
      readonly subject: string;
      readonly flushMs: number;
      readonly after?: number;
    },
  ) {
    this.#bus = bus;
    this.#clock = clock;
    this.#self = options.self;
    this.#subject = options.subject;
    this.#flushMs = options.flushMs;
    this.#sequence = options.after ?? 0;
  }

  /** Number of the last batch. */
  get sequence(): number {
    return this.#sequence;
  }

  send(message: Uint8Array): void {
    if (this.#bytes + message.length > BATCH_BYTES_SOFT && this.#bytes > 0) this.flush();
    this.#parts.push(message);
    this.#bytes += message.length;
    if (this.#timer) return;
    const waitMs = Math.max(0, this.#flushedAt + this.#flushMs - this.#clock.now());
    this.#timer = this.#clock.after(waitMs, () => this.flush());
  }

  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#parts.length === 0) return;
    this.#flushedAt = this.#clock.now();
    const head = encode([this.#self, ++this.#sequence]);
    const batch = Buffer.allocUnsafe(head.length + this.#bytes);
    batch.set(head);
    let at = head.length;
    for (const part of this.#parts) {
      batch.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#bytes = 0;
    this.#bus.publish(this.#subject, batch);
  }

  close(): void {
    this.#timer?.cancel();
    this.#parts = [];
  }
}

export interface Batch {
  readonly from: ProcessId;
  /** True where batches of this sender were lost before this one, or it is the first. */
  readonly gap: boolean;
  /** Positional arrays, one a message; the family's `fromArray` reads them. */
  readonly messages: readonly unknown[];
}

/**
 * The incoming half, for all senders of one process. A sender that had forgotten us begins again at
 * 1; an older batch that comes late is dropped.
 */
export class InLinks {
  readonly #last = new Map<ProcessId, number>();
  /** Since the last sweep. */
  readonly #heard = new Set<ProcessId>();

  /** Undefined for bytes that are no batch, and for a batch that came before. */
  receive(data: Uint8Array): Batch | undefined {
    const run = decodeRun(data, BATCH_MESSAGES_MAX);
    if (!run.ok) return undefined;
    const head = BATCH_HEAD(run.value[0]);
    if (!head) return undefined;
    const last = this.#last.get(head.from) ?? 0;
    if (head.sequence <= last && head.sequence !== 1) return undefined;
    this.#last.set(head.from, head.sequence);
    this.#heard.add(head.from);
    return { from: head.from, gap: head.sequence !== last + 1, messages: run.value.slice(1) };
  }

  /** Senders that are remembered. */
  get size(): number {
    return this.#last.size;
  }

  /** Forgets those that said nothing since the last sweep, except those to keep. */
  sweep(keep: Pick<ReadonlySet<ProcessId>, "has">): void {
    for (const from of this.#last.keys())
      if (!this.#heard.has(from) && !keep.has(from)) this.#last.delete(from);
    this.#heard.clear();
  }
}
