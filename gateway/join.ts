import { parseRoomId, type RoomId, type SessionId, sessionId } from "../src/kernel/ids.ts";
import { type Random, randomId } from "../src/kernel/random.ts";
import { err, ok, type Result } from "../src/kernel/result.ts";
import type { MembershipCode } from "../src/protocol/close-codes.ts";
import type { Auth, Person, SessionClaims } from "./auth.ts";
import type { GatewayConfig } from "./config.ts";
import type { Connection, JoinMessage } from "./connection.ts";
import type { HeldRoom } from "./held-room.ts";
import { Session } from "./session.ts";

export interface JoinDeps {
  readonly auth: Pick<Auth, "verifySession" | "signSession">;
  readonly random: Random;
  readonly config: GatewayConfig;
  readonly now: () => number;
  /** A new `<gateway process>#<number>`. */
  readonly nextConnection: () => string;
  /** The room, held from now on; undefined where no more can be held. */
  readonly hold: (room: RoomId) => HeldRoom | undefined;
}

interface Refusal {
  readonly code: MembershipCode;
  readonly message: string;
  readonly retryAfterMs?: number;
}

/** Takes one `join` as far as a session that asks its room for a seat. */
export async function join(
  deps: JoinDeps,
  connection: Connection,
  person: Person,
  message: JoinMessage,
): Promise<void> {
  const { channel, attach, cursor } = message;
  const joining = connection.channels.reserve(channel);
  if (typeof joining === "string")
    return connection.refuse(channel, joining, "the channel is in use, or there are too many");
  const asked = roomAsked(person, message);
  const claims = asked.ok ? await claimsOf(deps, person, message, asked.value) : asked;
  const token = claims.ok ? await deps.auth.signSession(claims.value) : "";
  // Meanwhile the socket may have closed, or the client may have left the channel again.
  if (!connection.open || connection.channels.get(channel) !== joining) return;
  const room = claims.ok ? deps.hold(claims.value.room) : undefined;
  if (!claims.ok || !room) {
    const refusal: Refusal = claims.ok
      ? { code: "no_capacity", message: "this gateway holds too many rooms", retryAfterMs: 1_000 }
      : claims.error;
    return connection.refuse(channel, refusal.code, refusal.message, refusal.retryAfterMs);
  }
  const { session } = claims.value;
  const init = {
    room: room.id,
    session,
    person: person.person,
    // Not as of the session's first join: a role may be taken away.
    role: person.role,
    profile: message.profile,
    channel,
    attach,
    connection: deps.nextConnection(),
    resumed: message.session !== null,
    cursor,
    token,
  };
  const member = new Session(init, connection, deps.config, deps.now());
  connection.channels.settle({ kind: "member", channel, session: member, room });
  room.join(member);
}

function roomAsked(person: Person, message: JoinMessage): Result<RoomId, Refusal> {
  const room = parseRoomId(`${person.tenant}/${message.room}`);
  if (!room) return err({ code: "room_unknown", message: "no room can have such a name" });
  if (person.rooms && !person.rooms.includes(message.room))
    return err({ code: "wrong_room", message: "the token does not open this room" });
  return ok(room);
}

async function claimsOf(
  deps: JoinDeps,
  person: Person,
  message: JoinMessage,
  room: RoomId,
): Promise<Result<SessionClaims, Refusal>> {
  if (message.session === null) {
    const session: SessionId = sessionId(randomId(deps.random));
    return ok({ session, room, person: person.person });
  }
  const claims = await deps.auth.verifySession(message.session);
  if (!claims.ok) {
    const why = claims.error === "expired" ? "has expired" : "is not valid";
    return err({ code: "session_expired", message: `the session's token ${why}` });
  }
  if (claims.value.room !== room || claims.value.person !== person.person)
    return err({
      code: "wrong_room",
      message: "the session is another room's or another person's",
    });
  return claims;
}
