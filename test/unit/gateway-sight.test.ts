import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { distanceToCell2 } from "../../gateway/cells.ts";
import { type Random, randomBelow, seededRandom } from "../../src/kernel/random.ts";
import { PERFORMER } from "../../src/protocol/client-messages.ts";
import { member } from "../support/fake-room.ts";
import { type Person, placesOf, WatchedRoom, type Watcher } from "../support/watched-room.ts";

interface Show {
  readonly count: number;
  readonly sideM: number;
  readonly seed: number;
  readonly tickHz: number;
  readonly performers: number;
  /** Whether the world puts people into the light. */
  readonly lit: boolean;
  readonly followed: number;
  /** How many of all move in a tick. */
  readonly moving: number;
}

const shows: fc.Arbitrary<Show> = fc.record({
  count: fc.oneof(fc.integer({ min: 2, max: 150 }), fc.integer({ min: 151, max: 1_000 })),
  sideM: fc.constantFrom(0.5, 20, 60, 200, 800),
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  tickHz: fc.constantFrom(5, 10, 20),
  performers: fc.constantFrom(0, 0, 3, 30),
  lit: fc.boolean(),
  followed: fc.constantFrom(0, 4, 16),
  moving: fc.constantFrom(0.05, 0.3, 1),
});

const STEP_M = 1.3;
const LIGHT_MS = 1_500;
/** For so many ticks a move of who is relevant to everybody is in every frame (GW56). */
const REPEATED_TICKS = 16;

/** How often each promise was looked at, so that none is kept only because nobody asked. */
const judged = { relevant: 0, followed: 0, near: 0, far: 0, crossings: 0, tails: 0, turns: 0 };

/** Asked millions of times, for which `expect` takes too long. */
function must(holds: boolean, otherwise: () => string): void {
  if (!holds) throw new Error(otherwise());
}

/** People move, are lit, followed and watched; every frame is held against what is promised. */
class Rehearsal {
  readonly room: WatchedRoom;
  readonly #show: Show;
  readonly #random: Random;
  /** Since which tick somebody is relevant to everybody, and until what time. */
  readonly #lit = new Map<number, { readonly since: number; readonly until: number }>();
  readonly #follows = new Map<Watcher, readonly Person[]>();
  /** Frames in a row in which a watcher did not know where somebody was. */
  readonly #stale = new Map<string, number>();
  readonly #steady = new Set<Watcher>();

  constructor(show: Show) {
    const { count, sideM, seed, tickHz, performers, followed } = show;
    this.#show = show;
    this.#random = seededRandom(seed);
    const members = Array.from({ length: count }, (_, slot) =>
      member(slot, 1, { role: slot < Math.min(performers, count - 1) ? PERFORMER : "audience" }),
    );
    this.room = new WatchedRoom({ places: placesOf(count, sideM, seed), tickHz, members });
    const { people } = this.room;
    for (const person of people.filter((_, i) => i % Math.ceil(count / 10) === 0)) {
      const watcher = this.room.watch(person);
      // Every other one has a link that is clogged at times, and falls into slower tiers.
      if (this.room.watchers.length % 2 === 1) this.#steady.add(watcher);
      const others = Array.from({ length: followed }, () => this.#somebody());
      const follows = [...new Set(others)].filter((other) => other !== person);
      this.room.follow(
        watcher,
        follows.map(({ slot }) => slot),
      );
      this.#follows.set(watcher, follows);
    }
  }

  get rowsMax(): number {
    return Math.floor((9_600 / this.#show.tickHz - 36) / 16);
  }

  get crowded(): boolean {
    return this.#show.count > this.rowsMax;
  }

  /** Rows that may be taken by who is relevant, and then by turns. */
  get reserved(): { readonly relevant: number; readonly turn: number } {
    const { count, lit, performers } = this.#show;
    const relevant = performers > 0 || lit ? Math.floor(this.rowsMax / 3) : 0;
    const left = this.rowsMax - relevant;
    return { relevant, turn: Math.min(Math.ceil(count / 20), left - (left >> 3)) };
  }

  /** Frames in which everybody has had a turn. */
  get round(): number {
    return Math.max(20, Math.ceil(this.#show.count / this.reserved.turn));
  }

  run(): void {
    for (let at = 0; at < this.round + 25; at++) {
      this.#direct();
      const cells = this.room.watchers.map(({ viewer }) => viewer.cell);
      this.room.tick(this.#move());
      for (const [w, watcher] of this.room.watchers.entries()) {
        if (watcher.tick !== this.room.replica.tick) continue;
        if (this.crowded && cells[w] !== watcher.viewer.cell) judged.crossings++;
        this.#judge(watcher);
      }
    }
  }

  #somebody(): Person {
    return this.room.people[randomBelow(this.#random, this.#show.count)] as Person;
  }

  /** Lights and links. */
  #direct(): void {
    const { replica, composer } = this.room;
    if (this.#show.lit && this.#random.next() < 0.3) {
      const { slot } = this.#somebody();
      const until = replica.at + LIGHT_MS;
      composer.shine({ slot, generation: 1 }, until);
      this.#lit.delete(slot);
      this.#lit.set(slot, { since: replica.tick + 1, until });
    }
    for (const [slot, { until }] of this.#lit)
      if (until <= replica.at + 1_000 / replica.tickHz) this.#lit.delete(slot);
    while (this.#lit.size > this.room.config.lightsMax)
      this.#lit.delete([...this.#lit.keys()][0] as number);
    for (const watcher of this.room.watchers)
      watcher.writable = this.#steady.has(watcher) || this.#random.next() > 0.06;
  }

  /** Some take a step to and fro, watchers walk on and on across cells. */
  #move(): readonly Person[] {
    const { tick } = this.room.replica;
    const moved = this.room.people.filter(() => this.#random.next() < this.#show.moving);
    for (const person of moved) person.x += this.#random.next() < 0.5 ? 0.1 : -0.1;
    const walkers = this.room.watchers.slice(0, 5).map(({ person }) => person);
    for (const walker of walkers) walker.z += (tick + walker.slot) % 80 < 40 ? STEP_M : -STEP_M;
    return [...new Set([...moved, ...walkers])];
  }

  #judge(watcher: Watcher): void {
    this.#judgeBytes(watcher);
    if (!this.crowded) return this.#judgeAll(watcher);
    this.#judgeRelevant(watcher);
    this.#judgeFollowed(watcher);
    this.#judgeNear(watcher);
    if (this.#steady.has(watcher)) this.#judgeFar(watcher);
  }

  #judgeBytes({ bytes, sharedRows, tailRows }: Watcher): void {
    const { config, replica } = this.room;
    const shared = 4 + 32 + 16 * sharedRows;
    const own = bytes - shared;
    must(shared <= config.frameBytesPerSecond / replica.tickHz, () => `${shared} bytes are shared`);
    must(own <= config.followedBytesPerSecond / replica.tickHz, () => `${own} bytes of its own`);
    if (tailRows > 0) judged.tails++;
  }

  /** Everybody fits: at the room's rate everything is in every frame. */
  #judgeAll(watcher: Watcher): void {
    if (!this.#steady.has(watcher)) return;
    for (const person of this.room.people) this.#expectFresh(watcher, person);
  }

  #judgeRelevant(watcher: Watcher): void {
    const { people, replica } = this.room;
    const performers = people.filter(({ slot }) => replica.members.get(slot)?.role === PERFORMER);
    const lit = [...this.#lit].map(([slot]) => people[slot] as Person);
    const all = [...new Set([...performers, ...lit])];
    const most = performers.length + (this.#show.lit ? this.room.config.lightsMax : 0);
    const turns = Math.ceil(most / this.reserved.relevant);
    if (watcher.tick - watcher.before >= REPEATED_TICKS) return;
    for (const person of all) {
      const since = performers.includes(person) ? 0 : (this.#lit.get(person.slot)?.since ?? 0);
      if (person.movedAt < since) continue;
      judged.relevant++;
      if (turns === 1) this.#expectFresh(watcher, person);
      // Who missed a frame has missed turns.
      else if (this.#steady.has(watcher)) this.#expectSoon(watcher, person, turns + 1);
    }
  }

  #judgeFollowed(watcher: Watcher): void {
    const follows = this.#follows.get(watcher) ?? [];
    const { config, replica } = this.room;
    const fit = Math.floor((config.followedBytesPerSecond / replica.tickHz - 5) / 16);
    const turns = Math.ceil(follows.length / fit);
    for (const person of follows) {
      judged.followed++;
      if (turns === 1) this.#expectFresh(watcher, person);
      else this.#expectSoon(watcher, person, turns);
    }
  }

  #judgeNear(watcher: Watcher): void {
    const { focusM, cellHysteresisM } = this.room.config;
    const { cell } = watcher.viewer;
    const { relevant, turn } = this.reserved;
    const isRival = ({ x, z }: Person): boolean =>
      distanceToCell2(cell, x, z, cellHysteresisM) <= (focusM + 0.01) ** 2;
    if (this.room.people.filter(isRival).length > this.rowsMax - relevant - turn) return;
    for (const person of this.room.people) {
      if (person.movedAt !== watcher.tick) continue;
      if (this.room.apart(watcher.person, person) > focusM) continue;
      judged.near++;
      this.#expectFresh(watcher, person);
    }
  }

  #judgeFar(watcher: Watcher): void {
    if (watcher.frames <= this.round) return;
    for (const { slot } of this.room.people) {
      judged.far++;
      const unseen = watcher.frames - (watcher.seenIn.get(slot) ?? 0);
      must(unseen <= this.round, () => `${unseen} frames without ${slot}, of ${this.round}`);
    }
  }

  #expectFresh(watcher: Watcher, { slot }: Person): void {
    const { tick } = watcher;
    must(watcher.isFresh(slot), () => `${slot} is old for ${watcher.person.slot} at ${tick}`);
  }

  #expectSoon(watcher: Watcher, person: Person, frames: number): void {
    const key = `${watcher.person.slot} ${person.slot} ${frames}`;
    const stale = watcher.isFresh(person.slot) ? 0 : (this.#stale.get(key) ?? 0) + 1;
    this.#stale.set(key, stale);
    judged.turns++;
    must(stale <= frames, () => `${stale} frames of ${frames} in which ${key} is old`);
  }
}

describe("what people see of each other", () => {
  it("[GW35] [GW56] [GW57] [GW59] is what is promised, in any crowd", () => {
    fc.assert(
      fc.property(shows, (show) => new Rehearsal(show).run()),
      { numRuns: 40 },
    );
    for (const [promise, times] of Object.entries(judged))
      expect(times, promise).toBeGreaterThan(100);
  });
});
