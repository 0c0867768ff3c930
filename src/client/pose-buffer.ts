import { AWAY_FLAG, type Pose, ROW_WORDS, unpackRow } from "../protocol/pose-row.ts";
import type { ClientLimits } from "./limits.ts";

const SAMPLES_MAX = 16;
/** Somebody stood still between rows that are this far apart, or further than frames are. */
const STILL_MS = 600;
/** Weight of one interval in the running mean: of rows, of which a frame may have many. */
const INTERVAL_WEIGHT = 1 / 32;
const FRAME_WEIGHT = 1 / 4;
/** Of the slowest tier. Whatever is further apart than that was a silence. */
const FRAME_MS_MAX = 1_000;

export interface ShownPose {
  readonly pose: Pose;
  readonly away: boolean;
}

type BufferLimits = Pick<
  ClientLimits,
  "extrapolateMsMax" | "snapMetres" | "bufferIntervals" | "bufferMsMax"
>;
interface ShowLimits extends BufferLimits {
  /** Rows further apart than this are of somebody who stood still in between. */
  stillMs: number;
}

/** The last rows of one member, kept as words: they are unpacked only when drawn. */
class Track {
  readonly generation: number;
  readonly #times = new Float64Array(SAMPLES_MAX);
  readonly #rows = new Uint32Array(SAMPLES_MAX * ROW_WORDS);
  #count = 0;
  #next = 0;
  /** The row before the newest was only made up, so the two tell no speed. */
  #rested = false;

  constructor(generation: number) {
    this.generation = generation;
  }

  get newestMs(): number {
    return this.#count === 0 ? Number.NEGATIVE_INFINITY : this.#time(0);
  }

  push(atMs: number, words: Uint32Array, at: number): void {
    this.#rested = false;
    this.#put(atMs, words, at);
  }

  /** Says that the newest row still held at `heldMs`, just before this one. */
  pushAfterRest(heldMs: number, atMs: number, words: Uint32Array, at: number): void {
    this.#put(heldMs, this.#rows, this.#slotOf(0) * ROW_WORDS);
    this.#put(atMs, words, at);
    this.#rested = true;
  }

  #put(atMs: number, words: Uint32Array, at: number): void {
    this.#times[this.#next] = atMs;
    this.#rows.set(words.subarray(at, at + ROW_WORDS), this.#next * ROW_WORDS);
    this.#next = (this.#next + 1) % SAMPLES_MAX;
    this.#count = Math.min(this.#count + 1, SAMPLES_MAX);
  }

  show(atMs: number, movingUntilMs: number, limits: ShowLimits): ShownPose | undefined {
    if (this.#count === 0) return undefined;
    let later = 0;
    while (later + 1 < this.#count && this.#time(later) > atMs) later++;
    // `later` is now the newest sample at or before the moment, or the oldest there is.
    const from = this.#unpack(later);
    if (this.#time(later) > atMs) return shown(from, from, 0);
    if (later > 0) {
      const to = this.#unpack(later - 1);
      const share = (atMs - this.#time(later)) / (this.#time(later - 1) - this.#time(later));
      return apart(from, to) > limits.snapMetres ? shown(from, from, 0) : shown(from, to, share);
    }
    return this.#extrapolate(from, atMs, movingUntilMs, limits);
  }

  /** Beyond the newest row: on as before for a moment, unless a later frame says they stopped. */
  #extrapolate(newest: Pose, atMs: number, movingUntilMs: number, limits: ShowLimits): ShownPose {
    if (this.#count < 2 || this.#rested) return shown(newest, newest, 0);
    const before = this.#unpack(1);
    const intervalMs = this.#time(0) - this.#time(1);
    const still = movingUntilMs < atMs || intervalMs <= 0 || intervalMs > limits.stillMs;
    if (still || apart(before, newest) > limits.snapMetres) return shown(newest, newest, 0);
    const aheadMs = Math.min(atMs - this.#time(0), limits.extrapolateMsMax);
    const share = aheadMs / intervalMs;
    const ahead: Pose = {
      ...newest,
      x: newest.x + (newest.x - before.x) * share,
      y: newest.y + (newest.y - before.y) * share,
      z: newest.z + (newest.z - before.z) * share,
    };
    return shown(ahead, ahead, 0);
  }

  #slotOf(age: number): number {
    return (this.#next - 1 - age + 2 * SAMPLES_MAX) % SAMPLES_MAX;
  }
  #time(age: number): number {
    return this.#times[this.#slotOf(age)] as number;
  }
  #unpack(age: number): Pose {
    return unpackRow(this.#rows, this.#slotOf(age) * ROW_WORDS);
  }
}

/**
 * Where everybody was, for drawing them a little in the past, between two rows. Rows come only of
 * those who moved, in whatever rhythm the gateway chose for this client, so the buffer follows the
 * rhythm that it sees.
 */
export class PoseBuffer {
  readonly #limits: ShowLimits;
  readonly #tracks = new Map<number, Track>();
  #intervalMs = 0;
  /** Between two frames: how often the room ticks now, and how many of its ticks are sent here. */
  #frameMs = 0;
  #newestFrameMs = Number.NEGATIVE_INFINITY;

  constructor(limits: BufferLimits) {
    this.#limits = { ...limits, stillMs: STILL_MS };
  }

  /** How far in the past to draw, so that there mostly is a row on either side. */
  delayMs(tickMs: number, jitterMs: number): number {
    const intervalMs = Math.max(tickMs, this.#intervalMs, this.#frameMs);
    const wantedMs = intervalMs * this.#limits.bufferIntervals + jitterMs;
    return Math.min(wantedMs, this.#limits.bufferMsMax);
  }

  frame(atMs: number): void {
    const gapMs = Math.min(atMs - this.#newestFrameMs, FRAME_MS_MAX);
    const first = this.#newestFrameMs === Number.NEGATIVE_INFINITY;
    if (!first && gapMs > 0) this.#frameMs += (gapMs - this.#frameMs) * FRAME_WEIGHT;
    this.#limits.stillMs = Math.max(STILL_MS, 1.5 * this.#frameMs);
    this.#newestFrameMs = Math.max(this.#newestFrameMs, atMs);
  }

  add(slot: number, generation: number, atMs: number, words: Uint32Array, at: number): void {
    let track = this.#tracks.get(slot);
    if (track?.generation !== generation) {
      track = new Track(generation);
      this.#tracks.set(slot, track);
    }
    const gapMs = atMs - track.newestMs;
    if (gapMs <= 0) return;
    if (gapMs <= this.#limits.stillMs) {
      const first = this.#intervalMs === 0;
      this.#intervalMs += (gapMs - this.#intervalMs) * (first ? 1 : INTERVAL_WEIGHT);
    } else if (gapMs < Number.POSITIVE_INFINITY) {
      // They stood there until just now: without this they would seem to have crept all the time.
      const heldMs = atMs - Math.min(gapMs, this.#intervalMs || STILL_MS / 4);
      return track.pushAfterRest(heldMs, atMs, words, at);
    }
    track.push(atMs, words, at);
  }

  remove(slot: number, generation: number): void {
    if (this.#tracks.get(slot)?.generation === generation) this.#tracks.delete(slot);
  }

  show(slot: number, generation: number, atMs: number): ShownPose | undefined {
    const track = this.#tracks.get(slot);
    if (track === undefined || track.generation !== generation) return undefined;
    // Two intervals without a row, while frames go on, mean that they stopped.
    const intervalMs = Math.max(this.#intervalMs, this.#frameMs);
    const silent = this.#newestFrameMs - track.newestMs > 2.5 * intervalMs;
    const movingUntilMs = silent ? track.newestMs : Number.POSITIVE_INFINITY;
    return track.show(atMs, movingUntilMs, this.#limits);
  }
}

const apart = (a: Pose, b: Pose): number => Math.hypot(a.x - b.x, a.y - b.y, a.z - b.z);
const mix = (a: number, b: number, share: number): number => a + (b - a) * share;

function mixTurn(a: number, b: number, share: number): number {
  const turn = Math.PI * 2;
  const shortest = ((((b - a + Math.PI) % turn) + turn) % turn) - Math.PI;
  const mixed = a + shortest * share;
  return mixed > Math.PI ? mixed - turn : mixed < -Math.PI ? mixed + turn : mixed;
}

function shown(from: Pose, to: Pose, share: number): ShownPose {
  const away = (from.animation & AWAY_FLAG) !== 0;
  const animation = from.animation & ~AWAY_FLAG;
  if (share === 0) return { pose: { ...from, animation }, away };
  return {
    pose: {
      x: mix(from.x, to.x, share),
      y: mix(from.y, to.y, share),
      z: mix(from.z, to.z, share),
      yaw: mixTurn(from.yaw, to.yaw, share),
      pitch: mix(from.pitch, to.pitch, share),
      reach: [
        mix(from.reach[0], to.reach[0], share),
        mix(from.reach[1], to.reach[1], share),
        mix(from.reach[2], to.reach[2], share),
      ],
      animation,
    },
    away,
  };
}
