import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { growthOf, kindsOf } from "../bench/memory/heap-kinds.ts";
import { bytesOfAnEnd, queuedBytes, socketsIn } from "../bench/memory/kernel-memory.ts";

const TYPES = ["hidden", "array", "string", "object", "number"];
const EDGES = ["context", "element", "property", "internal", "hidden", "shortcut", "weak"];

/** Nodes as [type, name, bytes, ...whom they hold]; a negative one weakly. */
function snapshot(...nodes: readonly (readonly [string, string, number, ...number[]])[]) {
  const strings = [...new Set(nodes.map(([, name]) => name))];
  return {
    snapshot: {
      meta: {
        node_fields: ["type", "name", "id", "self_size", "edge_count"],
        node_types: [TYPES] as [string[]],
        edge_fields: ["type", "name_or_index", "to_node"],
        edge_types: [EDGES] as [string[]],
      },
    },
    nodes: nodes.flatMap(([type, name, bytes, ...holds], id) => [
      TYPES.indexOf(type),
      strings.indexOf(name),
      id,
      bytes,
      holds.length,
    ]),
    edges: nodes.flatMap(([, , , ...holds]) =>
      holds.flatMap((to) => [EDGES.indexOf(to < 0 ? "weak" : "property"), 0, Math.abs(to) * 5]),
    ),
    strings,
  };
}

it("a heap by kind: parts count as whom they hang on, what is shared by itself", () => {
  const kinds = kindsOf(
    snapshot(
      ["object", "Root", 8, 1, 2],
      ["object", "Session", 100, 3, 5],
      ["object", "Session", 100, 4, 5],
      ["number", "heap number", 16],
      // A store with a number in it.
      ["array", "", 64, 6],
      ["string", "shared text", 40],
      ["number", "heap number", 16, -1],
    ),
  );
  expect(kinds.get("Session")).toEqual({ count: 2, bytes: 200 + 16 + 64 + 16 });
  expect(kinds.get("(string)")).toEqual({ count: 1, bytes: 40 });
  expect(kinds.get("Root")).toEqual({ count: 1, bytes: 8 });
  expect(kinds.size).toBe(3);
});

it("what each connection brought, the dearest first", () => {
  const before = new Map([["Session", { count: 10, bytes: 1_000 }]]);
  const after = new Map([
    ["Array", { count: 4, bytes: 64 }],
    ["Session", { count: 30, bytes: 3_400 }],
  ]);
  expect(growthOf(before, after, 20)).toEqual([
    { kind: "Session", count: 1, bytes: 120 },
    { kind: "Array", count: 0.2, bytes: 3.2 },
  ]);
});

it("an end of a connection costs its part of the pages of each cache that is there", () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), "roomcluster-slab-"));
  const cache = (name: string, order: number, objects: number): void => {
    mkdirSync(path.join(folder, name));
    writeFileSync(path.join(folder, name, "order"), `${order}\n`);
    writeFileSync(path.join(folder, name, "objs_per_slab"), `${objects}\n`);
  };
  try {
    expect(bytesOfAnEnd(folder)).toBeUndefined();
    cache("TCP", 3, 13);
    cache("filp", 0, 16);
    cache("somebody_elses", 0, 1);
    expect(bytesOfAnEnd(folder)).toEqual({ TCP: 32_768 / 13, filp: 256 });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("reads slabinfo and the queues that ss lists", () => {
  const slabs = "TCPv6 13 13 2496 13 8 : x\nTCP                  117    130   2368   13    8 : x\n";
  expect(socketsIn(slabs)).toBe(117);
  expect(socketsIn("")).toBeUndefined();
  const listed = [
    "ESTAB 0 0 127.0.0.1:1 127.0.0.1:2 skmem:(r768,rb131072,t0,tb2626560,f3328,w0,o0,bl0,d0)",
    "ESTAB 0 9 127.0.0.1:1 127.0.0.1:3 skmem:(r0,rb131072,t0,tb2626560,f2816,w1280,o0,bl0,d3)",
  ].join("\n");
  expect(queuedBytes(listed)).toBe(768 + 1_280);
});
