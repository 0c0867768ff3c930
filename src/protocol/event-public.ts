import { LADDER, type Step } from "./event-ladder.ts";

/** What an event goes through, in this order and never back. */
export const PHASES = ["scheduled", "doors_open", "live", "ending", "closed"] as const;
export type Phase = (typeof PHASES)[number];

/** Who may not come in, or not speak. `until`: room time; null is for good. */
export interface Ban {
  readonly until: number | null;
  readonly why: string;
}

/** Kinds of reactions that an event counts. */
export const REACTIONS_MAX = 16;

/** What gateways and clients read of an event in its stage's public state, under `event`. */
export interface EventPublic {
  readonly phase: Phase;
  readonly bans: Readonly<Record<string, Ban>>;
  readonly mutes: Readonly<Record<string, Ban>>;
  readonly kicks: Readonly<Record<string, number>>;
  /** Names of signals that are counted. */
  readonly reactions: readonly string[];
  /** Names of the commands and signals that who is muted may not send. */
  readonly speech: readonly string[];
  /** How much is asked of the servers just now, and who said so. */
  readonly ladder: { readonly step: Step; readonly by: "load" | "operator" };
  /** Between two things that one person of the audience says, in ms; 0: as they like. */
  readonly slowMs: number;
  /** The same for single persons, where that is more. */
  readonly slows: Readonly<Record<string, number>>;
}

/** Why somebody may not say something now: the status that the command is refused with. */
export const SILENCED = ["muted", "slow_mode"] as const;
export type Silenced = (typeof SILENCED)[number];

/** Undefined where the state is that of a room which is no event's stage. */
export function EVENT_PUBLIC(state: unknown): EventPublic | undefined {
  const event = (state as { readonly event?: EventPublic } | null)?.event;
  if (typeof event !== "object" || event === null) return undefined;
  const { phase, bans, mutes, kicks, reactions, speech, ladder, slows } = event;
  const lists = [bans, mutes, kicks, reactions, speech, ladder, slows];
  const whole = PHASES.includes(phase) && lists.every(isRecord);
  return whole && LADDER.includes(ladder.step) ? event : undefined;
}

const isRecord = (value: unknown): boolean => typeof value === "object" && value !== null;

/** In force at `at`, room time. */
export const inForce = (ban: Ban | undefined, at: number): boolean =>
  ban !== undefined && (ban.until === null || at < ban.until);
