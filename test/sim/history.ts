import { err, ok } from "../../src/kernel/result.ts";
import { checkLinearizable, type Operation } from "./linearizability.ts";
import { type RoomInput, type RoomOutput, roomModel } from "./models.ts";
import type { Outcome, SimClient } from "./sim-client.ts";
import type { Accuse } from "./violation.ts";

/** No violation was found, and none excluded: it fails a seed, and proves no bug. */
export const UNDECIDED = "undecided";

type RoomOperation = Operation<RoomInput, RoomOutput>;

interface Call {
  readonly operation: Omit<RoomOperation, "output" | "returnMs"> | undefined;
  readonly session: string;
  returnMs: number;
  outcome: Outcome | undefined;
}

const KINDS = new Set(["put", "add", "get", "swap"]);

/** All commands that clients gave, and what they were told of each. */
export class History {
  readonly #calls: Call[] = [];
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
    this.#calls.push({ operation, session, returnMs: 0, outcome: undefined });
    return this.#calls.length - 1;
  }

  returned(call: number, outcome: Outcome): void {
    const known = this.#calls[call];
    if (!known) return;
    known.outcome = outcome;
    known.returnMs = this.#now();
  }

  sessionOf(call: number): string {
    return this.#calls[call]?.session ?? "";
  }

  /** Is there one order that explains all answers, room by room? */
  check(accuse: Accuse): void {
    const verdict = checkLinearizable(roomModel, this.#calls.flatMap(operationOf));
    if (verdict.outcome === "violation") accuse("linearizable", verdict.text);
    if (verdict.outcome === "undecided")
      accuse(UNDECIDED, `${verdict.partition}, in ${verdict.steps} steps`);
  }
}

/** What never left its client took no effect; what has no answer may have taken one. */
function operationOf({ operation, outcome, returnMs }: Call): RoomOperation[] {
  if (!operation || (outcome?.kind === "lost" && !outcome.sent)) return [];
  if (outcome?.kind === "refused" && !REFUSED_BY_ROOM.has(outcome.status)) return [];
  return [{ ...operation, output: outputOf(outcome), returnMs }];
}

const REFUSED_BY_ROOM = new Set(["full"]);

function outputOf(outcome: Outcome | undefined): RoomOutput | undefined {
  if (outcome?.kind === "done") return ok(outcome.data as never);
  return outcome?.kind === "refused" ? err("refused") : undefined;
}
