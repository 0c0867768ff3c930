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
}

/** What a gateway makes of a command that its sender may not send; refused as `muted`. */
export const GAGGED = "event.gagged";

/** Undefined where the state is that of a room which is no event's stage. */
export function EVENT_PUBLIC(state: unknown): EventPublic | undefined {
  const event = (state as { readonly event?: EventPublic } | null)?.event;
  if (typeof event !== "object" || event === null) return undefined;
  const { phase, bans, mutes, kicks, reactions, speech } = event;
  const lists = [bans, mutes, kicks, reactions, speech];
  const whole = PHASES.includes(phase) && lists.every(isRecord);
  return whole ? event : undefined;
}

const isRecord = (value: unknown): boolean => typeof value === "object" && value !== null;

/** In force at `at`, room time. */
export const inForce = (ban: Ban | undefined, at: number): boolean =>
  ban !== undefined && (ban.until === null || at < ban.until);
