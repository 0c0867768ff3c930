import type { StoredRecord } from "../../src/journal/journal.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { animate } from "./audience.ts";
import { EVENT_EVERY } from "./campaign.ts";
import { ClientChecker } from "./client-checker.ts";
import { Disturbances } from "./disturbances.ts";
import { EventWatch } from "./event-watch.ts";
import { type PlannedFault, planFaults } from "./fault-plan.ts";
import { FAULTS, type FaultKind } from "./faults.ts";
import { Fleet, roomOf, type Shape } from "./fleet.ts";
import { History } from "./history.ts";
import { JournalChecker } from "./journal-checker.ts";
import { checkLeftovers } from "./leftovers.ts";
import { OwnershipHistory } from "./ownership-history.ts";
import { PeopleChecker } from "./people-checker.ts";
import { ServiceChecker } from "./service-checker.ts";
import { checkSettled } from "./settled.ts";
import { Trace } from "./trace.ts";
import { VerdictChecker } from "./verdict-checker.ts";
import type { Violation } from "./violation.ts";

export const MINUTE_MS = 60_000;
/** By then every fault is over, and people rest so that everything can be compared. */
const REST_MS = 55_000;

export interface SeedOptions {
  readonly seed: number;
  /** Default: the seed's own. */
  readonly plan?: readonly PlannedFault[];
  /** Hears every line of the story as it happens. */
  readonly tell?: (line: string) => void;
}

export interface SeedReport {
  readonly seed: number;
  readonly shape: Shape;
  readonly plan: readonly PlannedFault[];
  /** How often each kind of fault struck. */
  readonly struck: Readonly<Partial<Record<FaultKind, number>>>;
  /** How often what they do befell something, by place and name. */
  readonly fired: Readonly<Record<string, number>>;
  readonly commands: number;
  readonly answered: number;
  readonly epochChanges: number;
  readonly events: number;
  readonly hash: string;
  readonly violations: readonly Violation[];
}

const VIOLATIONS_MAX = 20;

/** One virtual minute of a whole cluster. Must be called from a macrotask (see VirtualTime). */
export function runSeed({ seed, plan = planFaults(seed), tell }: SeedOptions): SeedReport {
  const violations: Violation[] = [];
  const trace = new Trace(() => fleet.time.now, tell);
  const accuse = (rule: string, what: string): void => {
    trace.note(`VIOLATION ${rule}`, what);
    if (violations.length < VIOLATIONS_MAX) violations.push({ rule, atMs: fleet.time.now, what });
  };
  const shape = shapeOf(seed);
  const disturbances = new Disturbances();
  const history = new History(() => fleet.time.now);
  const journal = new JournalChecker(() => fleet.nats.stores, accuse);
  const clients = new ClientChecker(journal, () => fleet.time.now, accuse);
  const ownership = new OwnershipHistory(() => fleet.time.now);
  const people = new PeopleChecker(journal, accuse);
  const event = new EventWatch({
    ...{ seed, shape: shape.event ?? NO_EVENT, journal, disturbances, trace, accuse },
    fleet: () => fleet,
    verdicts: () => verdicts,
  });
  const eventRooms = (): string[] => (shape.event ? event.rooms : []);
  const fleet = new Fleet(seed, shape, {
    called: (client, name, body) => {
      trace.note(client.name, `calls ${name}`);
      return history.called(client, name, body);
    },
    returned: (client, call, outcome) => {
      trace.note(client.name, `${outcome.kind} ${call}`);
      history.returned(call, outcome);
      if (outcome.kind !== "lost") clients.acked(client, history.sessionOf(call));
    },
    joined: (client, room) => {
      trace.note(client.name, `joins ${client.roomName} at ${room.index}`);
      clients.joined(client, room);
      people.joined(client, room);
    },
    refused: (client, why) => {
      trace.note(client.name, why);
      verdicts.refused(client, why);
    },
    socketClosed: (client, socket, code, reason) => {
      trace.note(client.name, `socket closed: ${code} ${reason}`);
      verdicts.socketClosed(client, socket, code);
    },
    restored: () => {
      const { logs, generation } = fleet.nats.stores;
      journal.restored(new Map([...logs].map(([room, log]) => [room, tailOf(log)])));
      for (const name of [...fleet.rooms, ...eventRooms()]) {
        const { owner, epoch } = journal.truth(roomOf(name));
        ownership.restored(roomOf(name), generation, owner ?? "", epoch);
      }
      const valuesOf = (name: string) =>
        Object.entries(journal.truth(roomOf(name)).state.values ?? {});
      history.restored(new Map(fleet.rooms.map((name) => [name, new Map(valuesOf(name))])));
      if (shape.event) event.restored();
      trace.note("stores", `restored as generation ${generation}`);
    },
    journal: (process, stores) => ownership.witness(process, stores),
    logged: (self, level, fields, text) => {
      trace.note(self, `${level} ${text}`, fields);
      verdicts.logged(self, level, fields, text);
    },
    exited: (process, why) => {
      trace.note(process.self, `exits: ${why}`);
      verdicts.exited(process, why);
    },
    visitor: event.witness,
    answered: event.answered,
  });
  const verdicts = new VerdictChecker(fleet, disturbances, accuse);
  fleet.nats.stores.landed = (room, record) => {
    const truth = journal.truth(room);
    const { owner } = truth;
    if (shape.event) event.landing(room, record, truth);
    journal.landed(room, record, fleet.nats.stores.logs.get(room)?.records[0]);
    if (shape.event) event.landed(room, owner, truth);
    service.weigh();
    if (!truth.handedOver) verdicts.owned(room, owner, truth.owner);
    trace.note(room, `record ${journal.truth(room).index} at ${record.sequence}`);
  };
  const service = new ServiceChecker(fleet, journal, disturbances, eventRooms, accuse);
  const struck: Partial<Record<FaultKind, number>> = {};
  for (const { atMs, kind, seed: own } of plan)
    fleet.time.at(atMs, () => {
      const lasts = FAULTS[kind]({ fleet, random: seededRandom(own), disturbances });
      trace.note("fault", `${kind} ${lasts === undefined ? "strikes nobody" : Math.round(lasts)}`);
      if (lasts !== undefined) struck[kind] = (struck[kind] ?? 0) + 1;
    });
  animate(fleet, REST_MS);
  if (shape.event) event.begin(REST_MS);
  fleet.time.run(MINUTE_MS);
  checkSettled(fleet, journal, clients, eventRooms(), accuse);
  if (shape.event) event.settled();
  people.settled(fleet);
  history.check(accuse);
  ownership.check(accuse);
  service.close();
  checkLeftovers(fleet, accuse);
  let epochChanges = 0;
  for (const room of fleet.rooms) epochChanges += journal.truth(roomOf(room)).epochs - 1;
  return {
    seed,
    shape,
    plan,
    struck,
    fired: firedIn(fleet, shape.event ? event.fired : {}),
    commands: history.size,
    answered: history.answered,
    epochChanges,
    events: fleet.time.fired,
    hash: trace.hash,
    violations,
  };
}

/** Of one that has as many shards as the seed says. */
const NO_EVENT = { shards: 0, shardSize: 3, visitors: 9 };

const tailOf = ({ records }: { readonly records: readonly StoredRecord[] }): number =>
  records.at(-1)?.sequence ?? 0;

function firedIn({ nats }: Fleet, event: object): Record<string, number> {
  const fired: Record<string, number> = {};
  const add = (place: string, counts: object): void => {
    for (const [name, count] of Object.entries(counts) as [string, number][])
      fired[`${place}.${name}`] = (fired[`${place}.${name}`] ?? 0) + count;
  };
  for (const { faults } of nats.networks) add("network", faults.fired);
  add("servers", nats.servers.fired);
  add("stores", nats.stores.fired);
  add("event", event);
  return fired;
}

function shapeOf(seed: number): Shape {
  const random = seededRandom(seed ^ 0x5a9e);
  return {
    nodes: random.next() < 0.7 ? 4 : 5,
    placements: random.next() < 0.7 ? 2 : 3,
    gateways: random.next() < 0.7 ? 2 : 3,
    rooms: 8,
    clients: 24,
    event:
      seed % EVENT_EVERY === 0 ? { ...NO_EVENT, shards: random.next() < 0.5 ? 2 : 3 } : undefined,
  };
}
