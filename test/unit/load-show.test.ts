import { expect, test } from "vitest";
import { seededRandom } from "../../src/kernel/random.ts";
import {
  BEAT_MS,
  cuesBetween,
  cuesNow,
  isLoud,
  performerPose,
  pyroBetween,
  showMoment,
} from "../../src/load/show-script.ts";
import { Walker } from "../../src/load/walker.ts";
import { concertScript } from "../../src/load/world-script.ts";

/** A song of 64 beats and 16 for the applause. */
const CYCLE_MS = 80 * BEAT_MS;

test("[LD31] however its steps fall, each cue of the show is called once and in order", () => {
  const random = seededRandom(4);
  const whole = cuesBetween(-1, 3 * CYCLE_MS - 1);
  const stepped = [];
  for (let at = -1; at < 3 * CYCLE_MS - 1; ) {
    const next = Math.min(3 * CYCLE_MS - 1, at + random.next() * 700);
    stepped.push(...cuesBetween(at, next));
    at = next;
  }
  expect(stepped).toEqual(whole);
  const names = whole.map(({ name }) => name);
  expect(names.filter((name) => name === "set")).toHaveLength(3);
  expect(names.filter((name) => name === "light")).toHaveLength(3 * 3 * 9);
  expect(cuesBetween(CYCLE_MS * 3 - 1, CYCLE_MS * 3)).toEqual(cuesBetween(-1, 0));
});

test("[LD31] who comes on in the middle of a song calls what counts then", () => {
  for (let beat = 0; beat < 240; beat += 1) {
    const now = cuesNow((beat + 0.5) * BEAT_MS);
    const stands = new Map<string, unknown>();
    for (const { name, body } of cuesBetween(-1, (beat + 0.5) * BEAT_MS)) {
      const { light = "", channel = "" } = body as { light?: string; channel?: string };
      stands.set(name + light + channel, body);
    }
    for (const { name, body } of now) {
      const { light = "", channel = "" } = body as { light?: string; channel?: string };
      expect(stands.get(name + light + channel), `${name} at beat ${beat}`).toEqual(body);
    }
    expect(now.filter(({ name }) => name === "light")).toHaveLength(3);
  }
});

test("[LD31] it is loud after each song and once in the middle, where the paper flies", () => {
  let flown = 0;
  for (let at = 0; at < CYCLE_MS * 2; at += 50) {
    if (!pyroBetween(at, at + 50)) continue;
    flown += 1;
    expect(isLoud(showMoment(at + 50))).toBe(true);
  }
  expect(flown).toBe(2);
  expect(isLoud(showMoment(10 * BEAT_MS))).toBe(false);
  expect(isLoud(showMoment(70 * BEAT_MS))).toBe(true);
});

test("[LD31] the band stays on the stage and nobody jumps from spot to spot", () => {
  for (const part of [0, 1, 2])
    for (let at = 0; at < CYCLE_MS * 3; at += 50) {
      const [pose, next] = [performerPose(at, part), performerPose(at + 50, part)];
      expect(Math.abs(pose.x)).toBeLessThan(8);
      expect(pose.z).toBeLessThan(-6.5);
      expect(pose.z).toBeGreaterThan(-15);
      // Between songs the lights are down and everybody takes their places anew.
      const songOver = showMoment(at).beat < 64 !== showMoment(at + 50).beat < 64;
      if (!songOver) expect(Math.hypot(next.x - pose.x, next.z - pose.z)).toBeLessThan(0.4);
    }
});

test("[LD32] the audience stands, faces the stage, and moves as it reacts", () => {
  const script = concertScript("show");
  const walker = new Walker(seededRandom(3), script.area);
  let stood = 0;
  let faced = 0;
  for (let step = 0; step < 6_000; step += 1) {
    const pose = walker.step(100);
    if (pose.animation !== 0) continue;
    stood += 1;
    const off = Math.atan2(-pose.x, -9 - pose.z) - pose.yaw;
    if (Math.abs(Math.sin(off / 2)) < 0.1) faced += 1;
  }
  expect(stood).toBeGreaterThan(4_000);
  expect(faced).toBeGreaterThan(stood * 0.9);
  const { name, moves } = script.emote(0.1);
  expect([name, moves?.animation]).toEqual(["clap", 4]);
  while (walker.step(100).animation !== 0);
  walker.perform(4, 500);
  expect([walker.step(100).animation, walker.step(500).animation]).toEqual([4, 0]);
});
