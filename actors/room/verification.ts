import type { Journal } from "../../src/journal/journal.ts";
import type { Epoch } from "../../src/kernel/epoch.ts";
import type { RoomId } from "../../src/kernel/ids.ts";
import { readStanding } from "./journal-reader.ts";

/**
 * A lower epoch is an old leader that answers during a change of leaders, or a journal that was
 * lost; only if it goes on is it the latter.
 */
const LOWER_TAILS_MAX = 3;

/** Asks the leader whether an ownership still stands. One for each ownership. */
export class Verification {
  readonly #journal: Pick<Journal, "readTail">;
  readonly #room: RoomId;
  readonly #epoch: Epoch;
  readonly #fenced: () => void;
  #reading = false;
  #lowerTails = 0;

  constructor(journal: Pick<Journal, "readTail">, room: RoomId, epoch: Epoch, fenced: () => void) {
    this.#journal = journal;
    this.#room = room;
    this.#epoch = epoch;
    this.#fenced = fenced;
  }

  async ask(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    const standing = await readStanding(this.#journal, this.#room, this.#epoch);
    this.#reading = false;
    if (standing === "unavailable") return;
    this.#lowerTails = standing === "unknown_to_tail" ? this.#lowerTails + 1 : 0;
    if (standing === "replaced" || this.#lowerTails === LOWER_TAILS_MAX) this.#fenced();
  }
}
