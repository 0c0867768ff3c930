import { describe, expect, it } from "vitest";
import { z } from "zod";
import { NODE_DEFAULTS } from "../../actors/node.ts";
import { defineRoom, refuse } from "../../actors/room/define-room.ts";
import { currentEpoch, serve, takeOver } from "../support/counter-world.ts";
import { RoomHarness, type ScriptedGateway } from "../support/room-harness.ts";

const MINUTE_MS = 60_000;
const { spotlightsMax } = NODE_DEFAULTS.room;

/** A world that puts people into the light from every hook that may. */
const stage = defineRoom({
  name: "stage",
  version: 1,
  tickHz: 20,
  capacity: 64,
  state: () => ({ lines: 0, quiet: true }),
  commands: {
    shine: {
      body: z.object({ slots: z.array(z.number()), forMs: z.number(), refuses: z.boolean() }),
      run(room, { slots, forMs, refuses }) {
        for (const slot of slots) room.spotlight(slot, forMs);
        return refuses ? refuse("no") : null;
      },
    },
    listen: {
      body: z.null(),
      run(room) {
        room.state.quiet = false;
      },
    },
    think: {
      body: z.null(),
      run: (room) => room.later("thought", () => Promise.resolve(null)),
    },
    /** Writes nothing, so nothing of it is journaled. */
    thought: { body: z.null(), run: (room) => room.spotlight(0, 2_000) },
  },
  onJoin: (room, who) => {
    if (who.person.startsWith("star")) room.spotlight(who.slot, 3_000);
  },
  onTick: (room) => {
    if (!room.state.quiet) room.spotlight(0, 1_000);
  },
});

const slotsOf = (gateway: ScriptedGateway): number[] =>
  gateway.of("spotlight").map(({ slot }) => slot);
const shine = (slots: readonly number[], forMs: number, refuses = false) => {
  return { slots, forMs, refuses };
};

async function open(people = 12) {
  const served = await serve(stage);
  const { harness, gateway } = served;
  const speakers = Array.from({ length: people }, (_, i) =>
    gateway.attach(`p${i}`, 1, { socket: i + 1 }),
  );
  await harness.run(50);
  const [speaker] = speakers;
  if (!speaker) throw new Error("nobody is there");
  return { ...served, speaker };
}

describe("spotlights", () => {
  it("[RG10] are told to every gateway that watches, with the room time at which they end", async () => {
    const { harness, node, gateway, speaker } = await open();
    const second = harness.gateway("gw-2");
    second.route(node, gateway.epoch);
    second.send({ type: "watch", index: 0 });
    await harness.run(20);
    speaker.command(1, "shine", shine([3], 5_000));
    await harness.run(20);
    for (const { of } of [gateway, second].map((each) => ({ of: each.of.bind(each) }))) {
      const [light] = of("spotlight");
      expect(light).toMatchObject({ slot: 3, generation: 3 });
      const ticked = of("tick").at(-1)?.at ?? 0;
      expect(Math.abs((light?.until ?? 0) - ticked - 5_000)).toBeLessThan(100);
    }
    // It is in no record.
    expect(JSON.stringify(harness.journal())).not.toContain("until");
  });

  it("[RG10] of a command that is refused, or of somebody who is not there, nothing is told", async () => {
    const { harness, gateway, speaker } = await open();
    speaker.command(1, "shine", shine([3], 5_000, true));
    speaker.command(2, "shine", shine([40, 4_000], 5_000));
    await harness.run(20);
    expect(speaker.replies().map(({ status }) => status)).toEqual(["no", "ok"]);
    expect(slotsOf(gateway)).toEqual([]);
  });

  it("[RG10] [RM2] leave once what was decided before is durable: the command, and a tick after it", async () => {
    const { harness, node, gateway, speaker } = await open();
    Object.assign(node.stores.faults, { latencyMsMin: 150, latencyMsMax: 150 });
    speaker.command(1, "shine", shine([3], 5_000));
    await harness.run(100);
    // This one changes what onTick decides on, and goes with the append after that.
    speaker.command(2, "listen");
    await harness.run(180);
    expect(slotsOf(gateway)).toEqual([]);
    expect(speaker.replies()).toEqual([]);
    await harness.run(30);
    expect(slotsOf(gateway)).toEqual([3]);
    await harness.run(320);
    expect(slotsOf(gateway).slice(0, 3)).toEqual([3, 0, 0]);
    // Records come before the light that rests on them, so a gateway knows who it is about.
    const types = gateway.received.map(({ type }) => type);
    expect(types.lastIndexOf("record")).toBeGreaterThan(types.indexOf("spotlight"));
    expect(types.indexOf("spotlight")).toBeGreaterThan(types.indexOf("record"));
  });

  it("[RG10] also come from who joins, and from slow work that writes nothing", async () => {
    const { harness, gateway, speaker } = await open(2);
    gateway.attach("star", 1, { socket: 99 });
    await harness.run(50);
    expect(gateway.of("spotlight")).toMatchObject([{ slot: 2 }]);
    speaker.command(1, "think");
    await harness.run(50);
    expect(slotsOf(gateway)).toEqual([2, 0]);
  });

  it("[RG10] whoever begins to watch hears of those that are lit: the latest eight, for a minute at most", async () => {
    const { harness, node, gateway, speaker } = await open();
    const slots = Array.from({ length: spotlightsMax + 2 }, (_, i) => i);
    for (const slot of slots) speaker.command(slot + 1, "shine", shine([slot], 1e12));
    const next = slots.length + 1;
    speaker.command(next, "shine", shine([5], 0));
    speaker.command(next + 1, "shine", shine([6], 1_000));
    await harness.run(100);
    const last = gateway.of("spotlight").at(-2);
    expect(last?.slot).toBe(5);
    expect(last?.until).toBeLessThanOrEqual(gateway.of("tick").at(-1)?.at ?? 0);
    await harness.run(1_500);
    const second = harness.gateway("gw-2");
    second.route(node, gateway.epoch);
    second.send({ type: "watch", index: 0 });
    await harness.run(20);
    expect(slotsOf(second)).toEqual([2, 3, 4, 7, 8, 9]);
    const types = second.received.map(({ type }) => type);
    expect(types.indexOf("spotlight")).toBeGreaterThan(types.indexOf("snapshot"));
    const now = second.of("tick").at(-1)?.at ?? 0;
    for (const { until } of second.of("spotlight")) {
      expect(until - now).toBeGreaterThan(MINUTE_MS - 5_000);
      expect(until - now).toBeLessThanOrEqual(MINUTE_MS);
    }
    await harness.run(MINUTE_MS);
    const third = harness.gateway("gw-3");
    third.route(node, gateway.epoch);
    third.send({ type: "watch", index: 0 });
    await harness.run(20);
    expect(slotsOf(third)).toEqual([]);
  });

  it("[RG10] end with the ownership: the next owner tells of none", async () => {
    const served = await open();
    const { harness, gateway, speaker } = served;
    speaker.command(1, "shine", shine([3], MINUTE_MS));
    await harness.run(20);
    expect(slotsOf(gateway)).toEqual([3]);
    await takeOver(served, stage);
    gateway.send({ type: "watch", index: 0 });
    await harness.run(200);
    expect(slotsOf(gateway)).toEqual([3]);
    expect(currentEpoch(harness)).toBe(gateway.epoch);
  });

  it("[SV1] a time that is none is a bug of the world, and crashes its room", async () => {
    const harness = new RoomHarness();
    const broken = defineRoom({
      name: "broken",
      version: 1,
      state: () => ({}),
      commands: { now: { body: z.null(), run: (room) => room.spotlight(0, Number.NaN) } },
    });
    const node = harness.node("node-a", [broken]);
    const gateway = harness.gateway("gw-1");
    harness.propose(node, broken);
    await harness.run(20);
    gateway.route(node, currentEpoch(harness));
    const before = gateway.epoch;
    const ada = gateway.attach("ada");
    await harness.run(20);
    ada.command(1, "now");
    await harness.run(500);
    expect(currentEpoch(harness)).toBeGreaterThan(before);
    expect(ada.replies()).toEqual([]);
  });
});
