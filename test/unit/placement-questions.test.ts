import { describe, expect, test } from "vitest";
import { roomId } from "../../src/kernel/ids.ts";
import {
  answers,
  Bench,
  entry,
  epoch,
  node,
  PLAZA,
  proposals,
  room,
} from "../support/planner-bench.ts";

describe("questions", () => {
  test("[PL40] placed, closed and placing are answered at once", () => {
    const bench = new Bench();
    bench.index(
      entry(1, { epoch: epoch(2), owner: node(1) }),
      entry(2, { status: "closed" }),
      entry(3, { epoch: epoch(2), owner: node(77) }),
    );
    const { effects } = bench.locate("room1");
    expect(effects).toContainEqual({
      type: "answer",
      ask: 1,
      located: { status: "placed", epoch: 2, owner: node(1), retryAfterMs: 0 },
    });
    expect(bench.locate("room2").located).toEqual(["closed"]);
    expect(bench.locate("room3").located).toEqual(["placing"]);
  });

  test("[PL40] unknown is said only after the index was asked", () => {
    const bench = new Bench();
    const { located, effects } = bench.locate("nowhere");
    expect(located).toEqual([]);
    expect(effects).toEqual([{ type: "lookUp", room: roomId("t/nowhere"), create: undefined }]);
    expect(bench.locate("nowhere").effects).toEqual([]);
    const found = { type: "lookedUp", room: roomId("t/nowhere"), entry: undefined } as const;
    expect(answers(bench.decide({ ...found, failed: false }))).toEqual(["unknown", "unknown"]);
    bench.locate("nowhere");
    expect(answers(bench.decide({ ...found, failed: true }))).toEqual(["placing"]);
  });

  test("[PL40] a room made elsewhere a moment ago is found and placed", () => {
    const bench = new Bench({ rank: 1 });
    bench.locate("room5");
    const effects = bench.decide({
      type: "lookedUp",
      room: room(5),
      entry: entry(5),
      failed: false,
    });
    expect(answers(effects)).toEqual(["placing"]);
    expect(proposals(effects)).toHaveLength(1);
  });

  test("[PL41] a room that matches is made on demand", () => {
    const bench = new Bench();
    const { located, effects } = bench.locate("demo-7");
    expect(located).toEqual(["placing"]);
    expect(effects).toContainEqual({ type: "lookUp", room: roomId("t/demo-7"), create: PLAZA });
  });

  test("[PL43] rooms beyond the limit are refused", () => {
    const bench = new Bench({ config: { roomsMax: 1 } });
    bench.index(entry(1), entry(2));
    expect(bench.rooms.lines.size).toBe(1);
    const { effects } = bench.locate("demo-7");
    expect(effects, "looked up, and not made").toEqual([
      { type: "lookUp", room: roomId("t/demo-7"), create: undefined },
    ]);
    const found = { type: "lookedUp", room: roomId("t/demo-7"), entry: undefined } as const;
    expect(answers(bench.decide({ ...found, failed: false }))).toEqual(["no_capacity"]);
  });

  test("[PL40] waiting questions are bounded", () => {
    const bench = new Bench({ config: { asksPerRoomMax: 2, lookUpsMax: 1 } });
    expect(bench.locate("x").located).toEqual([]);
    expect(bench.locate("x").located).toEqual([]);
    expect(bench.locate("x").located).toEqual(["placing"]);
    expect(bench.locate("y").located).toEqual(["placing"]);
  });
});
