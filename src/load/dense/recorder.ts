import type { Summary } from "../percentiles.ts";
import type { FleetSecond } from "./fleet.ts";
import type { CoresByRole } from "./server-load.ts";
import { Tally } from "./tally.ts";

/** One second of a run, as its plots show it. */
export interface Second {
  readonly atS: number;
  readonly inRoom: number;
  readonly joins: number;
  readonly framesPerS: number;
  readonly bytesPerS: number;
  readonly posesPerS: number;
  readonly skipped: number;
  readonly frame: Pick<Summary, "p50" | "p99" | "p999">;
  readonly pose: Pick<Summary, "p50" | "p99" | "p999">;
  /** This side's own processes under `load`. */
  readonly cores: CoresByRole;
  readonly lagMs: number;
  /** Everybody is in, and what happens counts for the figures. */
  readonly steady: boolean;
}

/** Who was later than this with sending can not hold lateness against a gateway. */
const LAG_MS_MAX = 250;
/** A row may be told to be late this many seconds after its sender was. */
const LAG_COUNTS_S = 5;

/** Adds up the seconds of a run. */
export class Recorder {
  readonly seconds: Second[] = [];
  /** Everything, and what came while everybody was in. */
  readonly all = new Tally();
  readonly steady = new Tally();
  /** Rows that were late while this side was itself late: no finding. */
  unjudged = 0;
  #lags: readonly number[] = [];

  add(second: FleetSecond, tookMs: number, atS: number, cores: CoresByRole, steady: boolean): void {
    this.#excuse(second);
    const part = second.tally.part();
    this.all.add(part);
    if (steady) this.steady.add(part);
    const { counts, durations } = second.tally;
    const rate = (count: number): number => Math.round((count * 1_000) / tookMs);
    this.seconds.push({
      atS,
      inRoom: second.inRoom,
      joins: rate(counts.joined),
      framesPerS: rate(counts.frames),
      bytesPerS: rate(counts.frame_bytes),
      posesPerS: rate(counts.poses_sent),
      skipped: counts.ticks_skipped,
      frame: durations.frame.summary(),
      pose: durations.pose.summary(),
      cores: { ...cores, load: second.cpuMs / tookMs },
      lagMs: second.lagMs,
      steady,
    });
  }

  /** A row is late as well when its sender was, and it takes a while until that is told. */
  #excuse({ lagMs, tally }: FleetSecond): void {
    const { findings } = tally;
    this.#lags = [...this.#lags, lagMs].slice(-LAG_COUNTS_S);
    if (Math.max(...this.#lags) > LAG_MS_MAX) {
      this.unjudged += findings.stale_far + findings.stale_focus;
      findings.stale_far = 0;
      findings.stale_focus = 0;
      const judged = tally.details.filter((detail) => !detail.startsWith("stale_"));
      tally.details.splice(0, Number.POSITIVE_INFINITY, ...judged);
    }
  }
}
