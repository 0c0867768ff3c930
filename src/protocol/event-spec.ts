import type { Step } from "./event-ladder.ts";
import { SHARDS_MAX } from "./event-names.ts";
import type { Phase } from "./event-public.ts";

/** What an operator says of an event, once and for all. Moments are ms since 1970. */
export interface EventSpec {
  /** People at once. */
  readonly capacity: number;
  /** People in a shard; at most what the shards' world has room for. */
  readonly shardSize: number;
  /** Newcomers let in a second, over all gateways. */
  readonly admitPerS: number;
  /** Null: when an operator says so. */
  readonly doorsAt: number | null;
  readonly startsAt: number | null;
  readonly endsAt: number | null;
  /** How the crowd is expected to come, from `doorsAt` on; empty: nobody knows. */
  readonly arrivals: readonly Arrivals[];
}

/** So many people have come, all in all, so long after the doors opened. */
export interface Arrivals {
  readonly afterMs: number;
  readonly people: number;
}

/** What a gateway's table and an owner's memory are made for. */
export const EVENT_LIMITS = {
  capacityMax: 200_000,
  shardSizeMax: 4_096,
  admitPerSMax: 100_000,
  slowMsMax: 3_600_000,
  arrivalsMax: 64,
  /** After the doors. */
  arrivalMsMax: 604_800_000,
  /** The end of the year 9999: later moments have no usual form. */
  momentMax: 253_402_300_799_999,
};

export const shardsOf = ({ capacity, shardSize }: Pick<EventSpec, "capacity" | "shardSize">) =>
  Math.ceil(capacity / shardSize);

/** What is wrong with a spec whose fields are right one by one. */
export function specFault(spec: EventSpec): string | undefined {
  if (shardsOf(spec) > SHARDS_MAX) return `an event has at most ${SHARDS_MAX} shards`;
  const { arrivals, doorsAt, startsAt, endsAt } = spec;
  const rising = arrivals.every((one, i) => {
    const before = arrivals[i - 1];
    return !before || (one.afterMs > before.afterMs && one.people >= before.people);
  });
  if (!rising) return "arrivals come one after the other, and nobody is taken off";
  if (arrivals.length > 0 && doorsAt === null) return "arrivals count from doorsAt";
  const moments = [doorsAt, startsAt, endsAt].filter((moment) => moment !== null);
  const inOrder = moments.every((moment, i) => i === 0 || moment >= (moments[i - 1] ?? 0));
  return inOrder ? undefined : "doorsAt, startsAt and endsAt come in this order";
}

/** What was ordered of an event. */
export interface AuditEntry {
  /** Room time, in ms since 1970. */
  readonly at: number;
  /** Somebody of the staff on the stage; null: an operator, by the API. */
  readonly by: string | null;
  /** `event.ban`, say; `event.eased` is a step of the ladder that was taken by load. */
  readonly what: string;
  /** What was said with it: a person, a text. */
  readonly body: unknown;
}

/** By this name an operator asks what was ordered, the newest first; nothing is journaled. */
export const EVENT_AUDIT = "event.audit";

/** By this name an operator asks a stage's owner how its event stands; nothing is journaled. */
export const EVENT_READ = "event.read";

/** The answer. */
export interface EventReport {
  readonly phase: Phase;
  /** Null until an operator has said what it is to be. */
  readonly spec: EventSpec | null;
  readonly announcement: { readonly n: number; readonly text: string } | null;
  /** What is asked of the servers just now, and whether that is an operator's word. */
  readonly ladder: { readonly step: Step; readonly by: "load" | "operator" };
  /** Between two things that one person says, in ms; 0: as they like. */
  readonly slowMs: number;
  /** How many. */
  readonly bans: number;
  readonly mutes: number;
  readonly slows: number;
  /** People at all gateways, as far as these have told this owner. */
  readonly waiting: number;
  readonly seated: number;
}
