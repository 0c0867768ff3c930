import { SNAPSHOT_BYTES_MAX } from "../../src/journal/limits.ts";
import type { RoomParts } from "./effects.ts";
import { encodeSnapshot } from "./snapshot.ts";

/**
 * When a room's snapshots are taken: when a takeover would have more to replay than to load, which
 * is after as many bytes of records as the last one had. Not in the first seconds, when everybody
 * comes back at once.
 */
export class Snapshots {
  readonly #parts: RoomParts;
  readonly #from: number;
  #taking = false;
  /** Records that a takeover would have to replay: all since the last snapshot that counts. */
  #unnamed: number;
  #told = false;
  #retryAt = 0;
  #records: number;
  #bytes = 0;
  /** Size of the last one taken here. */
  #lastBytes = 0;

  /** `records`: how many a takeover would replay already. `from`: none before this time. */
  constructor(parts: RoomParts, records: number, from: number) {
    this.#parts = parts;
    this.#records = records;
    this.#unnamed = records;
    this.#from = from;
  }

  /** One more record is durable. */
  recorded(bytes: number): void {
    this.#records++;
    this.#unnamed++;
    this.#bytes += bytes;
    if (!this.overgrown || this.#told) return;
    this.#told = true;
    this.#parts.effects.push({ type: "journalTooLong", records: this.#unnamed });
  }

  /** The next owner could hardly read more: the journal grows no more by what can wait. */
  get overgrown(): boolean {
    return this.#unnamed >= this.#parts.config.unnamedRecordsMax;
  }

  /** The store did not take it. */
  done(): void {
    this.#taking = false;
  }

  /** A record names the last one; it and `behind` - 1 others are not covered. */
  named(behind: number): void {
    this.#taking = false;
    this.#told = false;
    // That very record is counted by `recorded`.
    this.#unnamed = behind - 1;
  }

  takeIfDue(now: number): void {
    const { config, ledger, effects } = this.#parts;
    const outgrown = this.#records >= config.snapshotRecordsMin && this.#bytes >= this.#lastBytes;
    const again = this.overgrown && now >= this.#retryAt;
    const due = outgrown || this.#records >= config.snapshotRecords || again;
    if (!due || this.#taking || now < this.#from) return;
    this.#retryAt = now + config.snapshotRetryMs;
    this.#records = 0;
    this.#bytes = 0;
    const snapshot = encodeSnapshot(ledger.acked, ledger.tail);
    const { bytes } = snapshot.name;
    this.#lastBytes = bytes;
    // It shrinks again as sessions are forgotten; until then the journal keeps what it would hold.
    if (bytes > Math.min(config.snapshotBytesMax, SNAPSHOT_BYTES_MAX))
      return effects.push({ type: "snapshotTooLarge", bytes });
    this.#taking = true;
    effects.push({ type: "store", snapshot });
  }
}
