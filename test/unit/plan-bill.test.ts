import { describe, expect, it } from "vitest";
import { egressOf, frameBytesOf } from "../../src/plan/egress.ts";
import { planText } from "../../src/plan/plan-text.ts";
import { flagsOf, planFor } from "../support/plan-rig.ts";

const PRICES = { "x64-price": "0.04", "arm64-price": "0.03", "egress-price": "0.05" };

describe("what leaves", () => {
  it("[PN11] a frame of one packet has the heads of one around it", () => {
    const egress = egressOf(flagsOf({ users: "1000", hz: "10", "frame-bytes": "900" }));
    expect(egress).toMatchObject({ packetsEach: 1, wireBytes: 900 + 50 + 4 + 22 + 52 });
    expect(egress.packetsPerS).toBe(10_000);
    expect(egress.gbit).toBeCloseTo((10_000 * 1_028 * 8) / 1e9, 12);
    expect(egress.gbPerHour).toBeCloseTo((10_000 * 1_028 * 3_600) / 1e9, 9);
  });

  it("[PN11] a larger one is cut at 1,448 bytes", () => {
    const of = (bytes: number) =>
      egressOf(flagsOf({ users: "1", "frame-bytes": String(bytes) })).packetsEach;
    expect([of(1_372), of(1_373), of(5_000)]).toEqual([1, 2, 4]);
  });

  it("[PN11] has whom the tick told of, where all fit", () => {
    // Of 40 people 12 walk, one in twenty others has just said where they stand, and a tenth of
    // the rest is repeated.
    const said = 12 + 28 * 0.05;
    const few = flagsOf({ users: "1000", hz: "10", "room-size": "40" });
    expect(frameBytesOf(few)).toBe(Math.round(32 + (said + (40 - said) / 10) * 16));
    // Once a second everybody is.
    const slow = flagsOf({ users: "1000", hz: "1", "room-size": "200", moving: "0.1" });
    expect(frameBytesOf(slow)).toBe(32 + 200 * 16);
  });

  it("[PN11] has some in turn and who walks, as far as they fit", () => {
    const crowd = { users: "1000", hz: "5", "room-size": "200" };
    expect(frameBytesOf(flagsOf(crowd))).toBe(32 + (10 + 60 * 0.95) * 16);
    // 9,600 bytes a second have 57 rows at 10 Hz, as README.md says.
    expect(frameBytesOf(flagsOf({ ...crowd, hz: "10" }))).toBe(32 + 57 * 16);
    expect(frameBytesOf(flagsOf({ ...crowd, hz: "20", "room-size": "4096" }))).toBe(32 + 27 * 16);
  });
});

describe("what it costs", () => {
  it("[PN12] what nobody priced is not free", () => {
    const { x64, arm64 } = planFor({ users: "5000", "x64-price": "0.04" }).byArch;
    expect(x64.bill.coresPerHour).toBeGreaterThan(0);
    expect(x64.bill).toMatchObject({ egressPerHour: null, perHour: null, perHourPer1000: null });
    expect(arm64.bill.coresPerHour).toBeNull();
    const free = planFor({ users: "5000", ...PRICES, "egress-price": "0" }).byArch.x64.bill;
    expect(free).toMatchObject({ egressPerHour: 0, perHour: free.coresPerHour });
  });

  it("[PN13] the sum is cores and egress, and for 1,000 people their part", () => {
    const plan = planFor({ users: "5000", ...PRICES });
    const { bill, sizing } = plan.byArch.arm64;
    const egress = plan.egress.gbPerHour * 0.05;
    expect(bill.perHour).toBeCloseTo(sizing.coresBought * 0.03 + egress, 9);
    expect(bill.perHourPer1000).toBeCloseTo((bill.perHour ?? 0) / 5, 9);
  });

  it("[PN13] every line of the text can be worked out again", () => {
    const text = planText(planFor({ users: "20000", ...PRICES, "arm64-speed": "0.8" }));
    // Every product of two numbers that has its result to three places.
    const products = [...text.matchAll(/^ {2}\w+ +([\d,.]+) × ([\d,.]+) µs.* = ([\d.]+)$/gm)];
    expect(products.length).toBeGreaterThanOrEqual(15);
    for (const [line, count = "", us = "", cores = ""] of products) {
      const of = (text: string): number => Number(text.replaceAll(",", ""));
      const value = (of(count) * of(us)) / 1e6;
      expect(Math.abs(value - Number(cores)), line).toBeLessThan(0.002 + value * 0.01);
    }
    const rounded = [...text.matchAll(/([\d.]+) \/ 0\.6 → (\d+)(?:, \d+ by [^+]*)? \+ 1 spare/g)];
    expect(rounded).toHaveLength(4);
    for (const [line, cores = "", processes] of rounded)
      expect(Math.ceil(Number(cores) / 0.6), line).toBe(Number(processes));
    const bills = [...text.matchAll(/^ {2}cores, \w+ +([\d,]+) × ([\d.]+) += ([\d.]+)$/gm)];
    expect(bills).toHaveLength(2);
    for (const [line, cores = "", price = "", sum] of bills)
      expect((Number(cores.replaceAll(",", "")) * Number(price)).toFixed(2), line).toBe(sum);
  });

  it("[PN13] arm64 of another speed has arithmetic of its own", () => {
    const plan = planFor({ users: "50000", "arm64-speed": "0.5" });
    const { arm64, x64 } = plan.byArch;
    expect(arm64.sizing.roles.gateway.cores).toBeGreaterThan(2 * x64.sizing.roles.gateway.cores);
    const { cores, processes } = arm64.sizing.roles.gateway;
    expect(planText(plan)).toMatch(
      new RegExp(`processes on arm64 +${cores.toFixed(2)} cores;.* = ${processes}`),
    );
  });
});
