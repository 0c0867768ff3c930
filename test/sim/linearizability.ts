import { assert } from "../../src/kernel/assert.ts";

/**
 * Is there one order of all operations, which keeps the order of any two that did not overlap, in
 * which a single copy of the thing would have given exactly these answers?
 *
 * The search is that of Wing and Gong (Testing and Verifying Concurrent Objects, 1993): place an
 * operation that may come next, recurse, take it back. Lowe (Testing for Linearizability, 2017)
 * remembers which pairs of operations placed and state were tried, and places an operation just
 * before the return that needs it. Horn and Kroening (Faster Linearizability Checking via
 * P-Compositionality, 2015) check each part for itself where the thing is made of such parts. The
 * list of calls and returns out of which operations are lifted is porcupine's
 * (github.com/anishathalye/porcupine).
 */

/** What a single copy of the thing would do. States are immutable. */
export interface Model<State, Input, Output> {
  readonly initial: State;
  /**
   * The state after the operation; undefined if it could not have had this output in this state.
   * An undefined output is not known: it may have been any.
   */
  step(state: State, input: Input, output: Output | undefined): State | undefined;
  /** Two states have one key exactly if they are equal. Reports show it. */
  key(state: State): string;
  /** The operation, for reports. */
  show(input: Input, output: Output | undefined): string;
}

/** Times are virtual milliseconds. Operations that touch at one moment overlap. */
export interface Operation<Input, Output> {
  readonly client: string;
  /** The part of the thing that it is about; nothing that others do is visible there. */
  readonly partition: string;
  readonly input: Input;
  /** Undefined: not known. Such an operation took effect at some time after its call, or never. */
  readonly output: Output | undefined;
  readonly callMs: number;
  /** Means nothing where the output is not known. */
  readonly returnMs: number;
}

export type Verdict<Input, Output> =
  | { readonly outcome: "linearizable"; readonly steps: number }
  | Violation<Input, Output>
  /** No violation was found, but the limit stopped the search in this partition. */
  | { readonly outcome: "undecided"; readonly partition: string; readonly steps: number };

export interface Violation<Input, Output> {
  readonly outcome: "violation";
  readonly partition: string;
  readonly steps: number;
  /** The longest order that explains everything up to some moment. */
  readonly prefix: readonly Operation<Input, Output>[];
  /** What that order leads to. */
  readonly stateKey: string;
  /** One of these would have to come next, and none can. */
  readonly blocked: readonly Operation<Input, Output>[];
  readonly text: string;
}

export interface CheckOptions {
  /** Operations tried in one partition before the search gives up (default 1,000,000: 5 s). */
  readonly stepsMax?: number;
}

export function checkLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
  { stepsMax = 1_000_000 }: CheckOptions = {},
): Verdict<Input, Output> {
  let steps = 0;
  let undecided: string | undefined;
  for (const [partition, operations] of byPartition(history)) {
    const search = new Search(model, operations);
    const outcome = search.run(stepsMax);
    steps += search.steps;
    if (outcome === "violation") return violationOf(partition, search, steps);
    if (outcome === "undecided") undecided ??= partition;
  }
  if (undecided === undefined) return { outcome: "linearizable", steps };
  return { outcome: "undecided", partition: undecided, steps };
}

function byPartition<Input, Output>(
  history: readonly Operation<Input, Output>[],
): Map<string, Operation<Input, Output>[]> {
  const partitions = new Map<string, Operation<Input, Output>[]>();
  for (const operation of history) {
    const operations = partitions.get(operation.partition);
    if (operations) operations.push(operation);
    else partitions.set(operation.partition, [operation]);
  }
  return partitions;
}

/** The head of a list of entries, or an entry in it. */
interface Link<Input, Output> {
  next: Entry<Input, Output> | undefined;
}

/** A call or a return of an operation that is not placed yet. */
interface Entry<Input, Output> extends Link<Input, Output> {
  readonly kind: "call" | "return" | "open";
  readonly operation: Operation<Input, Output>;
  /** Its place among all events of the history. */
  readonly position: number;
  readonly bit: bigint;
  previous: Link<Input, Output>;
  /** The return of a call. */
  match: Entry<Input, Output> | undefined;
  /** Of an open call: the bit of the one with the same input that was called before it. */
  twinBit: bigint;
}

interface Placement<State, Input, Output> {
  readonly entry: Entry<Input, Output>;
  readonly before: State;
}

/**
 * Two lists: calls and returns of operations with a known output, in order of time; and open calls.
 * What stands before the first return may be placed next. Open ones come last: most of them are not
 * needed, and one that is needed is found just before the answer that shows it. Of open ones with
 * the same input the first to be called can stand for every other: they are placed in that order.
 */
class Search<State, Input, Output> {
  steps = 0;
  prefix: readonly Operation<Input, Output>[] = [];
  prefixState: State;
  blocked: readonly Operation<Input, Output>[] = [];
  readonly model: Model<State, Input, Output>;
  readonly #known: Link<Input, Output>;
  readonly #open: Link<Input, Output>;
  readonly #placed: Placement<State, Input, Output>[] = [];
  /** By known operations placed and state: the sets of open ones with which it was tried. */
  readonly #tried = new Map<string, bigint[]>();
  #state: State;
  #knownBits = 0n;
  #openBits = 0n;
  #knownCount = 0;
  #prefixCount = -1;

  constructor(model: Model<State, Input, Output>, operations: readonly Operation<Input, Output>[]) {
    this.model = model;
    this.#state = model.initial;
    this.prefixState = model.initial;
    const lists = listsOf(model, operations);
    this.#known = lists.known;
    this.#open = lists.open;
  }

  run(stepsMax: number): "linearizable" | "violation" | "undecided" {
    let candidate = this.#known.next;
    while (this.#known.next) {
      if (candidate?.kind === "return") candidate = this.#open.next;
      if (candidate && this.#isMinimal(candidate)) {
        if (this.steps >= stepsMax) return "undecided";
        this.steps++;
        candidate = this.#place(candidate) ? this.#known.next : candidate.next;
        continue;
      }
      this.#keepLongest();
      const last = this.#placed.pop();
      if (!last) return "violation";
      this.#takeBack(last);
      candidate = last.entry.next;
    }
    return "linearizable";
  }

  /** Calls with a known output end at the first return by themselves; open ones are compared. */
  #isMinimal(entry: Entry<Input, Output>): boolean {
    return entry.kind === "call" || entry.position < this.#firstReturn().position;
  }

  #firstReturn(): Entry<Input, Output> {
    let entry = this.#known.next;
    while (entry && entry.kind !== "return") entry = entry.next;
    assert(entry, "what was called and has an output returned");
    return entry;
  }

  #place(entry: Entry<Input, Output>): boolean {
    const { input, output } = entry.operation;
    if ((this.#openBits & entry.twinBit) !== entry.twinBit) return false;
    const after = this.model.step(this.#state, input, output);
    if (after === undefined) return false;
    const key = this.model.key(after);
    const isOpen = entry.kind === "open";
    // An operation that nobody saw and that changes nothing explains nothing.
    if (isOpen && key === this.model.key(this.#state)) return false;
    const knownBits = isOpen ? this.#knownBits : this.#knownBits | entry.bit;
    const openBits = isOpen ? this.#openBits | entry.bit : this.#openBits;
    if (!this.#isNew(`${knownBits.toString(36)} ${key}`, openBits)) return false;
    this.#placed.push({ entry, before: this.#state });
    this.#state = after;
    this.#knownBits = knownBits;
    this.#openBits = openBits;
    if (!isOpen) this.#knownCount++;
    lift(entry);
    return true;
  }

  /** Whoever came here with fewer open operations spent could do all that this one can. */
  #isNew(key: string, openBits: bigint): boolean {
    const tried = this.#tried.get(key);
    if (!tried) this.#tried.set(key, [openBits]);
    else if (tried.some((fewer) => (fewer & openBits) === fewer)) return false;
    else tried.push(openBits);
    return true;
  }

  #takeBack({ entry, before }: Placement<State, Input, Output>): void {
    this.#state = before;
    if (entry.kind === "open") this.#openBits ^= entry.bit;
    else {
      this.#knownBits ^= entry.bit;
      this.#knownCount--;
    }
    unlift(entry);
  }

  #keepLongest(): void {
    if (this.#knownCount <= this.#prefixCount) return;
    this.#prefixCount = this.#knownCount;
    this.prefix = this.#placed.map(({ entry }) => entry.operation);
    this.prefixState = this.#state;
    const blocked: Operation<Input, Output>[] = [];
    for (let entry = this.#known.next; entry?.kind === "call"; entry = entry.next)
      blocked.push(entry.operation);
    this.blocked = blocked;
  }
}

interface Event<Input, Output> {
  readonly atMs: number;
  readonly kind: "call" | "return" | "open";
  readonly operation: Operation<Input, Output>;
  readonly index: number;
}

function eventsOf<Input, Output>(
  operations: readonly Operation<Input, Output>[],
): Event<Input, Output>[] {
  const events: Event<Input, Output>[] = [];
  for (const [index, operation] of operations.entries()) {
    const { callMs, returnMs, output } = operation;
    const isOpen = output === undefined;
    events.push({ atMs: callMs, kind: isOpen ? "open" : "call", operation, index });
    if (isOpen) continue;
    assert(callMs <= returnMs, `returned at ${returnMs}, before the call at ${callMs}`);
    events.push({ atMs: returnMs, kind: "return", operation, index });
  }
  // At one moment calls come before returns: the two overlap.
  const rank = ({ kind }: Event<Input, Output>): number => (kind === "return" ? 1 : 0);
  return events.sort((a, b) => a.atMs - b.atMs || rank(a) - rank(b));
}

function listsOf<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
): { readonly known: Link<Input, Output>; readonly open: Link<Input, Output> } {
  const lists = {
    known: { next: undefined } as Link<Input, Output>,
    open: { next: undefined } as Link<Input, Output>,
  };
  const last = { ...lists };
  const calls: Entry<Input, Output>[] = [];
  const twins = new Map<string, bigint>();
  for (const [position, event] of eventsOf(operations).entries()) {
    const { kind, operation, index } = event;
    const list = kind === "open" ? "open" : "known";
    const bit = 1n << BigInt(index);
    const same = kind === "open" ? model.show(operation.input, undefined) : "";
    const twinBit = twins.get(same) ?? 0n;
    if (kind === "open") twins.set(same, bit);
    const entry: Entry<Input, Output> = {
      kind,
      operation,
      position,
      bit,
      twinBit,
      previous: last[list],
      next: undefined,
      match: undefined,
    };
    last[list].next = entry;
    last[list] = entry;
    const call = calls[index];
    if (call) call.match = entry;
    else calls[index] = entry;
  }
  return lists;
}

/** Takes an operation out of its list: its call and, where it has one, its return. */
function lift<Input, Output>(entry: Entry<Input, Output>): void {
  for (const gone of entry.match ? [entry, entry.match] : [entry]) {
    gone.previous.next = gone.next;
    if (gone.next) gone.next.previous = gone.previous;
  }
}

/** Undoes the latest `lift`; in any other order the list would be broken. */
function unlift<Input, Output>(entry: Entry<Input, Output>): void {
  for (const back of entry.match ? [entry.match, entry] : [entry]) {
    back.previous.next = back;
    if (back.next) back.next.previous = back;
  }
}

const LINES_MAX = 40;

function violationOf<State, Input, Output>(
  partition: string,
  { model, prefix, prefixState, blocked }: Search<State, Input, Output>,
  steps: number,
): Violation<Input, Output> {
  const stateKey = model.key(prefixState);
  const line = ({ client, input, output, callMs, returnMs }: Operation<Input, Output>): string => {
    const until = output === undefined ? "" : returnMs.toFixed(3);
    const times = `${callMs.toFixed(3).padStart(12)} .. ${until.padEnd(12)}`;
    return `  ${times} ${client.padEnd(8)} ${model.show(input, output)}`;
  };
  const omitted = Math.max(0, prefix.length - LINES_MAX);
  const text = [
    `${partition}: no order of the operations explains their answers. The longest that does:`,
    ...(omitted > 0 ? [`  (${omitted} before these)`] : []),
    ...prefix.slice(omitted).map(line),
    `leads to ${stateKey}, and none of these can come next:`,
    ...blocked.map(line),
  ].join("\n");
  return { outcome: "violation", partition, steps, prefix, stateKey, blocked, text };
}
