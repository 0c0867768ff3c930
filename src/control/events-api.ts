import type { z } from "zod";
import type { IndexEntry } from "../journal/index-store.ts";
import { parsePersonId, type RoomId } from "../kernel/ids.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { failure, type HttpAnswer, type HttpRequest, json } from "../observe/http-answers.ts";
import { type EventRooms, stageOf } from "../placement/events.ts";
import type { OrderError, Ordered } from "../placement/orders.ts";
import type { RoomLine } from "../placement/room-table.ts";
import { PHASES } from "../protocol/event-public.ts";
import { EVENT_AUDIT, EVENT_READ, type EventSpec } from "../protocol/event-spec.ts";
import {
  AUDIT,
  announceBody,
  banBody,
  createEventBody,
  EVENT_REPORT,
  kickBody,
  ladderBody,
  parseEvent,
  phaseBody,
  slowBody,
} from "./event-schema.ts";
import type { ControlPort } from "./port.ts";
import { bodyOf } from "./request-body.ts";
import { later, pageOf, type Route, unavailable } from "./route.ts";

const EVENT_PATH = "/v1/events/([\\w-]+)/([\\w-]+)";
const path = (below = ""): RegExp => new RegExp(`^${EVENT_PATH}${below}$`);

/** Events, for operators (SPEC.md). What is said of one goes to its stage's owner. */
export function eventRoutes(port: ControlPort): Route[] {
  const saying = <B>(
    below: string,
    schema: z.ZodType<B>,
    order: (body: B) => readonly [name: string, body: unknown, said: object],
  ): Route => ({
    path: path(`/${below}`),
    methods: {
      POST: (request, segments) =>
        withEvent(segments, async (event) => {
          const body = bodyOf(request, schema);
          return body.ok ? say(port, event, ...order(body.value)) : body.error;
        }),
    },
  });
  const ban = banBody(() => port.wallNow());
  const takingBack = (below: string, name: string): Route => ({
    path: path(`/${below}/([^/]+)`),
    methods: {
      DELETE: (_, [tenant = "", own = "", encoded = ""]) =>
        withEvent([tenant, own], async (event) => {
          const person = personOf(encoded);
          return person === undefined
            ? personUnreadable()
            : say(port, event, name, person, { person });
        }),
    },
  });
  return [
    {
      path: /^\/v1\/events$/,
      methods: {
        GET: async (request) => listEvents(port, request),
        POST: (request) => createEvent(port, request),
      },
    },
    {
      path: path(),
      methods: {
        GET: (_, segments) => withEvent(segments, (event) => oneEvent(port, event)),
        DELETE: (_, segments) => withEvent(segments, (event) => closeEvent(port, event)),
      },
    },
    {
      path: path("/audit"),
      methods: { GET: (_, segments) => withEvent(segments, (event) => audit(port, event)) },
    },
    saying("phase", phaseBody, ({ phase }) => ["event.phase", phase, { phase }]),
    saying("announce", announceBody, ({ text }) => ["event.announce", text, { text }]),
    saying("kick", kickBody, ({ person }) => ["event.kick", person, { person }]),
    saying("ban", ban, (body) => ["event.ban", body, banOf(body)]),
    saying("mute", ban, (body) => ["event.mute", body, banOf(body)]),
    saying("ladder", ladderBody, ({ step }) => ["event.ease", step, { step }]),
    saying("slow", slowBody, (slow) => ["event.slow", slow, slow]),
    takingBack("bans", "event.unban"),
    takingBack("mutes", "event.unmute"),
  ];
}

async function withEvent(
  segments: readonly string[],
  handle: (event: RoomId) => Promise<HttpAnswer>,
): Promise<HttpAnswer> {
  const event = parseEvent(segments.join("/"));
  return event === undefined ? eventUnknown() : handle(event);
}

function listEvents(port: ControlPort, request: HttpRequest): HttpAnswer {
  const page = pageOf(request, port.events.list(), ({ stage }) => stage.room);
  if (!page.ok) return page.error;
  const { lines, next } = page.value;
  return json(200, { events: lines.map(lineOf), next });
}

const lineOf = ({ stage, shards }: EventRooms) => {
  const { room: event, world, status, immovable, epoch, owner = null } = stage;
  const sessions = sessionsOf(shards);
  return { event, world, status, immovable, owner, epoch, shards: shards.length, sessions };
};

/** As this replica has heard of their owners: 0 of a shard of which it has not. */
const sessionsOf = (shards: readonly Pick<RoomLine, "sessions">[]): number =>
  shards.reduce((sum, { sessions }) => sum + (sessions ?? 0), 0);

async function createEvent(port: ControlPort, request: HttpRequest): Promise<HttpAnswer> {
  const body = bodyOf(request, createEventBody);
  if (!body.ok) return body.error;
  const { event, world, immovable, ...spec } = body.value;
  if (!port.events.hosts(world))
    return later("world_unhosted", `No node hosts events of the world ${world} now.`);
  const made = await port.createRoom(event, world, immovable);
  if (!made.ok) return unavailable(made.error);
  const { created, entry } = made.value;
  if (entry.status === "closed") return eventClosed(event);
  if (entry.world !== world)
    return failure(409, "event_exists", `${event} exists already, with world ${entry.world}.`);
  const configured = await order(port, event, "event.configure", spec satisfies EventSpec);
  if (!configured.ok) return configured.error;
  return show(port, entry, created ? 201 : 200);
}

/** The index says whether it is there: to ask for an owner would make some rooms. */
async function known(port: ControlPort, event: RoomId): Promise<Result<IndexEntry, HttpAnswer>> {
  const entry = await port.room(event);
  if (!entry.ok) return err(unavailable(entry.error));
  const { value } = entry;
  // The owner of a room that is no stage says so; of others nobody can be asked.
  if (value === undefined || (value.status !== "wanted" && !isEvent(port, value)))
    return err(eventUnknown());
  return ok(value);
}

/** Whose stage or shard the room is; undefined where it is neither. */
export const eventOf = (port: ControlPort, entry: IndexEntry): RoomId | undefined =>
  stageOf(entry.room) ?? (isEvent(port, entry) ? entry.room : undefined);

const isEvent = ({ events }: ControlPort, { room, world }: IndexEntry): boolean =>
  events.hosts(world) || events.shards(room).length > 0;

async function oneEvent(port: ControlPort, event: RoomId): Promise<HttpAnswer> {
  const entry = await known(port, event);
  return entry.ok ? show(port, entry.value, 200) : entry.error;
}

async function show(port: ControlPort, entry: IndexEntry, status: number): Promise<HttpAnswer> {
  const { room, world, immovable } = entry;
  const shards = port.events.shards(room);
  const rooms = {
    shards: shards.map(({ room: shard, status: is, owner = null, epoch, sessions }) => ({
      ...{ room: shard, status: is, owner, epoch, sessions },
    })),
    sessions: sessionsOf(shards),
  };
  const event = { event: room, world, status: entry.status, immovable };
  // Nobody is asked any more, and there may be nobody.
  if (entry.status === "closed") {
    const { owner = null, epoch } = entry;
    return json(status, { ...event, owner, epoch, phase: "closed", spec: null, ...rooms });
  }
  const read = await order(port, room, EVENT_READ, null);
  if (!read.ok) return read.error;
  const { owner, epoch, data } = read.value;
  const parsed = EVENT_REPORT.safeParse(data);
  if (!parsed.success) return FAILURES.unanswered(room);
  const report = parsed.data;
  const spec = report.spec && readable(report.spec);
  return json(status, { ...event, owner, epoch, ...report, spec, ...rooms });
}

/** What was ordered, as far as its stage remembers. */
async function audit(port: ControlPort, event: RoomId): Promise<HttpAnswer> {
  const entry = await known(port, event);
  if (!entry.ok) return entry.error;
  const read = await order(port, event, EVENT_AUDIT, null);
  if (!read.ok) return read.error;
  const parsed = AUDIT.safeParse(read.value.data);
  if (!parsed.success) return FAILURES.unanswered(event);
  const orders = parsed.data.map((one) => ({ ...one, at: momentOf(one.at) }));
  return json(200, { event, orders });
}

/** Moments in the form in which they are given. */
const readable = (spec: EventSpec) => ({
  ...spec,
  doorsAt: momentOf(spec.doorsAt),
  startsAt: momentOf(spec.startsAt),
  endsAt: momentOf(spec.endsAt),
});
const momentOf = (at: number | null): string | null =>
  at === null ? null : new Date(at).toISOString();

const banOf = ({ person, until, why }: z.infer<ReturnType<typeof banBody>>) => ({
  ...{ person, until: momentOf(until), why },
});

/** Its phase tells everybody that it is over before its rooms go. */
async function closeEvent(port: ControlPort, event: RoomId): Promise<HttpAnswer> {
  const entry = await port.room(event);
  if (!entry.ok) return unavailable(entry.error);
  if (entry.value?.status === "wanted") {
    const ended = await order(port, event, "event.phase", "closed");
    if (!ended.ok) return ended.error;
  } else if (entry.value && !isEvent(port, entry.value)) return eventUnknown();
  const closed = await port.closeEvent(event);
  if (!closed.ok) return unavailable(closed.error);
  if (closed.value === undefined) return eventUnknown();
  return json(200, { event, status: "closed", shardsClosed: closed.value.shards });
}

async function say(
  port: ControlPort,
  event: RoomId,
  name: string,
  body: unknown,
  said: object,
): Promise<HttpAnswer> {
  const entry = await known(port, event);
  if (!entry.ok) return entry.error;
  const answer = await order(port, event, name, body);
  return answer.ok
    ? json(200, { event, ...said, ...(answer.value.data as object | null) })
    : answer.error;
}

/** What the stage's owner answers, or the answer that says why there is none. */
async function order(
  port: ControlPort,
  event: RoomId,
  name: string,
  body: unknown,
): Promise<Result<Ordered, HttpAnswer>> {
  const answer = await port.operate(event, name, body);
  if (!answer.ok) return err(FAILURES[answer.error](event));
  const { status } = answer.value;
  if (status === "ok") return ok(answer.value);
  if (status === "unknown_command") return err(eventUnknown());
  if (status === "busy") return err(later("busy", `${event} is busy. Ask again.`));
  if (status === "invalid_body")
    return err(failure(400, "invalid_body", "The event's stage does not take this."));
  return err(failure(409, status, REFUSALS[status] ?? `${event} refuses this.`));
}

/** Of what every event refuses in the same way. */
const REFUSALS: Readonly<Record<string, string>> = {
  phase_is_over: `Phases go forward only: ${PHASES.join(", ")}.`,
  event_closed: "The event is over, for good.",
  too_many: "As many people as there may be are named there already.",
  forbidden: "Only operators and the event's staff may say this.",
};

const eventUnknown = (): HttpAnswer => failure(404, "event_unknown", "There is no such event.");
const eventClosed = (event: RoomId): HttpAnswer =>
  failure(409, "event_closed", `${event} was closed for good.`);
const personUnreadable = (): HttpAnswer =>
  failure(400, "invalid_person", "The last part of the path is no person's id.");

const FAILURES: Readonly<Record<OrderError, (event: RoomId) => HttpAnswer>> = {
  unplaced: (event) => later("unplaced", `Nobody owns ${event} yet. Ask again.`),
  gone: (event) => later("gone", `${event} changes its owner; this may have been done. Ask again.`),
  unanswered: (event) =>
    later("unanswered", `${event} did not answer in time; this may have been done. Ask again.`),
  room_unknown: eventUnknown,
  room_closed: eventClosed,
  quarantined: (event) =>
    failure(409, "event_quarantined", `${event} crashed too often and is served no more.`),
};

/** Person ids may have any character, so in a path they are percent-encoded. */
function personOf(encoded: string): string | undefined {
  try {
    return parsePersonId(decodeURIComponent(encoded));
  } catch {
    return undefined;
  }
}
