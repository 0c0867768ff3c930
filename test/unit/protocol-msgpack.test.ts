import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvariantViolation } from "../../src/kernel/assert.ts";
import { decode, decodeRun, encode } from "../../src/protocol/msgpack.ts";
import { DEPTH_MAX } from "../../src/protocol/msgpack-reader.ts";
import { plainValue } from "../support/protocol-families.ts";
import { unhex } from "../support/vectors.ts";

/** Runs a module in a process with 128 MiB of heap. */
async function inSmallHeap(code: string): Promise<{ readonly alive: boolean; output: string }> {
  const flags = ["--max-old-space-size=128", "--import", "tsx", "--input-type=module", "-e", code];
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  const child = spawn(process.execPath, flags, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  child.stderr.on("data", (data) => {
    output += data;
  });
  const [exit] = await once(child, "close");
  return { alive: exit === 0 && output.includes("alive"), output };
}

const refused = { ok: false, error: "malformed" };

describe("values", () => {
  it("[PR4] what is encoded comes back", () => {
    fc.assert(
      fc.property(plainValue, (value) => {
        expect(decode(encode(value))).toEqual({ ok: true, value });
      }),
      { numRuns: 500 },
    );
  });

  it("[PR5] numbers at every edge of every width", () => {
    const edges = [0, 31, 32, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1];
    for (const edge of edges)
      for (const value of [edge, 0 - edge]) {
        expect(decode(encode(value))).toEqual({ ok: true, value });
      }
    for (const value of [0.1, -1.5, 1e300, Number.MIN_VALUE, Number.POSITIVE_INFINITY])
      expect(decode(encode(value))).toEqual({ ok: true, value });
    expect(encode(2 ** 31)[0]).toBe(0xce);
    expect(encode(0.5)[0]).toBe(0xcb);
  });

  it("[PR6] of two equal keys the last counts; undefined members are left out", () => {
    expect(decode(unhex("82 a1 61 01 a1 61 02"))).toEqual({ ok: true, value: { a: 2 } });
    expect(decode(encode({ a: undefined, b: 1 }))).toEqual({ ok: true, value: { b: 1 } });
    expect(decode(encode([undefined]))).toEqual({ ok: true, value: [null] });
  });

  it("[PR6] bytes that are no UTF-8 become text, and go on as UTF-8", () => {
    const strict = new TextDecoder("utf-8", { fatal: true });
    const lone = { "k\ud800": ["\udc00", Uint8Array.of(0xed, 0xa0, 0x80), "\ud83d\ude00"] };
    const decoded = decode(encode(lone));
    const repaired = { "k\ufffd": ["\ufffd", Uint8Array.of(0xed, 0xa0, 0x80), "\ud83d\ude00"] };
    expect(decoded).toEqual({ ok: true, value: repaired });
    for (const bytes of ["a3 ed a0 80", "a1 e2", "a1 ff", "a2 c0 80", "a4 f8 80 80 80"]) {
      const text = decode(unhex(bytes));
      if (!text.ok) throw new Error("refused");
      expect(() => strict.decode(encode(text.value).subarray(1))).not.toThrow();
    }
    expect(decode(encode("\ud7ff"))).toEqual({ ok: true, value: "\ud7ff" });
  });

  it("[PR6] a short text is itself, whatever was read before it", () => {
    // Far more than are remembered, of equal lengths, each twice.
    const texts = Array.from(
      { length: 20_000 },
      (_, i) => `room-${i.toString(36).padStart(6, "0")}`,
    );
    for (const text of [...texts, ...texts.toReversed(), "room-\u00e9", "\ufeffroom", ""])
      expect(decode(encode(text))).toEqual({ ok: true, value: text });
  });

  it("[PR6] keys that name inherited things are plain keys", () => {
    const decoded = decode(unhex("82 ab 636f6e7374727563746f72 01 a8 746f537472696e67 02"));
    if (!decoded.ok) throw new Error("refused");
    const value = decoded.value as Record<string, unknown>;
    expect(Object.entries(value)).toEqual([
      ["constructor", 1],
      ["toString", 2],
    ]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(decode(unhex("81 a9 5f5f70726f746f5f5f 80"))).toEqual(refused);
  });

  it("[PR7] arrays and maps nest to the limit and no deeper, whoever encodes them", () => {
    const nested = (depth: number, open: string): string => open.repeat(depth);
    for (const open of ["91", "81 a1 61"]) {
      expect(decode(unhex(`${nested(DEPTH_MAX, open)} c0`)).ok, "at the limit").toBe(true);
      expect(decode(unhex(`${nested(DEPTH_MAX, open)} 90`)).ok, "and an empty one").toBe(true);
      expect(decode(unhex(`${nested(DEPTH_MAX + 1, open)} c0`))).toEqual(refused);
      expect(decode(unhex(`${nested(100_000, open)} c0`))).toEqual(refused);
    }
    let deep: unknown = 1;
    for (let i = 0; i < DEPTH_MAX; i++) deep = [deep];
    expect(decode(encode(deep)).ok).toBe(true);
    expect(() => encode([deep])).toThrow(/deep/);
  });

  it("[PR48] what no decoder reads back is not encoded", () => {
    class Instance {
      readonly value = 1;
    }
    const values = [new Date(0), new Map(), new Set(), new Instance(), new Uint32Array(1)];
    for (const value of values)
      for (const where of [value, [value], { value }])
        expect(() => encode(where)).toThrow(InvariantViolation);
    for (const value of [() => 1, Symbol("s"), 1n]) expect(() => encode({ value })).toThrow();
    expect(decode(encode(Object.assign(Object.create(null), { a: 1 })))).toEqual({
      ok: true,
      value: { a: 1 },
    });
    expect(decode(encode({ after: "an error the encoder still works" })).ok).toBe(true);
  });

  it("[PR4] an encoded value is a copy: the next one does not change it", () => {
    const first = encode(["first", new Uint8Array(64).fill(1)]);
    const kept = first.slice();
    for (let i = 0; i < 100; i++) encode(["another", new Uint8Array(64).fill(i)]);
    expect(first).toEqual(kept);
  });
});

describe("claims", () => {
  const hostile: readonly (readonly [what: string, bytes: string])[] = [
    ["array16 of 65,535", "dcffff"],
    ["nested array16 of 65,535", "dcffff".repeat(20)],
    ["nested array32 of 2^32 - 1", "ddffffffff".repeat(20)],
    ["array32", "ddffffffff"],
    ["map16", "deffff"],
    ["map32", "dfffffffff"],
    ["nested map32 behind keys", "dfffffffffa161".repeat(20)],
    ["str32", "dbffffffff"],
    ["str16", "daffff"],
    ["bin32", "c6ffffffff"],
    ["ext32", "c9ffffffff01"],
  ];

  it.each(hostile)("[PR8] refused: %s", (_, bytes) => {
    for (const padding of ["", "c0", "c0".repeat(100)]) {
      expect(decode(unhex(bytes + padding))).toEqual(refused);
      expect(decode(unhex(`91${bytes}${padding}`))).toEqual(refused);
      expect(decodeRun(unhex(`c0${bytes}${padding}`), 10)).toEqual(refused);
    }
  });

  it("[PR8] a claim costs nothing, where a bare decoder dies of it", async () => {
    // Arrays inside each other that claim 16 million slots each: 2.6 GB in 100 bytes.
    const bytes = `new Uint8Array(Buffer.from("${"dd01000000".repeat(20)}", "hex"))`;
    const bare = `import { decode } from "@msgpack/msgpack"; decode(${bytes});`;
    const ours = `import { decode } from "./src/protocol/msgpack.ts";
      for (let i = 0; i < 1000; i++) if (decode(${bytes}).ok) throw new Error("taken");
      console.log("alive");`;
    const dead = { alive: false, output: expect.stringContaining("heap out of memory") };
    expect(await inSmallHeap(bare)).toMatchObject(dead);
    expect(await inSmallHeap(ours)).toMatchObject({ alive: true });
  });

  it("[PR3] a run stops at its limit", () => {
    const run = new Uint8Array(1000).fill(0xc0);
    expect(decodeRun(run, 1000).ok).toBe(true);
    expect(decodeRun(run, 999)).toEqual({ ok: false, error: "too_large" });
    expect(decodeRun(new Uint8Array(), 10)).toEqual({ ok: true, value: [] });
  });

  it("[PR4] decode takes one value: none or two are malformed", () => {
    expect(decode(new Uint8Array())).toEqual(refused);
    expect(decode(unhex("c0 c0"))).toEqual(refused);
  });
});
