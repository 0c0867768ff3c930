import fc from "fast-check";
import { expect, test } from "vitest";
import { Avatars } from "../../src/client/avatars.ts";
import { PingFilter, RoomTimeline } from "../../src/client/clock-sync.ts";
import { clientDefaults } from "../../src/client/limits.ts";
import { PoseBuffer } from "../../src/client/pose-buffer.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import {
  AWAY_FLAG,
  type Pose,
  packRow,
  ROW_WORDS,
  unpackRow,
} from "../../src/protocol/pose-row.ts";
import { at, inRoom, joined, LATER, member, snapshot } from "../support/fake-gateway.ts";

test("[CL35] the latest pose wins, at most poseHz a second, then only as a keep-alive", async () => {
  const { room, gateways, clock } = await inRoom();
  for (let ms = 0; ms < 1_000; ms += 10) {
    room.setPose(at(ms / 1_000));
    clock.advance(10);
  }
  clock.advance(100);
  const { poses } = gateways.last;
  expect(poses.length).toBeGreaterThanOrEqual(10);
  expect(poses.length).toBeLessThanOrEqual(11);
  const newest = poses.at(-1);
  expect(unpackRow(newest?.row ?? new Uint32Array(4), 0).x).toBeCloseTo(0.99, 3);
  expect(newest).toMatchObject({ channel: 0, counter: poses.length });
  const before = poses.length;
  // Below the quantum of a row is no change at all.
  for (let ms = 0; ms < 6_000; ms += 100) {
    room.setPose(at(0.99 + 1e-5));
    clock.advance(100);
  }
  expect(poses.length - before).toBe(3);
});

test("[CL35] a clogged socket drops poses and signals, and an attach repeats the pose", async () => {
  const { room, gateways, clock } = await inRoom();
  gateways.last.bufferedBytes = clientDefaults.bufferedBytesMax + 1;
  room.setPose(at(1));
  expect(room.signal("emote")).toBe(false);
  clock.advance(500);
  expect(gateways.last.poses).toHaveLength(0);
  gateways.last.bufferedBytes = 0;
  room.setPose(at(2));
  expect(gateways.last.poses).toHaveLength(1);
  gateways.last.drop();
  await clock.run(1_000, 20);
  expect(gateways.last.poses).toHaveLength(0);
  gateways.last.tell(joined({ attach: 2, replayed: true }));
  expect(gateways.last.poses).toHaveLength(1);
});

test("[CL36] room time never goes back and never stands still", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          step: fc.integer({ min: 1, max: 400 }),
          error: fc.integer({ min: -2_000, max: 2_000 }),
          way: fc.nat(200),
        }),
        { minLength: 2, maxLength: 80 },
      ),
      (frames) => {
        const timeline = new RoomTimeline();
        let now = 0;
        let shown = Number.NEGATIVE_INFINITY;
        for (const { step, error, way } of frames) {
          now += step;
          timeline.note(1e12 + now + error, now);
          const next = timeline.now(now, way);
          expect(next).toBeGreaterThan(shown);
          shown = next;
        }
      },
    ),
    { seed: 11, numRuns: 300 },
  );
});

test("[CL36] room time settles on the frame that was fastest", () => {
  const random = seededRandom(5);
  const timeline = new RoomTimeline();
  for (let ms = 100; ms < 8_000; ms += 50) {
    const late = 20 + random.next() * 80;
    timeline.note(1e12 + ms, ms + late);
    timeline.now(ms + late, 20);
  }
  const error = timeline.now(8_100, 20) - (1e12 + 8_100);
  expect(Math.abs(error)).toBeLessThan(5);
  expect(timeline.jitterMs).toBeGreaterThan(10);
  expect(timeline.jitterMs).toBeLessThan(60);
});

test("[CL39] the clock is taken from the shortest round trip", () => {
  const pings = new PingFilter();
  expect(pings.offsetMs).toBeUndefined();
  pings.note(0, 5_000 + 10, 20);
  // A pong that waited 300 ms on its way back would put the clock 140 ms off.
  pings.note(1_000, 6_000 + 10, 1_320);
  expect(pings.offsetMs).toBe(5_000);
  expect(pings.rttMsMin).toBe(20);
  expect(pings.rttMs).toBe(95);
});

const LIMITS = clientDefaults;
function feed(buffer: PoseBuffer, atMs: number, pose: Pose, slot = 1, generation = 0): void {
  const words = new Uint32Array(ROW_WORDS);
  packRow(words, 0, slot, generation, pose);
  buffer.frame(atMs);
  buffer.add(slot, generation, atMs, words, 0);
}

test("[CL37] between two rows a pose is in between, turning the short way", () => {
  const buffer = new PoseBuffer(LIMITS);
  feed(buffer, 1_000, { ...at(0), yaw: 3 });
  feed(buffer, 1_100, { ...at(1), yaw: -3 });
  const shown = buffer.show(1, 0, 1_050);
  expect(shown?.pose.x).toBeCloseTo(0.5, 2);
  expect(Math.abs(shown?.pose.yaw ?? 0)).toBeGreaterThan(3.05);
  expect(buffer.show(1, 0, 900)?.pose.x).toBe(0);
  expect(buffer.show(1, 1, 1_050), "another generation").toBeUndefined();
  buffer.remove(1, 1);
  expect(buffer.show(1, 0, 1_050)).toBeDefined();
  buffer.remove(1, 0);
  expect(buffer.show(1, 0, 1_050)).toBeUndefined();
});

test("[CL37] beyond the last row it goes on for a moment, unless frames say it stopped", () => {
  const buffer = new PoseBuffer(LIMITS);
  for (let i = 0; i <= 5; i++) feed(buffer, i * 100, at(i * 0.2));
  expect(buffer.show(1, 0, 600)?.pose.x).toBeCloseTo(1.2, 2);
  expect(buffer.show(1, 0, 750)?.pose.x).toBeCloseTo(1.5, 2);
  expect(buffer.show(1, 0, 5_000)?.pose.x).toBeCloseTo(1.5, 2);
  for (let ms = 600; ms <= 900; ms += 100) buffer.frame(ms);
  expect(buffer.show(1, 0, 1_000)?.pose.x).toBeCloseTo(1, 3);
});

test("[CL37] rows far apart in space are a jump, far apart in time a rest", () => {
  const buffer = new PoseBuffer(LIMITS);
  for (let i = 0; i <= 5; i++) feed(buffer, i * 100, at(0.1 * i));
  feed(buffer, 600, at(30));
  expect(buffer.show(1, 0, 599)?.pose.x).toBeCloseTo(0.5, 3);
  expect(buffer.show(1, 0, 600)?.pose.x).toBe(30);
  expect(buffer.show(1, 0, 700)?.pose.x, "no speed is drawn from a jump").toBe(30);
  feed(buffer, 3_600, at(31));
  expect(buffer.show(1, 0, 2_000)?.pose.x).toBe(30);
  expect(buffer.show(1, 0, 3_550)?.pose.x).toBeGreaterThan(30.2);
  expect(buffer.show(1, 0, 3_550)?.pose.x).toBeLessThan(30.9);
});

test("[CL37] the buffer follows the rhythm of the rows, within its bound", () => {
  const fast = new PoseBuffer(LIMITS);
  for (let i = 0; i < 200; i++) feed(fast, i * 50, at(i * 0.01));
  expect(fast.delayMs(50, 0)).toBeCloseTo(75, 0);
  const rare = new PoseBuffer(LIMITS);
  for (let i = 0; i < 200; i++) feed(rare, i * 200, at(i * 0.01));
  expect(rare.delayMs(50, 10)).toBeCloseTo(310, 0);
  expect(rare.delayMs(2_000, 0)).toBe(LIMITS.bufferMsMax);
});

test("[CL37] a walk through jittery frames is drawn without jerks", () => {
  const random = seededRandom(9);
  const buffer = new PoseBuffer(LIMITS);
  const timeline = new RoomTimeline();
  const arrivals = Array.from({ length: 120 }, (_, i) => ({
    at: i * 50,
    arrives: i * 50 + 30 + random.next() * 25,
    pose: at(i * 0.05 * 1.4),
  }));
  let next = 0;
  let before: number | undefined;
  let worst = 0;
  for (let now = 0; now < 6_000; now += 1000 / 60) {
    for (; arrivals[next] && (arrivals[next]?.arrives ?? 0) <= now; next++) {
      const frame = arrivals[next] as (typeof arrivals)[number];
      timeline.note(frame.at, now);
      feed(buffer, frame.at, frame.pose);
    }
    if (now < 1_000) continue;
    const drawnAt = timeline.now(now, 15) - 15 - buffer.delayMs(50, timeline.jitterMs);
    const x = buffer.show(1, 0, drawnAt)?.pose.x ?? 0;
    if (before !== undefined) worst = Math.max(worst, Math.abs(x - before - 1.4 / 60));
    before = x;
  }
  // A frame at 60 Hz moves 23 mm at 1.4 m/s; no frame is off by more than half of that.
  expect(worst).toBeLessThan(0.012);
});

test.each([
  [20, [50, 75, 100, 200, 100, 75, 50]],
  [10, [100, 150, 200, 400, 200, 150, 100]],
  [5, [200, 300, 400, 500, 400, 300, 200]],
])("[CL37] a walk in a room of %i Hz is drawn on while its ticks are stretched", (hz, periods) => {
  for (const walkers of [1, 30]) {
    const avatars = new Avatars(clientDefaults, () => 15);
    avatars.joined(hz);
    const random = seededRandom(walkers);
    const members = Array.from({ length: walkers }, (_, slot) => member(slot));
    const [begins, speed] = [1e12, 1.4];
    let [tickAt, arrives, before] = [0, 30, undefined as number | undefined];
    let [least, most] = [speed, speed];
    const tick = (now: number): void => {
      avatars.frame(begins + tickAt, now);
      for (const { slot } of members) {
        const words = new Uint32Array(ROW_WORDS);
        packRow(words, 0, slot, 0, at((tickAt / 1_000) * speed));
        avatars.rows(words, begins + tickAt, () => true);
      }
      tickAt += periods[Math.min(6, Math.floor(tickAt / 5_000))] as number;
      arrives = tickAt + 30 + random.next() * 20;
    };
    for (let now = 0; now < 40_000; now += 1000 / 60) {
      if (arrives <= now) tick(now);
      const [first] = avatars.poses(members, avatars.roomTime(now));
      const x = first?.pose.x;
      if (now > 2_000 && x !== undefined && before !== undefined) {
        least = Math.min(least, (x - before) * 60);
        most = Math.max(most, (x - before) * 60);
      }
      before = x;
    }
    // Standing still would be 0, and going back less; rows are exact to a millimetre.
    expect(least).toBeGreaterThan(0.35 * speed);
    expect(most).toBeLessThan(1.65 * speed);
  }
});

test("[CL22] [CL23] [CL38] older frames and unknown rows move nobody; oneself is left out", async () => {
  const { room, gateways, clock } = await inRoom();
  gateways.last.tell(snapshot({ index: 11, members: [member(0), member(1), member(2)] }));
  const shown = (options?: { self: boolean }): unknown[] =>
    [...room.poses(undefined, options)].map(({ member: of, pose }) => [of.slot, pose.x]);
  const rows = (x: number, generation = 0) => [
    { slot: 0, pose: at(x) },
    { slot: 1, generation, pose: at(x) },
    { slot: 9, pose: at(x) },
  ];
  gateways.last.frame({ tick: 5, at: 1_000, index: 11, rows: rows(1) });
  clock.advance(2_000);
  expect(shown()).toEqual([[1, 1]]);
  expect(shown({ self: true })).toEqual([
    [0, 1],
    [1, 1],
  ]);
  gateways.last.frame({ tick: 5, at: 2_000, index: 11, rows: rows(2) });
  gateways.last.frame({ tick: 4, at: 2_000, index: 11, rows: rows(3) });
  gateways.last.frame({ tick: 6, at: 2_000, index: 11, rows: rows(4, 3) });
  clock.advance(3_000);
  expect(shown()).toEqual([[1, 1]]);
  gateways.last.frame({ tick: 1, at: 4_000, index: 11, epoch: LATER, rows: rows(5) });
  expect(room.epoch).toBe(LATER);
  // The tail of a fenced frame still counts: it is ordered by numbers of its own.
  const command = room.command("say");
  const answer = { type: "reply", channel: 0, seq: 1, status: "ok", data: "x", index: 11 } as const;
  gateways.last.frame({ tick: 9, at: 5_000, index: 11, rows: rows(6), messages: [answer] });
  expect(await command).toBe("x");
  clock.advance(3_000);
  expect(shown()).toEqual([[1, 5]]);
  expect(room.stats.framesFenced).toBe(3);
});

test("[CL38] somebody whose connection is gone is marked away", async () => {
  const { room, gateways, clock } = await inRoom();
  gateways.last.tell(snapshot({ index: 11, members: [member(0), member(1)] }));
  const pose = { ...at(1), animation: 2 | AWAY_FLAG };
  gateways.last.frame({ tick: 1, at: 100, index: 11, rows: [{ slot: 1, pose }] });
  clock.advance(1_000);
  const [shown] = [...room.poses()];
  expect(shown).toMatchObject({ away: true, pose: { animation: 2 } });
});

test("[CL40] quality follows frames and round trips", async () => {
  const { room, gateways, clock } = await inRoom();
  const levels: string[] = [];
  room.on("quality", ({ level }) => levels.push(level));
  let tick = 0;
  const run = async (ms: number, everyMs: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += everyMs) {
      await clock.run(everyMs, everyMs);
      gateways.last.frame({ tick: ++tick, at: clock.now(), index: 10 });
    }
  };
  await run(2_000, 100);
  expect(levels).toEqual([]);
  expect(room.quality).toMatchObject({ level: "good", rttMs: 0 });
  await clock.run(6_000, 100);
  expect(levels).toEqual(["fair", "poor", "lost"]);
  await run(500, 100);
  expect(room.quality.level).not.toBe("lost");
  gateways.last.drop();
  await clock.run(600, 50);
  expect(room.quality.level).toBe("lost");
});
