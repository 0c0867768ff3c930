import { describe, expect, test } from "vitest";
import type { Bus, BusError } from "../../src/bus/bus.ts";
import { epochAt } from "../../src/kernel/epoch.ts";
import { processId, roomId } from "../../src/kernel/ids.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { err, ok, type Result } from "../../src/kernel/result.ts";
import { ORDER_LIMITS, Orders } from "../../src/placement/orders.ts";
import { type Located, nowhere } from "../../src/placement/planner-types.ts";
import { control, decodeControl } from "../../src/protocol/control-messages.ts";
import { decode } from "../../src/protocol/msgpack.ts";
import { nodeControl } from "../../src/protocol/subjects.ts";

const ROOM = roomId("demo/gala");
const owner = (n: number) => processId(`node-${n}.0123456789abcdef`);
const placed = (n: number): Located => ({
  ...{ status: "placed", owner: owner(n), epoch: epochAt(0, n), retryAfterMs: 0 },
});

/** Owners and places as scripted; the last of each stays. */
function script(places: readonly Located[], answers: readonly (string | BusError)[]) {
  const clock = new ManualClock();
  const asked: (readonly [subject: string, epoch: number, body: unknown])[] = [];
  const tails: number[] = [];
  let located = 0;
  const next = <T>(list: readonly T[], at: number): T => list[Math.min(at, list.length - 1)] as T;
  const request = async (subject: string, data: Uint8Array): ReturnType<Bus["request"]> => {
    const order = decodeControl(data);
    if (order?.type !== "operate") throw new Error("not an order");
    const body = decode(order.body);
    const status = next(answers, asked.length);
    asked.push([subject, order.epoch, body.ok && body.value]);
    if (status === "timeout" || status === "no_responders" || status === "disconnected")
      return err(status);
    return ok(control.encode({ type: "operated", room: ROOM, status, data: { n: 1 } }));
  };
  const orders = new Orders({
    control: { request } as Partial<Bus> as Bus,
    clock,
    locate: async () => next(places, located++),
    readTail: () => void tails.push(clock.now()),
  });
  let answer: Result<{ readonly status: string }, string> | undefined;
  void orders.give(ROOM, "event.announce", "hello").then((given) => {
    answer = given;
  });
  const outcome = async (withinMs: number) => {
    await clock.run(Math.max(20, withinMs));
    return answer && (answer.ok ? answer.value.status : answer.error);
  };
  return { asked, clock, orders, outcome, tails };
}

describe("an operator's command", () => {
  test("[PL72] goes to the owner under its epoch, and what that says is the answer", async () => {
    for (const status of ["ok", "busy", "phase_is_over"]) {
      const { asked, outcome } = script([placed(1)], [status]);
      expect(await outcome(0)).toBe(status);
      expect(asked).toEqual([[nodeControl(owner(1)), 1, "hello"]]);
    }
  });

  test("[PL72] waits for an owner, and not for ever", async () => {
    const soon = script(
      [nowhere("placing", 100), nowhere("no_capacity", 1_000), placed(1)],
      ["ok"],
    );
    expect(await soon.outcome(0)).toBeUndefined();
    expect(await soon.outcome(ORDER_LIMITS.againMs * 4)).toBe("ok");
    const never = script([nowhere("placing", 100)], ["ok"]);
    expect(await never.outcome(ORDER_LIMITS.placeMsMax - 200)).toBeUndefined();
    expect(await never.outcome(400)).toBe("unplaced");
    expect(never.asked).toEqual([]);
  });

  test.each([
    "gone",
    "no_responders",
  ] as const)("[PL72] after %s the next owner is asked, once", async (gone) => {
    const { asked, outcome, tails } = script([placed(1), placed(1), placed(2)], [gone, "ok"]);
    expect(await outcome(ORDER_LIMITS.againMs * 4)).toBe("ok");
    expect(asked.map(([, epoch]) => epoch)).toEqual([1, 2]);
    expect(tails).toHaveLength(1);
    const twice = script([placed(1), placed(2), placed(3)], [gone]);
    expect(await twice.outcome(ORDER_LIMITS.placeMsMax * 2)).toBe("unplaced");
    expect(twice.asked).toHaveLength(2);
    const stays = script([placed(1)], [gone]);
    expect(await stays.outcome(ORDER_LIMITS.placeMsMax + 200)).toBe("unplaced");
    expect(stays.asked, "nobody else owns it").toHaveLength(1);
  });

  test("[PL72] what an owner may have run before it ended is not run again", async () => {
    const { asked, outcome } = script([placed(1), placed(2)], ["ended", "ok"]);
    expect(await outcome(ORDER_LIMITS.placeMsMax * 2)).toBe("gone");
    expect(asked).toHaveLength(1);
  });

  test.each([
    "timeout",
    "disconnected",
  ] as const)("[PL72] after %s nobody is asked again", async (silent) => {
    const { asked, outcome } = script([placed(1), placed(2)], [silent]);
    expect(await outcome(ORDER_LIMITS.placeMsMax * 2)).toBe("unanswered");
    expect(asked).toHaveLength(1);
  });

  test.each([
    ["unknown", "room_unknown"],
    ["closed", "room_closed"],
    ["quarantined", "quarantined"],
  ] as const)("[PL72] a room that is %s has no owner to wait for", async (status, error) => {
    const { asked, outcome } = script([nowhere(status, 0)], ["ok"]);
    expect(await outcome(0)).toBe(error);
    expect(asked).toEqual([]);
    expect(await script([placed(1)], ["room_closed"]).outcome(0)).toBe("room_closed");
  });

  test("[PL54] [PL72] a replica that leaves waits for no owner", async () => {
    const { orders, outcome } = script([nowhere("placing", 100)], ["ok"]);
    await outcome(0);
    let left = false;
    void orders.settled().then(() => {
      left = true;
    });
    expect(await outcome(ORDER_LIMITS.againMs * 2)).toBe("unplaced");
    expect(left).toBe(true);
  });
});
