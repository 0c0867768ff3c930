import { describe, expect, test } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import { MemoryNetwork } from "../../src/bus/memory-bus.ts";
import { NATS_LIMITS } from "../../src/bus/nats-options.ts";
import { processId, roomId } from "../../src/kernel/ids.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { startInlineLiveness } from "../../src/membership/liveness.ts";
import {
  livenessDefaults,
  type NodeFacts,
  type Overdue,
  speakForNode,
} from "../../src/membership/liveness-beats.ts";
import { LivenessCell, RunningAges } from "../../src/membership/liveness-cell.ts";
import { control, decodeControl, type NodeBeat } from "../../src/protocol/control-messages.ts";
import { ALL_NODE_BEATS, nodePing } from "../../src/protocol/subjects.ts";

const facts: NodeFacts = {
  process: processId("n1.0000000000000001"),
  capacity: 2,
  arch: "arm64",
  zone: "z1",
  version: "1.2.3",
  pricePerHour: 0.04,
  host: "h1",
  pid: 42,
  worlds: [],
};
const ROOM = roomId("demo/plaza");

describe("the shared cell", () => {
  test("[MS34] carries load and the running room to another reader of the same memory", () => {
    const written = new LivenessCell();
    const read = new LivenessCell(written.buffer);
    expect(read.running()).toBeNull();
    const egressBytesPerS = 3_000_000_000;
    written.report(
      { rooms: 3, sessions: 200, egressBytesPerS, draining: true, stretch: 1.5 },
      0.25,
    );
    written.run(ROOM);
    expect(read.running()).toBe(ROOM);
    expect(read.load).toEqual({
      rooms: 3,
      sessions: 200,
      egressBytesPerS,
      draining: true,
      stretch: 1.5,
      load: 0.25,
    });
    const longest = roomId(`${"t".repeat(48)}/${"r".repeat(64)}`);
    written.run(longest);
    expect(read.running()).toBe(longest);
    for (const next of [ROOM, ROOM, longest, undefined, longest, undefined, ROOM]) {
      written.run(next);
      expect(read.running()).toBe(next ?? null);
    }
  });

  test("[MS34] a room that is being written is not named", () => {
    const cell = new LivenessCell();
    cell.run(ROOM);
    const words = new Int32Array(cell.buffer);
    Atomics.add(words, 8, 1);
    expect(cell.running()).toBeNull();
    Atomics.add(words, 8, 1);
    expect(cell.running()).toBe(ROOM);
  });
});

describe("ages", () => {
  const counters = { ticks: 1, controlEchoes: 1, dataEchoes: 1 };

  test("[MS31] a process that was stopped for a minute is hardly older", () => {
    const ages = new RunningAges(500, 0);
    ages.look(counters, true, 250);
    expect(ages.look(counters, true, 60_250)).toEqual({ loopAgeMs: 500, echoAgeMs: 500 });
    expect(ages.look({ ...counters, ticks: 2 }, true, 60_500)).toEqual({
      loopAgeMs: 0,
      echoAgeMs: 750,
    });
  });

  test("[MS31] a loop that does not turn grows old with the thread's own clock", () => {
    const ages = new RunningAges(500, 0);
    for (let now = 250; now <= 3_250; now += 250) ages.look(counters, true, now);
    expect(ages.look(counters, true, 3_500).loopAgeMs).toBe(3_250);
  });

  test("[MS33] echoes are not missed while the thread's own connection is down", () => {
    const ages = new RunningAges(500, 0);
    for (let now = 250; now <= 10_000; now += 250) {
      const { loopAgeMs, echoAgeMs } = ages.look({ ...counters, ticks: now }, false, now);
      expect([loopAgeMs, echoAgeMs]).toEqual([0, 0]);
    }
    expect(ages.look({ ...counters, ticks: 1 }, true, 10_250).echoAgeMs).toBe(250);
  });

  test("[MS32] the older of the two echoes counts", () => {
    const ages = new RunningAges(500, 0);
    ages.look(counters, true, 250);
    const { echoAgeMs } = ages.look({ ticks: 2, controlEchoes: 2, dataEchoes: 1 }, true, 500);
    expect(echoAgeMs).toBe(250);
  });
});

function cluster() {
  const clock = new ManualClock();
  const controlNet = new MemoryNetwork(clock, seededRandom(1));
  const dataNet = new MemoryNetwork(clock, seededRandom(2));
  const watcher = controlNet.open("watcher");
  const beats: NodeBeat[] = [];
  watcher.subscribe(ALL_NODE_BEATS, ({ data }) => {
    const beat = decodeControl(data);
    if (beat?.type === "nodeBeat") beats.push(beat);
  });
  return { clock, controlNet, dataNet, watcher, beats };
}

const probe = async (bus: Bus) => {
  const from = processId("p.00000000000000aa");
  const asked = control.encode({ type: "probe", from });
  const answer = await bus.request(nodePing(facts.process), asked, 100);
  return answer.ok ? decodeControl(answer.value) : answer.error;
};

describe("beats", () => {
  test("[MS30] [MS35] [RG9] go out every 250 ms and carry load, stretch, room and age", async () => {
    const { clock, controlNet, dataNet, watcher, beats } = cluster();
    const liveness = startInlineLiveness({
      facts,
      clock,
      control: controlNet.open("n1"),
      data: dataNet.open("n1"),
      measure: () => ({
        rooms: 7,
        sessions: 90,
        egressBytesPerS: 1_000,
        draining: false,
        stretch: 2,
      }),
    });
    liveness.enter(ROOM);
    await clock.run(1_100, 10);
    expect(beats).toHaveLength(5);
    expect(beats.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5]);
    expect(beats.at(-1)).toMatchObject({ ...facts, rooms: 7, sessions: 90, running: ROOM });
    expect(beats.at(-1)?.stretch).toBe(2);
    expect(beats.at(-1)?.loopAgeMs).toBeLessThanOrEqual(50);
    expect(beats.at(-1)?.echoAgeMs).toBeLessThanOrEqual(500);
    expect(await probe(watcher)).toMatchObject({ type: "alive", process: facts.process });
    await liveness.close();
    expect(await probe(watcher)).toBe("no_responders");
    await clock.run(1_000, 10);
    expect(beats).toHaveLength(6);
    expect(clock.pending).toBe(0);
  });

  test("[MS40] the last beat says what is left at that very moment", async () => {
    const { clock, controlNet, dataNet, beats } = cluster();
    let rooms = 2;
    const liveness = startInlineLiveness({
      facts,
      clock,
      control: controlNet.open("n1"),
      data: dataNet.open("n1"),
      measure: () => ({ rooms, sessions: 0, egressBytesPerS: 0, draining: true, stretch: 1 }),
    });
    await clock.run(1_020, 10);
    rooms = 1;
    const closed = liveness.close();
    // They end with the node, and nobody takes that for a hand-over.
    rooms = 0;
    await clock.run(100, 10);
    await closed;
    expect(beats.map((beat) => beat.rooms).slice(-2)).toEqual([2, 1]);
  });

  test("[MS33] an echo that does not come back shows in the age, per connection", async () => {
    const { clock, controlNet, dataNet, beats } = cluster();
    const liveness = startInlineLiveness({
      facts,
      clock,
      control: controlNet.open("n1"),
      data: dataNet.open("n1"),
      measure: () => ({ rooms: 0, sessions: 0, egressBytesPerS: 0, draining: false, stretch: 1 }),
    });
    await clock.run(1_000, 10);
    dataNet.faults.disconnect("n1");
    await clock.run(3_500, 10);
    expect(beats.at(-1)?.echoAgeMs).toBeGreaterThan(3_000);
    expect(beats.at(-1)?.loopAgeMs).toBeLessThanOrEqual(50);
    dataNet.faults.reconnect("n1");
    await clock.run(1_000, 10);
    expect(beats.at(-1)?.echoAgeMs).toBeLessThanOrEqual(500);
    await liveness.close();
  });

  test("[MS33] echoes are missed only while the thread's own server answers", async () => {
    const { clock, controlNet } = cluster();
    const cell = new LivenessCell();
    const told: Overdue[] = [];
    const bus = controlNet.open("live");
    const { flush } = bus;
    bus.flush = () => new Promise(() => undefined);
    const ticking = clock.every(50, () => cell.tick());
    const overdue = (one: Overdue): void => void told.push(one);
    const parts = { facts, cell, bus, clock, config: livenessDefaults, overdue };
    const speaking = speakForNode(parts);
    await clock.run(10_000, 10);
    expect(told).toEqual([]);
    speaking.close();
    bus.flush = flush;
    const again = speakForNode(parts);
    await clock.run(3_000, 10);
    expect(told).toEqual([]);
    await clock.run(500, 10);
    expect(told).toMatchObject([{ echoAgeMs: 3_050 }]);
    again.close();
    ticking.cancel();
  });

  test("[MS38] a connection that brings no echo back is redialled, and only that one", async () => {
    const { clock, controlNet, dataNet, beats } = cluster();
    const [own, data] = [controlNet.open("n1"), dataNet.open("n1")];
    const liveness = startInlineLiveness({
      facts,
      clock,
      control: own,
      data,
      measure: () => ({ rooms: 0, sessions: 0, egressBytesPerS: 0, draining: false, stretch: 1 }),
    });
    const changes: string[] = [];
    own.onConnection((connected) => changes.push(`control ${connected} at ${clock.now()}`));
    data.onConnection((connected) => changes.push(`data ${connected} at ${clock.now()}`));
    await clock.run(10_100, 10);
    expect(changes).toEqual([]);
    dataNet.faults.link("n1", "n1").cut = true;
    await clock.run(1_390, 10);
    expect(changes).toEqual([]);
    await clock.run(20, 10);
    // The last echo that came back is of 10 s.
    expect(changes).toEqual(["data false at 11500", "data true at 11500"]);
    expect(beats.at(-1)?.echoAgeMs).toBeLessThanOrEqual(1_500);
    dataNet.faults.heal();
    await clock.run(1_000, 10);
    expect(beats.at(-1)?.echoAgeMs).toBeLessThanOrEqual(500);
    expect(changes).toHaveLength(2);
    await liveness.close();
    expect(clock.pending).toBe(0);
  });

  test("[MS38] one redial gives the time of an echo anew, a second in a row does not", async () => {
    const { clock, controlNet, dataNet, beats } = cluster();
    const [own, data] = [controlNet.open("n1"), dataNet.open("n1")];
    const liveness = startInlineLiveness({
      facts,
      clock,
      control: own,
      data,
      measure: () => ({ rooms: 0, sessions: 0, egressBytesPerS: 0, draining: false, stretch: 1 }),
    });
    await clock.run(2_100, 10);
    dataNet.faults.link("n1", "n1").cut = true;
    await clock.run(2_900, 10);
    // Redialled 1.5 s after the last echo, and its age goes on from there.
    expect(beats.at(-1)?.echoAgeMs).toBeLessThanOrEqual(1_750);
    await clock.run(2_500, 10);
    expect(beats.at(-1)?.echoAgeMs).toBeGreaterThan(3_000);
    await liveness.close();
  });

  test("[MS38] the redial and a dial in vain leave time for an echo", () => {
    const { echoMs, echoesMissedMax, ageMsMax, beatMs } = livenessDefaults;
    const backMs = echoMs * (echoesMissedMax + 1) + NATS_LIMITS.dialMsMax;
    expect(backMs + beatMs).toBeLessThan(ageMsMax);
  });

  test("[MS32] an age over 3 s is told once, after a beat that says it", async () => {
    const { clock, controlNet, beats } = cluster();
    const cell = new LivenessCell();
    const told: (Overdue & { readonly beats: number })[] = [];
    cell.run(ROOM);
    const speaking = speakForNode({
      facts,
      cell,
      bus: controlNet.open("live"),
      clock,
      config: livenessDefaults,
      overdue: (overdue) => told.push({ ...overdue, beats: beats.length }),
    });
    // Just after a beat: until the next one is long.
    await clock.run(260, 10);
    cell.tick();
    for (const bus of ["control", "data"] as const) cell.echoed(bus);
    await clock.run(3_000, 10);
    expect(told).toEqual([]);
    await clock.run(2 * livenessDefaults.tickMs, 10);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ running: ROOM, loopAgeMs: 3_050 });
    await clock.run(1_000, 10);
    expect(told).toHaveLength(1);
    expect(beats.some((beat) => beat.loopAgeMs > 3_000 && beat.running === ROOM)).toBe(true);
    speaking.close();
  });
});
