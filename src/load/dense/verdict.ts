import type { ContentBreach, OnlookerSink } from "./onlooker.ts";
import { type SharedClock, stampAgeMs } from "./stamp.ts";
import type { Tally } from "./tally.ts";

/** Of the process, as far as what somebody saw is written down in it. */
export interface Court {
  readonly clock: SharedClock;
  readonly tally: Tally;
  /** False while clients come, and once they leave: then nobody's rows are late. */
  readonly judging: boolean;
}

/** Writes down what one onlooker saw, and how long its commands took. */
export class Verdict implements OnlookerSink {
  readonly #court: Court;
  readonly #person: string;
  readonly #sentMs = new Map<number, number>();

  constructor(court: Court, person: string) {
    this.#court = court;
    this.#person = person;
  }

  fresh(stamp: number, near: boolean): void {
    const { clock, tally } = this.#court;
    const { pose, pose_far } = tally.durations;
    (near ? pose : pose_far).record(Math.max(0, stampAgeMs(stamp, clock.now())));
  }

  seen(afterMs: number, near: boolean): void {
    const { focus_gap, row_gap } = this.#court.tally.durations;
    (near ? focus_gap : row_gap).record(Math.max(0, afterMs));
  }

  late(how: "stale_focus" | "stale_far", detail: string): void {
    if (this.#court.judging) this.#court.tally.found(how, `${this.#person}: ${detail}`);
  }

  breach(what: ContentBreach, detail: string): void {
    this.#court.tally.found(what, `${this.#person}: ${detail}`);
  }

  rowsSeen(count: number): void {
    this.#court.tally.counts.rows_decoded += count;
  }

  sent(seq: number, nowMs: number): void {
    this.#sentMs.set(seq, nowMs);
    this.#court.tally.counts.commands_sent++;
  }

  reply(seq: number, status: string): void {
    const { counts, durations } = this.#court.tally;
    const sentMs = this.#sentMs.get(seq);
    if (sentMs === undefined) return;
    this.#sentMs.delete(seq);
    durations.command.record(performance.now() - sentMs);
    if (status === "ok") counts.commands_answered++;
    else counts.commands_refused++;
  }
}
