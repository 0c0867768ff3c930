import { readFileSync } from "node:fs";

/** What there is of one kind in a heap. */
export interface Kind {
  readonly count: number;
  readonly bytes: number;
}

interface Snapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly [readonly string[], ...unknown[]];
      readonly edge_fields: readonly string[];
      readonly edge_types: readonly [readonly string[], ...unknown[]];
    };
  };
  readonly nodes: readonly number[];
  readonly edges: readonly number[];
  readonly strings: readonly string[];
}

/** Who is somebody: other nodes are parts of whom they hang on. */
const BEINGS = new Set(["object", "closure", "native", "synthetic", "regexp"]);
const NOBODY = -1;
const MANY = -2;

/**
 * The bytes of a heap by constructor. What hangs on one object alone (its fields' numbers, the
 * store of a map, a text) counts as a part of it; what several hold, by its own type.
 */
export function kindsOf(snapshot: Snapshot): ReadonlyMap<string, Kind> {
  const heap = new Heap(snapshot);
  const kinds = new Map<string, { count: number; bytes: number }>();
  for (let node = 0; node < heap.count; node++) {
    const owner = heap.ownerOf(node);
    const name = heap.kind(owner);
    let kind = kinds.get(name);
    if (!kind) {
      kind = { count: 0, bytes: 0 };
      kinds.set(name, kind);
    }
    if (owner === node) kind.count++;
    kind.bytes += heap.bytes(node);
  }
  return kinds;
}

export const readKinds = (file: string): ReadonlyMap<string, Kind> =>
  kindsOf(JSON.parse(readFileSync(file, "utf8")) as Snapshot);

/** What each of so many more connections brought, the dearest first. */
export function growthOf(
  before: ReadonlyMap<string, Kind>,
  after: ReadonlyMap<string, Kind>,
  connections: number,
): readonly { readonly kind: string; readonly count: number; readonly bytes: number }[] {
  const each = [...after].map(([kind, { bytes, count }]) => {
    const was = before.get(kind);
    return {
      kind,
      count: (count - (was?.count ?? 0)) / connections,
      bytes: (bytes - (was?.bytes ?? 0)) / connections,
    };
  });
  return each.sort((a, b) => b.bytes - a.bytes);
}

class Heap {
  readonly count: number;
  readonly #snapshot: Snapshot;
  readonly #width: number;
  readonly #types: readonly string[];
  readonly #type: number;
  readonly #name: number;
  readonly #size: number;
  /** By node: the only one that holds it, NOBODY or MANY. */
  readonly #holders: Int32Array;

  constructor(snapshot: Snapshot) {
    const { edge_fields, edge_types, node_fields, node_types } = snapshot.snapshot.meta;
    this.#snapshot = snapshot;
    this.#width = node_fields.length;
    this.#types = node_types[0];
    this.#type = node_fields.indexOf("type");
    this.#name = node_fields.indexOf("name");
    this.#size = node_fields.indexOf("self_size");
    this.count = snapshot.nodes.length / this.#width;
    this.#holders = new Int32Array(this.count).fill(NOBODY);
    const weak = edge_types[0].indexOf("weak");
    const [typeAt, toAt] = [edge_fields.indexOf("type"), edge_fields.indexOf("to_node")];
    const edgesAt = node_fields.indexOf("edge_count");
    let edge = 0;
    for (let node = 0; node < this.count; node++) {
      const edges = snapshot.nodes[node * this.#width + edgesAt] as number;
      for (let i = 0; i < edges; i++, edge += edge_fields.length) {
        if (snapshot.edges[edge + typeAt] === weak) continue;
        const to = (snapshot.edges[edge + toAt] as number) / this.#width;
        const known = this.#holders[to];
        this.#holders[to] = known === NOBODY || known === node ? node : MANY;
      }
    }
  }

  bytes(node: number): number {
    return this.#snapshot.nodes[node * this.#width + this.#size] as number;
  }

  kind(node: number): string {
    const at = node * this.#width;
    const type = this.#types[this.#snapshot.nodes[at + this.#type] as number] ?? "";
    if (!BEINGS.has(type)) return `(${type})`;
    const name = this.#snapshot.strings[this.#snapshot.nodes[at + this.#name] as number] ?? "";
    return type === "closure" ? `${name || "anonymous"}()` : name;
  }

  /** The nearest object that this is a part of; itself where several hold it. */
  ownerOf(node: number): number {
    let owner = node;
    // A chain of parts is short; whatever holds itself ends it.
    for (let i = 0; i < 8; i++) {
      const type = this.#types[this.#snapshot.nodes[owner * this.#width + this.#type] as number];
      const holder = this.#holders[owner] as number;
      if (BEINGS.has(type ?? "") || holder < 0) return owner;
      owner = holder;
    }
    return owner;
  }
}
