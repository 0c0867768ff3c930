import { err, ok, type Result } from "../../src/kernel/result.ts";
import type { Model } from "./linearizability.ts";

/** What a room and an ownership do where there is one copy of each and nothing fails. */

export type RoomValue = number | string;
/** The document of a room; a command is about one of its keys. */
export type RoomDocument = ReadonlyMap<string, RoomValue>;
/** A put or a swap that would need one more is refused. */
export const ROOM_KEYS_MAX = 8;

export type RoomInput =
  /** Answers the value before, or null. */
  | { readonly kind: "put"; readonly key: string; readonly value: RoomValue }
  /** Answers the sum; nothing counts as 0, and where a text stands it is refused. */
  | { readonly kind: "add"; readonly key: string; readonly n: number }
  /** Answers the value, or null. */
  | { readonly kind: "get"; readonly key: string }
  /** Answers whether the value was the expected one (null: none), and has been replaced. */
  | {
      readonly kind: "swap";
      readonly key: string;
      readonly expected: RoomValue | null;
      readonly value: RoomValue;
    };

export type RoomOutput = Result<RoomValue | boolean | null, "refused">;

interface Ran {
  readonly document: RoomDocument;
  readonly output: RoomOutput;
}

/** Runs one command. The same document comes back where nothing changes. */
export function runInRoom(document: RoomDocument, input: RoomInput): Ran {
  const { key } = input;
  const before = document.get(key) ?? null;
  const refused: Ran = { document, output: err("refused") };
  const put = (value: RoomValue, output: RoomOutput): Ran =>
    before === null && document.size >= ROOM_KEYS_MAX
      ? refused
      : { document: new Map(document).set(key, value), output };
  switch (input.kind) {
    case "put":
      return put(input.value, ok(before));
    case "add": {
      if (typeof before === "string") return refused;
      const sum = (before ?? 0) + input.n;
      return put(sum, ok(sum));
    }
    case "get":
      return { document, output: ok(before) };
    case "swap":
      if (before !== input.expected) return { document, output: ok(false) };
      return put(input.value, ok(true));
  }
}

export const roomModel: Model<RoomDocument, RoomInput, RoomOutput> = {
  initial: new Map(),
  step(document, input, output) {
    const ran = runInRoom(document, input);
    return output === undefined || same(ran.output, output) ? ran.document : undefined;
  },
  key: (document) => JSON.stringify([...document].sort(([key], [other]) => (key < other ? -1 : 1))),
  show(input, output) {
    const { kind, key, ...rest } = input;
    const given = [key, ...Object.values(rest).map((value) => JSON.stringify(value))].join(", ");
    return `${kind}(${given}) -> ${shownOutput(output)}`;
  },
};

const same = (a: RoomOutput, b: RoomOutput): boolean =>
  a.ok ? b.ok && a.value === b.value : !b.ok && a.error === b.error;

function shownOutput(output: RoomOutput | undefined): string {
  if (!output) return "not known";
  return output.ok ? JSON.stringify(output.value) : output.error;
}

/**
 * Who owns a room: a register that is compared and set. A claim names the epoch that it replaces,
 * and becomes a higher one, which only its answer tells: that of a claim whose outcome is not known
 * is seen first where somebody reads the tail. Epoch 0: nobody ever owned it.
 */
export interface Ownership {
  readonly owner: string;
  /** Undefined: not seen yet, but above the one that it replaced. */
  readonly epoch: number | undefined;
  readonly replaced: number;
}

export type OwnershipInput =
  | { readonly kind: "claim"; readonly owner: string; readonly replaces: number }
  | { readonly kind: "tail" };

export type OwnershipOutput =
  | { readonly kind: "claimed"; readonly epoch: number }
  /** Changed nothing. The journal also refuses a claim when the owner has appended meanwhile. */
  | { readonly kind: "refused" }
  | { readonly kind: "tail"; readonly owner: string; readonly epoch: number };

export const ownershipModel: Model<Ownership, OwnershipInput, OwnershipOutput> = {
  initial: { owner: "", epoch: 0, replaced: 0 },
  step(state, input, output) {
    if (input.kind === "tail") {
      if (output === undefined) return state;
      if (output.kind !== "tail" || output.owner !== state.owner) return undefined;
      return seen(state, output.epoch);
    }
    if (output?.kind === "refused") return state;
    if (output?.kind === "tail") return undefined;
    const replaced = seen(state, input.replaces);
    if (replaced === undefined) return undefined;
    const { owner, replaces } = input;
    const claimed: Ownership = { owner, epoch: undefined, replaced: replaces };
    return output ? seen(claimed, output.epoch) : claimed;
  },
  key: ({ owner, epoch, replaced }) =>
    epoch === undefined ? `${owner} above ${replaced}` : `${owner} at ${epoch}`,
  show(input, output) {
    const what =
      input.kind === "tail" ? "tail" : `claim(${input.owner}, replaces ${input.replaces})`;
    if (!output) return `${what} -> not known`;
    if (output.kind === "refused") return `${what} -> refused`;
    const epoch = `epoch ${output.epoch}`;
    return `${what} -> ${output.kind === "tail" ? `${output.owner} at ${epoch}` : epoch}`;
  },
};

/** The same ownership, at an epoch that somebody saw; undefined if it can not have that epoch. */
function seen(state: Ownership, epoch: number): Ownership | undefined {
  if (state.epoch !== undefined) return state.epoch === epoch ? state : undefined;
  return epoch > state.replaced ? { ...state, epoch, replaced: 0 } : undefined;
}
