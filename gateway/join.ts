import {
  parseRoomId,
  type RoomId,
  roomParts,
  type SessionId,
  sessionId,
} from "../src/kernel/ids.ts";
import { type Random, randomId } from "../src/kernel/random.ts";
import { err, ok, type Result } from "../src/kernel/result.ts";
import { isOnStage } from "../src/protocol/client-messages.ts";
import { addressOf, shardOf, shardRoom } from "../src/protocol/event-names.ts";
import type { Auth, Person, SessionClaims } from "./auth.ts";
import type { GatewayConfig } from "./config.ts";
import type { Connection, JoinMessage } from "./connection.ts";
import { BANNED, type EventDoor } from "./event-door.ts";
import type { HeldRoom } from "./held-room.ts";
import { Session, type SessionInit } from "./session.ts";
import type { Place, Refusal, Waiting } from "./waiting-line.ts";

export interface JoinDeps {
  readonly auth: Pick<Auth, "verifySession" | "signSession">;
  readonly random: Random;
  readonly config: GatewayConfig;
  readonly now: () => number;
  readonly wallNow: () => number;
  /** A new `<gateway process>#<number>`. */
  readonly nextConnection: () => string;
  /** The room, held from now on; undefined where no more can be held. */
  readonly hold: (room: RoomId) => HeldRoom | undefined;
  /** The door of the event with this stage; undefined where no more rooms can be held. */
  readonly door: (stage: RoomId) => EventDoor | undefined;
  /** Undefined where nobody of an event with this stage has come by this gateway. */
  readonly doorIfAny: (stage: RoomId) => EventDoor | undefined;
}

/** What a join asks for: a room, or a seat in whatever shard of an event has one. */
interface Asked {
  /** Of an event its stage. */
  readonly room: RoomId;
  readonly kind: "room" | "seat" | "watch";
  /** The one shard that will do. */
  readonly shard: number | null;
}

/** Who comes in, and where they would be better served. */
interface Entry extends Pick<Place, "servedAt"> {
  readonly claims: SessionClaims;
}

interface Joining {
  readonly connection: Connection;
  readonly person: Person;
  readonly message: JoinMessage;
  /** False once the socket has closed, or the client has left the channel again. */
  readonly wanted: () => boolean;
}

/** Takes one `join` as far as a session that asks its room for a seat. */
export async function join(
  deps: JoinDeps,
  connection: Connection,
  person: Person,
  message: JoinMessage,
): Promise<void> {
  const { channel } = message;
  const joining = connection.channels.reserve(channel);
  if (typeof joining === "string")
    return connection.refuse(channel, joining, "the channel is in use, or there are too many");
  const wanted = (): boolean => connection.open && connection.channels.get(channel) === joining;
  const join: Joining = { connection, person, message, wanted };
  const asked = roomAsked(person, message);
  const entry = asked.ok ? await entryOf(deps, join, asked.value) : asked;
  const token = entry.ok ? deps.auth.signSession(entry.value.claims) : "";
  const watches = asked.ok && asked.value.kind === "watch";
  const spectator = watches || (entry.ok && entry.value.claims.ghost);
  if (wanted()) enter(deps, join, entry, { token, spectator });
  const shard = entry.ok ? shardOf(entry.value.claims.room) : undefined;
  const given = asked.ok && asked.value.kind === "seat" && message.session === null;
  if (shard) deps.door(shard.stage)?.settled(shard.shard, given);
}

function enter(
  deps: JoinDeps,
  { connection, message, person }: Joining,
  entry: Result<Entry, Refusal>,
  { token, spectator }: Pick<SessionInit, "token" | "spectator">,
): void {
  const { attach, channel, cursor, profile } = message;
  const entered = entry.ok && isBarred(deps, person, entry.value) ? err(BANNED) : entry;
  const room = entered.ok ? holdWithDoor(deps, entered.value.claims.room) : undefined;
  if (!entered.ok || !room) {
    const refusal = entered.ok ? TOO_MANY_ROOMS : entered.error;
    return connection.refuse(channel, refusal.code, refusal.message, refusal.retryAfterMs);
  }
  const { claims, servedAt } = entered.value;
  const init = {
    room: room.id,
    session: claims.session,
    began: claims.began,
    person: person.person,
    // Not as of the session's first join: a role may be taken away.
    role: person.role,
    profile,
    channel,
    attach,
    connection: deps.nextConnection(),
    resumed: message.session !== null,
    cursor,
    token,
    spectator,
    servedAt,
  };
  const member = new Session(init, connection, deps.config, deps.now());
  member.speech = doorOf(deps, room.id);
  connection.channels.settle({ kind: "member", channel, session: member, room });
  room.join(member);
}

/** Looked at last, when nothing is waited for any more: a ban may have been said meanwhile. */
function isBarred(deps: JoinDeps, { person }: Person, { claims }: Entry): boolean {
  const door = doorOf(deps, claims.room);
  return door !== undefined && (door.bars(person) || door.kicked(person, claims.began));
}

/** Without its event's door nobody would hold the people of a shard to what is said there. */
function holdWithDoor(deps: JoinDeps, room: RoomId): HeldRoom | undefined {
  const stage = shardOf(room)?.stage;
  return stage === undefined || deps.door(stage) ? deps.hold(room) : undefined;
}

const doorOf = (deps: JoinDeps, room: RoomId): EventDoor | undefined =>
  deps.doorIfAny(shardOf(room)?.stage ?? room);

function roomAsked(person: Person, message: JoinMessage): Result<Asked, Refusal> {
  const address = addressOf(message.room);
  const room = parseRoomId(`${person.tenant}/${address.name}`);
  if (!room) return err({ code: "room_unknown", message: "no room can have such a name" });
  // Who is on the stage has no seat before it, and may look into every shard.
  const onStage = isOnStage(person.role);
  const shard = shardOf(room);
  if (shard && address.kind !== "room")
    return err({ code: "room_unknown", message: "a shard is no event" });
  if (person.rooms && !opens(person.rooms, message.room, shard?.stage))
    return err({ code: "wrong_room", message: "the token does not open this room" });
  // A shard by its name is a seat of the event, and has to be asked for at its door.
  if (shard && !onStage) return ok({ room: shard.stage, kind: "seat", shard: shard.shard });
  return ok({ room, kind: onStage ? "room" : address.kind, shard: null });
}

/** A token that opens an event opens each of its shards. */
function opens(rooms: readonly string[], asked: string, stage: RoomId | undefined): boolean {
  if (rooms.includes(asked)) return true;
  return stage !== undefined && rooms.includes(`event/${roomParts(stage).name}`);
}

async function entryOf(
  deps: JoinDeps,
  join: Joining,
  asked: Asked,
): Promise<Result<Entry, Refusal>> {
  const { message, person } = join;
  if (message.session === null) {
    const session: SessionId = sessionId(randomId(deps.random));
    const place = await placeOf(deps, join, asked);
    if (!place.ok) return place;
    const { room, servedAt } = place.value;
    const door = doorOf(deps, room);
    const ghost = asked.kind === "seat" && door?.ghosts === true;
    const began = door?.at ?? deps.wallNow();
    return ok({ claims: { session, room, person: person.person, began, ghost }, servedAt });
  }
  const claims = await deps.auth.verifySession(message.session);
  if (!claims.ok) {
    const why = claims.error === "expired" ? "has expired" : "is not valid";
    return err({ code: "session_expired", message: `the session's token ${why}` });
  }
  const { room } = claims.value;
  const same = asked.kind === "seat" ? shardOf(room)?.stage === asked.room : room === asked.room;
  if (!same || claims.value.person !== person.person)
    return err({
      code: "wrong_room",
      message: "the session is another room's or another person's",
    });
  return ok({ claims: claims.value, servedAt: null });
}

/** Where a new session is to be. To find a seat may take as long as the line before the doors. */
async function placeOf(
  deps: JoinDeps,
  { connection, message, person: { person }, wanted }: Joining,
  { kind, room, shard }: Asked,
): Promise<Result<{ readonly room: RoomId } & Pick<Place, "servedAt">, Refusal>> {
  if (kind === "room") return ok({ room, servedAt: null });
  const door = deps.door(room);
  if (!door) return err(TOO_MANY_ROOMS);
  if (kind === "watch") {
    const may = await door.watch(person);
    return may.ok ? ok({ room, servedAt: null }) : may;
  }
  const { beside, channel } = message;
  const told = (waiting: Waiting): void =>
    connection.tell({ type: "waiting", channel, ...waiting });
  const wish = shard === null && beside === null ? undefined : { beside, shard };
  const seat = await door.seat({ person, wish, wanted, told });
  if (!seat.ok) return seat;
  return ok({ room: shardRoom(room, seat.value.shard), servedAt: seat.value.servedAt });
}

const TOO_MANY_ROOMS: Refusal = {
  ...{ code: "no_capacity", message: "this gateway holds too many rooms" },
  retryAfterMs: 1_000,
};
