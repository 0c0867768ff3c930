import { type Random, randomBelow } from "../../src/kernel/random.ts";

/** A place in a room's journal, named so that it means the same in two stores. */
export type Place =
  /** The record so many before the last one that was accepted, or the sequence just below it. */
  | { readonly at: "record"; readonly back: number; readonly below: boolean }
  | { readonly at: "start" }
  | { readonly at: "beyond" };

export interface Racer {
  readonly writer: number;
  readonly expect: Place;
  readonly text: string;
}

/** What a snapshot is made of, and what is wrong with it. */
export interface SnapshotPart {
  readonly index: number;
  readonly bytes: number;
  readonly salt: number;
  /** `digest` and `bytes`: of its name, not of its content. */
  readonly twist: "none" | "digest" | "bytes";
}

interface OnRoom {
  readonly room: number;
  readonly writer: number;
}

/** How an entry of the index is to be changed, whatever it is. */
export type Change = "raise" | "keep" | "lower" | "nothing";

export type StoreOp = OnRoom &
  (
    | { readonly do: "append"; readonly expect: Place; readonly text: string }
    /** The very write of an earlier append, so many before the last one. */
    | { readonly do: "repeat"; readonly back: number }
    /** All at once. */
    | { readonly do: "race"; readonly racers: readonly Racer[] }
    | { readonly do: "readTail" }
    | { readonly do: "readAfter"; readonly place: Place }
    | {
        readonly do: "readThrough";
        readonly after: Place | undefined;
        readonly until: Place;
        readonly leader: boolean;
      }
    | { readonly do: "trim"; readonly upTo: Place }
    | { readonly do: "rooms" }
    | { readonly do: "indexRead" }
    | { readonly do: "indexList" }
    | { readonly do: "indexChange"; readonly change: Change; readonly by: number }
    | { readonly do: "indexRace"; readonly writers: readonly number[] }
    | { readonly do: "round"; readonly leave: boolean }
    | { readonly do: "put"; readonly part: SnapshotPart }
    | { readonly do: "get"; readonly part: SnapshotPart }
    | { readonly do: "removeBelow"; readonly index: number }
  );

export const ROOMS = 3;
export const WRITERS = 3;

type Kind = StoreOp["do"];

/** Of 100. */
const WEIGHTS: readonly (readonly [Kind, number])[] = [
  ["append", 30],
  ["repeat", 4],
  ["race", 8],
  ["readTail", 12],
  ["readAfter", 8],
  ["readThrough", 11],
  ["trim", 4],
  ["rooms", 1],
  ["indexRead", 4],
  ["indexList", 1],
  ["indexChange", 6],
  ["indexRace", 2],
  ["round", 1],
  ["put", 3],
  ["get", 4],
  ["removeBelow", 1],
];

export function generateOps(random: Random, count: number): StoreOp[] {
  const generator = new Generator(random);
  return Array.from({ length: count }, (_, i) => generator.next(i));
}

class Generator {
  readonly #random: Random;
  readonly #puts: SnapshotPart[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  next(i: number): StoreOp {
    const on = { room: this.#below(ROOMS), writer: this.#below(WRITERS) };
    const kind = this.#kind();
    switch (kind) {
      case "append":
        return { ...on, do: kind, expect: this.#expected(), text: this.#text(i) };
      case "repeat":
        return { ...on, do: kind, back: this.#below(3) };
      case "race": {
        const racers = Array.from({ length: 2 + this.#below(3) }, (_, k) => ({
          writer: this.#below(WRITERS),
          expect: this.#expected(),
          text: `${this.#text(i)}/${k}`,
        }));
        return { ...on, do: kind, racers };
      }
      case "readAfter":
        return { ...on, do: kind, place: this.#place() };
      case "readThrough": {
        const after = this.#chance(0.5) ? this.#place() : undefined;
        const leader = this.#chance(0.5);
        return { ...on, do: kind, after, until: this.#place(), leader };
      }
      case "trim":
        return { ...on, do: kind, upTo: this.#place() };
      default:
        return this.#other(kind, on);
    }
  }

  #other(kind: Kind, on: OnRoom): StoreOp {
    switch (kind) {
      case "indexChange": {
        const changes = ["raise", "raise", "keep", "lower", "nothing"] as const;
        const change = changes[this.#below(changes.length)] as Change;
        return { ...on, do: kind, change, by: 1 + this.#below(3) };
      }
      case "indexRace":
        return { ...on, do: kind, writers: Array.from({ length: WRITERS }, (_, k) => k) };
      case "round":
        return { ...on, do: kind, leave: this.#chance(0.3) };
      case "put":
        return { ...on, do: kind, part: this.#put() };
      case "get":
        return { ...on, do: kind, part: this.#asked() };
      case "removeBelow":
        return { ...on, do: kind, index: this.#below(7) };
      default:
        return { ...on, do: kind } as StoreOp;
    }
  }

  #kind(): Kind {
    let left = this.#below(100);
    for (const [kind, weight] of WEIGHTS) {
      left -= weight;
      if (left < 0) return kind;
    }
    return "readTail";
  }

  /** Mostly right. */
  #expected(): Place {
    return this.#chance(0.7) ? { at: "record", back: 0, below: false } : this.#place();
  }

  #place(): Place {
    const draw = this.#random.next();
    if (draw < 0.12) return { at: "start" };
    if (draw < 0.24) return { at: "beyond" };
    return { at: "record", back: this.#below(6), below: this.#chance(0.25) };
  }

  /** Now and then a large one. */
  #text(i: number): string {
    const fill = this.#chance(0.01) ? 40_000 : this.#below(200);
    return `${i}${"x".repeat(fill)}`;
  }

  #put(): SnapshotPart {
    const again = this.#puts.at(-1 - this.#below(4));
    if (again && this.#chance(0.2)) return again;
    const part = {
      index: 1 + this.#below(6),
      bytes: this.#chance(0.1) ? 200_000 : this.#below(300),
      salt: this.#below(256),
      twist: this.#chance(0.1) ? ("digest" as const) : ("none" as const),
    };
    this.#puts.push(part);
    return part;
  }

  #asked(): SnapshotPart {
    const part = this.#puts.at(-1 - this.#below(5));
    if (!part) return { index: 1, bytes: 10, salt: 1, twist: "none" };
    const draw = this.#random.next();
    if (draw < 0.1) return { ...part, index: part.index + 1 };
    if (draw < 0.2) return { ...part, twist: "bytes" };
    if (draw < 0.3) return { ...part, twist: part.twist === "none" ? "digest" : "none" };
    return part;
  }

  #chance(share: number): boolean {
    return this.#random.next() < share;
  }

  #below(bound: number): number {
    return randomBelow(this.#random, bound);
  }
}
