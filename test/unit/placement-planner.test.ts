import { describe, expect, test } from "vitest";
import type { IndexEntry } from "../../src/journal/index-store.ts";
import { type Epoch, epochAt } from "../../src/kernel/epoch.ts";
import { type ProcessId, processId } from "../../src/kernel/ids.ts";
import { plannerDefaults } from "../../src/placement/planner-types.ts";
import {
  Bench,
  changes,
  entry,
  epoch,
  node,
  PLAZA,
  proposals,
  room,
  shown,
  targets,
} from "../support/planner-bench.ts";

describe("need", () => {
  test("[PL10] [PL11] rooms without an owner are proposed with the epoch they replace", () => {
    const bench = new Bench();
    const effects = bench.index(
      entry(1),
      entry(2, { epoch: epoch(7) }),
      entry(3, { status: "closed" }),
      entry(4, { status: "quarantined" }),
    );
    expect(shown(effects).sort()).toEqual(["room1 0 new", "room2 7 orphan"]);
  });

  test.each([
    ["dead", "owner_down"],
    ["suspect", "owner_down"],
    ["stalled", "owner_stalled"],
  ] as const)("[PL10] [PL12] the rooms of a %s node are proposed in the same breath", (to, reason) => {
    const bench = new Bench();
    bench.index(...[1, 2, 3].map((n) => entry(n, { epoch: epoch(n), owner: node(1) })));
    bench.index(entry(4, { epoch: epoch(4), owner: node(2) }));
    const effects = bench.verdict(node(1), to);
    expect(shown(effects).sort()).toEqual([1, 2, 3].map((n) => `room${n} ${n} ${reason}`));
    expect(targets(effects)).not.toContain(node(1));
  });

  test("[PL10] a node that joins or comes back moves nothing", () => {
    const bench = new Bench();
    bench.index(...[1, 2, 3].map((n) => entry(n, { epoch: epoch(n), owner: node(1) })));
    expect(proposals(bench.join(node(9)))).toEqual([]);
    expect(proposals(bench.run(2_000))).toEqual([]);
  });

  test("[PL17] an owner never heard of is gone after 1.5 s", () => {
    const bench = new Bench();
    const effects = bench.index(entry(1, { epoch: epoch(3), owner: node(77) }));
    expect(proposals(effects)).toEqual([]);
    expect(proposals(bench.run(1_450))).toEqual([]);
    expect(shown(bench.run(550))).toEqual(["room1 3 owner_down"]);
  });

  test("[PL18] a room its owner does not announce goes to that owner first", () => {
    const bench = new Bench();
    bench.index(entry(1, { epoch: epoch(3), owner: node(2) }));
    for (let s = 0; s < 10; s++) {
      bench.route(node(2), [1, 3]);
      expect(proposals(bench.run(1_000))).toEqual([]);
    }
    const effects = bench.run(4_500);
    expect(proposals(effects)).toMatchObject([{ reason: "orphan", node: node(2), replaces: 3 }]);
    const again = bench.run(1_000);
    expect(proposals(again)).toHaveLength(1);
    expect(targets(again)).not.toContain(node(2));
  });

  test("[PL18] the announcement settles it", () => {
    const bench = new Bench();
    bench.index(entry(1, { epoch: epoch(3), owner: node(2) }));
    expect(proposals(bench.run(5_500))).toHaveLength(1);
    bench.route(node(2), [1, 3]);
    expect(proposals(bench.run(3_000))).toEqual([]);
    expect(bench.planner.unsettled).toBe(0);
  });

  test("[PL20] nothing is proposed in the first half second", () => {
    const bench = new Bench();
    bench.decide({ type: "paused" });
    expect(proposals(bench.index(entry(1)))).toEqual([]);
    expect(proposals(bench.run(450))).toEqual([]);
    expect(proposals(bench.run(50))).toHaveLength(1);
  });
});

describe("messages", () => {
  test("[PL11] 600 rooms of one dead node go out in messages of at most 256", () => {
    const bench = new Bench({ nodes: 2 });
    const entries = Array.from({ length: 600 }, (_, i) =>
      entry(i, { epoch: epoch(i + 1), owner: node(1) }),
    );
    bench.index(...entries);
    const effects = bench.verdict(node(1), "dead");
    const sizes = effects.map((e) => (e.type === "propose" ? e.proposals.length : 0));
    expect(sizes).toEqual([256, 256, 88]);
    expect(new Set(proposals(effects).map((p) => p.room)).size).toBe(600);
  });

  test("[PL11] shows come first, then what is asked for", () => {
    const bench = new Bench({ nodes: 2 });
    const owned = { epoch: epoch(1), owner: node(1) };
    bench.index(entry(1, owned), entry(2, owned), entry(3, { ...owned, immovable: true }));
    bench.rooms.get(room(2)) as object;
    const line = bench.rooms.get(room(2));
    if (line) line.asked = 5;
    expect(shown(bench.verdict(node(1), "dead"))).toEqual([
      "room3 1 owner_down",
      "room2 1 owner_down",
      "room1 1 owner_down",
    ]);
  });

  test("[PL5] rooms of one node spread over the others at once", () => {
    const bench = new Bench({ nodes: 5 });
    bench.index(
      ...Array.from({ length: 100 }, (_, i) => entry(i, { epoch: epoch(1), owner: node(1) })),
    );
    const counts = new Map<ProcessId, number>();
    for (const target of targets(bench.verdict(node(1), "dead")))
      counts.set(target, (counts.get(target) ?? 0) + 1);
    expect([...counts.values()]).toEqual([25, 25, 25, 25]);
  });
});

test("[PL3] shards of one event spread, also while they are on their way", () => {
  const bench = new Bench({ nodes: 3 });
  bench.beat(node(2), { load: 0.1 });
  bench.beat(node(3), { load: 0.1 });
  const shards = Array.from({ length: 15 }, (_, i) => entry(`-${i}`));
  const placed = targets(bench.index(...shards));
  const onIdle = placed.filter((target) => target === node(1)).length;
  // The idle node gets some five more than each other, not all: a room of the same event weighs
  // 0.02.
  expect([placed.length, onIdle]).toEqual([15, 8]);
});

describe("several replicas", () => {
  test("[PL13] rank k waits k × 150 ms", () => {
    const bench = new Bench({ rank: 2 });
    bench.index(entry(1, { epoch: epoch(1), owner: node(1) }));
    expect(proposals(bench.verdict(node(1), "dead"))).toEqual([]);
    expect(proposals(bench.run(250))).toEqual([]);
    expect(proposals(bench.run(50))).toHaveLength(1);
  });

  test("[PL13] [PL15] a claim heard meanwhile leaves it nothing to do", () => {
    const bench = new Bench({ rank: 2 });
    bench.index(entry(1, { epoch: epoch(1), owner: node(1) }));
    bench.verdict(node(1), "dead");
    bench.run(100);
    bench.route(node(2), [1, 5]);
    expect(proposals(bench.run(3_000))).toEqual([]);
  });

  test("[PL13] who is asked acts at once", () => {
    const bench = new Bench({ rank: 2 });
    bench.index(entry(1, { epoch: epoch(1), owner: node(1) }));
    bench.verdict(node(1), "dead");
    const { located, effects } = bench.locate("room1");
    expect(located).toEqual(["placing"]);
    expect(proposals(effects)).toHaveLength(1);
  });
});

describe("no effect", () => {
  test("[PL14] repeated to another node after 1, 2, 4, 5 and 5 s, reading the tail", () => {
    const bench = new Bench({ nodes: 3 });
    bench.index(entry(1));
    const at: number[] = [];
    const nodes: ProcessId[] = [];
    const start = bench.now;
    let tails = 0;
    while (bench.now < start + 18_000) {
      const effects = bench.run(50);
      tails += effects.filter((effect) => effect.type === "readTail").length;
      for (const target of targets(effects)) {
        at.push(bench.now - start);
        nodes.push(target);
      }
    }
    expect(at).toEqual([1_000, 3_000, 7_000, 12_000, 17_000]);
    expect(tails).toBe(5);
    expect(new Set(nodes.slice(0, 2)).size).toBe(2);
  });

  test("[PL14] [PL15] the tail shows another epoch: that one is replaced from then on", () => {
    const bench = new Bench();
    bench.index(entry(1, { epoch: epoch(1), owner: node(1) }));
    bench.verdict(node(2), "dead");
    bench.verdict(node(1), "dead");
    const tail = { epoch: epoch(9), owner: node(2), stateVersion: 1 };
    const effects = bench.decide({ type: "tail", room: room(1), tail });
    expect(shown(effects)).toEqual(["room1 9 owner_down"]);
    expect(targets(effects)).toEqual([node(3)]);
  });

  test("[PL14] a proposal to a node that dies goes elsewhere at once", () => {
    const bench = new Bench({ nodes: 2 });
    const [first] = targets(bench.index(entry(1)));
    const effects = bench.verdict(first ?? node(0), "dead");
    expect(targets(effects)).toEqual([first === node(1) ? node(2) : node(1)]);
  });

  test("[PL19] no node: tried again when one appears, a little later", () => {
    const bench = new Bench({ nodes: 0 });
    expect(proposals(bench.index(entry(1)))).toEqual([]);
    expect(bench.locate("room1").located).toEqual(["no_capacity"]);
    expect(proposals(bench.run(1_200))).toEqual([]);
    expect(proposals(bench.join(node(5)))).toEqual([]);
    expect(proposals(bench.run(250))).toEqual([]);
    expect(targets(bench.run(50))).toEqual([node(5)]);
  });

  test("[PL14] [PL40] nodes that filled up refuse, and askers hear of it a second later", () => {
    const bench = new Bench({ nodes: 2 });
    expect(proposals(bench.index(entry(1)))).toHaveLength(1);
    for (const n of [1, 2]) bench.beat(node(n), { rooms: plannerDefaults.score.roomsMax });
    expect(bench.locate("room1").located).toEqual(["placing"]);
    expect(proposals(bench.run(1_050))).toEqual([]);
    expect(bench.locate("room1").located).toEqual(["no_capacity"]);
    bench.beat(node(2), { rooms: plannerDefaults.score.roomsMax - 1 });
    expect(targets(bench.run(1_050))).toEqual([node(2)]);
    expect(bench.locate("room1").located).toEqual(["placing"]);
  });

  test("[PL16] a pause forgets decisions and reads the index again", () => {
    const bench = new Bench();
    bench.index(entry(1), entry(2, { epoch: epoch(4), owner: node(1) }));
    expect(bench.planner.unsettled).toBe(1);
    const effects = bench.decide({ type: "paused" });
    expect(effects).toEqual([{ type: "reread" }]);
    expect(bench.planner.unsettled).toBe(0);
  });
});

describe("knowledge", () => {
  test("[PL15] lower epochs change nothing, from wherever they come", () => {
    const bench = new Bench();
    bench.index(entry(1, { epoch: epoch(9), owner: node(1) }));
    bench.route(node(2), [1, 8]);
    bench.decide({
      type: "entry",
      entry: entry(1, { epoch: epoch(8), owner: node(3), changedAtMs: 9_999 }),
    });
    const tail = { epoch: epoch(7), owner: node(3), stateVersion: 1 };
    bench.decide({ type: "tail", room: room(1), tail });
    expect(bench.rooms.get(room(1))).toMatchObject({ epoch: 9, owner: node(1) });
  });

  test("[PL42] an old hint does not undo a newer one of the same epoch", () => {
    const bench = new Bench();
    const owned = entry(1, { epoch: epoch(9), owner: node(1), changedAtMs: 2_000 });
    bench.index(owned);
    const gaveUp = { ...owned, owner: undefined, crashedOn: [node(1)], changedAtMs: 3_000 };
    expect(shown(bench.decide({ type: "entry", entry: gaveUp }))).toEqual(["room1 9 crashes"]);
    bench.decide({ type: "entry", entry: owned });
    expect(bench.rooms.get(room(1))?.owner).toBeUndefined();
  });

  test("[PL42] what changed while the index was read is kept", () => {
    const bench = new Bench();
    const owned = entry(1, { epoch: epoch(9), owner: node(1) });
    bench.index(owned);
    const readAt = bench.now;
    bench.now += 10;
    const gone = { ...owned, owner: undefined, crashedOn: [node(1)], changedAtMs: 1_001 };
    bench.decide({ type: "entry", entry: gone });
    bench.decide({ type: "index", entries: [owned], readAt });
    expect(bench.rooms.get(room(1))?.owner).toBeUndefined();
    bench.decide({ type: "index", entries: [owned], readAt: bench.now });
    expect(bench.rooms.get(room(1))?.owner).toBe(node(1));
  });

  test("[PL1] a state version once run is asked of the next owner", () => {
    const bench = new Bench({ nodes: 1 });
    bench.now += 1;
    bench.beat(node(2), { worlds: [{ world: PLAZA, stateVersion: 5 }] });
    bench.verdict(node(2), "alive");
    bench.index(entry(1));
    bench.route(node(2), [1, 4]);
    expect(proposals(bench.verdict(node(2), "dead"))).toEqual([]);
    bench.beat(node(3), { worlds: [{ world: PLAZA, stateVersion: 5 }] });
    bench.verdict(node(3), "alive");
    expect(targets(bench.run(1_000))).toEqual([node(3)]);
  });
});

describe("crashes", () => {
  const gaveUp = (crashedOn: readonly ProcessId[], at: number): IndexEntry =>
    entry(1, { epoch: epoch(at), crashedOn, changedAtMs: 1_000 + at });

  test("[PL30] a node that gave the room up is not asked again", () => {
    const bench = new Bench({ nodes: 3 });
    const effects = bench.decide({ type: "entry", entry: gaveUp([node(1), node(2)], 5) });
    expect(proposals(effects)).toMatchObject([{ node: node(3), reason: "crashes" }]);
  });

  test("[PL31] three nodes: quarantined, and askers are told", () => {
    const bench = new Bench({ nodes: 4 });
    const effects = bench.decide({ type: "entry", entry: gaveUp([node(1), node(2), node(3)], 5) });
    expect(changes(effects)).toEqual(["quarantine"]);
    expect(proposals(effects)).toEqual([]);
    expect(bench.locate("room1").located).toEqual(["quarantined"]);
    expect(proposals(bench.run(10_000))).toEqual([]);
  });

  test("[PL31] incarnations of one name are one node", () => {
    const bench = new Bench({ nodes: 4 });
    const again = processId("n1.ffffffffffffffff");
    const effects = bench.decide({ type: "entry", entry: gaveUp([node(1), again, node(2)], 5) });
    expect(changes(effects)).toEqual([]);
    expect(targets(effects).every((target) => target === node(3) || target === node(4))).toBe(true);
  });

  test("[PL31] [PL32] the only node gets it again after 5 s and loses it the third time", () => {
    const bench = new Bench({ nodes: 1 });
    bench.index(entry(1, { epoch: epoch(1), owner: node(1) }));
    for (const [times, at] of [
      [1, 2],
      [2, 4],
    ] as const) {
      const crashedOn = Array.from({ length: times }, () => node(1));
      const effects = bench.decide({ type: "entry", entry: gaveUp(crashedOn, at) });
      expect(proposals(effects)).toEqual([]);
      expect(proposals(bench.run(4_900))).toEqual([]);
      expect(proposals(bench.run(600))).toHaveLength(1);
      bench.route(node(1), [1, at + 1]);
    }
    const effects = bench.decide({
      type: "entry",
      entry: gaveUp([node(1), node(1), node(1)], 6),
    });
    expect(changes(effects)).toEqual(["quarantine"]);
  });

  test("[PL31] give-ups count also where the node names itself once", () => {
    const bench = new Bench({ nodes: 1 });
    bench.index(entry(1, { epoch: epoch(1), owner: node(1) }));
    const seen: string[][] = [];
    for (const at of [2, 4, 6]) {
      bench.route(node(1), [1, at]);
      seen.push(changes(bench.decide({ type: "entry", entry: gaveUp([node(1)], at) })));
    }
    expect(seen).toEqual([[], [], ["quarantine"]]);
  });

  test("[PL32] of two nodes that crashed it, not the last one", () => {
    const bench = new Bench({ nodes: 2 });
    expect(proposals(bench.index(gaveUp([node(1), node(2)], 5)))).toEqual([]);
    expect(targets(bench.run(5_500))).toEqual([node(1)]);
  });

  test("[PL30] an owner by its tail that crashed the room is not the first to be asked", () => {
    const bench = new Bench({ nodes: 2 });
    bench.index(gaveUp([node(1)], 5));
    const tail = { epoch: epoch(6), owner: node(1), stateVersion: 1 };
    bench.decide({ type: "tail", room: room(1), tail });
    expect(targets(bench.run(5_500))).toEqual([node(2)]);
  });

  test("[PL33] the room a stalled loop is stuck in counts as crashed there", () => {
    const bench = new Bench({ nodes: 3 });
    const owned = { epoch: epoch(2), owner: node(1) };
    bench.index(entry(1, owned), entry(2, owned));
    bench.beat(node(1), { loopAgeMs: 3_100, running: room(2) });
    const effects = bench.verdict(node(1), "stalled");
    const change = { kind: "crashed", room: room(2), epoch: 2, owner: node(1) };
    expect(effects).toContainEqual({ type: "changeIndex", change });
    expect(shown(effects).sort()).toEqual(["room1 2 owner_stalled", "room2 2 crashes"]);
  });

  test("[PL34] ten minutes under one owner and the crashes are forgotten", () => {
    const bench = new Bench({ config: { unannouncedMs: 10_000_000, scanMs: 10_000 } });
    bench.index(
      entry(1, { epoch: epoch(2), owner: node(1), crashedOn: [node(2)], changedAtMs: 0 }),
    );
    const scan = (byMs: number) => {
      bench.now += byMs;
      return changes(bench.decide({ type: "tick", wallNow: bench.now }));
    };
    expect(scan(590_000)).toEqual([]);
    expect(scan(20_000)).toEqual(["forget_crashes"]);
    expect(scan(20_000)).toEqual([]);
  });

  // Seed 461 of the simulation: a hanging command, and a restore between its first two deaths.
  test("[PL77] crashes count within one generation of the journal", () => {
    const bench = new Bench({ nodes: 4 });
    bench.index(entry(1, { epoch: epoch(2), owner: node(1), crashedOn: [node(2)] }));
    const dies = (owner: ProcessId, at: Epoch) => {
      const tail = { epoch: at, owner, stateVersion: 1 };
      bench.decide({ type: "tail", room: room(1), tail });
      bench.beat(owner, { loopAgeMs: 3_100, running: room(1) });
      return changes(bench.verdict(owner, "stalled"));
    };
    expect(dies(node(1), epoch(2))).toEqual(["crashed"]);
    expect(dies(node(3), epochAt(1, 1)), "the third, and the first here").toEqual(["crashed"]);
    expect(dies(node(4), epochAt(1, 2))).toEqual(["crashed"]);
    expect(bench.locate("room1").located?.[0]).not.toBe("quarantined");
  });

  test("[PL77] an index entry of a later generation begins the count anew", () => {
    const bench = new Bench({ nodes: 1 });
    bench.index(entry(1, { epoch: epoch(1), owner: node(1) }));
    for (const at of [2, 4]) {
      bench.route(node(1), [1, at]);
      bench.decide({ type: "entry", entry: gaveUp([node(1)], at) });
    }
    const restored = { ...gaveUp([node(1)], 6), epoch: epochAt(1, 1) };
    expect(changes(bench.decide({ type: "entry", entry: restored }))).toEqual([]);
  });
});
