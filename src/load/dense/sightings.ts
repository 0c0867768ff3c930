import {
  AWAY_FLAG,
  ROW_WORDS,
  rowGeneration,
  rowSlot,
  rowX,
  rowZ,
} from "../../protocol/pose-row.ts";
import { EDGE_M, type InterestPromise } from "./promise.ts";
import { readStamp } from "./stamp.ts";

/** Animations of the demo's world, as walkers have them: see walker.ts. */
const IDLE = 0;
const NEVER = -1;

/** Somebody in the room, as one onlooker sees them. */
interface Sight {
  readonly generation: number;
  readonly beacon: boolean;
  /** Of the view clock. */
  seenAt: number;
  /** Since when they were found in focus each time; NEVER while they are not. */
  nearSince: number;
  stamp: number;
  x: number;
  z: number;
  /** Sends a pose that differs at least ten times a second. */
  moving: boolean;
  /** Its lateness was told. */
  told: boolean;
}

export interface SightingSink {
  /** A beacon's pose was seen for the first time. */
  fresh(stamp: number, near: boolean): void;
  /** A row came `gapMs` after the one before it: of somebody who moves in focus, or of anybody. */
  seen(gapMs: number, near: boolean): void;
  /** Somebody was not seen for longer than promised; once for each such time. */
  late(how: "stale_focus" | "stale_far", detail: string): void;
}

interface Place {
  readonly x: number;
  readonly z: number;
}

/** When one onlooker saw everybody, and whether that is what was promised. */
export class Sightings {
  readonly #promise: InterestPromise;
  readonly #sink: SightingSink;
  readonly #sights = new Map<number, Sight>();
  #near: { readonly distance: number; readonly sight: Sight }[] = [];

  constructor(promise: InterestPromise, sink: SightingSink) {
    this.#promise = promise;
    this.#sink = sink;
  }

  get count(): number {
    return this.#sights.size;
  }

  clear(): void {
    this.#sights.clear();
  }

  enter(slot: number, generation: number, beacon: boolean): void {
    const fresh = { seenAt: NEVER, nearSince: NEVER, stamp: -1, x: 0, z: 0 };
    this.#sights.set(slot, { generation, beacon, ...fresh, moving: false, told: false });
  }

  leave(slot: number, generation: number): void {
    if (this.#sights.get(slot)?.generation === generation) this.#sights.delete(slot);
  }

  /** A change of owner, or silence that was told: what was promised begins anew. */
  excuse(now: number): void {
    for (const sight of this.#sights.values()) {
      if (sight.seenAt !== NEVER) sight.seenAt = now;
      sight.nearSince = NEVER;
    }
  }

  rows(words: Uint32Array, now: number, own: Place): void {
    const { farMs, focusM, slackMs } = this.#promise;
    for (let at = 0; at < words.length; at += ROW_WORDS) {
      const sight = this.#sights.get(rowSlot(words, at));
      // It may overtake the record of its member (PR22).
      if (sight === undefined || sight.generation !== rowGeneration(words, at)) continue;
      const [x, z] = [rowX(words, at), rowZ(words, at)];
      const near = Math.hypot(x - own.x, z - own.z) <= focusM;
      const gap = sight.seenAt === NEVER ? NEVER : now - sight.seenAt;
      const focused = near && sight.moving && sight.nearSince !== NEVER;
      if (gap >= 0) this.#sink.seen(gap, focused);
      if (gap > farMs + slackMs && !sight.told)
        this.#sink.late("stale_far", `${Math.round(gap)} ms`);
      sight.seenAt = now;
      sight.told = false;
      sight.x = x;
      sight.z = z;
      this.#content(sight, words, at, near);
    }
  }

  #content(sight: Sight, words: Uint32Array, at: number, near: boolean): void {
    const animation = (words[at] as number) >>> 24;
    const here = (animation & AWAY_FLAG) === 0;
    sight.moving = sight.beacon && here && animation !== IDLE;
    if (!sight.beacon) return;
    const stamp = readStamp(words, at);
    if (stamp === sight.stamp) return;
    // The first one seen may have stood there for long.
    if (sight.stamp >= 0 && here) this.#sink.fresh(stamp, near);
    sight.stamp = stamp;
  }

  /** Looks for whom the promise is broken now; called some times a second. */
  sweep(now: number, own: Place): void {
    const { farMs, focusM, focusRowsMax, focusMs, slackMs } = this.#promise;
    this.#near = [];
    for (const sight of this.#sights.values()) {
      if (sight.seenAt === NEVER) continue;
      const distance = Math.hypot(sight.x - own.x, sight.z - own.z);
      if (distance <= focusM + EDGE_M) this.#near.push({ distance, sight });
      else sight.nearSince = NEVER;
      if (now - sight.seenAt > farMs + slackMs) this.#late(sight, "stale_far", now, distance);
    }
    this.#near.sort((a, b) => a.distance - b.distance);
    for (const [rank, { distance, sight }] of this.#near.entries()) {
      // Half of the places are left to those whose order is about to change.
      const sure = distance <= focusM - EDGE_M && rank < Math.ceil(focusRowsMax / 2);
      if (!sure || !sight.moving) {
        sight.nearSince = NEVER;
        continue;
      }
      if (sight.nearSince === NEVER) sight.nearSince = now;
      const unseen = now - Math.max(sight.seenAt, sight.nearSince);
      if (unseen > focusMs + slackMs) this.#late(sight, "stale_focus", now, distance);
    }
  }

  #late(sight: Sight, how: "stale_focus" | "stale_far", now: number, distance: number): void {
    if (sight.told) return;
    sight.told = true;
    const unseen = Math.round(now - sight.seenAt);
    this.#sink.late(how, `${unseen} ms, ${distance.toFixed(1)} m away`);
  }
}
