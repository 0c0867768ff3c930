import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Cell, cellAt, NO_CELL, nextCell } from "../../gateway/cells.ts";
import { GATEWAY_DEFAULTS } from "../../gateway/config.ts";
import { Interest } from "../../gateway/interest.ts";
import { Replica } from "../../gateway/replica.ts";
import { selectTop } from "../../gateway/select-top.ts";
import { frameDue, TIER_SLOWEST, Tier } from "../../gateway/tiers.ts";
import { worldName } from "../../src/kernel/ids.ts";
import type { Member } from "../../src/protocol/client-messages.ts";
import { ROW_WORDS, rowSlot } from "../../src/protocol/pose-row.ts";
import { member, record, rowAt } from "../support/fake-room.ts";
import { placesOf } from "../support/watched-room.ts";

const LIMITS = GATEWAY_DEFAULTS;
const { focusM, farFrames, cellHysteresisM } = LIMITS;
const TICK_HZ = 10;

interface Person {
  readonly slot: number;
  x: number;
  z: number;
  cell: Cell;
}

/** People in a replica who walk about; `frame` answers the slots that somebody is shown. */
class Crowd {
  readonly replica = new Replica();
  readonly interest = new Interest(this.replica, LIMITS);
  readonly people: Person[];

  constructor(places: readonly (readonly [x: number, z: number])[], members?: readonly Member[]) {
    this.people = places.map(([x, z], slot) => ({ slot, x, z, cell: NO_CELL }));
    this.replica.reset(1, {
      world: worldName("hall"),
      tickHz: TICK_HZ,
      at: 0,
      state: null,
      members: [...(members ?? places.map((_, slot) => member(slot)))],
      rows: this.#rows(this.people, (words) => new Uint8Array(words.buffer)),
    });
  }

  /** One tick, which brings these people where they are now. */
  tick(moved: readonly Person[]): void {
    this.replica.at += 1_000 / TICK_HZ;
    const touched = this.replica.applyRows(this.#rows(moved, (words) => words));
    this.interest.begin(touched, this.replica.takeMoved());
    for (const person of this.people)
      person.cell = nextCell(person.cell, person.x, person.z, cellHysteresisM);
  }

  frame({ cell }: Person, tier = 0): Set<number> {
    const { words, count } = this.interest.pick(cell, tier);
    const slots = new Set<number>();
    for (let at = 0; at < count; at++) slots.add(rowSlot(words, at * ROW_WORDS));
    expect(slots.size, "each once").toBe(count);
    return slots;
  }

  #rows<T>(people: readonly Person[], as: (words: Uint32Array<ArrayBuffer>) => T): T {
    const words = new Uint32Array(people.length * ROW_WORDS);
    people.forEach(({ slot, x, z }, at) => {
      words.set(rowAt(slot, x, z), at * ROW_WORDS);
    });
    return as(words);
  }
}

const apart = (a: Person, b: Person): number => Math.hypot(a.x - b.x, a.z - b.z);

const crowds = fc.record({
  count: fc.integer({ min: 2, max: 1_000 }),
  sideM: fc.constantFrom(0.5, 20, 60, 200, 800),
  seed: fc.integer({ min: 1, max: 1_000 }),
  /** How many of all move in a tick. */
  moving: fc.constantFrom(0.05, 0.3, 1),
});

describe("what a crowd is shown", () => {
  it("[GW35] every move within the focus, everybody in time, never more than the budget", () => {
    let judged = 0;
    let thronged = 0;
    fc.assert(
      fc.property(crowds, ({ count, sideM, seed, moving }) => {
        const crowd = new Crowd(placesOf(count, sideM, seed));
        const { people, interest } = crowd;
        const watchers = people.filter((_, i) => i % Math.ceil(count / 12) === 0);
        const waiting = new Set<Person>();
        const seenAt = watchers.map(() => new Int32Array(count));
        for (let tick = 1; tick <= 2 * farFrames + 2; tick++) {
          const moved = people.filter(
            (_, i) => ((i * 7919 + tick * 104_729) % 1_000) / 1_000 < moving,
          );
          for (const person of moved) person.x += (tick + person.slot) % 2 ? 0.1 : -0.1;
          crowd.tick(moved);
          const share = Math.ceil(count / farFrames);
          for (const [w, watcher] of watchers.entries()) {
            const shown = crowd.frame(watcher);
            expect(shown.size).toBeLessThanOrEqual(Math.max(interest.rowsMax, 8));
            for (const slot of shown) (seenAt[w] as Int32Array)[slot] = tick;
            // Everybody near the cell competes, not only those near this watcher.
            const rivals = moved.filter((person) => nearCell(person, watcher.cell));
            const fits = !interest.crowded || rivals.length <= interest.rowsMax - share;
            if (!fits) thronged++;
            // Once they did not, some wait whose turn comes before theirs.
            if (!fits) waiting.add(watcher);
            for (const other of moved) {
              if (waiting.has(watcher) || apart(watcher, other) > focusM) continue;
              judged++;
              expect(shown.has(other.slot), `${other.slot} for ${watcher.slot}`).toBe(true);
            }
          }
          if (!interest.crowded || tick <= farFrames) continue;
          for (const seen of seenAt)
            expect(tick - Math.min(...seen), "frames since the oldest").toBeLessThanOrEqual(
              farFrames,
            );
        }
      }),
      { numRuns: 25 },
    );
    expect(judged).toBeGreaterThan(1_000);
    expect(thronged).toBeGreaterThan(100);
  });

  it("[GW35] where too many are near, they take turns", () => {
    const crowd = new Crowd(placesOf(500, 0.5, 3));
    const { people, interest } = crowd;
    const watcher = people[0] as Person;
    const waits = new Int32Array(500);
    let longest = 0;
    for (let tick = 1; tick <= 60; tick++) {
      for (const person of people) person.x += tick % 2 ? 0.1 : -0.1;
      crowd.tick(people);
      const shown = crowd.frame(watcher);
      expect(shown.size).toBe(interest.rowsMax);
      for (const { slot } of people) {
        waits[slot] = shown.has(slot) ? 0 : (waits[slot] as number) + 1;
        if (tick > 20) longest = Math.max(longest, waits[slot] as number);
      }
    }
    expect(longest).toBeLessThanOrEqual(Math.ceil(500 / interest.rowsMax) + 2);
  });

  it("[GW35] [GW56] performers and speakers come before everyone, for as long as they count", () => {
    const members = Array.from({ length: 300 }, (_, slot) =>
      slot === 299 ? { ...member(slot), role: "performer" as const } : member(slot),
    );
    const crowd = new Crowd(
      members.map((_, i) => (i < 290 ? [i % 3, 0] : [500, 500])),
      members,
    );
    const { people, interest } = crowd;
    const watcher = people[0] as Person;
    const seen = { performer: 0, speaker: 0, other: 0 };
    interest.spoke({ slot: 298, generation: 1 });
    const spoken = (LIMITS.speakerMs / 1_000) * TICK_HZ;
    for (let tick = 1; tick <= 2 * spoken; tick++) {
      for (const person of people) person.x += tick % 2 ? 0.1 : -0.1;
      crowd.tick(people);
      const shown = crowd.frame(watcher);
      if (shown.has(299)) seen.performer++;
      if (shown.has(298)) seen.speaker++;
      if (shown.has(297)) seen.other++;
    }
    expect(seen.performer).toBe(2 * spoken);
    expect(seen.speaker).toBeGreaterThanOrEqual(spoken - 1);
    expect(seen.speaker).toBeLessThan(spoken + 10);
    expect(seen.other).toBeLessThan(10);
  });

  it("[GW35] everyone who fits, and all the tick brought; nobody is skipped when some leave", () => {
    const fitting = new Crowd(placesOf(57, 800, 1));
    fitting.tick(fitting.people);
    const [first, last] = [fitting.people[0] as Person, fitting.people[56] as Person];
    expect(fitting.frame(first).size).toBe(57);
    expect(fitting.interest.pick(first.cell, 0)).toBe(fitting.interest.pick(last.cell, 0));
    fitting.tick([last]);
    expect([...fitting.frame(first)]).toEqual([56]);
    const crowd = new Crowd(placesOf(600, 300, 2));
    const seen = new Set<number>();
    for (let tick = 0; tick < farFrames; tick++) {
      crowd.tick([]);
      for (const slot of crowd.frame(crowd.people[0] as Person)) seen.add(slot);
      const left = { slot: tick * 2, generation: 1 };
      crowd.replica.applyRecord(record(crowd.replica.index + 1, { left: [left] }));
    }
    expect(crowd.replica.slots.filter((slot) => !seen.has(slot))).toEqual([]);
  });

  it("[GW35] keeps an eighth for the near ones in a room that turns alone would fill", () => {
    const crowd = new Crowd(Array.from({ length: 4_000 }, (_, i) => [i / 2, 0]));
    for (const person of crowd.people) person.x += 0.1;
    crowd.tick(crowd.people);
    const watcher = crowd.people[2_000] as Person;
    const near = [...crowd.frame(watcher)].filter((slot) => Math.abs(slot / 2 - 1_000) < 40);
    expect(near.length).toBeGreaterThanOrEqual(crowd.interest.rowsMax >> 3);
  });

  it("[GW47] remembers a bounded number of views, wherever people jump", () => {
    const crowd = new Crowd(placesOf(100, 800, 5));
    const watcher = crowd.people[0] as Person;
    let most = 0;
    for (let jump = 0; jump < 2_000; jump++) {
      if (jump % 20 === 0) crowd.tick([]);
      watcher.cell = cellAt(jump * 4, -jump * 4);
      crowd.frame(watcher);
      most = Math.max(most, crowd.interest.views);
    }
    expect(most).toBeGreaterThan(100);
    expect(most).toBeLessThanOrEqual(512);
    for (let tick = 0; tick < 200; tick++) crowd.tick([]);
    expect(crowd.interest.views).toBe(0);
  });

  it("[GW35] [GW51] who is sent fewer frames has in each what moved since the last", () => {
    const crowd = new Crowd(placesOf(20, 30, 4));
    const [watcher, mover] = crowd.people as [Person, Person];
    crowd.frame(watcher, 1);
    mover.x += 1;
    crowd.tick([mover]);
    crowd.tick([]);
    expect(crowd.frame(watcher, 1).has(mover.slot)).toBe(true);
    crowd.tick([]);
    expect(crowd.frame(watcher, 0).size).toBe(0);
  });
});

function nearCell({ x, z }: Person, cell: Cell): boolean {
  // Any place of the cell and its margin is at most this far from one in it.
  for (const dx of [-focusM - cellHysteresisM, 0, focusM + cellHysteresisM])
    for (const dz of [-focusM - cellHysteresisM, 0, focusM + cellHysteresisM])
      if (cellAt(x + dx, z + dz) === cell) return true;
  return false;
}

describe("selectTop", () => {
  it("[GW35] finds the highest, as sorting does", () => {
    const keys = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(keys, fc.nat({ max: 200 }), (values, most) => {
        const wanted = Math.min(most, values.length);
        const sorted = Float64Array.from(values);
        const slots = Uint16Array.from(values, (_, i) => i);
        selectTop(sorted, slots, values.length, wanted);
        const chosen = [...slots.subarray(0, wanted)].map((i) => values[i] as number);
        const best = [...values].sort((a, b) => b - a).slice(0, wanted);
        expect(chosen.sort((a, b) => b - a)).toEqual(best);
        expect(new Set(slots).size).toBe(values.length);
      }),
    );
  });
});

describe("tiers", () => {
  const limits = { missesMax: 3, echoTicksMax: 20, calmFrames: 10 };
  const calm = (tier: Tier, frames: number): void => {
    for (let at = 0; at < frames; at++) tier.written(limits);
  };

  it("[GW51] are sent every frame, every second, fifth and tenth", () => {
    const sent = [0, 1, 2, 3].map(
      (tier) =>
        Array.from({ length: 100 }, (_, at) => at).filter((at) => frameDue(at, tier)).length,
    );
    expect(sent).toEqual([100, 50, 20, 10]);
  });

  it("[GW51] fall with misses and old echoes, to the slowest, and rise again when it is calm", () => {
    const tier = new Tier();
    tier.missed(limits);
    tier.missed(limits);
    expect(tier.at).toBe(0);
    tier.missed(limits);
    expect(tier.at).toBe(1);
    tier.echoed(20, limits);
    expect(tier.at).toBe(1);
    tier.echoed(21, limits);
    expect(tier.at).toBe(2);
    for (let at = 0; at < 30; at++) tier.missed(limits);
    expect(tier.at).toBe(TIER_SLOWEST);
    calm(tier, 1_000);
    expect(tier.at).toBe(0);
  });

  it("[GW51] rise after as many frames of the room, however few of them they are sent", () => {
    const tier = new Tier();
    for (let at = 0; at < 30; at++) tier.missed(limits);
    const sent: number[] = [];
    for (let last = tier.at; tier.at > 0; last = tier.at) {
      let frames = 0;
      for (; tier.at === last; frames++) tier.written(limits);
      sent.push(frames);
    }
    expect(sent).toEqual([1, 2, 5]);
  });

  it("[GW51] forget that they swung once it has been calm at every frame for a while", () => {
    const tier = new Tier();
    const rise = (): number => {
      let frames = 0;
      for (; tier.at > 0; frames++) tier.written(limits);
      return frames;
    };
    const fall = (): void => {
      while (tier.at === 0) tier.missed(limits);
    };
    fall();
    const once = rise();
    fall();
    expect(rise(), "at once").toBe(2 * once);
    for (let at = 0; tier.troubled && at < 1_000; at++) tier.written(limits);
    fall();
    expect(rise(), "long after").toBe(once);
  });

  it("[GW62] are the slowest while a client is silent, and what they were when it is heard", () => {
    const tier = new Tier();
    tier.silent = true;
    expect(tier.at).toBe(TIER_SLOWEST);
    for (let at = 0; at < 30; at++) tier.missed(limits);
    tier.silent = false;
    expect(tier.at).toBe(0);
    tier.echoed(21, limits);
    tier.silent = true;
    for (let at = 0; at < 30; at++) tier.written(limits);
    tier.silent = false;
    expect(tier.at, "silence is no calm").toBe(1);
  });

  it("[GW51] rise more slowly where they fell again, so that a slow client does not swing", () => {
    const tier = new Tier();
    const frames: number[] = [];
    for (let round = 0; round < 6; round++) {
      while (tier.at < 2) tier.missed(limits);
      let waited = 0;
      for (; tier.at === 2; waited++) tier.written(limits);
      frames.push(waited);
    }
    expect(frames[0]).toBeLessThan(frames[5] as number);
    expect(frames[5]).toBeLessThanOrEqual(8 * limits.calmFrames);
  });
});
