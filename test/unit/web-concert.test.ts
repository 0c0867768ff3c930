import { describe, expect, test } from "vitest";
import { arenaTerrain, FLOOR, groundAt, STAGE } from "../../src/web/concert/arena.ts";
import { beatOf } from "../../src/web/concert/concert-room.ts";
import { CrowdMood, type Mood } from "../../src/web/concert/crowd-mood.ts";
import { farPlaces, figuresFor, HALF_FULL } from "../../src/web/concert/far-places.ts";
import { DARK, LightDesk } from "../../src/web/concert/light-desk.ts";
import { aimed } from "../../src/web/concert/rig.ts";

describe("the far crowd", () => {
  test("[DM10] grows with the people of the event until the arena is full", () => {
    const places = farPlaces(false).length;
    expect(places).toBeGreaterThan(3_000);
    expect(places).toBeLessThan(8_000);
    expect(figuresFor(0, places)).toBe(0);
    expect(figuresFor(HALF_FULL, places)).toBe(Math.round(places / 2));
    expect(figuresFor(HALF_FULL * 2, places)).toBe(Math.round(places * 0.75));
    expect(figuresFor(5_000, places)).toBe(places);
    for (let people = 1; people < 100; people += 1)
      expect(figuresFor(people, places)).toBeGreaterThan(figuresFor(people - 1, places));
  });

  test("[DM10] stands where nobody can walk, looks at the stage, and is the same for all", () => {
    const places = farPlaces(false);
    expect(farPlaces(false)).toEqual(places);
    for (const { x, y, yaw, z } of places) {
      const onFloor = Math.abs(x) < FLOOR.halfWidth && z > FLOOR.from && z < FLOOR.to;
      expect(onFloor && y === 0, `${x} ${z} is a place of a shard's`).toBe(false);
      expect(groundAt(x, z), `${x} ${z} is on the stage`).toBe(0);
      const towards = Math.atan2(STAGE.x - x, STAGE.z + 3 - z);
      expect(Math.cos(yaw - towards)).toBeGreaterThan(0.95);
    }
    const cells = new Set(places.map(({ x, z }) => `${Math.round(x * 4)} ${Math.round(z * 4)}`));
    expect(cells.size, "nobody stands in anybody else").toBeGreaterThan(places.length * 0.97);
  });

  test("[DM10] fills from the front, and begins before the stage for whoever is on it", () => {
    const distance = ({ x, z }: { x: number; z: number }) => Math.hypot(x, z - STAGE.z);
    const places = farPlaces(false);
    const mean = (from: number, to: number): number =>
      places.slice(from, to).reduce((sum, place) => sum + distance(place), 0) / (to - from);
    expect(mean(0, 500)).toBeLessThan(mean(1_000, 1_500) - 1);
    expect(mean(1_000, 1_500)).toBeLessThan(mean(2_500, 3_000) - 1);
    const before = ({ x, y, z }: { x: number; y: number; z: number }): boolean =>
      y === 0 && Math.abs(x) < FLOOR.halfWidth && z < FLOOR.to;
    expect(places.filter(before)).toEqual([]);
    expect(farPlaces(true).slice(0, 300).filter(before).length).toBeGreaterThan(100);
  });
});

describe("the mood of the crowd", () => {
  const KINDS = ["clap", "cheer"];
  const news = (energy: number, clap: number, cheer: number, seated = 20) => ({
    ...{ seated, waiting: 0, energy, reactions: [clap, cheer] },
  });
  const settled = (mood: CrowdMood, seconds = 5): Mood => {
    for (let i = 0; i < seconds * 60; i += 1) mood.step(1 / 60);
    return mood.shown;
  };

  test("[DM11] follows the aggregate's energy, by the head", () => {
    const mood = new CrowdMood();
    expect(mood.step(1)).toEqual({ energy: 0, clap: 0, cheer: 0 });
    mood.hear(news(2, 0, 0), KINDS, 1_000);
    const calm = settled(mood).energy;
    mood.hear(news(20, 0, 0), KINDS, 2_000);
    const loud = settled(mood).energy;
    expect(calm).toBeGreaterThan(0.1);
    expect(loud).toBeGreaterThan(calm * 2);
    mood.hear(news(20, 0, 0, 2_000), KINDS, 3_000);
    expect(settled(mood, 20).energy, "as many in a hundred times the crowd").toBeLessThan(0.1);
  });

  test("[DM11] shows who claps and who cheers by how fast the counts rise", () => {
    const mood = new CrowdMood();
    mood.hear(news(5, 100, 900), KINDS, 1_000);
    expect(settled(mood), "old applause").toMatchObject({ clap: 0, cheer: 0 });
    mood.hear(news(5, 110, 900), KINDS, 2_000);
    expect(settled(mood).clap).toBeGreaterThan(0.5);
    expect(mood.shown.cheer).toBe(0);
    mood.hear(news(5, 110, 915), KINDS, 3_000);
    expect(settled(mood, 20).cheer).toBeGreaterThan(0.5);
    expect(mood.shown.clap).toBeLessThan(0.01);
    // An owner and a gateway died together, and some were not written down.
    mood.hear(news(5, 90, 900), KINDS, 4_000);
    expect(settled(mood, 20)).toMatchObject({ clap: expect.closeTo(0), cheer: expect.closeTo(0) });
    mood.hear(news(1e9, 1e9, 1e9), KINDS, 4_000);
    for (const value of Object.values(settled(mood))) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThanOrEqual(1);
    }
  });

  test("[DM11] rises at once and falls slowly, however long the frames are", () => {
    const at = (frames: number) => {
      const mood = new CrowdMood();
      mood.hear(news(100, 0, 0), KINDS, 1_000);
      for (let i = 0; i < frames; i += 1) mood.step(1 / frames);
      const up = mood.shown.energy;
      mood.hear(news(0, 0, 0), KINDS, 2_000);
      for (let i = 0; i < frames; i += 1) mood.step(1 / frames);
      return { up, down: mood.shown.energy };
    };
    const { down, up } = at(60);
    expect(up).toBeGreaterThan(0.9);
    expect(down).toBeGreaterThan(0.3);
    expect(down).toBeLessThan(up);
    expect(at(10).up).toBeCloseTo(up);
    expect(at(10).down).toBeCloseTo(down);
  });
});

describe("the lights", () => {
  const cue = (n: number, at: number, color: number, level = 1) => ({ n, at, color, level });

  test("[DM12] begin at the show time of their cue, from what was there", () => {
    const desk = new LightDesk();
    expect(desk.at("wash", 0)).toEqual(DARK);
    desk.hear({ wash: cue(1, 1_000, 0xff0000) }, 500);
    expect(desk.at("wash", 1_000)).toEqual(DARK);
    expect(desk.at("wash", 1_200)[0]).toBeGreaterThan(0.2);
    expect(desk.at("wash", 1_200)[0]).toBeLessThan(0.8);
    expect(desk.at("wash", 3_000)).toEqual([1, 0, 0]);
    desk.hear({ wash: cue(2, 5_000, 0x0000ff, 0.5) }, 3_000);
    expect(desk.at("wash", 4_999)).toEqual([1, 0, 0]);
    expect(desk.at("wash", 9_000)).toEqual([0, 0, 0.5]);
  });

  test("[DM12] are the same for whoever comes late", () => {
    const [early, late] = [new LightDesk(), new LightDesk()];
    early.hear({ beams: cue(1, 1_000, 0x00ff00) }, 0);
    early.hear({ beams: cue(4, 2_000, 0xff00ff) }, 1_900);
    early.hear({ beams: cue(4, 2_000, 0xff00ff) }, 2_100);
    late.hear({ beams: cue(4, 2_000, 0xff00ff) }, 8_000);
    expect(late.at("beams", 8_000)).toEqual(early.at("beams", 8_000));
  });

  test("[DM12] beat as the track says, in show time", () => {
    const band = { n: 1, at: 2_000, track: "neon-tide@120", fromMs: 500 };
    expect(beatOf({ band }, 1_999)).toEqual({ beat: 0, plays: false });
    expect(beatOf({ band }, 2_000)).toEqual({ beat: 1, plays: true });
    expect(beatOf({ band }, 62_000).beat).toBe(121);
    expect(beatOf({}, 5_000).plays).toBe(false);
    expect(beatOf({ band: { ...band, track: "rain" } }, 5_000).plays).toBe(false);
  });

  test("[DM12] a lamp shines where it is aimed", () => {
    const lamp = { x: 3, y: 10, z: -10 };
    for (const at of [
      { x: 3, y: 0, z: -10 },
      { x: -6, y: 2, z: -4 },
      { x: 9, y: 1, z: -15 },
    ]) {
      const [x, z] = aimed(lamp, at);
      // Straight down, swung across and then to and fro, as `Beams.turn` does it.
      const [dx, down] = [Math.sin(z), Math.cos(z)];
      const [dy, dz] = [-down * Math.cos(x), -down * Math.sin(x)];
      const far = Math.hypot(at.x - lamp.x, at.y - lamp.y, at.z - lamp.z);
      expect(lamp.x + dx * far).toBeCloseTo(at.x);
      expect(lamp.y + dy * far).toBeCloseTo(at.y);
      expect(lamp.z + dz * far).toBeCloseTo(at.z);
    }
  });
});

test("[DM13] performers stay on the stage and the audience on its floor", () => {
  const walked = (from: { x: number; y: number; z: number }, dx: number, dz: number) => {
    const at = { ...from };
    for (let i = 0; i < 400; i += 1) {
      arenaTerrain.walk(at, dx, dz);
      at.y = groundAt(at.x, at.z);
    }
    return at;
  };
  for (const [dx, dz] of [
    [0.1, 0.1],
    [-0.1, 0.1],
    [0.1, -0.1],
    [0, -0.1],
  ] as const) {
    const performer = walked({ x: 0, y: STAGE.height, z: -9 }, dx, dz);
    expect(performer.y).toBe(STAGE.height);
    const fan = walked({ x: 0, y: 0, z: 5 }, dx, dz);
    expect(fan.y).toBe(0);
    expect(Math.abs(fan.x)).toBeLessThanOrEqual(FLOOR.halfWidth);
    expect(fan.z).toBeGreaterThanOrEqual(FLOOR.from);
  }
});
