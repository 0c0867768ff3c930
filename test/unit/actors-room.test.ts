import { describe, expect, it } from "vitest";
import { z } from "zod";
import { defineRoom, refuse } from "../../actors/room/define-room.ts";
import type { Epoch } from "../../src/kernel/epoch.ts";
import { ROOM, RoomHarness } from "../support/room-harness.ts";

const counter = defineRoom({
  name: "counter",
  version: 1,
  state: () => ({ count: 0, log: [] as string[] }),
  commands: {
    add: {
      body: z.object({ by: z.number().int() }),
      run(room, { by }, who) {
        if (by === 13) throw new Error("thirteen");
        if (by < 0) return refuse("negative");
        room.state.count += by;
        room.state.log.push(`${who?.person} ${by}`);
        return { count: room.state.count };
      },
    },
  },
});

async function served(seed = 1) {
  const harness = new RoomHarness(seed);
  const a = harness.node("node-a", [counter]);
  const gateway = harness.gateway("gw-1");
  harness.propose(a, counter);
  await harness.run(20);
  const epoch = harness.journal()[0] ? ((2 ** 40 + 1) as Epoch) : undefined;
  if (epoch !== undefined) gateway.route(a, epoch);
  return { harness, a, gateway };
}

describe("room", () => {
  it("[RM1] claims an empty journal by one write and journals the initial state", async () => {
    const { harness, a } = await served();
    const [owner, created] = harness.journal();
    expect(owner).toMatchObject({ type: "owner", index: 1, previous: 0, owner: a.id });
    expect(created).toMatchObject({ type: "batch", index: 2, entries: [{ cause: "created" }] });
    expect(a.node.stats().rooms).toBe(1);
  });

  it("[RM2] acknowledges a command only after it is in the journal, with its patches", async () => {
    const { harness, gateway } = await served();
    const ada = gateway.attach("ada");
    await harness.run(10);
    expect(gateway.of("attached")).toMatchObject([{ slot: 0, seq: 0 }]);
    ada.command(1, "add", { by: 2 });
    ada.command(2, "add", { by: -1 });
    await harness.run(10);
    expect(ada.replies()).toMatchObject([
      { seq: 1, status: "ok", data: { count: 2 } },
      { seq: 2, status: "negative" },
    ]);
    const record = gateway.of("record").at(-1)?.record;
    expect(record?.patches).toContainEqual([0, ["count"], 2]);
  });

  it("[RM3] applies a duplicate once and answers it from the journal", async () => {
    const { harness, gateway } = await served();
    const ada = gateway.attach("ada");
    await harness.run(10);
    ada.command(1, "add", { by: 2 });
    ada.command(1, "add", { by: 2 });
    await harness.run(10);
    ada.command(1, "add", { by: 2 });
    ada.command(1, "add", { by: 5 });
    ada.command(3, "add", { by: 1 });
    await harness.run(10);
    expect(ada.replies().map(({ status, data }) => [status, data])).toEqual([
      ["ok", { count: 2 }],
      ["ok", { count: 2 }],
      ["body_mismatch", null],
    ]);
    expect(gateway.of("expect")).toMatchObject([{ seq: 2 }]);
  });

  it("[RM4] a takeover continues with everything that was acknowledged", async () => {
    const { harness, a, gateway } = await served();
    const ada = gateway.attach("ada");
    await harness.run(10);
    ada.command(1, "add", { by: 2 });
    await harness.run(10);
    const b = harness.node("node-b", [counter]);
    harness.propose(b, counter, gateway.epoch);
    await harness.run(50);
    const owner = harness.journal().findLast(({ type }) => type === "owner");
    expect(owner).toMatchObject({ owner: b.id });
    ada.command(2, "add", { by: 3 });
    await harness.run(6_000);
    expect(a.node.stats().rooms, "the old owner found out").toBe(0);
    const sequence = harness.stores.logs.get(ROOM)?.records.find(({ data }) => data.length > 0);
    expect(sequence).toBeDefined();
  });
});
