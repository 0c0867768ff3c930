import type { ProcessId, RoomId } from "../kernel/ids.ts";

interface Reservation {
  readonly process: ProcessId;
  readonly load: number;
  readonly until: number;
}

/** What was promised to nodes and does not show in their beats yet. One reservation a room. */
export class Reservations {
  readonly #byRoom = new Map<RoomId, Reservation>();
  readonly #sums = new Map<ProcessId, number>();

  /** Replaces what the room had reserved elsewhere. */
  reserve(room: RoomId, process: ProcessId, load: number, until: number): void {
    this.release(room);
    this.#byRoom.set(room, { process, load, until });
    this.#sums.set(process, this.on(process) + load);
  }

  release(room: RoomId): void {
    const held = this.#byRoom.get(room);
    if (!held) return;
    this.#byRoom.delete(room);
    const left = this.on(held.process) - held.load;
    // Sums of fractions do not come back to zero by themselves.
    if (left > 1e-9) this.#sums.set(held.process, left);
    else this.#sums.delete(held.process);
  }

  on(process: ProcessId): number {
    return this.#sums.get(process) ?? 0;
  }

  expire(now: number): void {
    for (const [room, { until }] of this.#byRoom) if (until <= now) this.release(room);
  }
}
