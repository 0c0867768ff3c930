import type { AppendOutcome, Journal, Tail } from "../../src/journal/journal.ts";
import { EPOCH_NONE, type Epoch, epochAt } from "../../src/kernel/epoch.ts";
import type { ProcessId, RoomId } from "../../src/kernel/ids.ts";
import { decodeRecord } from "../../src/protocol/journal-record.ts";
import { UNDECIDED } from "./history.ts";
import { checkLinearizable, type Operation } from "./linearizability.ts";
import {
  type Ownership,
  type OwnershipInput,
  type OwnershipOutput,
  ownershipModel,
} from "./models.ts";
import type { Accuse } from "./violation.ts";

type Operations = Operation<OwnershipInput, OwnershipOutput>[];
type Answer = Pick<Operations[number], "output" | "returnMs">;
/** Of one write, however often it is sent. */
interface Claim {
  readonly operation: Omit<Operations[number], "output" | "returnMs"> & Partial<Answer>;
  readonly generation: number;
  /** It was sent before without an answer: a refusal may be its own first arrival's doing. */
  doubtful: boolean;
}

const OWNER_RECORD = 1;
const NOBODY: Ownership = { owner: "", epoch: EPOCH_NONE, replaced: EPOCH_NONE };

/**
 * All claims and hand-overs that any process made and every tail that one read, as they themselves
 * saw it. Is there one order of them in which ownership is a register that is compared and set?
 */
export class OwnershipHistory {
  readonly #operations: (Operations[number] | Claim["operation"])[] = [];
  readonly #claims = new Map<string, Claim>();
  /** Whom a record names; records never change. */
  readonly #named = new Map<string, OwnershipOutput>();
  readonly #restored = new Map<string, Ownership>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.#operations.length;
  }

  /** The process's way to the journals, from here on with a witness. */
  witness(process: ProcessId, journal: Journal): Journal {
    return {
      get generation() {
        return journal.generation;
      },
      readTail: async (room) => {
        const callMs = this.#now();
        const tail = await journal.readTail(room);
        if (tail.ok) this.#read(process, room, tail.value, callMs);
        return tail;
      },
      append: async (room, expected, record) => {
        // The tag stands behind the array's own byte. Most records are no claims.
        const claim = record[1] === OWNER_RECORD && this.#claim(process, room, journal, record);
        const outcome = await journal.append(room, expected, record);
        if (claim) this.#answered(claim, outcome);
        return outcome;
      },
      readAfter: (room, sequence) => journal.readAfter(room, sequence),
      readThrough: (room, until, options) => journal.readThrough(room, until, options),
      trim: (room, upTo) => journal.trim(room, upTo),
      rooms: () => journal.rooms(),
    };
  }

  /** A restore begins anew, with the owner that it brought back. */
  restored(room: RoomId, generation: number, owner: string, epoch: Epoch): void {
    const ownership = { owner, epoch, replaced: EPOCH_NONE };
    this.#restored.set(partitionOf(room, generation), ownership);
  }

  check(accuse: Accuse): void {
    const partitions = new Map<string, Operations>();
    for (const operation of this.#operations) {
      const { partition } = operation;
      const known = partitions.get(partition) ?? [];
      partitions.set(partition, known);
      known.push({ ...UNKNOWN, ...operation });
    }
    for (const [partition, operations] of partitions) {
      const initial = this.#restored.get(partition) ?? NOBODY;
      const verdict = checkLinearizable({ ...ownershipModel, initial }, operations);
      if (verdict.outcome === "violation") accuse("ownership", verdict.text);
      if (verdict.outcome === "undecided")
        accuse(UNDECIDED, `ownership of ${partition}, in ${verdict.steps} steps`);
    }
  }

  #read(process: ProcessId, room: RoomId, tail: Tail, callMs: number): void {
    const output = this.#namedBy(room, tail);
    const partition = partitionOf(room, tail.generation);
    const input = { kind: "tail" } as const;
    const returnMs = this.#now();
    this.#operations.push({ client: process, partition, input, output, callMs, returnMs });
  }

  #namedBy(room: RoomId, { generation, sequence, record: data }: Tail): OwnershipOutput {
    const key = `${room} ${generation} ${sequence}`;
    let named = this.#named.get(key);
    if (named) return named;
    const record = data && decodeRecord(data);
    if (!record) named = { kind: "tail", owner: "", epoch: EPOCH_NONE };
    else if (record.type === "owner")
      named = { kind: "tail", owner: record.owner, epoch: epochAt(generation, sequence) };
    else named = { kind: "tail", owner: record.by, epoch: record.epoch };
    this.#named.set(key, named);
    return named;
  }

  #claim(process: ProcessId, room: RoomId, journal: Journal, data: Uint8Array): Claim | undefined {
    const record = decodeRecord(data);
    if (record?.type !== "owner") return undefined;
    const { nonce, owner, epoch: replaces } = record;
    let claim = this.#claims.get(nonce);
    if (claim) return claim;
    const { generation } = journal;
    const partition = partitionOf(room, generation);
    const input = { kind: "claim", owner, replaces } as const;
    const operation = { client: process, partition, input, callMs: this.#now() };
    claim = { operation, generation, doubtful: false };
    this.#claims.set(nonce, claim);
    this.#operations.push(claim.operation);
    return claim;
  }

  #answered(claim: Claim, outcome: AppendOutcome): void {
    if (outcome.kind === "undecided") claim.doubtful = true;
    else if (outcome.kind === "refused" && !claim.doubtful)
      this.#settle(claim, { kind: "refused" });
    else if (outcome.kind === "accepted")
      this.#settle(claim, { kind: "claimed", epoch: epochAt(claim.generation, outcome.sequence) });
  }

  #settle({ operation }: Claim, output: OwnershipOutput): void {
    Object.assign(operation, { output, returnMs: this.#now() } satisfies Answer);
  }
}

const partitionOf = (room: RoomId, generation: number): string => `${room} of ${generation}`;
const UNKNOWN: Answer = { output: undefined, returnMs: 0 };
