import { FAULT_KINDS, type FaultKind } from "./faults.ts";
import { UNDECIDED } from "./history.ts";
import type { SeedReport } from "./seed-run.ts";
import type { Done, Task } from "./worker.ts";

/** What every seed holds at least. */
export const MINIMA = {
  nodes: 4,
  rooms: 8,
  clients: 24,
  commands: 300,
  faults: 5,
  epochChanges: 1,
} as const;
type Minimum = keyof typeof MINIMA;

/** What must have happened somewhere in a run of many seeds, besides every kind of fault. */
const MUST_FIRE = [
  "network.dropped",
  "network.duplicated",
  "network.delayed",
  "network.cut",
  "network.lostByDisconnect",
  "network.unsent",
  "network.interestLate",
  "network.slowConsumers",
  "servers.killed",
  "servers.cut",
  "stores.unreachable",
  "stores.frozen",
  "stores.kept",
  "stores.keptLanded",
  "stores.ackLost",
  "stores.lost",
  "stores.late",
  "stores.lateLanded",
  "stores.stale",
  "stores.restoredWithout",
  "stores.watchLagged",
  "stores.watchDuplicated",
  "stores.watchSilent",
  "event.seats",
  "event.waited",
  "event.claps",
  "event.words",
  "event.refused",
  "event.kicks",
  "event.mutes",
  "event.slowed",
];

const TWICE_EVERY = 50;
/** So many seeds have one with an event, which takes twice as long. */
export const EVENT_EVERY = 4;
/** Whether an order exists is NP-complete; more open questions than this prove too little. */
const UNDECIDED_ONE_IN = 1_000;

export function* tasksOf(from: number, seeds: number): Generator<Task> {
  for (let seed = from; seed < from + seeds; seed++)
    yield { seed, ...(seed % TWICE_EVERY === 0 ? { twice: true } : {}) };
}

/** What a run of many seeds adds up to. */
export class Campaign {
  readonly least: Record<Minimum, number>;
  readonly struck: Partial<Record<FaultKind, number>> = {};
  readonly fired: Record<string, number> = {};
  readonly failed: SeedReport[] = [];
  /** Seeds with a room whose history the search for an order gave up. Nothing else was wrong. */
  readonly undecided: number[] = [];
  seeds = 0;
  twice = 0;
  events = 0;
  commands = 0;

  constructor() {
    const least = {} as Record<Minimum, number>;
    for (const name of Object.keys(MINIMA) as Minimum[]) least[name] = Number.POSITIVE_INFINITY;
    this.least = least;
  }

  add({ report }: Done): void {
    this.seeds++;
    if (report.seed % TWICE_EVERY === 0) this.twice++;
    this.events += report.events;
    this.commands += report.commands;
    const faults = Object.values(report.struck).reduce((sum, count) => sum + count, 0);
    const has = { ...report.shape, ...report, faults };
    for (const name of Object.keys(MINIMA) as Minimum[])
      this.least[name] = Math.min(this.least[name], has[name]);
    for (const kind of FAULT_KINDS)
      this.struck[kind] = (this.struck[kind] ?? 0) + (report.struck[kind] ?? 0);
    for (const [name, count] of Object.entries(report.fired))
      this.fired[name] = (this.fired[name] ?? 0) + count;
    if (report.violations.some(({ rule }) => rule !== UNDECIDED)) this.failed.push(report);
    else if (report.violations.length > 0) this.undecided.push(report.seed);
  }

  /** Why this run proves nothing, where it does not. */
  get shortcomings(): string[] {
    const short = (Object.keys(MINIMA) as Minimum[])
      .filter((name) => this.least[name] < MINIMA[name])
      .map((name) => `a seed had only ${this.least[name]} ${name}, not ${MINIMA[name]}`);
    for (const kind of FAULT_KINDS)
      if (!this.struck[kind]) short.push(`the fault ${kind} never struck`);
    if (this.undecided.length > Math.ceil(this.seeds / UNDECIDED_ONE_IN))
      short.push(`the histories of seeds ${this.undecided.join(", ")} are undecided`);
    for (const name of MUST_FIRE) if (!this.fired[name]) short.push(`${name} never happened`);
    return short;
  }
}
