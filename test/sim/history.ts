import { err, ok } from "../../src/kernel/result.ts";
import { checkLinearizable, type Operation } from "./linearizability.ts";
import { type RoomDocument, type RoomInput, type RoomOutput, roomModel } from "./models.ts";
import type { Outcome, SimClient } from "./sim-client.ts";
import type { Accuse } from "./violation.ts";

/** No violation was found, and none excluded: it fails a seed, and proves no bug. */
export const UNDECIDED = "undecided";

type RoomOperation = Operation<RoomInput, RoomOutput>;

interface Call {
  readonly operation: Omit<RoomOperation, "output" | "returnMs"> | undefined;
  /** After so many restores it was called, and it returned. */
  readonly calledIn: number;
  returnedIn: number;
  readonly session: string;
  returnMs: number;
  outcome: Outcome | undefined;
}

const KINDS = new Set(["put", "add", "get", "swap"]);

/** All commands that clients gave, and what they were told of each. */
export class History {
  readonly #calls: Call[] = [];
  /** What each restore brought back, by room; before the first nothing is there. */
  readonly #documents: ReadonlyMap<string, RoomDocument>[] = [new Map()];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.#calls.length;
  }

  get answered(): number {
    return this.#calls.filter(({ outcome }) => outcome && outcome.kind !== "lost").length;
  }

  called(client: SimClient, name: string, body: object): number {
    const callMs = this.#now();
    const { name: who, roomName: partition } = client;
    const input = { kind: name, ...body } as RoomInput;
    const operation = KINDS.has(name) ? { client: who, partition, input, callMs } : undefined;
    const session = client.room?.me.session ?? "";
    const calledIn = this.#documents.length - 1;
    const never = Number.POSITIVE_INFINITY;
    this.#calls.push({
      operation,
      session,
      calledIn,
      returnedIn: never,
      returnMs: 0,
      outcome: undefined,
    });
    return this.#calls.length - 1;
  }

  returned(call: number, outcome: Outcome): void {
    const known = this.#calls[call];
    if (!known) return;
    known.outcome = outcome;
    known.returnedIn = this.#documents.length - 1;
    known.returnMs = this.#now();
  }

  sessionOf(call: number): string {
    return this.#calls[call]?.session ?? "";
  }

  /** The journals came back from a backup, and rooms go on from there. */
  restored(documents: ReadonlyMap<string, RoomDocument>): void {
    this.#documents.push(documents);
  }

  /** Is there one order that explains all answers, room by room and from restore to restore? */
  check(accuse: Accuse): void {
    for (const [at, documents] of this.#documents.entries()) {
      const during = this.#calls.filter(
        ({ calledIn, returnedIn }) => calledIn <= at && at <= returnedIn,
      );
      const operations = during.flatMap((call) => operationOf(call, at));
      const rooms = new Set(operations.map(({ partition }) => partition));
      for (const room of rooms) {
        const model = { ...roomModel, initial: documents.get(room) ?? roomModel.initial };
        const part = operations.filter(({ partition }) => partition === room);
        const verdict = checkLinearizable(model, part);
        if (verdict.outcome === "violation") return accuse("linearizable", verdict.text);
        if (verdict.outcome === "undecided")
          accuse(UNDECIDED, `${verdict.partition}, in ${verdict.steps} steps`);
      }
    }
  }
}

/**
 * What never left its client took no effect; what has no answer may have taken one, and so may, on
 * either side of a restore, what was under way then.
 */
function operationOf(call: Call, at: number): RoomOperation[] {
  const { operation, outcome, returnMs, calledIn, returnedIn } = call;
  if (!operation || (outcome?.kind === "lost" && !outcome.sent)) return [];
  if (outcome?.kind === "refused" && !REFUSED_BY_ROOM.has(outcome.status)) return [];
  if (calledIn !== at || returnedIn !== at)
    return [{ ...operation, output: undefined, returnMs: 0 }];
  return [{ ...operation, output: outputOf(outcome), returnMs }];
}

const REFUSED_BY_ROOM = new Set(["full"]);

function outputOf(outcome: Outcome | undefined): RoomOutput | undefined {
  if (outcome?.kind === "done") return ok(outcome.data as never);
  return outcome?.kind === "refused" ? err("refused") : undefined;
}
