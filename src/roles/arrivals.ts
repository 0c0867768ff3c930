import type { CrowdReport } from "../load/crowd.ts";

/** A crowd, as far as it is watched whether anybody comes in. */
export interface Arriving {
  /** All have tried. */
  readonly ready: boolean;
  /** Who has ever come in. */
  readonly bots: readonly unknown[];
  progress(): Pick<CrowdReport, "failures">;
}

/** One bot is told by then that no gateway answers, or that its room stays away. */
export const NOBODY_MS_MAX = 60_000;
/** More are not told: causes may have something of each person in them. */
const CAUSES_MAX = 32;

/** Tells each cause for which somebody does not come in once, and whether anybody does. */
export class Arrivals {
  readonly #tell: (cause: string) => void;
  readonly #told = new Set<string>();

  constructor(tell: (cause: string) => void) {
    this.#tell = tell;
  }

  /** Also of an attempt that will be repeated. */
  failed(cause: string): void {
    // What the SDK gives up with ends in what the last attempt has told.
    if ([...this.#told].some((told) => cause.includes(told))) return;
    if (this.#told.size >= CAUSES_MAX) return;
    this.#told.add(cause);
    this.#tell(cause);
  }

  /** `forMs`: since the crowds began. */
  look(crowds: readonly Arriving[], forMs: number): "coming" | "in" | "nobody" {
    for (const crowd of crowds)
      for (const cause of Object.keys(crowd.progress().failures)) this.failed(cause);
    if (crowds.some(({ bots }) => bots.length > 0)) return "in";
    const over = forMs >= NOBODY_MS_MAX || crowds.every(({ ready }) => ready);
    return over ? "nobody" : "coming";
  }
}
