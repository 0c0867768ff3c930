import {
  AWAY_FLAG,
  ROW_WORDS,
  rowGeneration,
  rowSlot,
  rowX,
  rowZ,
} from "../../protocol/pose-row.ts";
import { type Allowed, allowedIn, EDGE_M, type InterestPromise, SHARED_VIEW_M } from "./promise.ts";
import { readStamp } from "./stamp.ts";

/** An animation of the demo's world, as walkers have it: see walker.ts. */
const IDLE = 0;
const NEVER = -1;

/** Somebody in the room, as one onlooker sees them. Times are numbers of frames. */
interface Sight {
  readonly generation: number;
  readonly beacon: boolean;
  readonly performer: boolean;
  seenAt: number;
  /** In room time; NEVER where the time since then tells nothing of the room. */
  seenAtMs: number;
  /** Since when they were found in focus each time; NEVER while they are not. */
  nearSince: number;
  stamp: number;
  x: number;
  z: number;
  walking: boolean;
  /** How far away, when that was last looked at. */
  distance: number;
  /** Their lateness was told. */
  told: boolean;
}

export interface SightingSink {
  /** A beacon's pose was seen for the first time. */
  fresh(stamp: number, near: boolean): void;
  /** A row came so much room time after the one before: of who walks in focus, or of anybody. */
  seen(afterMs: number, near: boolean): void;
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
  /** Until the room's own rate is told. */
  tickHz = 1;

  constructor(promise: InterestPromise, sink: SightingSink) {
    this.#promise = promise;
    this.#sink = sink;
  }

  clear(): void {
    this.#sights.clear();
  }

  enter(
    slot: number,
    generation: number,
    who: { readonly beacon: boolean; readonly performer: boolean },
  ): void {
    const fresh = {
      seenAt: NEVER,
      seenAtMs: NEVER,
      nearSince: NEVER,
      stamp: NEVER,
      x: 0,
      z: 0,
      distance: 0,
    };
    this.#sights.set(slot, { generation, ...who, ...fresh, walking: false, told: false });
  }

  leave(slot: number, generation: number): void {
    if (this.#sights.get(slot)?.generation === generation) this.#sights.delete(slot);
  }

  /** A change of owner, or a silence that was told: what was promised begins anew. */
  excuse(frame: number): void {
    for (const sight of this.#sights.values()) {
      if (sight.seenAt !== NEVER) sight.seenAt = frame;
      sight.seenAtMs = NEVER;
      sight.nearSince = NEVER;
    }
  }

  /** `atMs`: the room's time of that frame. Ticks may be further apart than `tickHz` says. */
  rows(words: Uint32Array, frame: number, atMs: number, own: Place): void {
    for (let at = 0; at < words.length; at += ROW_WORDS) {
      const sight = this.#sights.get(rowSlot(words, at));
      // It may overtake the record of its member (PR22).
      if (sight === undefined || sight.generation !== rowGeneration(words, at)) continue;
      if (sight.seenAtMs !== NEVER)
        this.#sink.seen(atMs - sight.seenAtMs, sight.walking && sight.nearSince !== NEVER);
      sight.seenAt = frame;
      sight.seenAtMs = atMs;
      sight.told = false;
      sight.x = rowX(words, at);
      sight.z = rowZ(words, at);
      const animation = (words[at] as number) >>> 24;
      sight.walking = animation !== IDLE && (animation & AWAY_FLAG) === 0;
      if (sight.beacon) this.#content(sight, readStamp(words, at), own);
    }
  }

  #content(sight: Sight, stamp: number, own: Place): void {
    if (stamp === sight.stamp) return;
    const near = Math.hypot(sight.x - own.x, sight.z - own.z) <= this.#promise.focusM;
    // The first one that is seen may have stood there for long.
    if (sight.stamp !== NEVER) this.#sink.fresh(stamp, near);
    sight.stamp = stamp;
  }

  /** Looks for whom the promise is broken now; called some times a second. */
  sweep(frame: number, own: Place): void {
    let movers = 0;
    let performers = 0;
    for (const sight of this.#sights.values()) {
      if (sight.performer) performers++;
      if (sight.seenAt === NEVER) continue;
      sight.distance = Math.hypot(sight.x - own.x, sight.z - own.z);
      if (sight.walking && sight.distance <= this.#promise.focusM + SHARED_VIEW_M) movers++;
    }
    const { tickHz } = this;
    const allowed = allowedIn(this.#promise, { members: this.#sights.size, performers, tickHz });
    for (const sight of this.#sights.values())
      if (sight.seenAt !== NEVER) this.#judge(sight, frame, allowed, movers);
  }

  #judge(sight: Sight, frame: number, allowed: Allowed, movers: number): void {
    const unseen = frame - sight.seenAt;
    if (unseen > allowed.far) this.#late(sight, "stale_far", unseen);
    // Only of beacons is it known that each of their poses is another one.
    const near = sight.beacon && sight.walking && sight.distance <= this.#promise.focusM - EDGE_M;
    if (!near) sight.nearSince = NEVER;
    else if (sight.nearSince === NEVER) sight.nearSince = frame;
    else if (frame - Math.max(sight.seenAt, sight.nearSince) > allowed.focus(movers))
      this.#late(sight, "stale_focus", unseen);
  }

  #late(sight: Sight, how: "stale_focus" | "stale_far", unseen: number): void {
    if (sight.told) return;
    sight.told = true;
    this.#sink.late(how, `not seen for ${unseen} frames, ${sight.distance.toFixed(1)} m away`);
  }
}
