import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { randomBelow, seededRandom } from "../../src/kernel/random.ts";
import { err, ok } from "../../src/kernel/result.ts";
import { checkLinearizable, type Model, type Operation } from "../sim/linearizability.ts";
import {
  type OwnershipInput,
  type OwnershipOutput,
  ownershipModel,
  type RoomDocument,
  type RoomInput,
  type RoomOutput,
  roomModel,
  runInRoom,
} from "../sim/models.ts";

type RoomOperation = Operation<RoomInput, RoomOutput>;
type OwnershipOperation = Operation<OwnershipInput, OwnershipOutput>;

const put = (key: string, value: number | string): RoomInput => ({ kind: "put", key, value });
const add = (key: string, n: number): RoomInput => ({ kind: "add", key, n });
const get = (key: string): RoomInput => ({ kind: "get", key });
const swap = (key: string, expected: number | null, value: number): RoomInput => ({
  kind: "swap",
  key,
  expected,
  value,
});

/** `[from, to, input, output]`; without an output it is not known. */
type Row<I, O> = readonly [callMs: number, returnMs: number, input: I, output?: O];

const historyOf = <I, O>(...rows: readonly Row<I, O>[]): Operation<I, O>[] =>
  rows.map(([callMs, returnMs, input, output], i) => ({
    client: `c${i}`,
    partition: "t/plaza",
    input,
    output,
    callMs,
    returnMs,
  }));

const roomVerdict = (...rows: readonly Row<RoomInput, RoomOutput>[]) =>
  checkLinearizable(roomModel, historyOf(...rows));
const ownershipVerdict = (...rows: readonly Row<OwnershipInput, OwnershipOutput>[]) =>
  checkLinearizable(ownershipModel, historyOf(...rows));

describe("a room's history", () => {
  it("is accepted in the order of the answers, not that of the calls", () => {
    const verdict = roomVerdict(
      [0, 30, put("a", 1), ok(2)],
      [1, 20, put("a", 2), ok(null)],
      [40, 41, get("a"), ok(1)],
    );
    expect(verdict.outcome).toBe("linearizable");
    expect(roomVerdict().outcome).toBe("linearizable");
  });

  it("is refused where an update was lost", () => {
    const verdict = roomVerdict(
      [0, 10, add("a", 1), ok(1)],
      [5, 15, add("a", 1), ok(1)],
      [20, 21, get("a"), ok(1)],
    );
    expect(verdict.outcome).toBe("violation");
  });

  it("is refused where a read is stale, and accepted where it overlapped the write", () => {
    const stale = (readAtMs: number) =>
      roomVerdict(
        [0, 1, put("a", 1), ok(null)],
        [2, 5, put("a", 2), ok(1)],
        [readAtMs, 9, get("a"), ok(1)],
      ).outcome;
    expect(stale(6)).toBe("violation");
    expect(stale(5), "a call at the moment of a return overlaps").toBe("linearizable");
  });

  it("is refused where what was seen is not seen later", () => {
    const verdict = roomVerdict(
      [0, 50, put("a", 1), ok(null)],
      [10, 11, get("a"), ok(1)],
      [12, 13, get("a"), ok(null)],
    );
    expect(verdict.outcome).toBe("violation");
  });

  it("is refused where one increment counted twice", () => {
    const verdict = roomVerdict(
      [0, 1, add("a", 5), ok(5)],
      [2, 3, add("a", 1), ok(6)],
      [4, 5, get("a"), ok(7)],
    );
    expect(verdict.outcome).toBe("violation");
  });

  it("is refused where the replies of two commands were exchanged", () => {
    const history = (second: RoomOutput, third: RoomOutput) =>
      roomVerdict(
        [0, 1, put("a", 1), ok(null)],
        [2, 3, swap("a", 1, 2), second],
        [4, 5, put("a", 3), third],
      ).outcome;
    expect(history(ok(true), ok(2))).toBe("linearizable");
    expect(history(ok(2), ok(true))).toBe("violation");
    expect(history(ok(false), ok(2))).toBe("violation");
  });

  it("is refused where a command was refused for no reason, or had effect all the same", () => {
    const refused: RoomOutput = err("refused");
    const history = (value: number | string, seen: number | string) =>
      roomVerdict(
        [0, 1, put("a", value), ok(null)],
        [2, 3, add("a", 1), refused],
        [4, 5, get("a"), ok(seen)],
      ).outcome;
    expect(history("text", "text")).toBe("linearizable");
    expect(history("text", 1)).toBe("violation");
    expect(history(1, 1)).toBe("violation");
  });
});

describe("an operation whose outcome is not known", () => {
  const after = Number.POSITIVE_INFINITY;

  it("may have happened, or not, or long after its client gave up", () => {
    const history = (first: number | null, second: number | null) =>
      roomVerdict(
        [0, 10, put("a", 1)],
        [20, 21, get("a"), ok(first)],
        [30, 31, get("a"), ok(second)],
      ).outcome;
    expect(history(1, 1)).toBe("linearizable");
    expect(history(null, null)).toBe("linearizable");
    expect(history(null, 1)).toBe("linearizable");
    expect(history(1, null), "it does not unhappen").toBe("violation");
  });

  it("must have happened where somebody saw it, and then happened once", () => {
    const seen = [20, 21, get("a"), ok(1)] as const;
    expect(roomVerdict([0, after, add("a", 1)], seen).outcome).toBe("linearizable");
    expect(roomVerdict(seen).outcome).toBe("violation");
    const twice = [30, 31, get("a"), ok(2)] as const;
    expect(roomVerdict([0, after, add("a", 1)], seen, twice).outcome).toBe("violation");
  });

  it("is spent where another one would have done as well", () => {
    const verdict = roomVerdict(
      [0, after, add("a", 1)],
      [0, after, put("a", 1)],
      [20, 21, get("a"), ok(1)],
      [30, 31, get("a"), ok(2)],
    );
    expect(verdict.outcome, "first the put, then the add").toBe("linearizable");
  });

  it("did not happen before its call", () => {
    const verdict = roomVerdict([50, after, put("a", 1)], [20, 21, get("a"), ok(1)]);
    expect(verdict.outcome).toBe("violation");
  });
});

describe("the history of an ownership", () => {
  const claim = (owner: string, replaces: number): OwnershipInput => ({
    kind: "claim",
    owner,
    replaces,
  });
  const claimed = (epoch: number): OwnershipOutput => ({ kind: "claimed", epoch });
  const refused: OwnershipOutput = { kind: "refused" };
  const tail: OwnershipInput = { kind: "tail" };
  const shows = (owner: string, epoch: number): OwnershipOutput => ({ kind: "tail", owner, epoch });

  it("is refused where two claims replaced one epoch", () => {
    const second = (output: OwnershipOutput) =>
      ownershipVerdict(
        [0, 1, claim("n1", 0), claimed(7)],
        [2, 9, claim("n2", 7), claimed(12)],
        [3, 8, claim("n3", 7), output],
      ).outcome;
    expect(second(refused)).toBe("linearizable");
    expect(second(claimed(13))).toBe("violation");
  });

  it("is refused where an epoch does not rise", () => {
    const verdict = ownershipVerdict(
      [0, 1, claim("n1", 0), claimed(7)],
      [2, 3, claim("n2", 7), claimed(6)],
    );
    expect(verdict.outcome).toBe("violation");
  });

  it("is refused where a refused claim is seen to own", () => {
    const verdict = ownershipVerdict([0, 1, claim("n1", 0), refused], [2, 3, tail, shows("n1", 7)]);
    expect(verdict.outcome).toBe("violation");
  });

  it("learns the epoch of a claim whose outcome is not known from whoever reads the tail", () => {
    const history = (owner: string, epoch: number, replaces: number) =>
      ownershipVerdict(
        [0, 1, claim("n1", 0), claimed(7)],
        [2, 3, claim("n2", 7)],
        [4, 5, tail, shows("n1", 7)],
        [6, 7, tail, shows(owner, epoch)],
        [8, 9, claim("n3", replaces), claimed(20)],
      ).outcome;
    expect(history("n2", 12, 12), "it landed late").toBe("linearizable");
    expect(history("n1", 7, 7), "it never landed").toBe("linearizable");
    expect(history("n1", 7, 12), "it landed after the read").toBe("linearizable");
    expect(history("n2", 12, 7), "the one that was replaced is over").toBe("violation");
    expect(history("n2", 12, 13)).toBe("violation");
    expect(history("n2", 7, 7), "two owners at one epoch").toBe("violation");
    expect(history("n4", 12, 12), "nobody claimed so").toBe("violation");
  });
});

describe("a verdict", () => {
  it("is about one partition at a time", () => {
    const of = (partition: string, value: number | null): RoomOperation[] =>
      historyOf<RoomInput, RoomOutput>(
        [0, 1, put("a", 1), ok(null)],
        [2, 3, get("a"), ok(value)],
      ).map((operation) => ({ ...operation, partition }));
    const good = [...of("t/one", 1), ...of("t/two", 1)];
    expect(checkLinearizable(roomModel, good).outcome).toBe("linearizable");
    const verdict = checkLinearizable(roomModel, [...good, ...of("t/three", null)]);
    expect(verdict).toMatchObject({ outcome: "violation", partition: "t/three" });
  });

  it("shows how far one gets, and what can not come next", () => {
    const verdict = roomVerdict(
      [0, 1, put("a", 1), ok(null)],
      [2, 3, add("a", 1)],
      [4, 5, get("a"), ok(2)],
      [6, 9, get("a"), ok(1)],
      [7, 8, get("b"), ok(5)],
    );
    if (verdict.outcome !== "violation") throw new Error(verdict.outcome);
    expect(verdict.prefix.map(({ client }) => client)).toEqual(["c0", "c1", "c2"]);
    expect(verdict.stateKey).toBe('[["a",2]]');
    expect(verdict.blocked.map(({ client }) => client)).toEqual(["c3", "c4"]);
    expect(verdict.text.split("\n")).toEqual([
      "t/plaza: no order of the operations explains their answers. The longest that does:",
      "         0.000 .. 1.000        c0       put(a, 1) -> null",
      "         2.000 ..              c1       add(a, 1) -> not known",
      "         4.000 .. 5.000        c2       get(a) -> 2",
      'leads to [["a",2]], and none of these can come next:',
      "         6.000 .. 9.000        c3       get(a) -> 1",
      "         7.000 .. 8.000        c4       get(b) -> 5",
    ]);
  });

  it("is undecided after so many steps, unless another partition shows a violation", () => {
    // All of them overlap, and their sums fit no order: every subset has to be tried.
    const hard = historyOf<RoomInput, RoomOutput>(
      ...Array.from(
        { length: 24 },
        (_, i) => [0, 9, put("a", i), ok(i === 0 ? null : -i)] as const,
      ),
      ...Array.from({ length: 24 }, (_, i) => [0, 9, add("b", 2 ** i)] as const),
      [10, 11, get("b"), ok(0.5)],
    );
    const verdict = checkLinearizable(roomModel, hard, { stepsMax: 5_000 });
    expect(verdict).toEqual({ outcome: "undecided", partition: "t/plaza", steps: 5_000 });
    const bad = historyOf<RoomInput, RoomOutput>([0, 1, get("a"), ok(1)]).map((operation) => ({
      ...operation,
      partition: "t/bad",
    }));
    const both = checkLinearizable(roomModel, [...hard, ...bad], { stepsMax: 5_000 });
    expect(both).toMatchObject({ outcome: "violation", partition: "t/bad" });
  });
});

/** Tries every order of the operations with an output and of every choice of the others. */
function bruteForce<S, I, O>(
  model: Model<S, I, O>,
  rest: readonly Operation<I, O>[],
  state: S = model.initial,
): boolean {
  const known = rest.filter(({ output }) => output !== undefined);
  if (known.length === 0) return true;
  return rest.some((operation) => {
    if (known.some((other) => other !== operation && other.returnMs < operation.callMs))
      return false;
    const after = model.step(state, operation.input, operation.output);
    const others = rest.filter((other) => other !== operation);
    return after !== undefined && bruteForce(model, others, after);
  });
}

const roomValueOf = fc.constantFrom<number | string>(1, 2, "x");
const roomKeyOf = fc.constantFrom("a", "b");
const inputOf: fc.Arbitrary<RoomInput> = fc.oneof(
  fc.record({ kind: fc.constant("put" as const), key: roomKeyOf, value: roomValueOf }),
  fc.record({ kind: fc.constant("add" as const), key: roomKeyOf, n: fc.constantFrom(1, 2) }),
  fc.record({ kind: fc.constant("get" as const), key: roomKeyOf }),
  fc.record({
    kind: fc.constant("swap" as const),
    key: roomKeyOf,
    expected: fc.option(roomValueOf),
    value: roomValueOf,
  }),
);
const outputOf: fc.Arbitrary<RoomOutput> = fc.oneof(
  fc.constant(err("refused" as const)),
  fc.constantFrom(1, 2, 3, "x", true, false, null).map((value) => ok(value)),
);

/** An operation in a sequential run at whole moments, which its call and return surround. */
const stepOf = fc.record({
  input: inputOf,
  early: fc.integer({ min: 0, max: 25 }),
  late: fc.integer({ min: 0, max: 25 }),
  /** Nobody heard the answer, or it never ran either. */
  fate: fc.constantFrom("answered", "answered", "answered", "unheard", "lost"),
});
type Step = typeof stepOf extends fc.Arbitrary<infer T> ? T : never;

/** What clients see of commands run one after the other, ten moments apart. */
function runOf(steps: readonly Step[]): RoomOperation[] {
  let document: RoomDocument = new Map();
  return steps.map(({ input, early, late, fate }, i) => {
    const atMs = 10 * i;
    const ran = runInRoom(document, input);
    if (fate !== "lost") document = ran.document;
    return {
      client: `c${i}`,
      partition: "t/plaza",
      input,
      output: fate === "answered" ? ran.output : undefined,
      callMs: atMs - early,
      returnMs: atMs + late,
    };
  });
}

/** As a simulated minute gives it: each client has one command under way, in any room. */
function bigHistory(): RoomOperation[] {
  const random = seededRandom(7);
  const pick = <T>(choices: readonly T[]): T => choices[randomBelow(random, choices.length)] as T;
  const calls = Array.from({ length: 300 }, (_, i) => {
    const callMs = 4_000 * Math.floor(i / 24) + randomBelow(random, 3_800);
    const returnMs = callMs + 5 + randomBelow(random, 195);
    const unheard = i % 12 === 0;
    // What nobody heard of may land seconds later, or never.
    const lastMs = unheard ? callMs + 10_000 : returnMs;
    const atMs = callMs + random.next() * (lastMs - callMs);
    const key = pick(["a", "b", "c"]);
    const inputs = [
      add(key, 1 + randomBelow(random, 9)),
      add(key, 1),
      put(key, randomBelow(random, 5)),
      get(key),
      swap(key, randomBelow(random, 5), randomBelow(random, 5)),
    ];
    const lost = unheard && i % 24 === 0;
    const room = randomBelow(random, 8);
    return { i, callMs, returnMs, atMs, unheard, lost, room, input: pick(inputs) };
  });
  const documents = new Map<number, RoomDocument>();
  return calls
    .sort((a, b) => a.atMs - b.atMs)
    .map(({ i, callMs, returnMs, unheard, lost, room, input }) => {
      const { document, output } = runInRoom(documents.get(room) ?? new Map(), input);
      if (!lost) documents.set(room, document);
      return {
        client: `c${i % 24}`,
        partition: `t/room${room}`,
        input,
        output: unheard ? undefined : output,
        callMs,
        returnMs,
      };
    });
}

describe("the search", () => {
  const outcomes = { linearizable: 0, violation: 0, undecided: 0 };
  const agrees = <S, I, O>(model: Model<S, I, O>, history: readonly Operation<I, O>[]): void => {
    const verdict = checkLinearizable(model, history);
    outcomes[verdict.outcome]++;
    expect(verdict.outcome).toBe(bruteForce(model, history) ? "linearizable" : "violation");
  };
  const bothWays = (runs: number): void => {
    expect(outcomes.undecided).toBe(0);
    expect(Math.min(outcomes.linearizable, outcomes.violation)).toBeGreaterThan(runs / 20);
    outcomes.linearizable = 0;
    outcomes.violation = 0;
  };

  it("accepts what a sequential run gave, whatever overlapped", () => {
    fc.assert(
      fc.property(fc.array(stepOf, { maxLength: 60 }), (steps) => {
        const verdict = checkLinearizable(roomModel, runOf(steps));
        expect(verdict.outcome, verdict.outcome === "violation" ? verdict.text : "").toBe(
          "linearizable",
        );
      }),
      { numRuns: 300 },
    );
  });

  it("agrees with brute force on runs of which one answer was changed", () => {
    fc.assert(
      fc.property(
        fc.array(stepOf, { minLength: 2, maxLength: 6 }),
        fc.nat(5),
        outputOf,
        (steps, which, output) => {
          const history = runOf(steps);
          const changed = history[which % history.length];
          if (!changed) throw new Error("no operation");
          agrees(
            roomModel,
            history.map((operation) =>
              operation === changed ? { ...changed, output } : operation,
            ),
          );
        },
      ),
      { numRuns: 4_000 },
    );
    bothWays(4_000);
  });

  it("agrees with brute force on histories of an ownership", () => {
    const epochOf = fc.integer({ min: 1, max: 4 });
    const ownerOf = fc.constantFrom("n1", "n2");
    const whenOf = fc.record({ callMs: fc.nat(12), lasts: fc.nat(4) });
    const claimOf = fc.record({
      input: fc.record({
        kind: fc.constant("claim" as const),
        owner: ownerOf,
        replaces: fc.integer({ min: 0, max: 3 }),
      }),
      output: fc.oneof(
        fc.constant(undefined),
        fc.constant({ kind: "refused" as const }),
        epochOf.map((epoch) => ({ kind: "claimed" as const, epoch })),
      ),
      when: whenOf,
    });
    const tailOf = fc.record({
      input: fc.constant({ kind: "tail" as const }),
      output: fc.option(
        fc.record({ kind: fc.constant("tail" as const), owner: ownerOf, epoch: epochOf }),
        { nil: undefined, freq: 9 },
      ),
      when: whenOf,
    });
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 2, arbitrary: claimOf }, tailOf), { maxLength: 6 }),
        (operations) => {
          const history = operations.map(({ input, output, when }, i): OwnershipOperation => {
            const { callMs, lasts } = when;
            const returnMs = callMs + lasts;
            return { client: `c${i}`, partition: "t/plaza", input, output, callMs, returnMs };
          });
          agrees(ownershipModel, history);
        },
      ),
      { numRuns: 4_000 },
    );
    bothWays(4_000);
  });

  it("takes few steps for 300 commands of 24 clients in 8 rooms, 25 of them never answered", () => {
    const history = bigHistory();
    expect(history.filter(({ output }) => !output)).toHaveLength(25);
    const verdict = checkLinearizable(roomModel, history);
    expect(verdict.outcome).toBe("linearizable");
    expect(verdict.steps).toBeLessThan(5_000);
    // In each room, a sum that no choice of the unanswered ones can explain.
    for (const partition of new Set(history.map((operation) => operation.partition))) {
      const last = history.findLastIndex(
        ({ input, output, ...of }) =>
          of.partition === partition && input.kind === "add" && output?.ok,
      );
      const broken = history.map((operation, i) =>
        i === last ? { ...operation, output: ok(10_000) } : operation,
      );
      const refuted = checkLinearizable(roomModel, broken);
      expect(refuted).toMatchObject({ outcome: "violation", partition });
      expect(refuted.steps).toBeLessThan(5_000);
    }
  });
});
