import { z } from "zod";
import { assert } from "../../src/kernel/assert.ts";
import { LADDER } from "../../src/protocol/event-ladder.ts";
import { shardWorld } from "../../src/protocol/event-names.ts";
import { PHASES, REACTIONS_MAX } from "../../src/protocol/event-public.ts";
import { EVENT_LIMITS } from "../../src/protocol/event-spec.ts";
import {
  defineRoom,
  isRefusal,
  type Room,
  type RoomDefinition,
  refuse,
  type Who,
  type World,
} from "../room/define-room.ts";
import { type Audit, addAudit, newAudit } from "./audit.ts";
import { type Heard, newHeard } from "./crowd.ts";
import { EventDesk } from "./event-desk.ts";
import {
  addBan,
  addKick,
  addSlow,
  EVENT_SPEC,
  type EventState,
  isLater,
  newEvent,
  phaseDue,
} from "./event-state.ts";

/** A stage by its author: a room whose state has the event beside what the author put there. */
export type StageDefinition<S extends object, X extends object, B> = Omit<
  RoomDefinition<S & { readonly event: EventState }, X, B>,
  "state" | "name" | "version"
> & { readonly state: () => S };

export interface EventDefinition<
  S extends object,
  X extends object,
  B,
  T extends object,
  Y extends object,
  C,
> {
  /** Of the stage's world; the shards' is derived from it. */
  readonly name: string;
  readonly version: number;
  readonly stage: StageDefinition<S, X, B>;
  /** Signals of the audience that are counted and not passed on to the stage: `clap`, say. */
  readonly reactions?: readonly string[];
  /** Commands and signals of shards that who is muted may not send: `say`, say. */
  readonly speech?: readonly string[];
  /** Where the audience sits: `capacity` is the most people of one shard. */
  readonly shard: Omit<RoomDefinition<T, Y, C>, "name" | "version">;
}

/** It becomes a key of the state, and there are keys that no decoder reads back. */
const UNREADABLE = ["__proto__", "constructor", "prototype"];
const PERSON = z
  .string()
  .min(1)
  .max(128)
  .refine((person) => !UNREADABLE.includes(person), "no person can have this id");
const BAN = z.strictObject({
  person: PERSON,
  /** Room time; null is for good. */
  until: z.number().nullable(),
  why: z.string().max(256),
});

const SLOW = z.strictObject({
  person: PERSON.nullable(),
  everyMs: z.number().int().min(0).max(EVENT_LIMITS.slowMsMax),
});

interface StageSecret {
  event: Heard;
  audit: Audit;
}

type Stage = Room<{ event: EventState }, StageSecret>;

/** An operator, by the API, or somebody of the staff on the stage. */
const allowed = (who: Who | undefined): boolean => !who || who.role === "staff";

/** Whatever is done is in the audit, by the same record. */
const command = <B>(
  what: string,
  body: z.ZodType<B>,
  run: (room: Stage, body: B, who: Who | undefined) => unknown,
) => ({
  [what]: {
    body,
    run: (room: Stage, value: B, who: Who | undefined) => {
      const done = allowed(who) ? run(room, value, who) : refuse("forbidden");
      const by = who?.person ?? null;
      if (!isRefusal(done)) addAudit(room.secret.audit, { at: room.now, by, what, body: value });
      return done;
    },
  },
});

/** What every event's stage understands, beside what its author wrote. */
const COMMANDS = {
  ...command("event.configure", EVENT_SPEC, ({ state: { event } }, spec) => {
    if (event.phase === "closed") return refuse("event_closed");
    event.spec = spec;
    return null;
  }),
  ...command("event.phase", z.enum(PHASES), ({ state: { event } }, phase) => {
    if (phase !== event.phase && !isLater(phase, event.phase)) return refuse("phase_is_over");
    event.phase = phase;
    return null;
  }),
  ...command("event.announce", z.string().max(512), ({ state: { event } }, text) => {
    event.announcement = { n: (event.announcement?.n ?? 0) + 1, text };
    return { n: event.announcement.n };
  }),
  ...command("event.kick", PERSON, ({ now, state: { event } }, person) => {
    addKick(event.kicks, person, now);
    return null;
  }),
  ...command("event.ban", BAN, (room, { person, until, why }) =>
    addBan(room.state.event.bans, person, { until, why }, room.now) ? null : refuse("too_many"),
  ),
  ...command("event.unban", PERSON, ({ state: { event } }, person) => {
    delete event.bans[person];
    return null;
  }),
  ...command("event.mute", BAN, (room, { person, until, why }) =>
    addBan(room.state.event.mutes, person, { until, why }, room.now) ? null : refuse("too_many"),
  ),
  /** Null: by load again. */
  ...command("event.ease", z.enum(LADDER).nullable(), ({ state: { event } }, step) => {
    event.ladder = { step: step ?? event.ladder.step, by: step ? "operator" : "load" };
    return null;
  }),
  /** Without a person everybody in the audience. */
  ...command("event.slow", SLOW, ({ state: { event } }, { person, everyMs }) => {
    if (person === null) event.slowMs = everyMs;
    else if (!addSlow(event.slows, person, everyMs)) return refuse("too_many");
    return null;
  }),
  ...command("event.unmute", PERSON, ({ state: { event } }, person) => {
    delete event.mutes[person];
    return null;
  }),
};

/**
 * Declares an event: the world of its stage, where performers and staff are, and that of its
 * shards, where the audience sits. Nodes host both. Throws on a definition that can not work.
 */
export function defineEvent<
  S extends object,
  B,
  T extends object,
  C,
  X extends object = Record<string, never>,
  Y extends object = Record<string, never>,
>(definition: EventDefinition<S, X, B, T, Y, C>): readonly [stage: World, shard: World] {
  const { name, stage, shard, version, reactions = [], speech = [] } = definition;
  assert(reactions.length <= REACTIONS_MAX, `${name}: at most ${REACTIONS_MAX} reactions`);
  for (const own of Object.keys(stage.commands))
    assert(!own.startsWith("event."), `${name}: commands of the name event.… are the platform's`);
  // The one place where the author's types are lost: the runtime hands back what it was given.
  const own = stage as unknown as StageDefinition<object, object, Record<string, never>>;
  const staged = defineRoom({
    ...own,
    name,
    version,
    tickHz: stage.tickHz ?? 20,
    capacity: stage.capacity ?? 64,
    state: () => ({ ...own.state(), event: newEvent({ reactions, speech }) }),
    secret: (): StageSecret => ({ ...own.secret?.(), event: newHeard(), audit: newAudit() }),
    commands: { ...own.commands, ...COMMANDS },
    onTick: (room, dtMs) => {
      const { event } = room.state;
      const due = phaseDue(event, room.now);
      if (due !== event.phase) event.phase = due;
      own.onTick?.(room, dtMs);
    },
  } as RoomDefinition<{ event: EventState }, StageSecret, Record<string, unknown>>);
  const seated = defineRoom({ ...shard, name: shardWorld(name), version });
  return [{ ...staged, desk: (now) => new EventDesk(now) }, seated];
}
