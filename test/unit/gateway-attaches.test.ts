import { describe, expect, it } from "vitest";
import { AttachWindow } from "../../gateway/attach-window.ts";
import type { SessionPhase } from "../../gateway/session.ts";
import { processId } from "../../src/kernel/ids.ts";

const [HEIR, OTHER] = [1, 2].map((n) => processId(`node-${n}.${"0".repeat(15)}${n}`)) as [
  ReturnType<typeof processId>,
  ReturnType<typeof processId>,
];
const people = (count: number): { phase: SessionPhase }[] =>
  Array.from({ length: count }, () => ({ phase: "attaching" }));

describe("attaches under way", () => {
  it("[GW75] are so many to one owner, and others follow as it answers", () => {
    const window = new AttachWindow(3);
    const all = people(7);
    const admitted = (now: number) => all.map((one) => window.admits(HEIR, one, now));
    expect(admitted(0)).toEqual([true, true, true, false, false, false, false]);
    expect(admitted(50), "who has asked may ask again").toEqual(admitted(0));
    (all[1] as (typeof all)[number]).phase = "attached";
    (all[2] as (typeof all)[number]).phase = "left";
    const waiting = all.slice(3).map((one) => window.admits(HEIR, one, 100));
    expect(waiting).toEqual([true, true, false, false]);
    expect(window.admits(OTHER, all[6] as (typeof all)[number], 100), "another owner").toBe(true);
  });

  it("[GW75] forgets owners that have no rooms", () => {
    const window = new AttachWindow(1);
    const [first, second] = people(2) as [{ phase: SessionPhase }, { phase: SessionPhase }];
    window.admits(HEIR, first, 0);
    window.sweep(new Set([HEIR]));
    expect(window.admits(HEIR, second, 50)).toBe(false);
    window.sweep(new Set([OTHER, undefined]));
    expect(window.admits(HEIR, second, 100)).toBe(true);
  });
});
