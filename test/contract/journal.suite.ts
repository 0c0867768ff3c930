import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AppendOutcome, Journal } from "../../src/journal/journal.ts";
import { RECORD_BYTES_MAX } from "../../src/journal/limits.ts";
import { type RoomId, roomId } from "../../src/kernel/ids.ts";

export interface JournalHarness {
  /** What an operator calls it in a printed measurement. */
  readonly name: string;
  /** One process's journal. */
  readonly journal: Journal;
  /** Another process's. */
  readonly other: Journal;
  /** One whose appends land while their acknowledgements come too late. */
  impatient(): Promise<Journal>;
  /** One that cannot reach the stores. */
  cutOff(): Promise<Journal>;
  close(): Promise<void>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array | undefined): string | undefined =>
  data && new TextDecoder().decode(data);

/** For results of reads that must have been answered. */
export function got<T>(result: { ok: true; value: T } | { ok: false; error: string }): T {
  if (!result.ok) throw new Error(`the store answered ${result.error}`);
  return result.value;
}

function accepted(outcome: AppendOutcome): number {
  if (outcome.kind !== "accepted") throw new Error(`the append was ${JSON.stringify(outcome)}`);
  return outcome.sequence;
}

/** Appends one after the other; the sequences. */
export async function fill(journal: Journal, room: RoomId, records: string[]): Promise<number[]> {
  const sequences: number[] = [];
  let expected = got(await journal.readTail(room)).sequence;
  for (const record of records) {
    expected = accepted(await journal.append(room, expected, bytes(record)));
    sequences.push(expected);
  }
  return sequences;
}

export function journalContract(adapter: string, start: () => Promise<JournalHarness>): void {
  describe(`Journal on ${adapter}`, () => {
    let harness: JournalHarness;
    let journal: Journal;
    let other: Journal;
    let rooms = 0;
    beforeAll(async () => {
      harness = await start();
      ({ journal, other } = harness);
    });
    afterAll(() => harness?.close());
    const fresh = (): RoomId => roomId(`jn/room-${rooms++}`);

    it("[JN1] reads an empty tail", async () => {
      const tail = got(await journal.readTail(fresh()));
      expect(tail).toEqual({ generation: journal.generation, sequence: 0, record: undefined });
      expect(journal.generation).toBeGreaterThan(0);
    });

    it("[JN2] accepts what expects the tail", async () => {
      const room = fresh();
      const [first = 0, second = 0] = await fill(journal, room, ["one", "two"]);
      expect(first).toBeGreaterThan(0);
      expect(second).toBeGreaterThan(first);
      const tail = got(await other.readTail(room));
      expect(tail.sequence).toBe(second);
      expect(text(tail.record)).toBe("two");
    });

    it("[JN3] refuses what does not, and changes nothing", async () => {
      const room = fresh();
      expect(await journal.append(room, 7, bytes("early"))).toEqual({ kind: "refused" });
      expect(got(await journal.readTail(room)).sequence).toBe(0);
      const [first = 0, second = 0] = await fill(journal, room, ["one", "two"]);
      for (const wrong of [0, first, second + 1])
        expect(await other.append(room, wrong, bytes("stale"))).toEqual({ kind: "refused" });
      expect(text(got(await journal.readTail(room)).record)).toBe("two");
    });

    it("[JN4] lets one of two racing appends win, 100 times", async () => {
      const room = fresh();
      let expected = 0;
      const winners = { ours: 0, theirs: 0 };
      for (let race = 0; race < 100; race++) {
        // Who sends first alternates, so that neither wins by position alone.
        const ours = (): Promise<AppendOutcome> => journal.append(room, expected, bytes("ours"));
        const theirs = (): Promise<AppendOutcome> => other.append(room, expected, bytes("theirs"));
        const both =
          race % 2 === 0
            ? await Promise.all([ours(), theirs()])
            : (await Promise.all([theirs(), ours()])).reverse();
        const won = both.filter((outcome) => outcome.kind === "accepted");
        expect(won, `race ${race}: ${JSON.stringify(both)}`).toHaveLength(1);
        expect(both.filter((outcome) => outcome.kind === "refused")).toHaveLength(1);
        const winner = both[0]?.kind === "accepted" ? "ours" : "theirs";
        winners[winner]++;
        const tail = got(await journal.readTail(room));
        expect(text(tail.record)).toBe(winner);
        expected = accepted(won[0] as AppendOutcome);
        expect(tail.sequence).toBe(expected);
      }
      expect(winners.ours).toBeGreaterThan(0);
      expect(winners.theirs).toBeGreaterThan(0);
    });

    it("[JN5] refuses a repeated write by its own first arrival", async () => {
      const room = fresh();
      const [base = 0] = await fill(journal, room, ["base"]);
      const first = accepted(await journal.append(room, base, bytes("nonce-1")));
      await fill(other, room, ["later"]);
      expect(await journal.append(room, base, bytes("nonce-1"))).toEqual({ kind: "refused" });
      const found = got(await journal.readAfter(room, base));
      expect(found?.sequence).toBe(first);
      expect(text(found?.data)).toBe("nonce-1");
      expect(got(await journal.readAfter(room, first + 1_000_000))).toBeUndefined();
    });

    it("[JN6] [JN19] settles an append whose acknowledgement was lost", async () => {
      const room = fresh();
      const [base = 0] = await fill(journal, room, ["base"]);
      const impatient = await harness.impatient();
      const lost = await impatient.append(room, base, bytes("nonce-2"));
      expect(lost.kind).toBe("undecided");
      // The identical write again, over another connection: whichever arrives second is refused.
      const again = await journal.append(room, base, bytes("nonce-2"));
      expect(["accepted", "refused"]).toContain(again.kind);
      const found = got(await journal.readAfter(room, base));
      expect(text(found?.data)).toBe("nonce-2");
      if (again.kind === "accepted") expect(found?.sequence).toBe(again.sequence);
      expect(await journal.append(room, base, bytes("nonce-2"))).toEqual({ kind: "refused" });
      const tail = got(await journal.readTail(room));
      expect([tail.sequence, text(tail.record)]).toEqual([found?.sequence, "nonce-2"]);
    });

    it("[JN7] shares sequences between rooms and nothing else", async () => {
      const [one, longer, foreign] = [fresh(), fresh(), fresh()].map((room, i) =>
        roomId(i === 2 ? `other-${room}` : i === 1 ? `${room.replace(/\d+$/, "")}0-longer` : room),
      ) as [RoomId, RoomId, RoomId];
      const all: Record<string, number[]> = {};
      const inTurn = [one, longer, foreign];
      for (let i = 0; i < 12; i++) {
        const room = inTurn[i % 3] ?? roomId("t/none");
        const expected = all[room]?.at(-1) ?? 0;
        const sequence = accepted(await journal.append(room, expected, bytes(`${room} ${i}`)));
        all[room] = [...(all[room] ?? []), sequence];
      }
      for (const room of inTurn) {
        const sequences = all[room] as number[];
        expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
        for (const leader of [false, true]) {
          const read = got(await other.readThrough(room, sequences[3] as number, { leader }));
          expect(read.map((record) => record.sequence)).toEqual(sequences);
          expect(read.every((record) => text(record.data)?.startsWith(`${room} `))).toBe(true);
        }
      }
    });

    it("[JN8] shows a trim as a hole", async () => {
      const room = fresh();
      const sequences = await fill(journal, room, ["a", "b", "c", "d"]);
      got(await journal.trim(room, sequences[1] as number));
      const next = got(await other.readAfter(room, sequences[0] as number));
      expect(text(next?.data)).toBe("c");
      const left = got(await journal.readThrough(room, sequences[3] as number, { leader: true }));
      expect(left.map((record) => text(record.data))).toEqual(["c", "d"]);
      got(await journal.trim(room, sequences[0] as number));
      expect(got(await journal.readTail(room)).sequence).toBe(sequences[3]);
    });

    it("[JN9] never trims the last record", async () => {
      const room = fresh();
      got(await journal.trim(room, 1_000));
      const sequences = await fill(journal, room, ["a", "b", "c"]);
      const last = sequences[2] as number;
      for (const upTo of [last, last + 1, Number.MAX_SAFE_INTEGER]) {
        got(await journal.trim(room, upTo));
        const tail = got(await other.readTail(room));
        expect([tail.sequence, text(tail.record)]).toEqual([last, "c"]);
      }
      expect(await journal.append(room, 0, bytes("d"))).toEqual({ kind: "refused" });
      accepted(await journal.append(room, last, bytes("d")));
    });

    it("[JN10] reads through up to a record and no further", async () => {
      const room = fresh();
      const names = Array.from({ length: 600 }, (_, i) => `r${i}`);
      const sequences = await fill(journal, room, names);
      for (const leader of [false, true]) {
        for (const upTo of [0, 9, 255, 256, 300, 599]) {
          const until = sequences[upTo] as number;
          const read = got(await other.readThrough(room, until, { leader }));
          expect(read.map((record) => record.sequence)).toEqual(sequences.slice(0, upTo + 1));
          expect(text(read.at(-1)?.data)).toBe(names[upTo]);
        }
        const before = got(
          await journal.readThrough(room, (sequences[0] as number) - 1, { leader }),
        );
        expect(before).toEqual([]);
        const rest = got(
          await other.readThrough(room, sequences[560] as number, {
            leader,
            after: sequences[270] as number,
          }),
        );
        expect(rest.map((record) => record.sequence)).toEqual(sequences.slice(271, 561));
        const beyond = got(await journal.readThrough(room, 1_000_000_000, { leader }));
        expect(beyond).toHaveLength(600);
      }
      expect(got(await journal.readThrough(fresh(), 1_000_000_000))).toEqual([]);
    });

    it("[JN11] names every room", async () => {
      const [one, two, none] = [fresh(), fresh(), fresh()];
      await fill(journal, one, ["x"]);
      await fill(journal, two, ["x", "y"]);
      const all = got(await other.rooms());
      expect(all).toContain(one);
      expect(all).toContain(two);
      expect(all).not.toContain(none);
      expect(new Set(all).size).toBe(all.length);
    });

    it("[JN12] keeps bytes apart", async () => {
      const room = fresh();
      const mine = bytes("mine");
      const append = journal.append(room, 0, mine);
      const sequence = accepted(await append);
      mine.fill(0);
      for (let i = 0; i < 2; i++) {
        const tail = got(await journal.readTail(room));
        expect(text(tail.record)).toBe("mine");
        tail.record?.fill(0);
        const [read] = got(await journal.readThrough(room, sequence, { leader: true }));
        expect(text(read?.data)).toBe("mine");
        read?.data.fill(0);
      }
    });

    it("[JN13] answers unavailable and undecided without the stores", async () => {
      const cut = await harness.cutOff();
      const room = fresh();
      const unavailable = { ok: false, error: "unavailable" };
      expect(await cut.readTail(room)).toEqual(unavailable);
      expect(await cut.readAfter(room, 0)).toEqual(unavailable);
      expect(await cut.readThrough(room, 9)).toEqual(unavailable);
      expect(await cut.readThrough(room, 9, { leader: true })).toEqual(unavailable);
      expect(await cut.trim(room, 9)).toEqual(unavailable);
      expect(await cut.rooms()).toEqual(unavailable);
      expect((await cut.append(room, 0, bytes("x"))).kind).toBe("undecided");
      expect(got(await journal.readTail(room)).sequence).toBe(0);
    });

    it("[JN14] stores the largest record, and crashes on a larger one", async () => {
      const room = fresh();
      const large = new Uint8Array(RECORD_BYTES_MAX).map((_, i) => i * 7);
      const first = accepted(await journal.append(room, 0, large));
      const second = accepted(await journal.append(room, first, large));
      const third = accepted(await journal.append(room, second, large));
      for (let i = 0; i < 4; i++) await fill(other, room, ["small"]);
      const read = got(await other.readAfter(room, first))?.data ?? new Uint8Array(0);
      expect(Buffer.compare(read, large)).toBe(0);
      expect(got(await other.readThrough(room, third)).map((record) => record.data.length)).toEqual(
        Array.from({ length: 3 }, () => large.length),
      );
      expect(got(await other.readThrough(room, 1_000_000_000))).toHaveLength(7);
      await expect(journal.append(room, 0, new Uint8Array(RECORD_BYTES_MAX + 1))).rejects.toThrow(
        "too large",
      );
    });
  });
}
