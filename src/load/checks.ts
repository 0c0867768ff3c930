import type { FrameHeadline } from "../client/room-events.ts";
import { Percentiles, type Summary } from "./percentiles.ts";
import type { Effect } from "./world-script.ts";

/** What bots found. All of the first block is zero in a cluster that keeps its promise. */
export interface CheckReport {
  /** Acknowledged, but the effect never showed. */
  readonly lost: number;
  /** An effect that showed more often than it was asked for. */
  readonly doubled: number;
  /** Refused, and yet the effect showed. */
  readonly ghosts: number;
  /** A gateway sent a lower epoch, tick or index after a higher one, on one attach. */
  readonly regressed: number;
  /** Memberships that ended although nobody asked for it. */
  readonly ended: number;

  /** Acknowledged around a snapshot, which hides what happened before it. */
  readonly unverified: number;
  /** Commands whose outcome nobody will know: the membership ended first. */
  readonly unknown: number;
  /** Frames that the SDK dropped as old; after a change of gateways that is in order. */
  readonly fenced: number;
  readonly holes: number;
  readonly frames: number;
  /** Acknowledged. */
  readonly commands: number;
  readonly refused: number;
  readonly signals: number;
  readonly reconnects: number;
  /** From the call to the promise: journaled and visible. */
  readonly latency: Summary;
  /** Between two accepted frames: how long the world stood still. */
  readonly frameGap: Summary;
}

export type CheckCounts = {
  -readonly [K in keyof Omit<CheckReport, "latency" | "frameGap">]: number;
};

const zeroes = (): CheckCounts => ({
  lost: 0,
  doubled: 0,
  ghosts: 0,
  regressed: 0,
  ended: 0,
  unverified: 0,
  unknown: 0,
  fenced: 0,
  holes: 0,
  frames: 0,
  commands: 0,
  refused: 0,
  signals: 0,
  reconnects: 0,
});

/** Counts that can be summed over bots and over processes of bots. */
export class Checks {
  readonly counts = zeroes();
  readonly latency = new Percentiles();
  readonly frameGap = new Percentiles();

  /** Counts alone: merging durations of hundreds of bots takes milliseconds. */
  add(counts: CheckCounts): void {
    for (const name of Object.keys(this.counts) as (keyof CheckCounts)[])
      this.counts[name] += counts[name];
  }

  merge(other: Checks): void {
    this.add(other.counts);
    this.latency.merge(other.latency);
    this.frameGap.merge(other.frameGap);
  }

  report(): CheckReport {
    const latency = this.latency.summary();
    return { ...this.counts, latency, frameGap: this.frameGap.summary() };
  }
}

/** Told of each thing that is wrong, as it is found. */
export type Finder = (
  what: "lost" | "doubled" | "ghost" | "regressed" | "ended",
  detail: string,
) => void;

interface Tally {
  issued: number;
  acked: number;
  /** May or may not have taken effect: no reply yet, or none ever. */
  open: number;
  seen: number;
  /** A snapshot came while it was open: it may have taken effect unseen. */
  blurred: number;
  readonly own: boolean;
}
const TALLIES_MAX = 8_192;

/** Compares what was asked for with what shows, by effect key. */
export class EffectChecker {
  readonly #counts: CheckCounts;
  readonly #found: Finder | undefined;
  readonly #tallies = new Map<string, Tally>();

  constructor(counts: CheckCounts, found?: Finder) {
    this.#counts = counts;
    this.#found = found;
  }

  issued(key: string): void {
    const tally = this.#tally(key, true);
    tally.issued++;
    tally.open++;
  }

  /**
   * Its promise has resolved, which it does once the effect is visible; or because the room ended
   * between the reply and the record, after which nothing can be seen.
   */
  acked(key: string, ended: boolean): void {
    const tally = this.#tally(key, true);
    tally.open--;
    tally.acked++;
    this.#counts.commands++;
    tally.blurred = Math.min(tally.blurred, tally.open + 1);
    if (tally.seen >= tally.acked) return;
    if (tally.blurred > 0 || ended) {
      tally.blurred = Math.max(0, tally.blurred - 1);
      tally.seen++;
      this.#counts.unverified++;
    } else {
      // Counted once; seen is raised so that the next one is judged on its own.
      tally.seen++;
      this.#counts.lost++;
      this.#found?.("lost", key);
    }
  }

  refused(key: string): void {
    const tally = this.#tally(key, true);
    tally.open--;
    tally.issued--;
    this.#counts.refused++;
    if (tally.seen > tally.issued) {
      tally.seen--;
      this.#counts.ghosts++;
      this.#found?.("ghost", key);
    }
  }

  /** No outcome will ever be known, so it may show once or not at all. */
  unknown(key: string): void {
    this.#tally(key, true).open--;
    this.#counts.unknown++;
  }

  seen({ key, unique }: Effect): void {
    const known = this.#tallies.get(key);
    // Others' effects tell something only if nobody can ask for the same twice.
    if (known === undefined && !unique) return;
    const tally = known ?? this.#tally(key, false);
    tally.seen++;
    if (tally.seen <= (tally.own ? tally.issued : 1)) return;
    tally.seen--;
    this.#counts.doubled++;
    this.#found?.("doubled", key);
  }

  /** The state was replaced: what happened in between did not show. */
  snapshot(): void {
    for (const tally of this.#tallies.values()) tally.blurred = tally.open;
  }

  #tally(key: string, own: boolean): Tally {
    let tally = this.#tallies.get(key);
    if (tally?.own === own || tally?.own) return tally;
    tally = { issued: 0, acked: 0, open: 0, seen: 0, blurred: 0, own };
    this.#tallies.set(key, tally);
    if (this.#tallies.size > TALLIES_MAX) this.#forget();
    return tally;
  }

  /** The oldest that nobody waits for; a repeat of it would go unnoticed from here on. */
  #forget(): void {
    for (const [key, { open }] of this.#tallies) {
      if (open > 0) continue;
      this.#tallies.delete(key);
      return;
    }
  }
}

/** Looks at what frames say of themselves, before the SDK has filtered anything. */
export class FrameChecker {
  readonly #counts: CheckCounts;
  readonly #gap: Percentiles;
  readonly #found: Finder | undefined;
  #last: FrameHeadline | undefined;
  #acceptedMs: number | undefined;

  constructor(counts: CheckCounts, gap: Percentiles, found?: Finder) {
    this.#counts = counts;
    this.#gap = gap;
    this.#found = found;
  }

  frame(frame: FrameHeadline, nowMs: number): void {
    this.#counts.frames++;
    if (!frame.accepted) this.#counts.fenced++;
    else {
      if (this.#acceptedMs !== undefined) this.#gap.record(nowMs - this.#acceptedMs);
      this.#acceptedMs = nowMs;
    }
    const before = this.#last;
    this.#last = frame;
    if (before === undefined || before.attach !== frame.attach) return;
    const sameOwner = frame.epoch === before.epoch;
    const back = frame.epoch < before.epoch || (sameOwner && frame.tick <= before.tick);
    if (!back && !(sameOwner && frame.index < before.index)) return;
    this.#counts.regressed++;
    this.#found?.("regressed", `${JSON.stringify(before)} then ${JSON.stringify(frame)}`);
  }
}
