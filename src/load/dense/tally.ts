import { type ExportedPercentiles, Percentiles } from "../percentiles.ts";

/** What is counted, by the name that reports have. */
export const COUNTS = [
  "frames",
  "frame_bytes",
  "stage_frames",
  "frames_decoded",
  "rows_decoded",
  "other_payloads",
  "poses_sent",
  "poses_held",
  "joins_started",
  "joined",
  "cut_off",
  "returned",
  "ticks_skipped",
  "frames_after_gap",
  "epochs_risen",
  "suspended",
  "commands_sent",
  "commands_answered",
  "commands_refused",
] as const;
export type CountName = (typeof COUNTS)[number];

/** What a run must not find; one of any of them fails it. */
export const FINDINGS = [
  "frame_malformed",
  "channel_foreign",
  "epoch_stale",
  "tick_not_rising",
  "index_fell",
  "transport_broken",
  "payload_malformed",
  "record_missing",
  "snapshot_old",
  "reply_early",
  "reply_twice",
  "stale_focus",
  "stale_far",
] as const;
export type Finding = (typeof FINDINGS)[number];

/** Durations in ms, by the name that reports have. */
export const DURATIONS = [
  /** From the room's tick to the frame's arrival, of every frame. */
  "frame",
  /** The same of the frames of an event's stage, the wait for what they ride included. */
  "stage",
  /** From a pose's sending to its arrival at somebody near; waits for the room's tick included. */
  "pose",
  /** The same, at anybody further away. */
  "pose_far",
  /** Between two frames of one client. */
  "frame_gap",
  /** Between two rows of who walks in focus, and of anybody: room time of their frames. */
  "focus_gap",
  "row_gap",
  /** From dialling to being in. */
  "join",
  /** From the loss of a socket to being in again. */
  "absence",
  "command",
  /** From a ping to its pong, of those that decode. */
  "ping",
] as const;
export type DurationName = (typeof DURATIONS)[number];

/** What happened in a while, in a form that goes from process to process. */
export interface TallyPart {
  readonly counts: Readonly<Record<CountName, number>>;
  readonly findings: Readonly<Record<Finding, number>>;
  readonly durations: Readonly<Record<DurationName, ExportedPercentiles>>;
  /** By reason: joins that failed, and clients that were in and are not any more. */
  readonly failures: Readonly<Record<string, number>>;
  readonly losses: Readonly<Record<string, number>>;
  /** The first findings, in words. */
  readonly details: readonly string[];
}

const DETAILS_MAX = 20;

function zeros<K extends string>(names: readonly K[]): Record<K, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<K, number>;
}

function histograms(): Record<DurationName, Percentiles> {
  const made = DURATIONS.map((name) => [name, new Percentiles()]);
  return Object.fromEntries(made) as Record<DurationName, Percentiles>;
}

/** Counts, findings and durations of one process or of all. */
export class Tally {
  readonly counts = zeros(COUNTS);
  readonly findings = zeros(FINDINGS);
  readonly durations = histograms();
  readonly failures = new Map<string, number>();
  readonly losses = new Map<string, number>();
  readonly details: string[] = [];

  found(what: Finding, detail: string): void {
    this.findings[what]++;
    if (this.details.length < DETAILS_MAX) this.details.push(`${what}: ${detail}`);
  }

  add(part: TallyPart): void {
    for (const name of COUNTS) this.counts[name] += part.counts[name];
    for (const name of FINDINGS) this.findings[name] += part.findings[name];
    for (const name of DURATIONS) this.durations[name].absorb(part.durations[name]);
    for (const [why, count] of Object.entries(part.failures)) raise(this.failures, why, count);
    for (const [why, count] of Object.entries(part.losses)) raise(this.losses, why, count);
    this.details.push(...part.details.slice(0, DETAILS_MAX - this.details.length));
  }

  part(): TallyPart {
    const durations = DURATIONS.map((name) => [name, this.durations[name].exported()]);
    return {
      counts: { ...this.counts },
      findings: { ...this.findings },
      durations: Object.fromEntries(durations) as TallyPart["durations"],
      failures: Object.fromEntries(this.failures),
      losses: Object.fromEntries(this.losses),
      details: this.details,
    };
  }
}

export function raise(counts: Map<string, number>, key: string, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}
