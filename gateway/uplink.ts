import type { Bus } from "../src/bus/bus.ts";
import { OutLink } from "../src/bus/link.ts";
import type { Clock, Timer } from "../src/kernel/clock.ts";
import type { Epoch } from "../src/kernel/epoch.ts";
import type { ProcessId, RoomId } from "../src/kernel/ids.ts";
import { bytesOfRows, ROW_WORDS, rowSlot } from "../src/protocol/pose-row.ts";
import { gatewayToRoom, type ToRoom } from "../src/protocol/room-messages.ts";
import { nodeInbox } from "../src/protocol/subjects.ts";

interface Poses {
  readonly epoch: Epoch;
  readonly rows: Map<number, Uint32Array>;
}

/** Everything this gateway says to one node: messages in order, poses the latest of each member. */
export class Uplink {
  readonly #link: OutLink;
  readonly #clock: Clock;
  readonly #flushMs: number;
  readonly #poses = new Map<RoomId, Poses>();
  #timer: Timer | undefined;

  constructor(
    bus: Pick<Bus, "publish">,
    clock: Clock,
    options: {
      readonly self: ProcessId;
      readonly node: ProcessId;
      readonly flushMs: number;
      /** The highest number that the node may know of a link before this one. */
      readonly after: number;
    },
  ) {
    const { self, node, flushMs, after } = options;
    this.#link = new OutLink(bus, clock, { self, subject: nodeInbox(node), flushMs, after });
    this.#clock = clock;
    this.#flushMs = flushMs;
  }

  /** Number of the last batch. */
  get sequence(): number {
    return this.#link.sequence;
  }

  send(message: ToRoom): void {
    this.#link.send(gatewayToRoom.encode(message));
  }

  /** Replaces what the same member had waiting. */
  pose(room: RoomId, epoch: Epoch, row: Uint32Array): void {
    let poses = this.#poses.get(room);
    if (poses?.epoch !== epoch) {
      poses = { epoch, rows: new Map() };
      this.#poses.set(room, poses);
    }
    poses.rows.set(rowSlot(row, 0), row);
    this.#timer ??= this.#clock.after(this.#flushMs, () => this.#flush());
  }

  close(): void {
    this.#timer?.cancel();
    this.#link.close();
  }

  #flush(): void {
    this.#timer = undefined;
    for (const [room, { epoch, rows }] of this.#poses) {
      const words = new Uint32Array(rows.size * ROW_WORDS);
      let at = 0;
      for (const row of rows.values()) {
        words.set(row, at);
        at += ROW_WORDS;
      }
      this.send({ type: "poses", room, epoch, rows: bytesOfRows(words, rows.size) });
    }
    this.#poses.clear();
    this.#link.flush();
  }
}
