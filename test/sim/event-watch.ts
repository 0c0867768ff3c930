import { CLOSED_NORMALLY } from "../../src/client/transport.ts";
import type { StoredRecord } from "../../src/journal/journal.ts";
import { EPOCH_NONE } from "../../src/kernel/epoch.ts";
import type { ProcessId, RoomId } from "../../src/kernel/ids.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { CLOSE } from "../../src/protocol/close-codes.ts";
import { shardOf } from "../../src/protocol/event-names.ts";
import type { EventPublic } from "../../src/protocol/event-public.ts";
import type { AuditEntry } from "../../src/protocol/event-spec.ts";
import { decodeRecord } from "../../src/protocol/journal-record.ts";
import { isCalm, isWell } from "./calm.ts";
import { CountsChecker } from "./counts-checker.ts";
import type { Disturbances } from "./disturbances.ts";
import { type Answered, EVENT, type EventShape, STAGE } from "./event-world.ts";
import { type Fleet, roomOf } from "./fleet.ts";
import type { JournalChecker, RoomTruth } from "./journal-checker.ts";
import { LOOK_MS, ModerationChecker, type StageTruth } from "./moderation-checker.ts";
import { Operator } from "./operator.ts";
import { SeatsChecker, wished } from "./seats-checker.ts";
import type { SimVisitor, VisitorWitness } from "./sim-visitor.ts";
import { SlowChecker, type StageClock } from "./slow-checker.ts";
import type { Trace } from "./trace.ts";
import type { VerdictChecker } from "./verdict-checker.ts";
import type { Accuse } from "./violation.ts";
import { visit } from "./visitors.ts";

/** Somebody may be away who is banned: their seat is held for a while. */
const LAST_WORD_MS = 46_000;
/** Nothing comes or goes any more, and everybody has reported what there was. */
const READ_MS = 57_500;
/** Whoever wants a seat for so long and is not told that there is none has one. */
const SEAT_MS_MAX = 6_000;
/** So long after it came a door knows a membership, and has heard a clap. */
const SURE_MS = 2_000;

/** The gateway closes a socket that has nobody left, or the client does. */
const MOVED: ReadonlySet<number> = new Set([CLOSE.superseded.code, CLOSED_NORMALLY]);

export interface EventWatchParts {
  readonly seed: number;
  readonly shape: EventShape;
  readonly fleet: () => Fleet;
  readonly journal: JournalChecker;
  readonly disturbances: Disturbances;
  readonly verdicts: () => VerdictChecker;
  readonly trace: Trace;
  readonly accuse: Accuse;
}

interface StageSecret {
  readonly event?: { readonly doors: Readonly<Record<string, readonly number[]>> };
  readonly audit?: { readonly entries: Readonly<Record<string, AuditEntry>> };
}

/** Lets an event happen in one seed's cluster, and asks of it what events promise. */
export class EventWatch {
  readonly #parts: EventWatchParts;
  readonly #seats: SeatsChecker;
  readonly #counts: CountsChecker;
  readonly #moderation: ModerationChecker;
  readonly #slow: SlowChecker;
  #operator: Operator | undefined;
  #restored = false;
  /** How many sit there, by the owner's last word to an operator. */
  #read: { readonly seated: number } | undefined;
  #waited = 0;

  constructor(parts: EventWatchParts) {
    const { accuse, shape } = parts;
    this.#parts = parts;
    this.#seats = new SeatsChecker(shape, accuse);
    this.#counts = new CountsChecker(() => parts.fleet().time.now, accuse);
    this.#moderation = new ModerationChecker(() => this.#stage(), accuse);
    this.#slow = new SlowChecker(() => this.#stageClock(), accuse);
  }

  readonly answered = (answered: Answered): void => {
    const { trace } = this.#parts;
    const { answer, from, owner, question } = answered;
    for (const { shard, seats } of [...answer.grants, ...wished(answer)])
      trace.note(owner, `grants ${from} ${seats} seats in shard ${shard}`);
    trace.note(from, `waits ${question.waiting}, claps ${question.reactions.join()}`);
    this.#seats.answered(answered);
    this.#counts.answered(answered);
  };

  readonly witness: VisitorWitness = {
    seated: (visitor) => this.#parts.trace.note(visitor.name, "has a seat"),
    refused: (visitor, why) => {
      this.#parts.trace.note(visitor.name, why);
      if (/kicked/.test(why) && this.#moderation.expelled(visitor)) return;
      this.#parts.verdicts().turnedAway(visitor, why);
    },
    socketClosed: (visitor, socket, code, reason) => {
      this.#parts.trace.note(visitor.name, `socket closed: ${code} ${reason}`);
      // It went on by another gateway, which it was told serves its shard.
      const moved = MOVED.has(code) && visitor.sockets.size > 0;
      if (!moved) this.#parts.verdicts().socketClosed(visitor, socket, code);
    },
    clapped: (visitor) => this.#clapped(visitor),
    said: (visitor) => {
      const muted = this.#moderation.said(visitor);
      const slowed = this.#slow.said(visitor, () => this.#parts.fleet().time.now);
      return (status) => {
        muted(status);
        slowed(status);
      };
    },
  };

  begin(restMs: number): void {
    const { fleet: fleetOf, seed, shape, trace } = this.#parts;
    const fleet = fleetOf();
    const { time } = fleet;
    this.#operator = new Operator(fleet, shape, seededRandom(seed ^ 0x0b0e), {
      asked: (word) => {
        trace.note("operator", `${word.what} ${JSON.stringify(word.body)}`);
        const { duplicateRate = 0 } = fleet.nats.control.faults.everywhere;
        this.#moderation.asked(word, duplicateRate > 0);
      },
      acked: (word) => this.#moderation.acked(word, fleet.visitors),
      answered: (what, answer) => trace.note("operator", `${what}: ${answer.status}`, answer),
    });
    const operator = this.#operator;
    time.in(1_200, () => operator.begin(LAST_WORD_MS));
    visit(fleet, restMs);
    const look = (): void => {
      this.#look();
      if (time.now < READ_MS + 2_000) time.in(LOOK_MS, look);
    };
    time.in(5_000, look);
    for (const afterMs of [0, 700, 1_400]) time.at(READ_MS + afterMs, () => this.#ask());
  }

  /** Before the journal's truth has it. */
  landing(room: RoomId, { data }: StoredRecord, { sessions }: RoomTruth): void {
    if (shardOf(room)?.stage !== STAGE) return;
    const record = decodeRecord(data);
    if (record) this.#seats.landed(room, record, sessions);
  }

  landed(room: RoomId, before: ProcessId | undefined, truth: RoomTruth): void {
    if (room === STAGE && before !== truth.owner) this.#counts.owned(before, truth.handedOver);
    if (shardOf(room)?.stage === STAGE) this.#seats.filled(room, hereIn(truth));
  }

  restored(): void {
    this.#restored = true;
    this.#operator?.open();
  }

  /** After the rest. */
  settled(): void {
    const { accuse, fleet: fleetOf, journal } = this.#parts;
    const fleet = fleetOf();
    const { owner, secret } = journal.truth(STAGE);
    const up = (gateway: string): boolean =>
      fleet.gateways.some(({ process }) => process.self === gateway && process.up);
    const doors = (secret as StageSecret).event?.doors ?? {};
    this.#counts.settled(owner, doors, up, this.#restored);
    const shards = this.rooms.filter((name) => name !== EVENT).map((n) => journal.truth(roomOf(n)));
    const here = (person: string): number =>
      shards
        .flatMap(({ sessions }) => [...sessions.values()])
        .filter((session) => session.here && session.person === person).length;
    this.#moderation.settled(fleet.visitors, here);
    const ledger = this.#seats.ledgerOf(owner);
    const all = ledger?.gateways.every(up) === true;
    const seated = shards.reduce((sum, truth) => sum + hereIn(truth), 0);
    // Seats are held for some who are away, and nobody may be there to tell of them.
    const present = fleet.visitors.filter((visitor) => visitor.seated).length;
    this.#seating(seated, all);
    if (!this.#read) accuse("I6", "the event's owner told nobody how it stands");
    else if (this.#read.seated < present || (all && this.#read.seated > seated))
      accuse(
        "counts",
        `${this.#read.seated} are told to sit there, where ${present} do and ${seated} have seats (EV5)`,
      );
  }

  /** The event's rooms that there are, by name. */
  get rooms(): string[] {
    const { journal, shape } = this.#parts;
    const shards = Array.from({ length: shape.shards }, (_, shard) => `${EVENT}--${shard}`);
    return [EVENT, ...shards].filter((name) => journal.truth(roomOf(name)).epoch !== EPOCH_NONE);
  }

  get fired(): object {
    const { acked, refused, kicks, mutes } = this.#moderation.enforced;
    const { seats } = this.#seats;
    return {
      seats,
      words: acked,
      refused,
      kicks,
      mutes,
      slowed: this.#slow.refused,
      claps: this.#counts.claps,
      waited: this.#waited,
    };
  }

  /** Whoever has wanted a seat for long has one, unless all are taken or held for somebody. */
  #seating(seated: number, all: boolean): void {
    const { accuse, disturbances, fleet: fleetOf, shape } = this.#parts;
    const fleet = fleetOf();
    const { now } = fleet.time;
    const { event } = this.#stage();
    for (const visitor of fleet.visitors) {
      const { leaving, name, seated: has, sinceMs, ticket } = visitor;
      const banned = event && Object.hasOwn(event.bans, name);
      if (has || leaving || ticket.to === "stage" || banned) continue;
      this.#waited++;
      if (now - sinceMs < SEAT_MS_MAX || !isWell(visitor, disturbances, now)) continue;
      if (all && seated < shape.shards * shape.shardSize)
        accuse("seats", `${name} waits for one, and ${seated} sit in ${shape.shards} shards`);
    }
  }

  #look(): void {
    const { disturbances, fleet: fleetOf } = this.#parts;
    const fleet = fleetOf();
    const calm = isCalm(fleet, disturbances);
    const { now } = fleet.time;
    const well = (visitor: SimVisitor): boolean => calm && isWell(visitor, disturbances, now);
    this.#moderation.look(fleet.visitors, well);
    const { event } = this.#stage();
    for (const visitor of fleet.visitors) this.#slow.look(event, visitor, well(visitor));
  }

  #clapped(visitor: SimVisitor): void {
    const { disturbances, fleet: fleetOf } = this.#parts;
    const fleet = fleetOf();
    const { time } = fleet;
    this.#counts.clapped();
    const [socket, other] = visitor.sockets;
    const { shard, sinceMs } = visitor;
    if (!socket || other || time.now - sinceMs < SURE_MS || !isCalm(fleet, disturbances)) return;
    time.in(SURE_MS, () => {
      const same = visitor.sockets.has(socket) && visitor.shard === shard && !shard?.ended;
      if (same && isWell(visitor, disturbances, time.now) && socket.gateway.process.up)
        this.#counts.sure(socket.gateway.process.self);
    });
  }

  #ask(): void {
    this.#operator?.read((answer) => {
      if (answer?.status === 200) this.#read = JSON.parse(String(answer.body));
    });
  }

  #stageClock(): StageClock {
    const { fleet: fleetOf, journal } = this.#parts;
    const { processes, time } = fleetOf();
    const { owner } = journal.truth(STAGE);
    const process = processes.find(({ self }) => self === owner);
    return { owner, aheadMs: process ? process.main.clock.wallNow() - time.now : 0 };
  }

  #stage(): StageTruth {
    const { generation, secret, state } = this.#parts.journal.truth(STAGE);
    const { event } = state as { readonly event?: EventPublic };
    const audit = Object.values((secret as StageSecret).audit?.entries ?? {});
    return { event, audit, generation };
  }
}

const hereIn = ({ sessions }: RoomTruth): number => {
  let here = 0;
  for (const session of sessions.values()) if (session.here) here++;
  return here;
};
