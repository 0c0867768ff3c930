import type { Journal } from "../../src/journal/journal.ts";
import type { Epoch } from "../../src/kernel/epoch.ts";
import type { RoomId } from "../../src/kernel/ids.ts";
import { readStanding } from "./journal-reader.ts";
import type { Asker } from "./journal-work.ts";

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
  readonly #asker: Pick<Asker, "current" | "fenced">;
  #reading = false;
  /** Asked for while a read was on its way, which may have seen the tail before. */
  #again = false;
  #lowerTails = 0;

  constructor(
    journal: Pick<Journal, "readTail">,
    room: RoomId,
    epoch: Epoch,
    asker: Pick<Asker, "current" | "fenced">,
  ) {
    this.#journal = journal;
    this.#room = room;
    this.#epoch = epoch;
    this.#asker = asker;
  }

  async ask(): Promise<void> {
    this.#again = this.#reading;
    if (this.#reading) return;
    this.#reading = true;
    const standing = await readStanding(this.#journal, this.#room, this.#epoch);
    this.#reading = false;
    if (!this.#asker.current()) return;
    if (standing !== "unavailable")
      this.#lowerTails = standing === "unknown_to_tail" ? this.#lowerTails + 1 : 0;
    if (standing === "replaced" || this.#lowerTails === LOWER_TAILS_MAX)
      return this.#asker.fenced();
    if (this.#again) return this.ask();
  }
}
