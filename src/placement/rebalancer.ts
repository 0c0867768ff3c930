import type { MovesRound } from "../journal/index-store.ts";
import type { ProcessId, RoomId } from "../kernel/ids.ts";
import type { ClusterView, NodeLine } from "../membership/view.ts";
import {
  BALANCE_LIMITS,
  type BalanceLimits,
  type BalanceMove,
  type BalanceNode,
  type BalanceRoom,
  meanUtilisation,
  planMoves,
} from "./balance.ts";
import type { MigrateEffect } from "./drainer.ts";
import { LoadAverages } from "./load-averages.ts";
import { type PlannerConfig, plannerDefaults } from "./planner-types.ts";
import type { RoomLine, RoomTable } from "./room-table.ts";
import { eligibleNodes } from "./score.ts";

export interface RebalanceLimits {
  /** Share of the cluster's load that may be moved in a window; 0: none, ever. */
  readonly shareMax: number;
  /** One round of moves in each. Over a sixth of it loads are averaged, and the cluster is calm. */
  readonly windowMs: number;
  /** A room stays so long with an owner before it is moved for load. */
  readonly roomRestMs: number;
  /** For so long a node that has joined is filled up to the mean. */
  readonly freshMs: number;
  /** Between two looks for something to move. */
  readonly lookMs: number;
  /** An answer that took longer comes too late to act on. */
  readonly answerMsMax: number;
  /** Moves from, and to, one node at once. */
  readonly movesMax: number;
  /** A move that shows no effect by then is given up. */
  readonly moveMsMax: number;
  readonly balance: BalanceLimits;
}

export const REBALANCE_LIMITS: RebalanceLimits = {
  shareMax: 0.05,
  windowMs: 60_000,
  roomRestMs: 300_000,
  freshMs: 600_000,
  lookMs: 5_000,
  answerMsMax: 5_000,
  movesMax: 4,
  moveMsMax: 5_000,
  balance: BALANCE_LIMITS,
};

/** Look at the record of rounds, and where it still is `replaces`, write the next one. */
export interface RoundEffect {
  readonly type: "round";
  /** Undefined: only look. */
  readonly replaces: number | undefined;
  readonly load: number;
}
export type RebalanceEffect = MigrateEffect | RoundEffect;

interface Seen {
  /** 0: there was none yet. */
  readonly round: number;
  /** Since when this replica knows it to stand, by its own clock. */
  readonly since: number;
}

interface RebalancerParts {
  readonly self: ProcessId;
  readonly view: ClusterView;
  readonly rooms: RoomTable;
}

/**
 * Evens out load by moving rooms, a little at a time: at most one round in a window, which whoever
 * wants to make it pays for by a compare-and-set on a record that all replicas share. Clocks decide
 * nothing: a replica may replace the round that it has itself seen stand for a window. Pure.
 */
export class Rebalancer {
  readonly #parts: RebalancerParts;
  readonly #config: PlannerConfig;
  readonly #limits: RebalanceLimits;
  readonly #loads: LoadAverages;
  readonly #underWay = new Map<RoomId, BalanceMove & { readonly until: number }>();
  /** Rooms whose move showed no effect, and until when they are left alone. */
  readonly #failed = new Map<RoomId, number>();
  /** A plan without moves is not made anew at once. */
  #idleUntil = Number.NEGATIVE_INFINITY;
  #waiting: BalanceMove[] = [];
  #waitingUntil = 0;
  #seen: Seen | undefined;
  #asked: { readonly at: number; readonly moves: readonly BalanceMove[] } | undefined;
  #lookAt = 0;
  #known: ReadonlySet<ProcessId> = new Set();
  #calmSince: number;

  constructor(
    parts: RebalancerParts,
    now: number,
    config: PlannerConfig = plannerDefaults,
    limits: RebalanceLimits = REBALANCE_LIMITS,
  ) {
    this.#parts = parts;
    this.#config = config;
    this.#limits = limits;
    this.#calmSince = now;
    this.#loads = new LoadAverages(config.score, limits.windowMs / 6);
  }

  /** The fullest node against the mean, by share of capacity; undefined where there is no node. */
  get imbalance(): number | undefined {
    const nodes = this.#nodes(0);
    const mean = meanUtilisation(nodes);
    if (mean === 0) return undefined;
    return Math.max(...nodes.map(({ load, capacity }) => load / capacity)) / mean;
  }

  /** `unsettled`: rooms on their way to an owner after a failure. */
  tick(now: number, unsettled: number): RebalanceEffect[] {
    const { self, view } = this.#parts;
    const { windowMs, shareMax, lookMs } = this.#limits;
    this.#loads.observe(view.nodes.values(), now);
    this.#settle(now);
    if (!this.#isCalm(unsettled)) this.#calmSince = now;
    const calm = now - this.#calmSince >= windowMs / 6;
    if (!calm || now >= this.#waitingUntil) this.#waiting = [];
    if (!calm || shareMax === 0 || view.rank(self) > 0) return [];
    const effects: RebalanceEffect[] = this.#start(now);
    if (now < this.#lookAt || this.#asked) return effects;
    this.#lookAt = now + lookMs;
    const round = this.#round(now);
    return round ? [...effects, round] : effects;
  }

  /** What became of the last RoundEffect. `stored` undefined: nobody knows. */
  onRound(
    answer: { readonly stored: MovesRound | "none" | undefined; readonly won: boolean },
    now: number,
  ): void {
    const asked = this.#asked;
    this.#asked = undefined;
    const { stored, won } = answer;
    // It may have been written: then it is seen as another one, and stands for a window anew.
    if (stored === undefined) {
      this.#seen = undefined;
      return;
    }
    this.#seen = { round: stored === "none" ? 0 : stored.round, since: now };
    if (!won || !asked || now - asked.at > this.#limits.answerMsMax) return;
    this.#waiting = [...asked.moves];
    this.#waitingUntil = now + this.#limits.windowMs / 2;
  }

  /** This replica did not run, or was cut off: what it was about to do is of another time. */
  paused(now: number): void {
    this.#waiting = [];
    this.#calmSince = now;
    this.#loads.forget();
  }

  #isCalm(unsettled: number): boolean {
    const { nodes } = this.#parts.view;
    const known = this.#known;
    this.#known = new Set(nodes.keys());
    if (unsettled > 0 || known.size !== nodes.size) return false;
    for (const { process, state, beat } of nodes.values())
      if (state !== "alive" || beat.draining || !known.has(process)) return false;
    return true;
  }

  #round(now: number): RoundEffect | undefined {
    const { windowMs } = this.#limits;
    if (!this.#seen) {
      this.#asked = { at: now, moves: [] };
      return { type: "round", replaces: undefined, load: 0 };
    }
    if (now < this.#idleUntil) return undefined;
    const windows = Math.floor((now - this.#seen.since) / windowMs);
    if (windows < 1 || this.#waiting.length > 0 || this.#underWay.size > 0) return undefined;
    const moves = this.#plan(now, windows);
    if (moves.length === 0) {
      this.#idleUntil = now + windowMs / 6;
      return undefined;
    }
    this.#asked = { at: now, moves };
    const load = moves.reduce((sum, move) => sum + move.load, 0);
    return { type: "round", replaces: this.#seen.round, load };
  }

  #plan(now: number, windows: number): BalanceMove[] {
    const { shareMax, balance } = this.#limits;
    const nodes = this.#nodes(now);
    const total = nodes.reduce((sum, node) => sum + node.load, 0);
    const together = total * shareMax;
    const allowance = { together, alone: together * windows };
    return planMoves(nodes, allowance, (move, planned) => this.#mayTake(move, planned), balance);
  }

  #nodes(now: number): BalanceNode[] {
    const young = ({ bornAt }: NodeLine): boolean => now - bornAt < this.#limits.freshMs;
    return [...this.#parts.view.nodes.values()].map((line) => this.#node(line, now, young(line)));
  }

  #node({ process, beat }: NodeLine, now: number, fresh: boolean): BalanceNode {
    const load = this.#loads.of(process);
    const rooms = this.#parts.rooms.countOf(process);
    let listed: readonly BalanceRoom[] | undefined;
    const movable = () => {
      listed ??= this.#movableOf(process, load, now);
      return listed;
    };
    return { process, capacity: beat.capacity, load, rooms, movable, fresh };
  }

  /** Rooms share their node's load as they share its people, each counting as one more. */
  #movableOf(process: ProcessId, load: number, now: number): BalanceRoom[] {
    const { rooms } = this.#parts;
    const lines = rooms.ownedBy(process).flatMap((room) => rooms.get(room) ?? []);
    const people = lines.reduce((sum, { sessions }) => sum + (sessions ?? 0) + 1, 0);
    const { roomLoadMin } = this.#config.score;
    return lines
      .filter((line) => this.#isMovable(line, now))
      .map(({ room, epoch, sessions }) => {
        const share = ((sessions ?? 0) + 1) / people;
        return { room, epoch, load: Math.max(roomLoadMin, load * share) };
      });
  }

  #isMovable({ room, status, immovable, ownerSince }: RoomLine, now: number): boolean {
    if (this.#failed.has(room)) return false;
    return status === "wanted" && !immovable && now - ownerSince >= this.#limits.roomRestMs;
  }

  /** The rules by which every room finds its node; of one event no two rooms move in a round. */
  #mayTake({ room, from, target, load }: BalanceMove, planned: readonly BalanceMove[]): boolean {
    const { rooms, view } = this.#parts;
    const known = rooms.get(room);
    if (!known) return false;
    const { world, stateVersionMin, crashedOn } = known;
    const siblings = rooms.siblings(room);
    if (siblings && planned.some((move) => rooms.siblings(move.room) === siblings)) return false;
    // Where it is now it leaves.
    const others = siblings && new Map(siblings).set(from, (siblings.get(from) ?? 1) - 1);
    const excluded = new Set([...crashedOn, from]);
    const asked = { room, world, stateVersionMin, load, isNew: false, excluded, siblings: others };
    // Only where a zone may be full do the others matter.
    const line = view.nodes.get(target);
    const nodes = siblings ? view.nodes.values() : line ? [line] : [];
    const { eligible } = eligibleNodes(asked, nodes, () => 0, this.#config.score);
    return eligible.some(({ process }) => process === target);
  }

  /** What has moved, or shows no effect, is under way no more. */
  #settle(now: number): void {
    for (const [room, { from, epoch, until }] of this.#underWay) {
      const line = this.#parts.rooms.get(room);
      const stays = line?.owner === from && line.epoch === epoch;
      if (stays && now < until) continue;
      this.#underWay.delete(room);
      // It did not come to rest, perhaps, and would not the next time either.
      if (stays) this.#failed.set(room, now + this.#limits.roomRestMs);
    }
    for (const [room, until] of this.#failed) if (now >= until) this.#failed.delete(room);
  }

  /** A few moves at once; what has changed since they were planned is left alone. */
  #start(now: number): MigrateEffect[] {
    const effects: MigrateEffect[] = [];
    const later: BalanceMove[] = [];
    for (const move of this.#waiting) {
      const { room, epoch, from, target } = move;
      const line = this.#parts.rooms.get(room);
      if (line?.owner !== from || line.epoch !== epoch) continue;
      if (!this.#isMovable(line, now) || !this.#mayTake(move, [])) continue;
      if (this.#isBusy(from) || this.#isBusy(target)) {
        later.push(move);
        continue;
      }
      this.#underWay.set(room, { ...move, until: now + this.#limits.moveMsMax });
      effects.push({ type: "migrate", node: from, room, epoch, target });
    }
    this.#waiting = later;
    return effects;
  }

  #isBusy(node: ProcessId): boolean {
    let moves = 0;
    for (const { from, target } of this.#underWay.values())
      if (from === node || target === node) moves++;
    return moves >= this.#limits.movesMax;
  }
}
