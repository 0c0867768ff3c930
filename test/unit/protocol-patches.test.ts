import fc from "fast-check";
import { applyPatches as applyImmer, enablePatches, produceWithPatches } from "immer";
import { describe, expect, it } from "vitest";
import { applyPatches, PATCHES, type Patch } from "../../src/protocol/patches.ts";

enablePatches();
const OPS = { replace: 0, add: 1, remove: 2 } as const;

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
const json = fc.letrec<{ value: Json; object: { [key: string]: Json } }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<Json>(null, true, 0, 1, 2, "", "text"),
    fc.array(tie("value"), { maxLength: 5 }),
    tie("object"),
  ),
  object: fc.dictionary(fc.constantFrom("a", "b", "c", "length", "0"), tie("value"), {
    maxKeys: 4,
    noNullPrototype: true,
  }),
}));

/** Where a random walk of `steps` ends: some array or object of the document. */
function walk(root: Json, steps: readonly number[]): Json[] | { [key: string]: Json } {
  let at = root as Json[] | { [key: string]: Json };
  for (const step of steps) {
    const children = Object.values(at).filter(
      (child) => child !== null && typeof child === "object",
    );
    const next = children[step % Math.max(1, children.length)];
    if (next === undefined) break;
    at = next as typeof at;
  }
  return at;
}

interface Edit {
  readonly steps: readonly number[];
  readonly kind: number;
  readonly at: number;
  readonly key: string;
  readonly value: Json;
}
const edit: fc.Arbitrary<Edit> = fc.record({
  steps: fc.array(fc.nat(7), { maxLength: 4 }),
  kind: fc.nat(5),
  at: fc.nat(5),
  key: fc.constantFrom("a", "b", "c", "length", "0"),
  value: json.value,
});

function perform(draft: Json, { steps, kind, at, key, value }: Edit): void {
  const target = walk(draft, steps);
  if (!Array.isArray(target)) {
    if (kind < 4) target[key] = structuredClone(value);
    else delete target[key];
    return;
  }
  if (kind === 0) target.push(structuredClone(value));
  else if (kind === 1) target.splice(at, 2);
  else if (kind === 2) target.splice(at, 0, structuredClone(value));
  else if (kind === 3) target.length = Math.min(at, target.length);
  else if (kind === 4) target.unshift(structuredClone(value));
  else if (target.length > 0) target[at % target.length] = structuredClone(value);
}

const from = (value: unknown): unknown => structuredClone(value);
const applied = (root: unknown, ...patches: Patch[]): unknown => {
  const copy = from(root);
  return applyPatches(copy, patches) ? copy : "leads nowhere";
};

describe("patches", () => {
  it("[PR19] [PR20] give what immer gives, for any edits of any document", () => {
    let edited = 0;
    fc.assert(
      fc.property(json.object, fc.array(edit, { minLength: 1, maxLength: 6 }), (base, edits) => {
        const [next, changes] = produceWithPatches(base as Json, (draft) => {
          for (const each of edits) perform(draft as Json, each);
        });
        const patches = changes.map(
          ({ op, path, value }) => [OPS[op], path, value ?? null] as const,
        );
        edited += patches.length;
        const replica = from(base);
        expect(PATCHES(patches)).toEqual(patches);
        expect(applyPatches(replica, patches)).toBe(true);
        expect(replica).toEqual(next);
        expect(replica).toEqual(applyImmer(base as object, changes));
      }),
      { numRuns: 1000 },
    );
    expect(edited, "the edits did change something").toBeGreaterThan(500);
  });

  it("[PR19] maps: set, insert and remove", () => {
    expect(applied({}, [0, ["a"], 1])).toEqual({ a: 1 });
    expect(applied({ a: 1 }, [1, ["a"], 2])).toEqual({ a: 2 });
    expect(applied({ a: 1 }, [2, ["a"], null])).toEqual({});
    expect(applied({}, [2, ["a"], null])).toEqual({});
    expect(applied({}, [0, [5], 1])).toEqual({ "5": 1 });
    expect(applied({ a: { b: 1 } }, [0, ["a", "b"], 2], [0, ["a", "c"], 3])).toEqual({
      a: { b: 2, c: 3 },
    });
  });

  it("[PR20] arrays: every place an index can point to", () => {
    const list = { l: [1, 2] };
    expect(applied(list, [0, ["l", 1], 9])).toEqual({ l: [1, 9] });
    expect(applied(list, [0, ["l", 2], 9])).toEqual({ l: [1, 2, 9] });
    expect(applied(list, [1, ["l", 0], 9])).toEqual({ l: [9, 1, 2] });
    expect(applied(list, [1, ["l", "2"], 9])).toEqual({ l: [1, 2, 9] });
    expect(applied(list, [2, ["l", 0], null])).toEqual({ l: [2] });
    expect(applied(list, [0, ["l", "length"], 0])).toEqual({ l: [] });
    for (const key of [3, "3", "", "01", "1e0", "-1", " 1", "x", 1.5, -1, 2 ** 32])
      for (const op of [0, 1, 2] as const)
        expect(applied(list, [op, ["l", key], 9]), `${op} ${key}`).toBe("leads nowhere");
    expect(applied(list, [2, ["l", 2], null])).toBe("leads nowhere");
    for (const length of [3, -1, 0.5, "1", null, 2 ** 32])
      expect(applied(list, [0, ["l", "length"], length])).toBe("leads nowhere");
    for (const op of [1, 2] as const)
      expect(applied(list, [op, ["l", "length"], 0])).toBe("leads nowhere");
  });

  it("[PR19] paths lead only through what is there", () => {
    for (const root of [{ a: 1, t: "text", n: null, l: [1] }, [], 1, null, "text"])
      for (const path of [
        ["x", "y"],
        ["a", "b"],
        ["t", "length", "x"],
        ["n", "x"],
        ["l", 1, "x"],
      ])
        expect(applied(root, [0, path, 1])).toBe("leads nowhere");
    expect(applied({ a: {} }, [0, ["a", "toString", "x"], 1])).toBe("leads nowhere");
  });

  it("[PR19] malformed patches are refused as a whole", () => {
    const good = [0, ["a"], 1];
    const bad: unknown[] = [
      [],
      [0],
      [0, ["a"]],
      [1, ["a"]],
      [3, ["a"], 1],
      ["0", ["a"], 1],
      [0, [], 1],
      [0, "a", 1],
      [0, [null], 1],
      [0, [-1], 1],
      [0, [0.5], 1],
      [0, ["x".repeat(257)], 1],
      [0, Array(17).fill("a"), 1],
      ...["__proto__", "constructor", "prototype"].flatMap((key) => [
        [0, [key], 1],
        [0, ["a", key, "b"], 1],
      ]),
      { 0: 0, 1: ["a"], 2: 1, length: 3 },
      null,
    ];
    expect(PATCHES([good])).toEqual([good]);
    expect(PATCHES([[2, ["a"]]])).toBeDefined();
    for (const patch of bad) expect(PATCHES([good, patch]), JSON.stringify(patch)).toBeUndefined();
    expect(PATCHES(Array(4096).fill(good))).toHaveLength(4096);
    expect(PATCHES(Array(4097).fill(good))).toBeUndefined();
  });

  it("[PR19] nothing inherited is ever touched, whatever the patches are", () => {
    const before = Object.getOwnPropertyNames(Object.prototype).concat(
      Object.getOwnPropertyNames(Array.prototype),
    );
    const keys = fc.constantFrom<string | number>(
      ...["__proto__", "constructor", "prototype", "toString", "length", "a", "l"],
      ...[0, 1],
    );
    const patch = fc.tuple(
      fc.constantFrom(0, 1, 2),
      fc.array(keys, { minLength: 1, maxLength: 4 }),
      fc.constantFrom<unknown>(1, "x", null, { polluted: true }, [1]),
    );
    const root = { a: {}, l: [[], {}] };
    fc.assert(
      fc.property(fc.array(patch, { maxLength: 6 }), (patches) => {
        const read = PATCHES(patches);
        const copy = from(root) as object;
        if (read) applyPatches(copy, read);
        expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
        expect(({} as Record<string, unknown>).polluted).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
    const after = Object.getOwnPropertyNames(Object.prototype).concat(
      Object.getOwnPropertyNames(Array.prototype),
    );
    expect(after).toEqual(before);
  });
});
