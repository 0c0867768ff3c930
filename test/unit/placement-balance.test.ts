import fc from "fast-check";
import { expect, test } from "vitest";
import {
  BALANCE_LIMITS,
  type BalanceNode,
  meanUtilisation,
  planMoves,
} from "../../src/placement/balance.ts";
import { epoch, node, room } from "../support/planner-bench.ts";

interface Given {
  readonly capacity: number;
  readonly fresh: boolean;
  readonly loads: readonly number[];
  /** Of rooms that stay. */
  readonly fixed: number;
}

const given = fc.record({
  capacity: fc.constantFrom(0.5, 1, 2.5),
  fresh: fc.boolean(),
  loads: fc.array(fc.double({ min: 0.0005, max: 0.4, noNaN: true }), { maxLength: 12 }),
  fixed: fc.constantFrom(0, 0, 0.3),
});

function nodesOf(all: readonly Given[]): BalanceNode[] {
  return all.map(({ capacity, fresh, loads, fixed }, i) => {
    const movable = loads.map((load, k) => ({
      room: room(`${i}x${k}`),
      epoch: epoch(1),
      load,
    }));
    const load = loads.reduce((sum, one) => sum + one, fixed);
    const rooms = loads.length + (fixed > 0 ? 1 : 0);
    return { process: node(i + 1), capacity, fresh, load, rooms, movable: () => movable };
  });
}

test("[PL62] [PL66] [PL67] whatever the cluster is like, a round keeps to its limits", () => {
  const shares = fc.constantFrom(0.05, 0.3, 1);
  let moved = 0;
  fc.assert(
    fc.property(fc.array(given, { minLength: 2, maxLength: 6 }), shares, (all, share) => {
      const nodes = nodesOf(all);
      const loads = new Map(nodes.map(({ process, load }) => [process, load]));
      const capacity = new Map(nodes.map((one) => [one.process, one.capacity]));
      const used = (process: (typeof nodes)[number]["process"]): number =>
        (loads.get(process) ?? 0) / (capacity.get(process) ?? 1);
      const together = share * [...loads.values()].reduce((sum, load) => sum + load, 0);
      const alone = together * 3;
      const moves = planMoves(nodes, { together, alone }, () => true, BALANCE_LIMITS);
      const weight = moves.reduce((sum, { load }) => sum + load, 0);
      expect(weight).toBeLessThanOrEqual((moves.length > 1 ? together : alone) + 1e-9);
      expect(new Set(moves.map((move) => move.room)).size).toBe(moves.length);
      const taken = new Map<string, number>();
      for (const { from, target, load } of moves) {
        const before = used(from);
        loads.set(from, (loads.get(from) ?? 0) - load);
        loads.set(target, (loads.get(target) ?? 0) + load);
        expect(used(target)).toBeLessThanOrEqual(before + 1e-9);
        const intake = taken.get(target);
        taken.set(target, (intake ?? 0) + load);
        if (intake !== undefined)
          expect(intake + load).toBeLessThanOrEqual(0.1 * (capacity.get(target) ?? 1) + 1e-9);
      }
      moved += moves.length;
    }),
    { numRuns: 2_000, seed: 20 },
  );
  expect(moved).toBeGreaterThan(2_000);
});

test("[PL60] what is within 10 % of the mean and 2 % of the capacity is left as it is", () => {
  const even = (loads: readonly number[]) =>
    nodesOf(
      loads.map((load) => ({ capacity: 1, fresh: false, loads: [load / 2, load / 2], fixed: 0 })),
    );
  const allowance = { together: 10, alone: 10 };
  const plan = (loads: readonly number[]) =>
    planMoves(even(loads), allowance, () => true, BALANCE_LIMITS);
  expect(meanUtilisation(even([0.45, 0.55]))).toBeCloseTo(0.5);
  expect(plan([0.431, 0.569])).toEqual([]);
  expect(plan([0.001, 0.019])).toEqual([]);
  expect(plan([0.05, 0.95]).length).toBe(1);
});

test("[PL60] a node without rooms gets one, and no room changes places with nothing", () => {
  const one = { capacity: 1, fresh: false, fixed: 0 };
  const plan = (...loads: (readonly number[])[]) =>
    planMoves(
      nodesOf(loads.map((list) => ({ ...one, loads: list }))),
      { together: 1, alone: 1 },
      () => true,
      BALANCE_LIMITS,
    );
  expect(plan([0.01], [])).toEqual([]);
  expect(plan([0.001, 0.001], [])).toMatchObject([{ from: node(1), target: node(2) }]);
});

test("[PL60] moving costs a little: a large room does not move for next to nothing", () => {
  const plan = (loads: readonly number[]) => {
    const nodes = [loads, [0.4295]].map((list) => ({
      capacity: 1,
      fresh: false,
      loads: list,
      fixed: 0,
    }));
    return planMoves(nodesOf(nodes), { together: 1, alone: 1 }, () => true, BALANCE_LIMITS);
  };
  expect(plan([0.1, 0.4705])).toEqual([]);
  expect(plan([0.01, 0.5605])).toMatchObject([{ load: 0.01 }]);
});
