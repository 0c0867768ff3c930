import type { ProcessId } from "../../src/kernel/ids.ts";
import type { SeatsQuestion } from "../../src/protocol/room-messages.ts";
import type { DeskRoom, DeskView } from "./desk.ts";
import type { RoomParts } from "./effects.ts";

type When = Pick<DeskView, "now" | "at">;

/** A room's desk, where its world has one: it sees what is durable and leaves no record. */
export class FrontDesk {
  readonly #parts: RoomParts;
  readonly #desk;

  constructor(parts: RoomParts, now: number) {
    this.#parts = parts;
    this.#desk = parts.world.desk?.(now);
  }

  seats(from: ProcessId, question: SeatsQuestion, moment: When): void {
    const seats = this.#desk?.seats(from, question, this.#view(moment));
    if (seats) this.#parts.outlet.send(from, { type: "seats", ...seats });
  }

  /** What an operator wants to know; undefined where that is for a command to answer. */
  read(name: string, moment: When): unknown {
    return this.#desk?.read(name, this.#view(moment));
  }

  get unwritten(): boolean {
    return this.#desk?.unwritten === true;
  }

  due(now: number): boolean {
    return this.#desk?.due(now) === true;
  }

  /** As a hook of the room's, when it is due. */
  write(room: DeskRoom, now: number): void {
    this.#desk?.write(room, now);
  }

  #view = (moment: When): DeskView => ({ ...moment, ...this.#parts.ledger.acked.document });
}
