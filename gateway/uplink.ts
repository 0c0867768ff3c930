import type { Bus } from "../src/bus/bus.ts";
import { OutLink } from "../src/bus/link.ts";
import type { Clock } from "../src/kernel/clock.ts";
import type { ProcessId } from "../src/kernel/ids.ts";
import { gatewayToRoom, type ToRoom } from "../src/protocol/room-messages.ts";
import { nodeInbox } from "../src/protocol/subjects.ts";

/** Everything that this gateway says to one node, in order. */
export class Uplink {
  readonly #link: OutLink;

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
  }

  /** Number of the last batch. */
  get sequence(): number {
    return this.#link.sequence;
  }

  send(message: ToRoom): void {
    this.#link.send(gatewayToRoom.encode(message));
  }

  close(): void {
    this.#link.close();
  }
}
