import { bug, type PlantedBug } from "./planted-bug.ts";

const SEATING = "actors/event/seating.ts";
const CROWD = "actors/event/crowd.ts";
const DESK = "actors/event/event-desk.ts";
const MODERATION = "gateway/moderation.ts";

const eventBug: typeof bug = (...parts) => ({ ...bug(...parts), inEvents: true });

/** Breaks what events promise of seats, sums and orders. */
export const EVENT_BUGS: readonly PlantedBug[] = [
  eventBug(
    "grantUncounted",
    "seats that were granted do not count until a gateway has reported them",
    SEATING,
    "if (grants.length > 0) gateway.granted.push({ request, until, grants });",
    "if (grants.length > 0) gateway.granted.push({ request, until: now, grants });",
  ),
  eventBug(
    "seatTwice",
    "a gateway gives the last seat of a grant to everybody who waits",
    "gateway/seat-pool.ts",
    "if (--held.seats === 0) this.#held.delete(best);",
    "if (held.seats > 1) held.seats--;",
  ),
  eventBug(
    "seatKept",
    "a gateway holds the seat of whoever has sat down",
    "gateway/event-door.ts",
    "if (given) this.#pool.came(shard);",
    "",
  ),
  eventBug(
    "shardsWithoutEnd",
    "an event opens shards beyond its capacity",
    SEATING,
    "if (this.opened < this.#limits.shardsMax) return this.#homes.push(from) - 1;",
    "return this.#homes.push(from) - 1;",
  ),
  eventBug(
    "deserted",
    "people lose their seats as soon as their gateway is silent",
    SEATING,
    "if (now - gateway.heardAt >= this.#limits.holdMs) this.#gateways.delete(process);",
    "if (now - gateway.heardAt >= this.#limits.silentMs) this.#gateways.delete(process);",
  ),
  eventBug(
    "grantsUnheard",
    "a new owner grants seats before it has heard who sits where",
    DESK,
    "const knows = now - this.#since >= LISTEN_MS;",
    "const knows = now - this.#since + LISTEN_MS >= LISTEN_MS;",
  ),
  eventBug(
    "shardAdmitsAll",
    "a shard's owner admits everybody who was in it before",
    "actors/room/membership.ts",
    "if (!row?.here && decided.here >= world.capacity) return",
    "if (!row && decided.here >= world.capacity) return",
  ),
  eventBug(
    "fullForEver",
    "whoever resumes in a full shard is told to ask again",
    "gateway/attendance.ts",
    "if (full && session.init.resumed)",
    "if (full && session.init.resumed && message.retryAfterMs !== null)",
  ),
  eventBug(
    "reportAdded",
    "a report that is repeated counts again",
    CROWD,
    "Math.max(count, before[at] ?? 0)",
    "count + (before[at] ?? 0)",
  ),
  eventBug(
    "countsInMemory",
    "what was counted dies with the stage's owner",
    DESK,
    "new Crowd((secret as EventSecret).event)",
    "new Crowd(secret && undefined)",
  ),
  eventBug(
    "firstWordOnly",
    "a door goes by what it heard first of the stage",
    MODERATION,
    "    this.#event = event;\n",
    "    this.#event ??= event;\n",
  ),
  eventBug(
    "banNotOnResume",
    "whoever is banned may go on where they were",
    "gateway/join.ts",
    "entry.ok && isBarred(deps, person, entry.value) ?",
    "entry.ok && !message.session && isBarred(deps, person, entry.value) ?",
  ),
  eventBug(
    "kickEscaped",
    "a kick does not hold for a session that changes gateways meanwhile",
    "gateway/join.ts",
    "door.bars(person) || door.kicked(person, claims.began)",
    "door.bars(person)",
  ),
  eventBug(
    "watchersStay",
    "a ban does not hold for those who watch the stage",
    "gateway/event-door.ts",
    "this.#moderation.apply([stage.attendance, ...rooms], stage.replica.at);",
    "this.#moderation.apply(rooms, stage.replica.at);",
  ),
  eventBug(
    "kickedOnce",
    "of somebody who sits in two places only one goes",
    MODERATION,
    'attendance.expel(session, "kicked", BARRED);',
    'return attendance.expel(session, "kicked", BARRED);',
  ),
  eventBug(
    "mutedLater",
    "what is said in a shard is not looked at",
    "gateway/join.ts",
    "member.speech = doorOf(deps, room.id);",
    "member.speech = shardOf(room.id) ? undefined : doorOf(deps, room.id);",
  ),
  eventBug(
    "slowForgotten",
    "in slow mode everybody may go on talking",
    "gateway/speech.ts",
    'if (last && at - last.at < everyMs) return "slow_mode";',
    "",
  ),
  eventBug(
    "auditApart",
    "what is announced is not in the audit",
    "actors/event/define-event.ts",
    "if (!isRefusal(done)) addAudit(",
    'if (!isRefusal(done) && what !== "event.announce") addAudit(',
  ),
];
