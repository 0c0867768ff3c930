import { z } from "zod";
import { type Ban, inForce, PHASES, type Phase } from "../../src/protocol/event-public.ts";

/** People in an event, and shards: what a gateway's table and an owner's memory are made for. */
export const CAPACITY_MAX = 200_000;
export const SHARDS_MAX = 2_000;
const BANNED_MAX = 2_048;
const KICKS_MAX = 64;

const MOMENT = z.number().int().min(0);

/** What an operator says of an event, once and for all. Moments are ms since 1970. */
export const EVENT_SPEC = z
  .strictObject({
    capacity: z.number().int().min(1).max(CAPACITY_MAX),
    shardSize: z.number().int().min(1).max(4_096),
    /** Newcomers let in a second, over all gateways. */
    admitPerS: z.number().min(1).max(100_000),
    /** Null: when an operator says so. */
    doorsAt: MOMENT.nullable(),
    startsAt: MOMENT.nullable(),
    endsAt: MOMENT.nullable(),
  })
  .refine((spec) => shardsOf(spec) <= SHARDS_MAX, `an event has at most ${SHARDS_MAX} shards`)
  .refine(inOrder, "doorsAt, startsAt and endsAt come in this order");
export type EventSpec = z.infer<typeof EVENT_SPEC>;

export const shardsOf = ({ capacity, shardSize }: { capacity: number; shardSize: number }) =>
  Math.ceil(capacity / shardSize);

function inOrder({ doorsAt, startsAt, endsAt }: Moments): boolean {
  const moments = [doorsAt, startsAt, endsAt].filter((moment) => moment !== null);
  return moments.every((moment, i) => i === 0 || moment >= (moments[i - 1] ?? 0));
}
type Moments = Readonly<Record<"doorsAt" | "startsAt" | "endsAt", number | null>>;

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
