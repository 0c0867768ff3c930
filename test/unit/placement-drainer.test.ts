import { describe, expect, test } from "vitest";
import { Drainer, type DrainLimits } from "../../src/placement/drainer.ts";
import { plannerDefaults } from "../../src/placement/planner-types.ts";
import { Bench, entry, epoch, node, replica, room } from "../support/planner-bench.ts";

const LIMITS: DrainLimits = { movesMax: 2, moveMsMax: 1_000 };

/** Five rooms on node 1, the fifth the least busy, and two more nodes. */
function draining(options: { nodes?: number; rank?: number } = {}) {
  const bench = new Bench({ nodes: 3, ...options });
  const rank = options.rank ?? 0;
  const owned = (n: number) => entry(n, { epoch: epoch(n), owner: node(1) });
  bench.index(...[1, 2, 3, 4, 5].map(owned));
  for (const n of [1, 2, 3, 4, 5])
    Object.assign(bench.rooms.get(room(n)) ?? {}, { load: 1 - n / 10 });
  bench.beat(node(1), { draining: true });
  const { view, rooms } = bench;
  const drainer = new Drainer({ self: replica(rank), view, rooms }, plannerDefaults, LIMITS);
  const wishes = () =>
    drainer.tick(bench.now).map(({ room: id, epoch: at, target, node: from }) => {
      expect(from).toBe(node(1));
      expect(at).toBe(bench.rooms.get(id)?.epoch);
      return [Number(id.slice(-1)), target] as const;
    });
  return { bench, wishes };
}

describe("drain", () => {
  test("[PL50] a few rooms at a time leave, the busiest last, none to a draining node", () => {
    const { bench, wishes } = draining();
    const first = wishes();
    expect(first.map(([n]) => n)).toEqual([5, 4]);
    for (const [, target] of first) expect([node(2), node(3)]).toContain(target);
    expect(wishes()).toEqual([]);
    bench.route(node(2), [5, 50]);
    expect(wishes().map(([n]) => n)).toEqual([3]);
    bench.route(node(2), [4, 51], [3, 52]);
    expect(wishes().map(([n]) => n)).toEqual([2, 1]);
    bench.route(node(3), [2, 53], [1, 54]);
    bench.now += 5_000;
    expect(wishes()).toEqual([]);
  });

  test("[PL50] the busiest are those with most people, by what their owner says", () => {
    const { bench, wishes } = draining();
    bench.beat(node(1), { draining: true, rooms: 5, sessions: 400, load: 0.4 });
    bench.route(node(1), [1, 1, 9], [2, 2, 300], [3, 3, 0], [4, 4, 90], [5, 5, 1]);
    const order: number[] = [];
    for (let epochOfMoved = 50; order.length < 5; epochOfMoved += 10) {
      const asked = wishes().map(([n]) => n);
      expect(asked.length).toBeGreaterThan(0);
      order.push(...asked);
      for (const n of asked) bench.route(node(2), [n, epochOfMoved + n]);
    }
    expect(order).toEqual([3, 5, 1, 4, 2]);
  });

  test("[PL52] immovable rooms leave as well, after all others", () => {
    const { bench, wishes } = draining();
    // The least busy ones, which would go first.
    for (const n of [4, 5]) Object.assign(bench.rooms.get(room(n)) ?? {}, { immovable: true });
    expect(wishes().map(([n]) => n)).toEqual([3, 2]);
    bench.route(node(2), [3, 50]);
    expect(wishes().map(([n]) => n)).toEqual([1]);
    bench.route(node(2), [2, 51], [1, 52]);
    expect(wishes().map(([n]) => n)).toEqual([5, 4]);
  });

  test("[PL51] a wish without effect is repeated, with another target if there is one", () => {
    const { bench, wishes } = draining();
    const before = new Map(wishes());
    bench.now += 1_001;
    const again = new Map(wishes());
    expect([...again.keys()].sort()).toEqual([4, 5]);
    for (const [n, target] of again) expect(target).not.toBe(before.get(n));
  });

  test("[PL51] a room that no other node can take stays where it is", () => {
    const { bench, wishes } = draining({ nodes: 1 });
    expect(wishes()).toEqual([]);
    bench.join(node(2));
    bench.now += 1_001;
    expect(wishes().map(([, target]) => target)).toEqual([node(2), node(2)]);
  });

  test("[PL51] rooms that nobody can take do not hold up the others", () => {
    const { bench, wishes } = draining();
    for (const n of [3, 4, 5])
      Object.assign(bench.rooms.get(room(n)) ?? {}, { stateVersionMin: 9 });
    expect(wishes().map(([n]) => n)).toEqual([2, 1]);
    bench.route(node(2), [2, 50]);
    Object.assign(bench.rooms.get(room(5)) ?? {}, { stateVersionMin: 1 });
    bench.now += 999;
    bench.route(node(2), [1, 51]);
    expect(wishes()).toEqual([]);
    bench.now += 2;
    expect(wishes().map(([n]) => n)).toEqual([5]);
  });

  test("[PL51] a move is asked for while rooms that nobody can take wait", () => {
    const { bench, wishes } = draining();
    for (const n of [3, 4, 5])
      Object.assign(bench.rooms.get(room(n)) ?? {}, { stateVersionMin: 9 });
    expect(wishes().map(([n]) => n)).toEqual([2, 1]);
    bench.index(entry(6, { epoch: epoch(6), owner: node(1) }));
    bench.route(node(2), [2, 50]);
    expect(wishes().map(([n]) => n)).toEqual([6]);
  });

  test("[PL50] only the first replica asks", () => {
    expect(draining({ rank: 1 }).wishes()).toEqual([]);
  });
});
