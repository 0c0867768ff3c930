import type { Bus } from "../bus/bus.ts";
import { type Clock, delay } from "../kernel/clock.ts";
import type { Epoch } from "../kernel/epoch.ts";
import type { ProcessId, RoomId } from "../kernel/ids.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { control, decodeControl } from "../protocol/control-messages.ts";
import { encode } from "../protocol/msgpack.ts";
import { nodeControl } from "../protocol/subjects.ts";
import type { Located } from "./planner-types.ts";

export interface OrderLimits {
  /** So long a room may have no owner that answers. */
  readonly placeMsMax: number;
  /** An owner's answer comes once the command is durable. */
  readonly answerMsMax: number;
  readonly againMs: number;
}

export const ORDER_LIMITS: OrderLimits = { placeMsMax: 5_000, answerMsMax: 2_000, againMs: 100 };

/** What the room's owner says of an operator's command. */
export interface Ordered {
  readonly status: string;
  readonly data: unknown;
  readonly owner: ProcessId;
  readonly epoch: Epoch;
}

/**
 * unplaced: no owner in time, so nothing was run. unanswered, gone: it may have been run, by an
 * owner that did not say so. The others say what the room is.
 */
export type OrderError =
  | "unplaced"
  | "unanswered"
  | "gone"
  | "room_unknown"
  | "room_closed"
  | "quarantined";

interface OrderParts {
  readonly control: Bus;
  readonly clock: Clock;
  readonly locate: (room: RoomId) => Promise<Located>;
  /** Looks who owns the room by its journal. */
  readonly readTail: (room: RoomId) => void;
}

/**
 * Gives operators' commands to the owners of rooms (PR59). An owner that is not there any more is
 * followed by the next one, once. Nobody but whoever asked repeats what may have been run.
 */
export class Orders {
  readonly #parts: OrderParts;
  readonly #limits: OrderLimits;
  readonly #underWay = new Set<Promise<unknown>>();
  #closed = false;

  constructor(parts: OrderParts, limits: OrderLimits = ORDER_LIMITS) {
    this.#parts = parts;
    this.#limits = limits;
  }

  async give(room: RoomId, name: string, body: unknown): Promise<Result<Ordered, OrderError>> {
    const given = this.#give(room, name, encode(body));
    this.#underWay.add(given);
    const answer = await given;
    this.#underWay.delete(given);
    return answer;
  }

  /** Waits for no owner any more; resolves when all that was given has its answer. */
  async settled(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#underWay);
  }

  async #give(room: RoomId, name: string, body: Uint8Array): Promise<Result<Ordered, OrderError>> {
    const { clock, locate, readTail } = this.#parts;
    const { againMs, placeMsMax } = this.#limits;
    const until = clock.now() + placeMsMax;
    let left: Epoch | undefined;
    for (;;) {
      const located = await locate(room);
      const problem = problemOf(located);
      if (problem) return err(problem);
      const { owner, epoch } = located;
      if (located.status === "placed" && owner && epoch !== left) {
        const answer = await this.#ask(owner, { room, epoch, name, body });
        if (answer.ok) return answer;
        if (answer.error !== "absent") return err(answer.error);
        // Twice would be a loop.
        if (left !== undefined) return err("unplaced");
        left = epoch;
        readTail(room);
      }
      if (this.#closed || clock.now() >= until) return err("unplaced");
      await delay(clock, againMs);
    }
  }

  async #ask(
    owner: ProcessId,
    order: { room: RoomId; epoch: Epoch; name: string; body: Uint8Array },
  ): Promise<Result<Ordered, OrderError | "absent">> {
    const { control: bus } = this.#parts;
    const data = control.encode({ type: "operate", ...order });
    const answer = await bus.request(nodeControl(owner), data, this.#limits.answerMsMax);
    if (!answer.ok) return err(answer.error === "no_responders" ? "absent" : "unanswered");
    const said = decodeControl(answer.value);
    if (said?.type !== "operated" || said.room !== order.room) return err("unanswered");
    // That owner is not there, so nothing was run; or it was, and may have run it.
    if (said.status === "gone") return err("absent");
    if (said.status === "ended") return err("gone");
    if (said.status === "room_closed") return err("room_closed");
    return ok({ status: said.status, data: said.data, owner, epoch: order.epoch });
  }
}

function problemOf({ status }: Located): OrderError | undefined {
  if (status === "unknown") return "room_unknown";
  if (status === "closed") return "room_closed";
  return status === "quarantined" ? "quarantined" : undefined;
}
