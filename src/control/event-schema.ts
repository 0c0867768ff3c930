import { z } from "zod";
import { type PersonId, parsePersonId, parseRoomId, type RoomId } from "../kernel/ids.ts";
import { LADDER } from "../protocol/event-ladder.ts";
import { SHARDS_MAX, shardOf } from "../protocol/event-names.ts";
import { PHASES } from "../protocol/event-public.ts";
import {
  EVENT_LIMITS,
  type EventReport,
  type EventSpec,
  specFault,
} from "../protocol/event-spec.ts";
import { only, world } from "./schema.ts";

/** Where an operator does not say how many newcomers are let in a second. */
export const ADMIT_PER_S_DEFAULT = 200;

/** Of a room that can have shards: their names are longer than its own, and it is none. */
export function parseEvent(text: unknown): RoomId | undefined {
  const room = parseRoomId(text);
  const last = parseRoomId(`${room}--${SHARDS_MAX - 1}`);
  return last === undefined || room === undefined || shardOf(room) ? undefined : room;
}

const event = z.custom<RoomId>((value) => parseEvent(value) !== undefined, {
  error: "must be tenant/name, name of at most 58 letters, digits, - and _, and no shard's",
});

const whole = (min: number, max: number) => {
  const form = `must be a whole number from ${min} to ${max}`;
  return z.int(form).min(min, form).max(max, form);
};
const PER_S_FORM = `must be a number from 1 to ${EVENT_LIMITS.admitPerSMax}`;
const MOMENT_FORM = "must be a moment in ISO 8601 with its offset, as 2027-01-31T20:00:00Z";
const moment = z.iso
  .datetime({ offset: true, error: MOMENT_FORM })
  .transform(Date.parse)
  .pipe(z.int(MOMENT_FORM).min(0, MOMENT_FORM).max(EVENT_LIMITS.momentMax, MOMENT_FORM))
  .nullable()
  .default(null);

const ARRIVALS_FORM = `must be a list of at most ${EVENT_LIMITS.arrivalsMax}, each of afterMs and people`;
const arrival = only(
  {
    afterMs: whole(1, EVENT_LIMITS.arrivalMsMax),
    people: whole(0, EVENT_LIMITS.capacityMax),
  },
  "must be an object of afterMs and people",
);

export const createEventBody = only(
  {
    event,
    world,
    capacity: whole(1, EVENT_LIMITS.capacityMax),
    shardSize: whole(1, EVENT_LIMITS.shardSizeMax),
    admitPerS: z
      .number(PER_S_FORM)
      .min(1, PER_S_FORM)
      .max(EVENT_LIMITS.admitPerSMax, PER_S_FORM)
      .default(ADMIT_PER_S_DEFAULT),
    doorsAt: moment,
    startsAt: moment,
    endsAt: moment,
    arrivals: z
      .array(arrival, ARRIVALS_FORM)
      .max(EVENT_LIMITS.arrivalsMax, ARRIVALS_FORM)
      .default([]),
    immovable: z.boolean().default(false),
  },
  "must be an object of event, world, capacity and shardSize",
).check((context) => {
  const message = specFault(context.value);
  if (message !== undefined)
    context.issues.push({ code: "custom", message, input: context.value, path: [] });
});

const PHASE_FORM = `must be one of ${PHASES.join(", ")}`;
export const phaseBody = only(
  { phase: z.enum(PHASES, { error: PHASE_FORM }) },
  "must be an object of phase",
);

const TEXT_FORM = "must be a text of 1 to 512 characters";
export const announceBody = only(
  { text: z.string(TEXT_FORM).min(1, TEXT_FORM).max(512, TEXT_FORM) },
  "must be an object of text",
);

const person = z.custom<PersonId>((value) => parsePersonId(value) !== undefined, {
  error: "must be a person's id",
});

export const kickBody = only({ person }, "must be an object of person");

const WHY_FORM = "must be a text of at most 256 characters";
/** Also of mutes. Without `until` it is for good; one that is over already would change nothing. */
export const banBody = (wallNow: () => number) =>
  only(
    {
      person,
      until: moment.refine((at) => at === null || at > wallNow(), "must be a moment to come"),
      why: z.string(WHY_FORM).max(256, WHY_FORM).default(""),
    },
    "must be an object of person, until and why",
  );

const STEP_FORM = `must be one of ${LADDER.join(", ")}, or null: by load`;
export const ladderBody = only(
  { step: z.enum(LADDER, { error: STEP_FORM }).nullable() },
  "must be an object of step",
);

/** Without `person` everybody in the audience. */
export const slowBody = only(
  { person: person.nullable().default(null), everyMs: whole(0, EVENT_LIMITS.slowMsMax) },
  "must be an object of person and everyMs",
);

const count = z.number();
const SPEC: z.ZodType<EventSpec> = z.object({
  capacity: count,
  shardSize: count,
  admitPerS: count,
  doorsAt: count.nullable(),
  startsAt: count.nullable(),
  endsAt: count.nullable(),
  arrivals: z.array(z.object({ afterMs: count, people: count })),
});

export const AUDIT = z.array(
  z.object({ at: count, by: z.string().nullable(), what: z.string(), body: z.unknown() }),
);

/** What a stage's owner answers. */
export const EVENT_REPORT: z.ZodType<EventReport> = z.object({
  phase: z.enum(PHASES),
  spec: SPEC.nullable(),
  announcement: z.object({ n: count, text: z.string() }).nullable(),
  ladder: z.object({ step: z.enum(LADDER), by: z.enum(["load", "operator"]) }),
  slowMs: count,
  bans: count,
  mutes: count,
  slows: count,
  waiting: count,
  seated: count,
});
