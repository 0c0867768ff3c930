import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assert, InvariantViolation, unreachable } from "../../src/kernel/assert.ts";
import {
  EPOCH_NONE,
  epochAt,
  epochCompare,
  epochGeneration,
  parseEpoch,
} from "../../src/kernel/epoch.ts";
import * as ids from "../../src/kernel/ids.ts";
import { err, ok } from "../../src/kernel/result.ts";

const hex16 = "0123456789abcdef";
const KINDS = {
  "room id": {
    parse: ids.parseRoomId,
    must: ids.roomId,
    good: ["a/b", `${"t".repeat(48)}/${"n".repeat(64)}`, "A-_9/0_-Z"],
    bad: ["", "a", "a/", "/b", "a/b/c", "a.b/c", "a/b c", "a/b.", "a/*", "a/>", "a/b\n", "ä/b"],
    long: [`${"t".repeat(49)}/n`, `t/${"n".repeat(65)}`],
  },
  "world name": {
    parse: ids.parseWorldName,
    must: ids.worldName,
    good: ["plaza", "a", "A_1-b", "x".repeat(64)],
    bad: ["", "a b", "a/b", "a.b", "a\n", "\u0000"],
    long: ["x".repeat(65)],
  },
  "process id": {
    parse: ids.parseProcessId,
    must: ids.processId,
    good: [`n.${hex16}`, `node-1_A.${hex16}`, `${"n".repeat(48)}.${hex16}`],
    bad: ["", "n", "n.", `.${hex16}`, `n.${hex16.toUpperCase()}`, `n.${hex16}\n`, `n.n.${hex16}`],
    long: [`${"n".repeat(49)}.${hex16}`, `n.${hex16}0`, `n.${hex16.slice(1)}`],
  },
  "session id": {
    parse: ids.parseSessionId,
    must: ids.sessionId,
    good: ["A".repeat(22), "-_aZ09aZ09aZ09aZ09aZ09"],
    bad: ["", `${"A".repeat(21)}=`, `${"A".repeat(21)}+`, `${"A".repeat(21)}/`],
    long: ["A".repeat(21), "A".repeat(23), `${"A".repeat(22)}\n`],
  },
  "person id": {
    parse: ids.parsePersonId,
    must: ids.personId,
    good: ["p", "auth0|1234", "grüße 漢字 😀", "x".repeat(128), "😀".repeat(128), "__proto__"],
    bad: ["", "a\nb", "a\u0000", "\u007f", "\u0085", "tab\t"],
    long: ["x".repeat(129)],
  },
} as const;

describe.each(Object.entries(KINDS))("%s", (kind, { parse, must, good, bad, long }) => {
  it.each(good)("takes %j", (text) => {
    expect(parse(text)).toBe(text);
    expect(must(text)).toBe(text);
  });

  it.each([...bad, ...long])("refuses %j", (text) => {
    expect(parse(text)).toBeUndefined();
    expect(() => must(text)).toThrow(InvariantViolation);
    expect(() => must(text)).toThrow(kind);
  });

  it("refuses what is no text", () => {
    for (const value of [null, undefined, 1, {}, [], ["a/b"], new String("a/b"), true])
      expect(parse(value)).toBeUndefined();
  });

  it("holds nothing that is special in a NATS subject, but for the parts' separators", () => {
    if (kind === "person id") return;
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        if (parse(text) !== undefined) expect(text).not.toMatch(/[*>\s]/);
      }),
      { numRuns: 500 },
    );
  });
});

describe("parts of ids", () => {
  it("a room has a tenant and a name", () => {
    expect(ids.roomParts(ids.roomId("acme/hall"))).toEqual({ tenant: "acme", name: "hall" });
  });

  it("a process keeps its name over incarnations", () => {
    expect(ids.processName(ids.processId(`node-1.${hex16}`))).toBe("node-1");
  });
});

describe("epochs", () => {
  const epoch = fc.tuple(fc.nat(8191), fc.integer({ min: 1, max: 2 ** 40 - 1 }));

  it("compare by generation, then by sequence, and none is below all", () => {
    fc.assert(
      fc.property(epoch, epoch, ([g1, s1], [g2, s2]) => {
        const [a, b] = [epochAt(g1, s1), epochAt(g2, s2)];
        expect(Math.sign(epochCompare(a, b))).toBe(Math.sign(g1 - g2 || s1 - s2));
        expect(epochCompare(EPOCH_NONE, a)).toBeLessThan(0);
        expect(epochGeneration(a)).toBe(g1);
      }),
    );
  });

  it("survive the wire, as integer and as float64", () => {
    fc.assert(
      fc.property(epoch, ([generation, sequence]) => {
        const value = epochAt(generation, sequence);
        expect(Number.isSafeInteger(value)).toBe(true);
        expect(new Float64Array([value])[0]).toBe(value);
        expect(parseEpoch(value)).toBe(value);
      }),
    );
  });

  it("end where they no longer fit a safe integer", () => {
    expect(epochAt(8191, 2 ** 40 - 1)).toBe(Number.MAX_SAFE_INTEGER);
    for (const [generation, sequence] of [
      [8192, 1],
      [-1, 1],
      [0.5, 1],
      [0, 0],
      [0, -1],
      [0, 1.5],
      [0, 2 ** 40],
      [Number.NaN, 1],
      [0, Number.NaN],
    ] as const)
      expect(() => epochAt(generation, sequence)).toThrow(InvariantViolation);
  });

  it("from outside are whole, safe and not negative", () => {
    for (const value of [0, 1, Number.MAX_SAFE_INTEGER]) expect(parseEpoch(value)).toBe(value);
    for (const value of [-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, "1", null, 1n, []])
      expect(parseEpoch(value)).toBeUndefined();
  });
});

describe("bugs and outcomes", () => {
  it("an assertion crashes with its sentence", () => {
    expect(() => assert(true, "fine")).not.toThrow();
    for (const nothing of [false, 0, "", null, undefined, Number.NaN])
      expect(() => assert(nothing, "the reason")).toThrow(new InvariantViolation("the reason"));
    expect(() => assert(false, () => "why")).toThrow(new InvariantViolation("why"));
    expect(() => unreachable({ odd: 1 } as never)).toThrow('unreachable: {"odd":1}');
  });

  it("a result is told apart by ok", () => {
    expect([ok(1), err("no")]).toEqual([
      { ok: true, value: 1 },
      { ok: false, error: "no" },
    ]);
  });
});
