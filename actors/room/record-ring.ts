import type { RoomRecord } from "../../src/protocol/room-messages.ts";

interface Kept {
  readonly record: RoomRecord;
  readonly bytes: number;
}

/**
 * The latest records as gateways see them, for those who missed some. Bounded by count and bytes.
 */
export class RecordRing {
  #kept: Kept[] = [];
  #bytes = 0;
  readonly #recordsMax: number;
  readonly #bytesMax: number;

  constructor(limits: { readonly recordsMax: number; readonly bytesMax: number }) {
    this.#recordsMax = limits.recordsMax;
    this.#bytesMax = limits.bytesMax;
  }

  push(record: RoomRecord, bytes: number): void {
    this.#kept.push({ record, bytes });
    this.#bytes += bytes;
    while (this.#kept.length > this.#recordsMax || this.#bytes > this.#bytesMax) {
      const oldest = this.#kept.shift();
      if (!oldest) break;
      this.#bytes -= oldest.bytes;
    }
  }

  /** Every record after `index`, or undefined where some of them are gone. */
  after(index: number): readonly RoomRecord[] | undefined {
    const first = this.#kept[0]?.record.index;
    const last = this.#kept.at(-1)?.record.index;
    if (first === undefined || last === undefined || index < first - 1 || index > last)
      return undefined;
    return this.#kept.slice(index - first + 1).map(({ record }) => record);
  }
}
