import { expect, test } from "vitest";
import {
  ALL_KINDS,
  factsOf,
  type Kind,
  type PlannedFault,
  parseKinds,
  planFaults,
} from "../chaos/plan.ts";

function take(count: number, seed: number, kinds: readonly Kind[] = ALL_KINDS): PlannedFault[] {
  const taken: PlannedFault[] = [];
  for (const fault of planFaults(seed, kinds)) {
    if (taken.length === count) break;
    taken.push(fault);
  }
  return taken;
}

test("a seed plans the same faults again, and another one others", () => {
  expect(take(100, 7)).toEqual(take(100, 7));
  expect(take(100, 8)).not.toEqual(take(100, 7));
});

test("every kind strikes once before any strikes twice", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const first = take(ALL_KINDS.length, seed).map(({ kind }) => kind);
    expect([...first].sort(), `seed ${seed}`).toEqual([...ALL_KINDS].sort());
  }
});

test("from then on kinds are as often as they weigh", () => {
  const deck = ALL_KINDS.reduce((sum, kind) => sum + factsOf(kind).weight, 0);
  const decks = take(ALL_KINDS.length + 3 * deck, 3).slice(ALL_KINDS.length);
  for (const kind of ALL_KINDS)
    expect(decks.filter((fault) => fault.kind === kind).length, kind).toBe(
      3 * factsOf(kind).weight,
    );
});

test("a plan of some kinds has no others, and leaves rests between them", () => {
  const faults = take(40, 5, ["node_sigkill", "nats_sigkill"]);
  expect(new Set(faults.map(({ kind }) => kind))).toEqual(
    new Set(["node_sigkill", "nats_sigkill"]),
  );
  for (const { dice, restMs, victim } of faults) {
    expect(restMs).toBeGreaterThanOrEqual(1_000);
    expect(dice >= 0 && dice < 1 && victim >= 0 && victim < 1).toBe(true);
  }
});

test("kinds on a command line are known ones", () => {
  expect(parseKinds("node_stall, node_drain")).toEqual(["node_stall", "node_drain"]);
  expect(parseKinds("node_stall,earthquake")).toEqual({ unknown: "earthquake" });
});
