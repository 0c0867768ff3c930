import { afterEach, describe, expect, it } from "vitest";
import { Swarm } from "../../src/load/dense/swarm.ts";
import { Tally } from "../../src/load/dense/tally.ts";
import { type ClientMessage, clientToGateway } from "../../src/protocol/client-messages.ts";
import { decodePose } from "../../src/protocol/frame.ts";
import { FrameSource, sourceFrame } from "../support/frame-source.ts";
import { swarmPlan } from "../support/swarm-plan.ts";
import { waitUntil } from "../support/wait-until.ts";

describe("a process of clients", () => {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });
  const open = async (): Promise<FrameSource> => {
    const source = await FrameSource.listen();
    ends.push(() => source.close());
    return source;
  };
  const waitingAt = (...args: Parameters<typeof swarmPlan>): Swarm => {
    const swarm = new Swarm(swarmPlan(...args));
    ends.push(() => void swarm.stop());
    return swarm;
  };
  /** Everybody may come. */
  const swarmAt = (...args: Parameters<typeof swarmPlan>): Swarm => {
    const swarm = waitingAt(...args);
    swarm.admit(swarmPlan(...args).clients);
    return swarm;
  };

  it("[LD23] starts its clients no faster than it is told to", async () => {
    const source = await open();
    const since = performance.now();
    const swarm = swarmAt(source.url, { clients: 30, joinsPerSecond: 50 });
    await waitUntil("some are in", () => source.sockets.size >= 10);
    expect(swarm.sample().settled).toBe(false);
    await waitUntil("all are in", () => swarm.sample().settled);
    expect(performance.now() - since).toBeGreaterThan((29 / 50) * 1_000);
    expect(source.joins).toHaveLength(30);
  });

  it("[LD23] has no more joins under way than it is told to", async () => {
    const source = await open();
    source.held = [];
    const swarm = swarmAt(source.url, { clients: 9, joinsAtOnce: 3 });
    for (const joins of [3, 6, 9]) {
      await waitUntil("three ask", () => source.held?.length === 3);
      const since = performance.now();
      await waitUntil("others could have asked", () => performance.now() - since > 50);
      expect(source.joins).toHaveLength(joins);
      for (const answer of source.held.splice(0)) answer();
    }
    await waitUntil("all are in", () => swarm.sample().settled);
  });

  it("[LD23] dials from the addresses that it is given, so many from each", async () => {
    const source = await open();
    const sources = ["127.64.0.1", "127.64.0.2"];
    const swarm = swarmAt(source.url, { clients: 5, sources, clientsPerSource: 3 });
    await waitUntil("all are in", () => swarm.sample().settled);
    const addresses = [...source.sockets].map(({ remoteAddress }) => remoteAddress);
    expect(addresses.sort()).toEqual([...Array(3).fill(sources[0]), ...Array(2).fill(sources[1])]);
  });

  it("[LD29] lets so many come as it is told, and fills a room before the next", async () => {
    const source = await open();
    const swarm = waitingAt(source.url, {
      // Every third of all, but for the first two.
      share: { of: 3, places: [2] },
      clients: 4,
      rooms: ["one", "two", "three"],
      roomSize: 6,
    });
    swarm.admit(3);
    await waitUntil("three are in", () => swarm.sample().inRoom === 3);
    expect(swarm.sample()).toMatchObject({ admitted: 3, settled: true });
    // Numbers 2, 5 and 8 of the crowd.
    expect(source.rooms.toSorted()).toEqual(["one", "one", "two"]);
    swarm.admit(4);
    expect(swarm.sample()).toMatchObject({ admitted: 4, settled: false });
    await waitUntil("the fourth is in", () => swarm.sample().settled);
    expect(source.rooms.at(-1)).toBe("two");
  });

  it("[LD21] says where its people are, at the rate of who walks and of who stands", async () => {
    const source = await open();
    const mix = { movingShare: 1, movingMs: 20, standingMs: 4_000 };
    const swarm = swarmAt(source.url, { clients: 4, mix });
    const poses = () => source.payloads.filter((payload) => decodePose(payload) !== undefined);
    await waitUntil("they walk", () => poses().length > 80);
    const counters = poses().map((payload) => decodePose(payload)?.counter ?? 0);
    // Each counts for itself: all numbers come four times, but for those under way.
    expect(counters.filter((counter) => counter === 5)).toHaveLength(4);
    expect(swarm.sample().part.counts.poses_sent).toBeGreaterThanOrEqual(80);
  });

  it("[LD24] lets everybody leave before it ends", async () => {
    const source = await open();
    const swarm = swarmAt(source.url, { clients: 60 });
    await waitUntil("all are in", () => swarm.sample().settled);
    await swarm.stop();
    const told = source.payloads.flatMap((payload): readonly ClientMessage[] => {
      const decoded = clientToGateway.decode(payload, 1);
      return decoded.ok ? decoded.value : [];
    });
    expect(told.filter(({ type }) => type === "leave")).toHaveLength(60);
    await waitUntil("every socket is closed", () => source.sockets.size === 0);
  });

  it("[LD25] tells how many frames a second each client has had", async () => {
    const source = await open();
    const swarm = swarmAt(source.url, { clients: 3 });
    await waitUntil("all are in", () => swarm.sample().settled);
    expect(swarm.rates()).toEqual([]);
    swarm.begin();
    source.write(sourceFrame({ tick: 1 }));
    source.write(sourceFrame({ tick: 2 }));
    const all = new Tally();
    await waitUntil("all frames are there", () => {
      all.add(swarm.sample().part);
      return all.counts.frames === 6;
    });
    const rates = swarm.rates();
    expect(new Set(rates).size).toBe(1);
    expect(rates[0]).toBeGreaterThan(0);
    expect(all.durations.frame_gap.count).toBe(3);
  });

  it("[LD27] hears that somebody has to go, though it does not decode", async () => {
    const source = await open();
    const swarm = swarmAt(source.url, { clients: 2 });
    await waitUntil("all are in", () => swarm.sample().settled);
    const left = { channel: 0, code: "kicked", reason: "", transfer: null } as const;
    source.write(sourceFrame({ tick: 1 }, undefined, [{ type: "left", ...left }]));
    const all = new Tally();
    await waitUntil("both are out", () => {
      const { inRoom, part } = swarm.sample();
      all.add(part);
      return inRoom === 0;
    });
    expect(Object.fromEntries(all.losses)).toEqual({ "left kicked": 2 });
  });

  it("[LD30] watches the stage of the event that it sits in, and checks what it is shown", async () => {
    const source = await open();
    const stage = "stage/gala";
    const swarm = swarmAt(source.url, { clients: 2, rooms: ["event/gala"], stage });
    await waitUntil("all have asked for both", () => source.rooms.length === 4);
    await waitUntil("all are in", () => swarm.sample().settled);
    expect(source.rooms.toSorted()).toEqual(["event/gala", "event/gala", stage, stage]);
    const shown = (channel: number, tick: number): Buffer => sourceFrame({ channel, tick });
    source.write(Buffer.concat([shown(0, 1), shown(1, 7), shown(0, 2), shown(1, 7)]));
    const all = new Tally();
    await waitUntil("all frames are there", () => {
      all.add(swarm.sample().part);
      return all.counts.frames === 4 && all.counts.stage_frames === 4;
    });
    // One that does not rise is found, and its age is nothing to go by.
    expect(all.findings.tick_not_rising).toBe(2);
    expect(all.durations.stage.count).toBe(2);
  });
});
