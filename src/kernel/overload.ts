import type { Clock, Timer } from "./clock.ts";

/** How much longer than asked for the time between two ticks, or frames, becomes, step by step. */
export const STRETCHES = [1, 1.5, 2, 3, 4] as const;
const STEP_LAST = STRETCHES.length - 1;
const stretchAt = (step: number): number => STRETCHES[step] as number;

/** How a process's loop does. */
export interface LoopLoad {
  /** How much later than it was due a timer ran. */
  readonly latenessMs: number;
  /** Share of the last second or so that the loop spent running, 0 to 1. */
  readonly utilisation: number;
}

export interface OverloadLimits {
  /** From either on a loop is behind: what it has to do does not fit into its time. */
  readonly latenessMsMax: number;
  readonly utilisationMax: number;
  /**
   * There is time again where all that the loop does, done as often as one step back, would still
   * be below this: an upper bound, because much of it does not depend on ticks.
   */
  readonly utilisationBack: number;
  /** Behind for so long: a step is taken. Shorter: also what passes by itself is answered. */
  readonly behindMs: number;
  /** Time again for so long: a step back. Longer: rates stay low for longer than they have to. */
  readonly calmMs: number;
  /** Still time after that for so long: the next one. */
  readonly easeMs: number;
}

export const OVERLOAD_DEFAULTS: OverloadLimits = {
  latenessMsMax: 100,
  utilisationMax: 0.95,
  utilisationBack: 0.85,
  behindMs: 1_000,
  calmMs: 5_000,
  easeMs: 2_000,
};

/** After a step back that did not hold, the next one waits twice as long, to this often. */
const PATIENCE_MAX = 8;

export interface OverloadState {
  readonly step: number;
  readonly standing: "behind" | "calm" | "between";
  /** Since when, or since the last step. */
  readonly since: number;
  /** When the last step back was taken, if no step was since. */
  readonly easedAt: number;
  readonly patience: number;
}

export const NO_OVERLOAD: OverloadState = {
  step: 0,
  standing: "calm",
  since: Number.NEGATIVE_INFINITY,
  easedAt: Number.NEGATIVE_INFINITY,
  patience: 1,
};

/** One look at the loop. Between the bounds nothing changes, so that nothing swings. */
export function decideOverload(
  state: OverloadState,
  load: LoopLoad,
  now: number,
  limits: OverloadLimits,
): OverloadState {
  const standing = standingOf(state.step, load, limits);
  if (standing !== state.standing) return { ...state, standing, since: now };
  const forMs = now - state.since;
  if (standing === "behind" && forMs >= limits.behindMs && state.step < STEP_LAST) {
    const patience = patienceOf(state, now, limits);
    return {
      ...state,
      step: state.step + 1,
      since: now,
      easedAt: Number.NEGATIVE_INFINITY,
      patience,
    };
  }
  // A step back begins a spell of its own: where it is calm since then, it has held.
  const easing = state.since === state.easedAt;
  const calmMs = easing ? limits.easeMs : limits.calmMs * state.patience;
  if (standing === "calm" && forMs >= calmMs && state.step > 0)
    return { ...state, step: state.step - 1, since: now, easedAt: now };
  return state;
}

/** Of a step that is taken. Only the first after a step back tells whether that one has held. */
function patienceOf(state: OverloadState, now: number, { calmMs }: OverloadLimits): number {
  if (state.easedAt === Number.NEGATIVE_INFINITY) return state.patience;
  return now - state.easedAt < calmMs ? Math.min(PATIENCE_MAX, state.patience * 2) : 1;
}

function standingOf(
  step: number,
  { latenessMs, utilisation }: LoopLoad,
  limits: OverloadLimits,
): OverloadState["standing"] {
  if (latenessMs >= limits.latenessMsMax || utilisation >= limits.utilisationMax) return "behind";
  const faster = step > 0 ? stretchAt(step) / stretchAt(step - 1) : 1;
  const fits = utilisation * faster <= limits.utilisationBack;
  return fits && latenessMs < limits.latenessMsMax / 2 ? "calm" : "between";
}

const LOOK_MS = 250;

/** Looks at this process's loop, and says how much longer ticks or frames are to take. */
export class OverloadWatch {
  #state = NO_OVERLOAD;
  #dueAt: number;
  readonly #timer: Timer;

  /** `changed` hears of every step, with the stretch from then on. */
  constructor(
    clock: Clock,
    utilisation: () => number,
    changed: (stretch: number, load: LoopLoad) => void,
    limits: OverloadLimits,
  ) {
    this.#dueAt = clock.now() + LOOK_MS;
    this.#timer = clock.every(LOOK_MS, () => {
      const now = clock.now();
      const load = { latenessMs: Math.max(0, now - this.#dueAt), utilisation: utilisation() };
      this.#dueAt = Math.max(this.#dueAt + LOOK_MS, now);
      const before = this.stretch;
      this.#state = decideOverload(this.#state, load, now, limits);
      if (this.stretch !== before) changed(this.stretch, load);
    });
  }

  /** 1: as asked for. */
  get stretch(): number {
    return stretchAt(this.#state.step);
  }

  close(): void {
    this.#timer.cancel();
  }
}
