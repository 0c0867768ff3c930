import { describe, expect, it } from "vitest";
import { FramePace } from "../../gateway/frame-pace.ts";
import { STRETCHES } from "../../src/kernel/overload.ts";
import { decodeControl } from "../../src/protocol/control-messages.ts";
import { rowSlot } from "../../src/protocol/pose-row.ts";
import { rowAt } from "../support/fake-room.ts";
import { type FakeClient, GATEWAY, GatewayRig } from "../support/gateway-rig.ts";

const TICK_MS = 100;

/** Ticks once every 100 ms; each brings the row of another of the clients, who are heard. */
async function ticks(
  rig: GatewayRig,
  clients: readonly FakeClient[],
  count: number,
): Promise<void> {
  for (let n = 0; n < count; n++) {
    rig.room.tick(GATEWAY, [rowAt(n % clients.length, n, 0)]);
    if (n % 10 === 0)
      for (const client of clients) client.send({ type: "ping", clientTime: n, echoes: [] });
    await rig.run(TICK_MS);
  }
}

async function crowd(rig: GatewayRig, people: number): Promise<FakeClient[]> {
  const clients: FakeClient[] = [];
  for (let n = 0; n < people; n++) clients.push(await rig.joined(`p${n}`));
  await rig.run(400);
  await ticks(rig, clients, 1);
  return clients;
}

const framesOf = (clients: readonly FakeClient[]): number[] =>
  clients.map(({ frames }) => frames.length);

/** How many frames each of them is sent in so many ticks. */
async function framesIn(rig: GatewayRig, clients: readonly FakeClient[], count: number) {
  const before = framesOf(clients);
  await ticks(rig, clients, count);
  return framesOf(clients).map((frames, n) => frames - (before[n] as number));
}

/** Past the last step. */
async function overload(rig: GatewayRig, clients: readonly FakeClient[]): Promise<void> {
  rig.utilisation = 1;
  await ticks(rig, clients, 45);
}

describe("a gateway that is behind", () => {
  it("[GW60] makes fewer frames, for everybody alike, and as many as before when it has time", async () => {
    const rig = new GatewayRig();
    const clients = await crowd(rig, 6);
    expect(await framesIn(rig, clients, 20)).toEqual(new Array(6).fill(20));
    await overload(rig, clients);
    expect(rig.core.stats().stretch).toBe(4);
    expect(await framesIn(rig, clients, 40)).toEqual(new Array(6).fill(10));
    rig.utilisation = 0.1;
    await ticks(rig, clients, 200);
    expect(rig.core.stats().stretch).toBe(1);
    expect(await framesIn(rig, clients, 20)).toEqual(new Array(6).fill(20));
  });

  it("[GW60] shows in the next frame what the ticks before it brought", async () => {
    const rig = new GatewayRig();
    const clients = await crowd(rig, 4);
    const [ann] = clients;
    await overload(rig, clients);
    const from = ann?.frames.length ?? 0;
    await ticks(rig, clients, 24);
    for (const { rows } of ann?.frames.slice(from + 1) ?? []) {
      const slots = Array.from({ length: rows.length / 4 }, (_, at) => rowSlot(rows, at * 4));
      expect(slots.sort()).toEqual([0, 1, 2, 3]);
    }
  });

  it("[GW60] lets news wait for the frame, and what is for one session only does not", async () => {
    const rig = new GatewayRig();
    const clients = await crowd(rig, 2);
    const [ann, bob] = clients;
    await overload(rig, clients);
    // Just behind a frame: the next one is three ticks away.
    const before = ann?.frames.length;
    while (ann?.frames.length === before) await ticks(rig, clients, 1);
    const told = bob?.story.length ?? 0;
    rig.room.write(GATEWAY, { patches: [[0, ["n"], 2]] });
    rig.room.say(GATEWAY, {
      type: "reply",
      session: ann?.got("joined")[0]?.session as never,
      seq: 1,
      status: "ok",
      data: null,
      index: rig.room.index,
    });
    await ticks(rig, clients, 1);
    expect(ann?.story.filter((type) => type !== "pong").slice(-2)).toEqual(["record", "reply"]);
    expect(bob?.story.slice(told)).toEqual(["pong"]);
    await ticks(rig, clients, 4);
    expect(bob?.story.slice(told)).toContain("record");
  });

  it("[GW60] says so in its beats", async () => {
    const rig = new GatewayRig();
    const stretches: unknown[] = [];
    rig.control.subscribe("c.hb.g.>", ({ data }) => {
      const beat = decodeControl(data);
      if (beat?.type === "gatewayBeat") stretches.push(beat.stretch);
    });
    await rig.run(1_000);
    rig.utilisation = 1;
    await rig.run(5_000);
    expect(new Set(stretches)).toEqual(new Set(STRETCHES));
  });
});

/** Of ticks every `everyMs`, with some jitter: those that make frames. */
function made(pace: FramePace, everyMs: number, stretch: number, count = 400): number[] {
  const frames: number[] = [];
  for (let n = 0; n < count; n++) {
    const now = 10_000 + n * everyMs + (n % 3);
    if (pace.tick([], now, { tickMs: TICK_MS, stretch })) frames.push(n);
  }
  return frames;
}

describe("the pace of frames", () => {
  it("[GW60] is that of the ticks, or as much longer as it says", () => {
    for (const [stretch, share] of [
      [1, 1],
      [1.5, 2 / 3],
      [2, 1 / 2],
      [3, 1 / 3],
      [4, 1 / 4],
    ] as const) {
      const frames = made(new FramePace(0.3, 500), TICK_MS, stretch).length;
      expect(Math.abs(frames - 400 * share), `at ${stretch}`).toBeLessThanOrEqual(2);
    }
  });

  it("[GW60] leaves less out of a room that ticks more rarely itself", () => {
    for (const phase of [0, 0.2, 0.4, 0.6, 0.8]) {
      expect(made(new FramePace(phase, 500), 400, 4)).toHaveLength(400);
      expect(made(new FramePace(phase, 500), 200, 4).length).toBeGreaterThanOrEqual(199);
    }
  });

  it("[GW60] is bounded, whatever the rate of the room", () => {
    const pace = new FramePace(0, 500);
    let frames = 0;
    for (let n = 0; n < 50; n++) if (pace.tick([], n * 200, { tickMs: 200, stretch: 4 })) frames++;
    expect(frames).toBeGreaterThanOrEqual(19);
  });

  it("[GW60] rooms do not all leave out the same ticks", () => {
    const firsts = Array.from({ length: 10 }, (_, n) => made(new FramePace(n / 10, 500), 100, 2));
    const even = firsts.filter((frames) => (frames.at(-1) as number) % 2 === 0).length;
    expect(even).toBeGreaterThanOrEqual(3);
    expect(even).toBeLessThanOrEqual(7);
  });

  it("[GW60] names each slot once", () => {
    const pace = new FramePace(0, 500);
    const rate = { tickMs: TICK_MS, stretch: 4 };
    const shown = Array.from({ length: 9 }, (_, n) => pace.tick([1, n], 1_000 + n * 100, rate));
    const told = shown.filter((slots) => slots !== undefined).slice(1);
    expect(told.length).toBeGreaterThan(0);
    for (const slots of told) expect(new Set(slots).size).toBe(slots.length);
  });
});
