import { z } from "zod";
import type { Step } from "../../src/protocol/event-ladder.ts";
import { type Ban, inForce, PHASES, type Phase } from "../../src/protocol/event-public.ts";
import { EVENT_LIMITS, type EventSpec, specFault } from "../../src/protocol/event-spec.ts";

const BANNED_MAX = 2_048;
const KICKS_MAX = 64;

const whole = (min: number, max: number) => z.number().int().min(min).max(max);
const MOMENT = whole(0, EVENT_LIMITS.momentMax).nullable();

/** Checked as a whole: an operator's word and staff's come here alike. */
export const EVENT_SPEC: z.ZodType<EventSpec> = z
  .strictObject({
    capacity: whole(1, EVENT_LIMITS.capacityMax),
    shardSize: whole(1, EVENT_LIMITS.shardSizeMax),
    admitPerS: z.number().min(1).max(EVENT_LIMITS.admitPerSMax),
    doorsAt: MOMENT,
    startsAt: MOMENT,
    endsAt: MOMENT,
    arrivals: z
      .array(
        z.strictObject({
          afterMs: whole(1, EVENT_LIMITS.arrivalMsMax),
          people: whole(0, EVENT_LIMITS.capacityMax),
        }),
      )
      .max(EVENT_LIMITS.arrivalsMax),
  })
  .refine((spec) => specFault(spec) === undefined);

/** The part of a stage's public state that makes it an event: journaled, on every gateway. */
export interface EventState {
  phase: Phase;
  /** Null until an operator has said what it is to be. */
  spec: EventSpec | null;
  bans: Record<string, Ban>;
  /** Who may watch and not speak, until when. */
  mutes: Record<string, Ban>;
  /** Who is to go now and may come back, and when that was said. The latest only. */
  kicks: Record<string, number>;
  /** The last one; `n` counts them. */
  announcement: { n: number; text: string } | null;
  /** Names of signals that are counted. */
  reactions: string[];
  /** Names of the commands and signals that who is muted may not send. */
  speech: string[];
  /** What is asked of the servers just now; by an operator's hand it stays. */
  ladder: { step: Step; by: "load" | "operator" };
  /** Between two things that one person says, in ms; 0: as they like. */
  slowMs: number;
  slows: Record<string, number>;
}

type Named = { readonly reactions: readonly string[]; readonly speech: readonly string[] };
export const newEvent = ({ reactions, speech }: Named): EventState => ({
  reactions: [...reactions],
  speech: [...speech],
  phase: "scheduled",
  spec: null,
  bans: {},
  mutes: {},
  kicks: {},
  announcement: null,
  ladder: { step: "whole", by: "load" },
  slowMs: 0,
  slows: {},
});

/** The phase by the clock, which an operator may be ahead of. */
export function phaseDue({ phase, spec }: EventState, at: number): Phase {
  if (!spec) return phase;
  const due: readonly [Phase, number | null][] = [
    ["doors_open", spec.doorsAt],
    ["live", spec.startsAt],
    ["ending", spec.endsAt],
  ];
  let latest = phase;
  for (const [next, moment] of due)
    if (moment !== null && at >= moment && isLater(next, latest)) latest = next;
  return latest;
}

export const isLater = (phase: Phase, than: Phase): boolean =>
  PHASES.indexOf(phase) > PHASES.indexOf(than);

/** Newcomers are seated. */
export const admits = ({ phase, spec }: EventState): boolean =>
  spec !== null && (phase === "doors_open" || phase === "live");

/** Gateways look several times a second, so the latest kicks are enough. */
export function addKick(kicks: Record<string, number>, person: string, at: number): void {
  kicks[person] = at;
  const all = Object.entries(kicks).sort(([, a], [, b]) => a - b);
  for (const [oldest] of all.slice(0, Math.max(0, all.length - KICKS_MAX))) delete kicks[oldest];
}

/** Makes room where there are as many as there may be: what is over goes first. */
export function addBan(bans: Record<string, Ban>, person: string, ban: Ban, at: number): boolean {
  if (!Object.hasOwn(bans, person) && Object.keys(bans).length >= BANNED_MAX)
    for (const [one, standing] of Object.entries(bans))
      if (!inForce(standing, at)) delete bans[one];
  if (!Object.hasOwn(bans, person) && Object.keys(bans).length >= BANNED_MAX) return false;
  bans[person] = ban;
  return true;
}

/** False where as many persons are slowed as there may be. 0 ends it. */
export function addSlow(slows: Record<string, number>, person: string, everyMs: number): boolean {
  if (everyMs === 0) delete slows[person];
  else if (!Object.hasOwn(slows, person) && Object.keys(slows).length >= BANNED_MAX) return false;
  else slows[person] = everyMs;
  return true;
}
