import { assert } from "../../src/kernel/assert.ts";
import type { RoomParts } from "./effects.ts";
import type { FrontDesk } from "./front-desk.ts";

/** The author's `onTick` runs at most so often. */
const EVERY_MS = 100;

/** Runs the author's `onTick`, and what the room's desk has to write down; journals both. */
export class TickHook {
  readonly #parts: RoomParts;
  readonly #desk: FrontDesk;
  #ranAt: number | undefined;

  constructor(parts: RoomParts, desk: FrontDesk) {
    this.#parts = parts;
    this.#desk = desk;
  }

  /** `at`: room time. A journal that does not answer would find more to write every time. */
  run(now: number, at: number): void {
    const { hook, system, world } = this.#parts;
    const { onTick } = world.definition;
    const since = now - (this.#ranAt ?? now);
    const desk = this.#desk.due(now) ? this.#desk : undefined;
    if (!onTick && !desk) return;
    if (!this.#mayWrite) return;
    if (this.#ranAt !== undefined && since < EVERY_MS) return;
    this.#ranAt = now;
    const outcome = hook(at, (room) => {
      desk?.write(room, now);
      onTick?.(room, since);
    });
    assert(outcome.readable, "onTick writes what decoders read back");
    system("tick", outcome, at);
  }

  /** Before somebody else owns the room: what the desk alone knows is written down now. */
  leave(now: number, at: number): void {
    const { hook, system } = this.#parts;
    if (!this.#desk.unwritten || !this.#mayWrite) return;
    system(
      "tick",
      hook(at, (room) => this.#desk.write(room, now)),
      at,
    );
  }

  get #mayWrite(): boolean {
    const { ledger, overgrown } = this.#parts;
    return !ledger.decided.closed && !ledger.full && !overgrown();
  }
}
