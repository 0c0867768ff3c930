import { EPOCH_NONE } from "../src/kernel/epoch.ts";
import { encodeFrame } from "../src/protocol/frame.ts";
import { ROW_WORDS } from "../src/protocol/pose-row.ts";
import type { News } from "./news.ts";
import { preframe, runsOf } from "./preframe.ts";
import type { Replica } from "./replica.ts";
import type { Viewer } from "./viewer.ts";

/** Rows of a frame that rides: all of the stage's members, where they are no more than this. */
const ROWS_MAX = 57;
/** More messages than this do not ride. */
const MESSAGES_MAX = 128;
/** To whom a shard's frame brought the stage, it writes nothing for so many of its ticks, or */
const CARRIED_TICKS = 6;
/** for so many times what lay between that frame and the one before. */
const CARRIED_FRAMES = 1.5;

/** Where somebody watches a stage who sits in one of its shards. */
export interface Ride {
  readonly viewer: Viewer;
  readonly show: Show;
}

interface Made {
  readonly channel: number;
  readonly place: number;
  readonly told: "frame" | "news";
  readonly buffer: Buffer;
}

/**
 * What a stage shows to those who sit in its shards: it rides the frames of their shard, so that
 * they are written to once and not twice. Everybody on the stage is in it each time, because a
 * shard makes frames more rarely than a stage ticks, and rows are absolute; and it is one buffer
 * for all who have been told as much.
 */
export class Show {
  readonly #replica: Replica;
  readonly #news: News;
  readonly #words = new Uint32Array(ROWS_MAX * ROW_WORDS);
  /** Of one tick and one end of the news. Most viewers are told what the one before them is. */
  readonly #made: Made[] = [];
  #tick = -1;
  #end = -1;
  #epoch = EPOCH_NONE;
  /** Whose ticks come, and the first of them: each owner's begin anew. */
  #owner = EPOCH_NONE;
  #firstTick = 0;
  /** To whom the stage may have to write itself, since everybody was looked at last. */
  #unserved = new Set<Viewer>();
  #lookedAt = -1;

  constructor(replica: Replica, news: News) {
    this.#replica = replica;
    this.#news = news;
  }

  /**
   * What rides to this viewer, who counts as told; undefined where nothing does. `frameMs`: what
   * lies between two frames that it could ride.
   */
  carry(viewer: Viewer, frameMs: number): Buffer | undefined {
    const { tick } = this.#replica;
    if (!viewer.admitted || !this.#replica.ready) return undefined;
    if (!this.#rides(viewer)) {
      // The stage writes it at its next tick.
      viewer.carriedOf = this.#owner;
      viewer.carriedUntil = -1;
      this.#unserved.add(viewer);
      return undefined;
    }
    this.expectFrame(viewer, frameMs);
    // A frame of the same tick would be no newer, and one that says it is of an owner who has not
    // ticked yet would be newer than all that this owner will say.
    const told =
      viewer.shownTick === tick || this.#replica.epoch !== this.#owner ? "news" : "frame";
    if (told === "news" && viewer.place === this.#news.end) return undefined;
    const buffer = this.#bufferFor(viewer, told);
    viewer.place = this.#news.end;
    if (told === "frame") viewer.shownTick = tick;
    return buffer;
  }

  /** A frame that it can ride comes in `frameMs`; until then the stage writes nothing for it. */
  expectFrame(viewer: Viewer, frameMs: number): void {
    const { tick } = this.#replica;
    viewer.rideMs = frameMs;
    viewer.strayed = false;
    viewer.carriedOf = this.#owner;
    viewer.carriedTick = tick;
    viewer.carriedUntil = tick + this.#ticksFor(frameMs);
  }

  /** For so many ticks of the stage a frame that comes every `frameMs` is not late. */
  #ticksFor(frameMs: number): number {
    const ticks = Math.ceil((CARRIED_FRAMES * frameMs * this.#replica.tickHz) / 1000);
    return Math.max(CARRIED_TICKS, ticks);
  }

  /**
   * Whom the stage may have to write to at this tick. Thousands ride, so not each of them is looked
   * at each time: who is late is found a few ticks later.
   */
  due(viewers: Iterable<Viewer>): Iterable<Viewer> {
    const { epoch, tick } = this.#replica;
    if (epoch !== this.#owner) {
      this.#owner = epoch;
      this.#firstTick = tick;
    }
    const sinceTicks = tick - this.#lookedAt;
    if (sinceTicks >= 0 && sinceTicks < CARRIED_TICKS) return this.#unserved;
    this.#lookedAt = tick;
    this.#unserved = new Set();
    for (const viewer of viewers)
      if (viewer.strayed || !this.carries(viewer)) this.#unserved.add(viewer);
    return this.#unserved;
  }

  /**
   * True where a shard's frames bring it all there is. After another owner they do until the next
   * of them would be late: were the stage to write to everybody at its first tick, gateways would
   * have no time for those who have lost their shards.
   */
  carries({ carriedOf, carriedTick, carriedUntil, rideMs }: Viewer): boolean {
    const { tick } = this.#replica;
    if (carriedOf === this.#owner) return tick >= carriedTick && tick <= carriedUntil;
    return rideMs > 0 && tick - this.#firstTick <= this.#ticksFor(rideMs);
  }

  /**
   * The stage has written to it by itself. Where that was for what does not ride, once will do.
   * Where the shard is late it goes on, as often as the shard did: thousands lose their shards at
   * once, and a gateway that wrote each tick to all of them would be late for everybody else, whom
   * the stage would then write to as well.
   */
  wrote(viewer: Viewer): void {
    const { carriedUntil, rideMs } = viewer;
    const { tick, tickHz } = this.#replica;
    if (rideMs === 0) return;
    if (carriedUntil < 0) return this.expectFrame(viewer, rideMs);
    viewer.strayed = true;
    viewer.carriedOf = this.#owner;
    viewer.carriedTick = tick;
    viewer.carriedUntil = tick + Math.max(1, Math.round((rideMs * tickHz) / 1000)) - 1;
  }

  /** It has left the shard: what the stage has for it, the stage alone brings. */
  left(viewer: Viewer): void {
    viewer.rideMs = 0;
    viewer.carriedUntil = -1;
    this.#unserved.add(viewer);
  }

  /** What is one person's alone does not. */
  #rides(viewer: Viewer): boolean {
    const news = this.#news;
    const { outbox, place, preamble } = viewer;
    if (preamble.length > 0 || !outbox.empty || !news.reaches(place)) return false;
    if (news.end - place > MESSAGES_MAX) return false;
    return news.variant(place, viewer) === "";
  }

  #bufferFor(viewer: Viewer, told: "frame" | "news"): Buffer {
    const { channel, place } = viewer;
    const { at, epoch, index, tick } = this.#replica;
    const { end } = this.#news;
    if (tick !== this.#tick || end !== this.#end || epoch !== this.#epoch) this.#made.length = 0;
    this.#tick = tick;
    this.#end = end;
    this.#epoch = epoch;
    for (const made of this.#made)
      if (made.place === place && made.channel === channel && made.told === told)
        return made.buffer;
    const messages = this.#news.since(place, channel, viewer);
    const head = { channel, tick, at, epoch, index };
    // Of another owner a client has to hear before its first frame.
    const ahead = told === "news" || this.#news.hasEpochSince(place);
    const payloads = ahead ? runsOf(messages) : [];
    if (told === "frame")
      payloads.push(encodeFrame(head, this.#words, this.#gather(), ahead ? [] : messages));
    const buffer = preframe(...payloads);
    this.#made.push({ channel, place, told, buffer });
    return buffer;
  }

  /** Everybody's row; answers how many. */
  #gather(): number {
    const { rows, slots } = this.#replica;
    let count = 0;
    for (const slot of slots) {
      if (count === ROWS_MAX) break;
      if (!this.#replica.hasRow(slot)) continue;
      const from = slot * ROW_WORDS;
      this.#words.set(rows.subarray(from, from + ROW_WORDS), count++ * ROW_WORDS);
    }
    return count;
  }
}
