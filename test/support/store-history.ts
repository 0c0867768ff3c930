import { MemoryStores } from "../../src/journal/memory-stores.ts";
import type { RoomId } from "../../src/kernel/ids.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";

/**
 * What one room's users saw, one event after the other. Records are named by their words, `""` is
 * the empty journal. A write that is repeated has the same words.
 */
export type StoreEvent =
  | {
      readonly do: "append";
      readonly words: string;
      readonly expected: string;
      readonly outcome: "accepted" | "refused" | "undecided";
    }
  | { readonly do: "readTail"; readonly outcome: string | undefined }
  | {
      readonly do: "readThrough";
      readonly leader: boolean;
      readonly outcome: readonly string[] | undefined;
    };

/** Which event's write a record of the journal is, and before which event it landed. */
export interface Landing {
  readonly event: number;
  readonly before: number;
}

export type Explanation =
  | {
      readonly ok: true;
      readonly landings: readonly Landing[];
      /** Events that a deposed leader answered, by what it had when it was stopped. */
      readonly old: ReadonlySet<number>;
    }
  | { readonly ok: false; readonly at: number; readonly why: string };

/**
 * Whether a journal that ended as `final` can have answered so: an accepted write landed then, an
 * undecided one at any time later or never. A refused one did not, or it found the tail that it
 * expected and landed all the same: a deposed leader refused it. Followers may be behind. So may
 * what a leader answers to reads, where one was frozen and wakes (JN31): `mayBeOld`.
 */
export function explain(
  events: readonly StoreEvent[],
  final: readonly string[],
  mayBeOld = false,
): Explanation {
  const attempts = new Map<string, number[]>();
  const expects = new Map<string, string>();
  const mayLand = (record: number): boolean => {
    const words = final[record] as string;
    return attempts.has(words) && expects.get(words) === (final[record - 1] ?? "");
  };
  /** How many records there can have been, and how many there were one event before. */
  const steps: Map<number, Step>[] = [];
  let lengths = new Set([0]);
  for (const [at, event] of events.entries()) {
    const step = new Map<number, Step>();
    for (const before of [...lengths].sort((a, b) => b - a))
      for (let length = before; length <= final.length; length++) {
        // Between two events, what is undecided may land.
        if (length > before && !mayLand(length - 1)) break;
        const isOld = mayBeOld && isOlder(event, length, final);
        const after = isOld ? length : follow(event, length, final);
        if (after === undefined) continue;
        // A refusal of what had landed before is the simpler explanation.
        const isSimpler = length === after;
        if (!step.has(after) || isSimpler) step.set(after, { before, found: length });
      }
    if (step.size === 0)
      return { ok: false, at, why: `with ${[...lengths].join(" or ")} of ${final.length} records` };
    steps.push(step);
    lengths = new Set(step.keys());
    if (event.do === "append" && event.outcome === "undecided") {
      attempts.set(event.words, [...(attempts.get(event.words) ?? []), at]);
      expects.set(event.words, event.expected);
    }
  }
  const end = Math.max(...lengths);
  const allLate = final.slice(end).every((_, i) => mayLand(end + i));
  if (!allLate) return { ok: false, at: events.length, why: `${final.length} records, not ${end}` };
  return { ok: true, ...backtrack(events, final, steps, end, attempts) };
}

/** True for what a leader answered that did not know of the newest records. */
function isOlder({ do: done, ...event }: StoreEvent, length: number, final: readonly string[]) {
  const { outcome } = event;
  if (done === "readTail" && typeof outcome === "string")
    return final.slice(0, length - 1).includes(outcome);
  if (done !== "readThrough" || typeof outcome !== "object") return false;
  return outcome.length < length && outcome.every((words, i) => words === final[i]);
}

/** How many records there were after the event before, and how many the event found. */
interface Step {
  readonly before: number;
  readonly found: number;
}

/** How many records there are after an event that finds `length` of them; undefined: impossible. */
function follow(event: StoreEvent, length: number, final: readonly string[]): number | undefined {
  const tail = length === 0 ? "" : final[length - 1];
  if (event.outcome === undefined || event.outcome === "undecided") return length;
  switch (event.do) {
    case "append":
      if (tail === event.expected) return final[length] === event.words ? length + 1 : undefined;
      return event.outcome === "refused" ? length : undefined;
    case "readTail":
      return event.outcome === tail ? length : undefined;
    case "readThrough": {
      const { outcome, leader } = event;
      const isPrefix = outcome.every((words, i) => words === final[i]);
      const fits = leader ? outcome.length === length : outcome.length <= length;
      return isPrefix && fits ? length : undefined;
    }
  }
}

function backtrack(
  events: readonly StoreEvent[],
  final: readonly string[],
  steps: readonly Map<number, Step>[],
  end: number,
  attempts: ReadonlyMap<string, readonly number[]>,
): { readonly landings: Landing[]; readonly old: ReadonlySet<number> } {
  const landings: Landing[] = [];
  const old = new Set<number>();
  const late = (record: number, before: number): void => {
    const tries = attempts.get(final[record] as string)?.filter((at) => at < before);
    landings[record] = { event: tries?.at(-1) as number, before };
  };
  for (let record = end; record < final.length; record++) late(record, events.length);
  let length = end;
  for (let at = events.length - 1; at >= 0; at--) {
    const { before, found } = steps[at]?.get(length) as Step;
    if (length > found) landings[found] = { event: at, before: at };
    for (let record = before; record < found; record++) late(record, at);
    const event = events[at] as StoreEvent;
    if (event.do !== "append" && isOlder(event, found, final)) old.add(at);
    length = before;
  }
  return { landings, old };
}

/** Events are so far apart that each is over, and what lands late does so between two of them. */
const APART_MS = 10_000;
const LATE_MS = 5_000;
const utf8 = new TextEncoder();
const text = new TextDecoder();

/** Has the stores in memory do the same, by the faults that they have: their events. */
export async function replay(
  events: readonly StoreEvent[],
  landings: readonly Landing[],
  room: RoomId,
  old: ReadonlySet<number> = new Set(),
): Promise<{ readonly events: StoreEvent[]; readonly final: readonly string[] }> {
  const clock = new ManualClock();
  const stores = new MemoryStores(clock, seededRandom(1));
  const { journal, faults } = stores.open();
  const sequences = new Map([["", 0]]);
  stores.landed = (_, { sequence, data }) => void sequences.set(text.decode(data), sequence);
  const lateness = new Map(
    landings.map(({ event, before }, record) => {
      const landsAt = (before + 1) * APART_MS - LATE_MS + record / landings.length;
      return [event, landsAt - (event + 1) * APART_MS - faults.timeoutMs];
    }),
  );
  const settle = async <T>(answer: Promise<T>): Promise<T> => {
    for (let i = 0; i < 4; i++) await Promise.resolve();
    clock.advance(faults.timeoutMs);
    return answer;
  };
  const run = async (event: StoreEvent, at: number): Promise<StoreEvent> => {
    const isAnswered = event.outcome !== undefined;
    faults.unreachable = !isAnswered;
    switch (event.do) {
      case "append": {
        const lateMs = lateness.get(at);
        if (event.outcome === "undecided")
          faults.nextAppends.push(lateMs === undefined ? "lost" : "late");
        else if (event.outcome === "refused" && lateMs !== undefined)
          faults.nextAppends.push("refused");
        faults.lateMsMin = faults.lateMsMax = lateMs ?? 0;
        const expected = sequences.get(event.expected) ?? Number.NaN;
        const append = journal.append(room, expected, utf8.encode(event.words));
        return { ...event, outcome: (await settle(append)).kind };
      }
      case "readTail": {
        const tail = await settle(journal.readTail(room));
        const words = tail.ok ? text.decode(tail.value.record ?? new Uint8Array(0)) : undefined;
        // The memory stores have no leader that could be frozen.
        return old.has(at) ? event : { ...event, outcome: words };
      }
      case "readThrough": {
        const how = { leader: event.leader };
        const read = await settle(journal.readThrough(room, Number.MAX_SAFE_INTEGER, how));
        const words = read.ok ? read.value.map(({ data }) => text.decode(data)) : undefined;
        // What a follower may lack is the adapter's to draw.
        const asked = event.leader && !old.has(at) ? undefined : event.outcome?.length;
        return { ...event, outcome: words?.slice(0, asked) };
      }
    }
  };
  const seen: StoreEvent[] = [];
  for (const [at, event] of events.entries()) {
    clock.advance((at + 1) * APART_MS - clock.now());
    seen.push(await run(event, at));
  }
  clock.advance(APART_MS);
  const records = stores.logs.get(room)?.records ?? [];
  return { events: seen, final: records.map(({ data }) => text.decode(data)) };
}
