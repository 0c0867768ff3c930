import type { IndexEntry } from "../../src/journal/index-store.ts";
import { EPOCH_NONE, type Epoch, epochAt } from "../../src/kernel/epoch.ts";
import { type ProcessId, processId, roomId, worldName } from "../../src/kernel/ids.ts";
import type { NodeState } from "../../src/membership/detector.ts";
import { ClusterView } from "../../src/membership/view.ts";
import { autoCreateBy } from "../../src/placement/auto-create.ts";
import { Planner } from "../../src/placement/planner.ts";
import {
  type PlannerConfig,
  type PlannerEffect,
  type PlannerMessage,
  plannerDefaults,
} from "../../src/placement/planner-types.ts";
import { RoomTable } from "../../src/placement/room-table.ts";
import type { NodeBeat, Proposal } from "../../src/protocol/control-messages.ts";

export const PLAZA = worldName("plaza");
export const node = (n: number): ProcessId =>
  processId(`n${n}.${n.toString(16).padStart(16, "0")}`);
export const replica = (n: number): ProcessId =>
  processId(`p${n}.${n.toString(16).padStart(16, "0")}`);
export const room = (n: number | string) => roomId(`t/room${n}`);
export const epoch = (n: number): Epoch => (n === 0 ? EPOCH_NONE : epochAt(0, n));

export const entry = (name: number | string, over: Partial<IndexEntry> = {}): IndexEntry => ({
  room: room(name),
  world: PLAZA,
  status: "wanted",
  epoch: EPOCH_NONE,
  owner: undefined,
  crashedOn: [],
  immovable: false,
  changedAtMs: 1_000,
  ...over,
});

/** Of a node that hosts nothing yet. */
export const beatOf = (process: ProcessId, sequence: number): NodeBeat => ({
  type: "nodeBeat",
  process,
  sequence,
  loopAgeMs: 0,
  echoAgeMs: 0,
  rooms: 0,
  sessions: 0,
  load: 0,
  egressBytesPerS: 0,
  capacity: 1,
  arch: "x64",
  zone: "z1",
  version: "1",
  pricePerHour: 0,
  draining: false,
  host: "h",
  pid: 1,
  worlds: [{ world: PLAZA, stateVersion: 1 }],
  running: null,
  stretch: 1,
});

/** A planner on its own, past its warm-up, with nodes that beat. */
export class Bench {
  now = 0;
  readonly view = new ClusterView();
  readonly rooms = new RoomTable();
  readonly states = new Map<ProcessId, NodeState>();
  readonly planner: Planner;
  #sequence = 0;

  constructor(options: { nodes?: number; rank?: number; config?: Partial<PlannerConfig> } = {}) {
    const { nodes = 3, rank = 0, config = {} } = options;
    for (let i = 0; i < rank; i++)
      this.view.observePlacement(
        { type: "placementBeat", process: replica(i), sequence: 1, url: "", host: "", pid: 1 },
        0,
      );
    this.planner = new Planner(
      {
        self: replica(rank),
        view: this.view,
        rooms: this.rooms,
        stateOf: (process) => this.states.get(process),
        autoCreate: autoCreateBy({ "demo*": "plaza" }),
        config: { ...plannerDefaults, ...config },
      },
      0,
    );
    for (let i = 1; i <= nodes; i++) this.join(node(i));
    this.now = 10_000;
  }

  beat(process: ProcessId, over: Partial<NodeBeat> = {}): void {
    const beat = { ...beatOf(process, ++this.#sequence), ...over };
    this.view.observeNode(beat, this.now);
  }

  join(process: ProcessId): PlannerEffect[] {
    this.beat(process);
    return this.verdict(process, "alive");
  }

  verdict(process: ProcessId, to: NodeState): PlannerEffect[] {
    const from = this.states.get(process);
    this.states.set(process, to);
    this.view.setState(process, to);
    const reason = to === "stalled" ? "loop_age" : "silent";
    return this.decide({ type: "transition", process, from, to, reason });
  }

  decide(message: PlannerMessage): PlannerEffect[] {
    return this.planner.decide(message, this.now);
  }

  /** The whole index as it is now. */
  index(...entries: IndexEntry[]): PlannerEffect[] {
    return this.decide({ type: "index", entries, readAt: this.now });
  }

  /** Name, epoch and people of each room. */
  route(owner: ProcessId, ...rooms: [string | number, number, number?][]): PlannerEffect[] {
    const routes = rooms.map(([name, at, sessions = null]) => ({
      room: room(name),
      epoch: epoch(at),
      sessions,
    }));
    return this.decide({ type: "route", route: { type: "route", owner, routes } });
  }

  /** Ticks every 50 ms. */
  run(byMs: number): PlannerEffect[] {
    const effects: PlannerEffect[] = [];
    for (const end = this.now + byMs; this.now < end; ) {
      this.now += 50;
      effects.push(...this.decide({ type: "tick", wallNow: this.now }));
    }
    return effects;
  }

  locate(name: string): { located: string[]; effects: PlannerEffect[] } {
    const effects = this.decide({ type: "locate", ask: 1, room: roomId(`t/${name}`) });
    return { located: answers(effects), effects };
  }
}

export const proposals = (effects: readonly PlannerEffect[]): (Proposal & { node: ProcessId })[] =>
  effects.flatMap((effect) =>
    effect.type === "propose"
      ? effect.proposals.map((proposal) => ({ ...proposal, node: effect.node }))
      : [],
  );
export const shown = (effects: readonly PlannerEffect[]): string[] =>
  proposals(effects).map((p) => `${p.room.slice(2)} ${p.replaces} ${p.reason}`);
export const answers = (effects: readonly PlannerEffect[]): string[] =>
  effects.flatMap((effect) => (effect.type === "answer" ? [effect.located.status] : []));
export const changes = (effects: readonly PlannerEffect[]): string[] =>
  effects.flatMap((effect) => (effect.type === "changeIndex" ? [effect.change.kind] : []));
export const targets = (effects: readonly PlannerEffect[]): ProcessId[] =>
  proposals(effects).map((p) => p.node);
