import type { Journal } from "../src/journal/journal.ts";
import type { Log } from "../src/observe/observer.ts";
import { readStanding } from "./room/journal-reader.ts";
import type { RoomRuntime } from "./room/runtime.ts";

/** Rooms that are looked up at once. Were the word right, all of them would be others' soon. */
const TAILS_MAX = 16;

/**
 * Placement may hold a node dead that it only did not hear. The journals know better: as long as
 * one of them names this node as owner, its end would take a room from people who are in it.
 */
export class DeathCheck {
  readonly #journal: Pick<Journal, "readTail">;
  readonly #log: Log;
  #reading = false;

  constructor(journal: Pick<Journal, "readTail">, log: Log) {
    this.#journal = journal;
    this.#log = log;
  }

  /**
   * True where the journals do not speak against it; false also while an earlier word is checked. A
   * journal that does not answer leaves it open: the word is said again every second.
   */
  async confirms(rooms: Iterable<RoomRuntime>): Promise<boolean> {
    if (this.#reading) return false;
    this.#reading = true;
    const owned = [...rooms].flatMap(({ room, claimed: epoch }) =>
      epoch === undefined ? [] : [{ room, epoch }],
    );
    const standings = await Promise.all(
      owned.slice(0, TAILS_MAX).map(async ({ room, epoch }) => ({
        room,
        standing: await readStanding(this.#journal, room, epoch),
      })),
    );
    this.#reading = false;
    const spared = standings.find(
      ({ standing }) => standing === "owner" || standing === "unavailable",
    );
    if (spared)
      this.#log.warn(spared, "Placement holds this node dead, but no journal confirms it.");
    return !spared;
  }
}
