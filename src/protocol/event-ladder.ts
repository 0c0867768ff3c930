/**
 * The steps by which an event asks less of its servers, in this order; each holds with all before
 * it (DESIGN 9). Gateways carry them out, clients read which it is in the stage's state.
 */
export const LADDER = [
  "whole",
  "crowd_rate",
  "pose_rate",
  "visible_avatars",
  "ghost_seats",
  "slow_mode",
] as const;
export type Step = (typeof LADDER)[number];

/** What a step means. */
export interface Ease {
  /** How often people are told of the whole crowd. */
  readonly crowdMs: number;
  /** How much longer than its ticks the frames of a shard are apart, a second at most. */
  readonly frameStretch: number;
  /** Of a frame's bytes in a shard. */
  readonly frameShare: number;
  /** Newcomers see and are not seen. */
  readonly ghosts: boolean;
  /** Between two things that one person says; 0: as they like. */
  readonly slowMs: number;
}

export const WHOLE: Ease = {
  ...{ crowdMs: 900, frameStretch: 1, frameShare: 1, ghosts: false, slowMs: 0 },
};

const CHANGES: Readonly<Record<Step, Partial<Ease>>> = {
  whole: {},
  crowd_rate: { crowdMs: 4_900 },
  pose_rate: { frameStretch: 4 },
  visible_avatars: { frameShare: 0.5 },
  ghost_seats: { ghosts: true },
  slow_mode: { slowMs: 10_000 },
};

export function easeAt(step: Step): Ease {
  const steps = LADDER.slice(0, LADDER.indexOf(step) + 1);
  return Object.assign({}, WHOLE, ...steps.map((one) => CHANGES[one]));
}

/** The next step up (`by` 1) or down (-1); undefined at the ladder's end. */
export const stepFrom = (step: Step, by: 1 | -1): Step | undefined =>
  LADDER[LADDER.indexOf(step) + by];
