import type { IndexStore } from "../../src/journal/index-store.ts";
import type { ProcessId } from "../../src/kernel/ids.ts";
import { type Random, seededRandom } from "../../src/kernel/random.ts";
import { ClusterView, type NodeLine } from "../../src/membership/view.ts";
import { plannerDefaults } from "../../src/placement/planner-types.ts";
import {
  REBALANCE_LIMITS,
  type RebalanceLimits,
  Rebalancer,
  type RoundEffect,
} from "../../src/placement/rebalancer.ts";
import { RoomTable } from "../../src/placement/room-table.ts";
import type { NodeBeat } from "../../src/protocol/control-messages.ts";
import { beatOf, entry, epoch, node, replica, room } from "./planner-bench.ts";

/** What one person costs, in reference nodes. */
export const PERSON = 0.0002;
const BEAT_MS = 250;

export interface Moved {
  readonly room: string;
  readonly from: ProcessId;
  readonly to: ProcessId;
  readonly at: number;
  /** What it really weighs, against all rooms together. */
  readonly share: number;
}

/** One replica's knowledge and its rebalancer. */
interface Replica {
  readonly view: ClusterView;
  readonly rooms: RoomTable;
  readonly rebalancer: Rebalancer;
  /** Milliseconds that its clock is ahead. */
  readonly ahead: number;
  readonly index: Pick<IndexStore, "changeRound"> | undefined;
  round: number;
}

/** Nodes, rooms with people in them, and replicas that move the rooms, on virtual time. */
export class BalanceBench {
  now = 0;
  readonly random: Random;
  readonly people = new Map<number, number>();
  readonly owners = new Map<number, ProcessId>();
  readonly nodes = new Map<ProcessId, Partial<NodeBeat>>();
  readonly replicas: Replica[] = [];
  readonly moves: Moved[] = [];
  /** Every wish to move a room, also where nobody obeyed. */
  readonly asked: { readonly room: string; readonly at: number }[] = [];
  readonly rounds: { readonly at: number; readonly load: number }[] = [];
  /** What nodes measure is off by up to this share. */
  noise = 0;
  unsettled = 0;
  /** Owners do not obey. */
  deaf = false;
  stepMs = 1_000;
  /** Rooms whose names differ in a number behind a dash are one event. */
  named = (n: number) => room(n);
  /** What becomes of a spending, where no index is given. */
  answer: "at once" | "late" | "unknown" = "at once";
  readonly #late: (() => void)[] = [];
  readonly #joinedAt = new Map<ProcessId, number>();
  #epoch = 0;

  constructor(seed = 1) {
    this.random = seededRandom(seed);
  }

  replica(
    options: {
      readonly limits?: Partial<RebalanceLimits>;
      readonly ahead?: number;
      readonly rank?: number;
      /** Left out: every spending is granted at once. */
      readonly index?: Pick<IndexStore, "changeRound">;
    } = {},
  ): Replica {
    const { limits = {}, ahead = 0, rank = 0, index } = options;
    const view = new ClusterView();
    const rooms = new RoomTable();
    for (let i = 0; i < rank; i++)
      view.observePlacement(
        { type: "placementBeat", process: replica(i), sequence: 1, url: "", host: "", pid: 1 },
        this.now,
      );
    const rebalancer = new Rebalancer(
      { self: replica(rank), view, rooms },
      this.now + ahead,
      plannerDefaults,
      { ...REBALANCE_LIMITS, ...limits },
    );
    const made = { view, rooms, rebalancer, ahead, index, round: 0 };
    this.replicas.push(made);
    return made;
  }

  node(n: number, over: Partial<NodeBeat> = {}): ProcessId {
    this.nodes.set(node(n), over);
    this.#joinedAt.set(node(n), this.now);
    return node(n);
  }

  room(n: number, people: number, owner: ProcessId, over: { immovable?: boolean } = {}): void {
    this.people.set(n, people);
    this.#own(n, owner, over);
  }

  loadOf(process: ProcessId): number {
    let people = 0;
    for (const [n, owner] of this.owners) if (owner === process) people += this.people.get(n) ?? 0;
    return people * PERSON;
  }

  roomsOf(process: ProcessId): number[] {
    return [...this.owners].flatMap(([n, owner]) => (owner === process ? [n] : []));
  }

  utilisation(process: ProcessId): number {
    return this.loadOf(process) / (this.nodes.get(process)?.capacity ?? 1);
  }

  /** The fullest node against the mean. */
  get imbalance(): number {
    const processes = [...this.nodes.keys()];
    const total = processes.reduce((sum, process) => sum + this.loadOf(process), 0);
    const capacity = processes.reduce((sum, p) => sum + (this.nodes.get(p)?.capacity ?? 1), 0);
    return Math.max(...processes.map((p) => this.utilisation(p))) / (total / capacity);
  }

  async minutes(count: number): Promise<void> {
    for (const end = this.now + count * 60_000; this.now < end; ) await this.step();
  }

  /** Steps until `count` rounds were paid for. */
  async rounded(count: number): Promise<void> {
    for (let step = 0; this.rounds.length < count; step++) {
      if (step > 3_600) throw new Error(`only ${this.rounds.length} rounds of ${count}`);
      await this.step();
    }
  }

  /** Answers that were late come in. */
  arrive(): void {
    for (const answer of this.#late.splice(0)) answer();
  }

  /** A step in time: nodes beat, replicas tick, moves happen. */
  async step(): Promise<void> {
    this.now += this.stepMs;
    this.#beat();
    for (const one of this.replicas) {
      const now = this.now + one.ahead;
      for (const effect of one.rebalancer.tick(now, this.unsettled)) {
        if (effect.type === "round") {
          await this.#round(one, effect);
          continue;
        }
        this.asked.push({ room: effect.room, at: this.now });
        const n = Number(effect.room.replace(/\D/g, ""));
        const from = this.owners.get(n);
        if (this.deaf || from !== effect.node) continue;
        const share = (this.people.get(n) ?? 0) / this.#everybody();
        this.moves.push({ room: effect.room, from, to: effect.target, at: this.now, share });
        this.#own(n, effect.target);
      }
    }
  }

  #everybody = (): number => [...this.people.values()].reduce((sum, people) => sum + people, 0);

  #beat(): void {
    const here = new Map<ProcessId, number[]>();
    for (const [n, owner] of this.owners) {
      const owned = here.get(owner) ?? [];
      here.set(owner, owned);
      owned.push(this.people.get(n) ?? 0);
    }
    for (const [process, over] of this.nodes) {
      const off = 1 + this.noise * (2 * this.random.next() - 1);
      const owned = here.get(process) ?? [];
      const sessions = owned.reduce((sum, people) => sum + people, 0);
      const load = ((sessions * PERSON) / (over.capacity ?? 1)) * off;
      const sequence = (this.now - (this.#joinedAt.get(process) ?? 0)) / BEAT_MS;
      const measured = { load, sessions, rooms: owned.length, ...over };
      const beat = { ...beatOf(process, sequence), ...measured };
      for (const one of this.replicas) one.view.observeNode(beat, this.now + one.ahead);
    }
    for (const one of this.replicas)
      for (const [n, people] of this.people) {
        const line = one.rooms.get(this.named(n));
        if (line) line.sessions = people;
      }
  }

  #own(n: number, owner: ProcessId, over: { immovable?: boolean } = {}): void {
    this.owners.set(n, owner);
    const at = epoch(++this.#epoch);
    for (const one of this.replicas) {
      const now = this.now + one.ahead;
      if (one.rooms.get(this.named(n))) one.rooms.applyOwner(this.named(n), at, owner, now);
      else
        one.rooms.applyEntry(
          { ...entry(n, { epoch: at, owner, ...over }), room: this.named(n) },
          now,
          undefined,
        );
    }
  }

  async #round(one: Replica, { replaces, load }: RoundEffect): Promise<void> {
    let won = false;
    if (one.index) {
      const answer = await one.index.changeRound((old) => {
        won = replaces !== undefined && (old?.round ?? 0) === replaces;
        return won ? { round: (replaces ?? 0) + 1, by: replica(0), load } : undefined;
      });
      const stored = answer.ok ? (answer.value ?? "none") : undefined;
      won &&= answer.ok;
      one.rebalancer.onRound({ stored, won }, this.now + one.ahead);
    } else {
      won = replaces !== undefined && this.answer !== "unknown";
      if (won) one.round++;
      const stored =
        this.answer === "unknown" ? undefined : { round: one.round, by: replica(0), load };
      const tell = () => one.rebalancer.onRound({ stored, won }, this.now + one.ahead);
      if (this.answer === "late") this.#late.push(tell);
      else tell();
    }
    if (won) this.rounds.push({ at: this.now, load });
  }

  /** Another verdict on a node, in every replica. */
  verdict(process: ProcessId, state: NodeLine["state"]): void {
    for (const { view } of this.replicas) view.setState(process, state);
  }
}
