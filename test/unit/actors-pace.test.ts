import { describe, expect, it } from "vitest";
import { z } from "zod";
import { defineRoom, type World } from "../../actors/room/define-room.ts";
import { Ticker } from "../../actors/room/ticker.ts";
import { type RoomId, roomId } from "../../src/kernel/ids.ts";
import { Phases } from "../../src/kernel/phase.ts";
import { ROW_WORDS, rowSlot, rowsFromBytes } from "../../src/protocol/pose-row.ts";
import { Strand } from "../sim/strand.ts";
import { VirtualTime } from "../sim/virtual-time.ts";
import { currentEpoch } from "../support/counter-world.ts";
import { type HostedNode, RoomHarness, type ScriptedGateway } from "../support/room-harness.ts";

const worldOf = (tickHz: number): World =>
  defineRoom({
    name: "still",
    version: 1,
    tickHz,
    capacity: 100,
    state: () => ({ count: 0 }),
    commands: { add: { body: z.null(), run: ({ state }) => ++state.count } },
    spawn: (_room, { slot }) => ({
      x: slot,
      y: 0,
      z: 0,
      yaw: 0,
      pitch: 0,
      reach: [0, 0, 0],
      animation: 0,
    }),
  });

interface Served {
  readonly harness: RoomHarness;
  readonly node: HostedNode;
  readonly gateway: ScriptedGateway;
}

async function serve(tickHz: number): Promise<Served> {
  const harness = new RoomHarness();
  const world = worldOf(tickHz);
  const node = harness.node("node-a", [world]);
  const gateway = harness.gateway("gw-1");
  harness.propose(node, world);
  await harness.run(20);
  gateway.route(node, currentEpoch(harness));
  gateway.attach("ada");
  await harness.run(600);
  return { harness, node, gateway };
}

/** Keeps the gateway among those that watch, as its own do. */
async function watched({ harness, gateway }: Served, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 1_000) {
    gateway.send({ type: "watch", index: gateway.of("record").at(-1)?.record.index ?? 1 });
    await harness.run(Math.min(left, 1_000));
  }
}

/** Ticks in the next two seconds. */
async function ticks(served: Served): Promise<number> {
  const before = served.gateway.of("tick").length;
  await watched(served, 2_000);
  return served.gateway.of("tick").length - before;
}

describe("a node that is behind", () => {
  it("[RG9] stretches the ticks of each of its rooms, a step a second, and comes back", async () => {
    const served = await serve(20);
    const { harness, node } = served;
    expect(await ticks(served)).toBe(40);
    harness.utilisation = 1;
    await watched(served, 1_400);
    expect(node.node.stats().stretch).toBe(1.5);
    await watched(served, 3_000);
    expect(node.node.stats().stretch).toBe(4);
    expect(await ticks(served)).toBe(10);
    harness.utilisation = 0.2;
    await watched(served, 20_000);
    expect(node.node.stats().stretch).toBe(1);
    expect(await ticks(served)).toBe(40);
  });

  it("[RG9] lets no room tick more rarely than twice a second", async () => {
    const served = await serve(5);
    served.harness.utilisation = 1;
    await watched(served, 6_000);
    expect(served.node.node.stats().stretch).toBe(4);
    expect(await ticks(served)).toBe(4);
  });

  it("[RG9] answers commands as before, and drops nobody", async () => {
    const { harness, node, gateway } = await serve(20);
    harness.utilisation = 1;
    await watched({ harness, node, gateway }, 6_000);
    const bob = gateway.attach("bob");
    await harness.run(20);
    bob.command(1, "add");
    await harness.run(20);
    expect(bob.replies()).toMatchObject([{ seq: 1, status: "ok", data: 1 }]);
    expect(node.node.stats().sessions).toBe(2);
  });

  it("[RG2] repeats every row within a second, at whatever rate it ticks", async () => {
    const served = await serve(20);
    const { harness, gateway } = served;
    for (let n = 0; n < 90; n++) gateway.attach(`p${n}`);
    await harness.run(100);
    harness.utilisation = 1;
    await watched(served, 6_000);
    const from = gateway.of("tick").length;
    await watched(served, 1_050);
    const seen = gateway.of("tick").slice(from).map(slotsOf);
    expect(seen.length).toBeLessThan(7);
    expect(new Set(seen.flat()).size).toBe(91);
    expect(Math.max(...seen.map((slots) => slots.length)), "in turn").toBeLessThan(50);
  });
});

function slotsOf({ rows }: { readonly rows: Uint8Array }): number[] {
  const words = rowsFromBytes(rows) ?? new Uint32Array(0);
  return Array.from({ length: words.length / ROW_WORDS }, (_, at) =>
    rowSlot(words, at * ROW_WORDS),
  );
}

/** When each of many rooms last ticked, as a share of a period. */
function phasesOf(lastMs: ReadonlyMap<RoomId | number, number>, periodMs: number): number[] {
  return [...lastMs.values()].map((at) => (at % periodMs) / periodMs);
}

/** How many of them fall into the fullest tenth of a period. */
function fullestTenth(phases: readonly number[]): number {
  const tenths = new Array<number>(10).fill(0);
  for (const phase of phases) {
    const tenth = Math.floor(phase * 10) % 10;
    tenths[tenth] = (tenths[tenth] as number) + 1;
  }
  return Math.max(...tenths);
}

describe("phases of ticks", () => {
  it("[RG8] rooms that are taken over all at once tick one by one", async () => {
    const harness = new RoomHarness();
    const world = worldOf(10);
    const [first, heir] = [harness.node("node-a", [world]), harness.node("node-b", [world])];
    const rooms = Array.from({ length: 60 }, (_, n) => roomId(`demo/room-${n}`));
    const gateways = rooms.map((room, n) => {
      const gateway = harness.gateway(`gw-${n}`);
      gateway.room = room;
      return gateway;
    });
    for (const room of rooms) harness.propose(first, world, undefined, room);
    await harness.run(100);
    first.end();
    for (const room of rooms) harness.propose(heir, world, currentEpoch(harness, room), room);
    await harness.run(300);
    for (const [n, gateway] of gateways.entries()) {
      gateway.route(heir, currentEpoch(harness, rooms[n]));
      gateway.send({ type: "watch", index: 0 });
    }
    await harness.run(50);
    const last = new Map<RoomId, number>();
    const seen = gateways.map((gateway) => gateway.of("tick").length);
    for (let ms = 0; ms < 100; ms++) {
      await harness.run(1);
      for (const [n, gateway] of gateways.entries())
        if (gateway.of("tick").length > (seen[n] as number) && !last.has(gateway.room))
          last.set(gateway.room, harness.clock.now());
    }
    expect(last.size).toBe(60);
    expect(fullestTenth(phasesOf(last, 100))).toBeLessThanOrEqual(9);
  });

  it("[RG8] a pause that held all of them up leaves them apart, and what was missed is left out", () => {
    const time = new VirtualTime();
    const strand = new Strand(time, 777);
    const phases = new Phases(0.1);
    let stretch = 1;
    const pace = { stretch: () => stretch, phase: () => phases.take() };
    const last = new Map<number, number>();
    let ticks = 0;
    const tickers = Array.from(
      { length: 50 },
      (_, n) =>
        new Ticker(strand.clock, pace, { periodMs: 50, periodMsMax: 500 }, () => {
          last.set(n, strand.clock.now());
          ticks++;
        }),
    );
    const countFor = (ms: number): number => {
      ticks = 0;
      time.run(time.now + ms);
      return ticks;
    };
    expect(countFor(1_000)).toBe(1_000);
    expect(fullestTenth(phasesOf(last, 50))).toBeLessThanOrEqual(8);
    strand.freeze();
    time.run(time.now + 1_000);
    strand.resume();
    const after = countFor(100);
    expect(after).toBeLessThanOrEqual(150);
    expect(countFor(1_000)).toBe(1_000);
    expect(fullestTenth(phasesOf(last, 50))).toBeLessThanOrEqual(8);
    stretch = 4;
    countFor(400);
    expect(countFor(1_000)).toBe(250);
    expect(fullestTenth(phasesOf(last, 200))).toBeLessThanOrEqual(8);
    for (const ticker of tickers) ticker.cancel();
    expect(strand.timers).toBe(0);
  });
});
