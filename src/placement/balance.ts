import type { Epoch } from "../kernel/epoch.ts";
import type { ProcessId, RoomId } from "../kernel/ids.ts";

export interface BalanceLimits {
  /** A node may be so much above or below the mean, as a share of it, before it matters. */
  readonly tolerance: number;
  /** And so much, as a share of its capacity: near nothing is as good as nothing. */
  readonly slack: number;
  /** What moving costs, against what it gains. */
  readonly churn: number;
  /** A node is given at most this share of its capacity in one round, or one room. */
  readonly intakeShareMax: number;
  readonly movesMax: number;
  /** Of the emptiest nodes that may take a room so many are looked at. */
  readonly targetsMax: number;
  /** So often a plan asks whether a node may take a room; then it is as good as it is. */
  readonly asksMax: number;
}

export const BALANCE_LIMITS: BalanceLimits = {
  tolerance: 0.1,
  slack: 0.02,
  churn: 0.25,
  intakeShareMax: 0.1,
  movesMax: 64,
  targetsMax: 8,
  asksMax: 4_000,
};

export interface BalanceRoom {
  readonly room: RoomId;
  readonly epoch: Epoch;
  /** In reference nodes. */
  readonly load: number;
}

export interface BalanceNode {
  readonly process: ProcessId;
  readonly capacity: number;
  readonly load: number;
  /** All of them, also those that stay. */
  readonly rooms: number;
  /** Asked of the few nodes that something is taken from. */
  readonly movable: () => readonly BalanceRoom[];
  /** It has just joined: it is to come up to the mean, not only near it. */
  readonly fresh: boolean;
}

export interface BalanceMove extends BalanceRoom {
  readonly from: ProcessId;
  readonly target: ProcessId;
}

/** How much may be moved, in reference nodes. */
export interface Allowance {
  readonly together: number;
  /** Where nothing within `together` helps: one room, up to this. */
  readonly alone: number;
}

interface Work extends BalanceNode {
  load: number;
  rooms: number;
  intake: number;
}

/** Mean utilisation: 1 is every node at its capacity. */
export function meanUtilisation(nodes: readonly BalanceNode[]): number {
  const load = nodes.reduce((sum, node) => sum + node.load, 0);
  const capacity = nodes.reduce((sum, node) => sum + node.capacity, 0);
  return capacity === 0 ? 0 : load / capacity;
}

/**
 * Which rooms to move for a better balance, by Dicer's objective: being over the mean costs most,
 * being under it less, hosting nothing very much, and moving a little. Greedy from the fullest
 * node; an unmoved cluster is the usual answer. Pure, and the same for the same nodes.
 */
export function planMoves(
  nodes: readonly BalanceNode[],
  { together, alone }: Allowance,
  mayTake: (move: BalanceMove, planned: readonly BalanceMove[]) => boolean,
  limits: BalanceLimits,
): BalanceMove[] {
  const mean = meanUtilisation(nodes);
  // Rooms may be many, and nodes are balanced nearly always.
  if (nodes.every((node) => costOf(node, 0, mean, limits) === 0)) return [];
  const moves = greedy(nodes, together, mayTake, limits);
  if (moves.length > 0 || alone <= together) return moves;
  return greedy(nodes, alone, mayTake, { ...limits, movesMax: 1 });
}

function greedy(
  nodes: readonly BalanceNode[],
  loadMax: number,
  mayTake: Setting["mayTake"],
  limits: BalanceLimits,
): BalanceMove[] {
  const mean = meanUtilisation(nodes);
  const works = nodes
    .filter(({ capacity }) => capacity > 0)
    .map((node) => ({ ...node, intake: 0 }));
  const stuck = new Set<Work>();
  const asked = { count: 0 };
  const moves: BalanceMove[] = [];
  let left = loadMax;
  while (moves.length < limits.movesMax) {
    works.sort(byUtilisation);
    const source = works.findLast((work) => !stuck.has(work));
    if (!source) break;
    const best = bestMove(source, works, {
      mean,
      loadMax: left,
      moves,
      mayTake,
      limits,
      asked,
    });
    if (!best) {
      stuck.add(source);
      continue;
    }
    const { move, target } = best;
    moves.push(move);
    left -= move.load;
    source.load -= move.load;
    source.rooms--;
    target.load += move.load;
    target.rooms++;
    target.intake += move.load;
  }
  return moves;
}

interface Setting {
  readonly mean: number;
  readonly loadMax: number;
  readonly moves: readonly BalanceMove[];
  readonly mayTake: (move: BalanceMove, planned: readonly BalanceMove[]) => boolean;
  readonly limits: BalanceLimits;
  /** Questions put to `mayTake` in this plan. */
  readonly asked: { count: number };
}

/** The room of `source` whose move gains most, and where to. Undefined: none gains anything. */
function bestMove(
  source: Work,
  byLoad: readonly Work[],
  { mean, loadMax, moves, mayTake, limits, asked }: Setting,
): { readonly move: BalanceMove; readonly target: Work } | undefined {
  const moved = new Set(moves.map(({ room }) => room));
  const before = costOf(source, 0, mean, limits);
  let best: { readonly move: BalanceMove; readonly target: Work } | undefined;
  let bestGain = 0;
  for (const room of source.movable()) {
    const { load } = room;
    if (load > loadMax || moved.has(room.room)) continue;
    const after = costOf(source, -load, mean, limits);
    let looked = 0;
    for (const target of byLoad) {
      if (target === source) continue;
      // Those that may not take it do not count: they may be all of the emptiest.
      if (looked++ === limits.targetsMax) break;
      const { intake, capacity } = target;
      if (intake > 0 && intake + load > limits.intakeShareMax * capacity) continue;
      // Otherwise it would be the next to give something away.
      if ((target.load + load) / capacity > source.load / source.capacity) continue;
      const there = costOf(target, 0, mean, limits) - costOf(target, load, mean, limits);
      const gain = before - after + there - limits.churn * load;
      if (gain <= bestGain) continue;
      const move = { ...room, from: source.process, target: target.process };
      if (asked.count++ >= limits.asksMax) return best;
      if (!mayTake(move, moves)) {
        looked--;
        continue;
      }
      bestGain = gain;
      best = { move, target };
    }
  }
  return best;
}

/** What is wrong with a node that `change` is added to; its sign is that of the rooms' number. */
function costOf(node: BalanceNode, change: number, mean: number, limits: BalanceLimits): number {
  const { capacity, fresh } = node;
  const load = node.load + change;
  const { tolerance, slack } = limits;
  const max = capacity * (mean * (1 + tolerance) + slack);
  const min = capacity * (fresh ? mean : mean * (1 - tolerance) - slack);
  let cost = node.rooms + Math.sign(change) <= 0 ? 100 * max : 0;
  if (load > max) cost += 16 * (load / max) ** 2 * (load - max);
  if (load < min) cost += 4 * (1 + (min - load) / min) ** 2 * (min - load);
  return cost;
}

/** The emptiest first; the same order for the same nodes. */
const byUtilisation = (a: BalanceNode, b: BalanceNode): number =>
  a.load / a.capacity - b.load / b.capacity || (a.process < b.process ? -1 : 1);
