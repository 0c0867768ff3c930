import { bug, hint, type PlantedBug } from "./planted-bug.ts";

const SEATING = "actors/event/seating.ts";
const CROWD = "actors/event/crowd.ts";
const DESK = "actors/event/event-desk.ts";
const MODERATION = "gateway/moderation.ts";

/** Breaks what events promise of seats, sums and orders. Every second seed has an event. */
export const EVENT_BUGS: readonly PlantedBug[] = [
  bug(
    "grantUncounted",
    "seats that were granted do not count until a gateway has reported them",
    SEATING,
    "if (grants.length > 0) gateway.granted.push({ request, until, grants });",
    "if (grants.length > 0) gateway.granted.push({ request, until: now, grants });",
  ),
  bug(
    "seatTwice",
    "a gateway gives the last seat of a grant to everybody who waits",
    "gateway/seat-pool.ts",
    "if (--held.seats === 0) this.#held.delete(best);",
    "if (held.seats > 1) held.seats--;",
  ),
  bug(
    "seatKept",
    "a gateway holds the seat of whoever has sat down",
    "gateway/event-door.ts",
    "if (given) this.#pool.came(shard);",
    "",
  ),
  bug(
    "shardsWithoutEnd",
    "an event opens shards beyond its capacity",
    SEATING,
    "if (this.opened < this.#limits.shardsMax) return this.#homes.push(from) - 1;",
    "return this.#homes.push(from) - 1;",
  ),
  bug(
    "deserted",
    "people lose their seats as soon as their gateway is silent",
    SEATING,
    "if (now - gateway.heardAt >= this.#limits.holdMs) this.#gateways.delete(process);",
    "if (now - gateway.heardAt >= this.#limits.silentMs) this.#gateways.delete(process);",
  ),
  bug(
    "grantsUnheard",
    "a new owner grants seats before it has heard who sits where",
    DESK,
    "const knows = now - this.#since >= LISTEN_MS;",
    "const knows = now - this.#since + LISTEN_MS >= LISTEN_MS;",
  ),
  bug(
    "shardAdmitsAll",
    "a shard's owner admits everybody who was in it before",
    "actors/room/membership.ts",
    "if (!row?.here && decided.here >= world.capacity) return",
    "if (!row && decided.here >= world.capacity) return",
  ),
  bug(
    "fullForEver",
    "whoever resumes in a full shard is told to ask again",
    "gateway/attendance.ts",
    "if (full && session.init.resumed)",
    "if (full && session.init.resumed && message.retryAfterMs !== null)",
  ),
  bug(
    "reportAdded",
    "a report that is repeated counts again",
    CROWD,
    "Math.max(count, before[at] ?? 0)",
    "count + (before[at] ?? 0)",
  ),
  bug(
    "countsInMemory",
    "what was counted dies with the stage's owner",
    DESK,
    "new Crowd((secret as EventSecret).event)",
    "new Crowd(secret && undefined)",
  ),
  bug(
    "firstWordOnly",
    "a door goes by what it heard first of the stage",
    MODERATION,
    "    this.#event = event;\n",
    "    this.#event ??= event;\n",
  ),
  bug(
    "banNotOnResume",
    "whoever is banned may go on where they were",
    "gateway/join.ts",
    'if (asked.kind !== "room" && deps.door(asked.room)?.bars(person.person)) return err(BANNED);',
    "",
  ),
  bug(
    "watchersStay",
    "a ban does not hold for those who watch the stage",
    "gateway/event-door.ts",
    "this.#moderation.apply([stage.attendance, ...rooms], {",
    "this.#moderation.apply(rooms, {",
  ),
  bug(
    "kickedOnce",
    "of somebody who sits in two places only one goes",
    MODERATION,
    'attendance.expel(session, "kicked", BARRED);',
    'if (attendance.expel(session, "kicked", BARRED) === undefined) (kicked as Set<string>).delete(person);',
  ),
  bug(
    "mutedLater",
    "what somebody says who has just come is not looked at",
    "gateway/join.ts",
    "if (stage) member.speech = deps.door(stage);",
    "",
  ),
  bug(
    "wordTwice",
    "an order goes on to the next owner, whether or not the last one ran it",
    "src/placement/orders.ts",
    'if (said.status === "ended") return err("gone");',
    'if (said.status === "ended") return err("absent");',
  ),
  {
    name: "auditApart",
    says: "an order and what the audit says of it are not in one record",
    edits: [
      {
        file: "actors/event/define-event.ts",
        find: "if (!isRefusal(done)) addAudit(",
        replace: 'if (!isRefusal(done) && what !== "event.announce") addAudit(',
      },
    ],
    ...hint("auditApart"),
  },
];
