import { assert } from "../../src/kernel/assert.ts";
import type { ProcessId } from "../../src/kernel/ids.ts";
import { ROW_WORDS, rowGeneration, rowSlot, rowsFromBytes } from "../../src/protocol/pose-row.ts";
import type { ToRoom } from "../../src/protocol/room-messages.ts";
import type { Who } from "./define-room.ts";
import type { RoomParts } from "./effects.ts";
import type { SessionRow } from "./fold.ts";
import { whoOf } from "./hooks.ts";

type Signal = Extract<ToRoom, { type: "signal" }>;

/** What members do that is not journaled: where they are, and signals. */
export class Movement {
  readonly #parts: RoomParts;
  /** Signals passed on since the last tick. */
  #signals = 0;

  constructor(parts: RoomParts) {
    this.#parts = parts;
  }

  ticked(): void {
    this.#signals = 0;
  }

  signal(from: ProcessId, message: Signal): void {
    const { world, config, outlet } = this.#parts;
    if (!this.#seated(from, message.slot, message.generation)) return;
    if (++this.#signals > config.signalsPerTickMax) return;
    const { signals = {} } = world.definition;
    const schema = Object.hasOwn(signals, message.name) ? signals[message.name] : undefined;
    const checked = schema?.["~standard"].validate(message.body);
    if (!checked || checked instanceof Promise || checked.issues) return;
    const { slot, generation, name } = message;
    outlet.broadcast({ type: "signal", slot, generation, name, body: checked.value });
  }

  poses(from: ProcessId, data: Uint8Array): void {
    const words = rowsFromBytes(data);
    if (!words) return;
    const { presence, world } = this.#parts;
    const { onPose } = world.definition;
    for (let at = 0; at < words.length; at += ROW_WORDS) {
      const row = this.#seated(from, rowSlot(words, at), rowGeneration(words, at));
      if (!row) continue;
      presence.setRow(words, at);
      if (!onPose) continue;
      const { slot, generation } = row;
      const pose = presence.pose(slot, generation);
      const corrected = pose && onPose(pose, this.#who(row));
      if (corrected && corrected !== pose) presence.setPose(slot, generation, corrected);
    }
  }

  #who(row: SessionRow): Who {
    const session = this.#parts.ledger.acked.slots[row.slot];
    assert(session, "a seat is somebody's");
    return whoOf(session, row);
  }

  /** The member at a slot, where this gateway may speak for it. */
  #seated(from: ProcessId, slot: number, generation: number): SessionRow | undefined {
    const { acked } = this.#parts.ledger;
    const session = acked.slots[slot];
    const row: SessionRow | undefined = session ? acked.sessions.get(session) : undefined;
    if (row?.generation !== generation) return undefined;
    return isHeldBy(from, row.connection) ? row : undefined;
  }
}

/** As `gatewayOf(connection) === gateway`, without making an id: it is asked for each row. */
const isHeldBy = (gateway: ProcessId, connection: string): boolean =>
  connection.charCodeAt(gateway.length) === HASH && connection.startsWith(gateway);
const HASH = 0x23;
