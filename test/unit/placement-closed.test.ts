import { describe, expect, test } from "vitest";
import { roomId } from "../../src/kernel/ids.ts";
import type { PlannerEffect } from "../../src/placement/planner-types.ts";
import { answers, Bench, entry, epoch, node, proposals, room } from "../support/planner-bench.ts";

describe("closed rooms", () => {
  test("[PL46] whoever announces a room that is closed is told so", () => {
    const bench = new Bench();
    bench.index(entry(1, { status: "closed", epoch: epoch(7), owner: node(1) }), entry(2));
    const told = (effects: readonly PlannerEffect[]) =>
      effects.filter(({ type }) => type === "closeRoom");
    const close = { type: "closeRoom", node: node(1), room: room(1) };
    expect(told(bench.route(node(1), [1, 7], [2, 3]))).toEqual([{ ...close, epoch: epoch(7) }]);
    expect(told(bench.route(node(1), [1, 6])), "an older owner").toEqual([]);
    expect(told(bench.route(node(1), [1, 9])), "again, and after a takeover").toEqual([
      { ...close, epoch: epoch(9) },
    ]);
  });

  const closed = { status: "closed", changedAtMs: 2_000 } as const;
  const lines = (bench: Bench): string[] => [...bench.rooms.lines.keys()].map(String);

  test("[PL48] they give way to new rooms, the longest closed first; wanted ones never do", () => {
    const bench = new Bench({ config: { roomsMax: 3 } });
    bench.index(entry(1, closed), entry(2, closed), entry(3, { owner: node(1) }));
    const made = bench.decide({ type: "entry", entry: entry(4) });
    expect(proposals(made).map((proposal) => proposal.room)).toEqual([room(4)]);
    expect(lines(bench)).toEqual([room(2), room(3), room(4)]);
    bench.index(entry(5));
    bench.index(entry(6));
    expect(lines(bench)).toEqual([room(3), room(4), room(5)]);
  });

  test("[PL48] one that closed a moment ago stays; late word of it as wanted opens nothing", () => {
    const bench = new Bench({ config: { roomsMax: 1 } });
    bench.index(entry(1));
    const readAt = bench.now;
    bench.run(100);
    bench.decide({ type: "entry", entry: entry(1, closed) });
    bench.run(29_000);
    bench.index(entry(1, closed), entry(2));
    expect(lines(bench)).toEqual([room(1)]);
    const late = bench.decide({ type: "index", entries: [entry(1)], readAt });
    expect(proposals(late)).toEqual([]);
    expect(bench.locate("room1").located).toEqual(["closed"]);
    bench.run(1_000);
    bench.index(entry(1, closed), entry(2));
    expect(lines(bench)).toEqual([room(2)]);
  });

  test("[PL48] [PL46] one that somebody still serves stays, and its owner is told", () => {
    const bench = new Bench({ config: { roomsMax: 2 } });
    const served = entry(1, { ...closed, epoch: epoch(7), owner: node(1) });
    const left = entry(2, { ...closed, epoch: epoch(8), owner: node(2) });
    bench.index(served, left);
    const serve = () => bench.route(node(1), [1, 7]);
    for (let i = 0; i < 6; i++) {
      serve();
      bench.run(1_000);
    }
    bench.index(served, left, entry(3));
    expect(lines(bench)).toEqual([room(1), room(3)]);
    expect(bench.rooms.ownedBy(node(2)), "nothing is left of the other").toEqual([]);
    expect(serve().map(({ type }) => type)).toEqual(["closeRoom"]);
    bench.verdict(node(1), "dead");
    bench.index(served, left, entry(3), entry(4));
    expect(lines(bench)).toEqual([room(3), room(4)]);
  });

  test("[PL56] one whose owner died before it wrote the end is proposed, until it is written", () => {
    const bench = new Bench({ nodes: 2 });
    bench.index(entry(1, { epoch: epoch(7), owner: node(1) }));
    bench.route(node(1), [1, 7]);
    bench.verdict(node(1), "dead");
    bench.run(100);
    bench.decide({
      type: "entry",
      entry: entry(1, { ...closed, epoch: epoch(7), owner: node(1) }),
    });
    expect(bench.locate("room1").located).toEqual(["closed"]);
    const asked = bench.run(2_000);
    expect(
      new Set(proposals(asked).map(({ room: where, replaces }) => [where, replaces].join())),
    ).toEqual(new Set([[room(1), epoch(7)].join()]));
    expect(bench.route(node(2), [1, 9]).map(({ type }) => type)).toEqual(["closeRoom"]);
    bench.decide({
      type: "entry",
      entry: entry(1, { ...closed, epoch: epoch(9), changedAtMs: 3_000 }),
    });
    expect(proposals(bench.run(10_000))).toEqual([]);
  });

  test("[PL56] one that its owner wrote, or that crashed its owner, is proposed to nobody", () => {
    const bench = new Bench({ nodes: 2 });
    bench.index(
      entry(1, { ...closed, epoch: epoch(7) }),
      entry(2, { ...closed, epoch: epoch(8), owner: node(9), crashedOn: [node(9)] }),
      entry(3, closed),
    );
    expect(proposals(bench.run(20_000))).toEqual([]);
  });

  test("[PL57] a line goes with its entry, but not what was heard since the reading began", () => {
    const bench = new Bench();
    bench.index(entry(1, closed), entry(2, closed), entry(3, { owner: node(1) }));
    const readAt = bench.now;
    bench.run(100);
    bench.decide({ type: "entry", entry: entry(4, closed) });
    bench.decide({ type: "index", entries: [entry(2, closed)], readAt });
    expect(lines(bench), "wanted rooms stay, whatever a reading lacks").toEqual([
      room(2),
      room(3),
      room(4),
    ]);
    bench.index(entry(2, closed));
    expect(lines(bench)).toEqual([room(2), room(3)]);
  });

  test("[PL49] the index brings closed rooms only into free places", () => {
    const bench = new Bench({ config: { roomsMax: 4 } });
    const gone = Array.from({ length: 20 }, (_, i) => entry(`gone${i}`, closed));
    bench.index(...gone);
    const before = lines(bench);
    expect(before).toHaveLength(4);
    bench.index(...gone.toReversed());
    expect(lines(bench)).toEqual(before);
    bench.index(...gone, entry(1), entry(2), entry(3), entry(4), ...gone);
    expect(lines(bench)).toEqual([room(1), room(2), room(3), room(4)]);
  });

  test("[PL49] [PL40] who asks for one without a line hears `closed`, also where it would be made", () => {
    const bench = new Bench({ config: { roomsMax: 1 } });
    bench.index(entry(1, { owner: node(1) }));
    for (const name of ["room2", "demo-2"]) {
      const where = roomId(`t/${name}`);
      const { located, effects } = bench.locate(name);
      expect(located).toEqual([]);
      expect(effects).toEqual([{ type: "lookUp", room: where, create: undefined }]);
      const found = { ...entry(2, closed), room: where };
      const told = bench.decide({ type: "lookedUp", room: where, entry: found, failed: false });
      expect(answers(told)).toEqual(["closed"]);
    }
    const roomy = new Bench({ config: { roomsMax: 2 } });
    roomy.index(entry(1, { owner: node(1) }));
    expect(roomy.locate("demo-2").located).toEqual(["placing"]);
    const where = roomId("t/demo-2");
    const found = { ...entry(2, closed), room: where };
    roomy.decide({ type: "lookedUp", room: where, entry: found, failed: false });
    expect(roomy.locate("demo-2").located, "the place was free").toEqual(["closed"]);
  });
});
