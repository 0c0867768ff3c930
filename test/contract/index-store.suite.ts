import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { IndexEntry, IndexStore, MovesRound } from "../../src/journal/index-store.ts";
import { EPOCH_NONE, type Epoch, epochAt } from "../../src/kernel/epoch.ts";
import { processId, type RoomId, roomId, worldName } from "../../src/kernel/ids.ts";
import { waitUntil } from "../support/wait-until.ts";
import { got } from "./journal.suite.ts";

export interface IndexHarness {
  /** What an operator calls it in a printed measurement. */
  readonly name: string;
  readonly index: IndexStore;
  /** Another process's. */
  readonly other: IndexStore;
  cutOff(): Promise<IndexStore>;
  /** Writes an entry so that it is stored before whatever `index` writes after this call. */
  interfere(entry: IndexEntry): void;
  close(): Promise<void>;
}

const process = (n: number) => processId(`node${n}.0123456789abcdef`);

function entry(room: RoomId, change: Partial<IndexEntry> = {}): IndexEntry {
  return {
    room,
    world: worldName("plaza"),
    status: "wanted",
    epoch: EPOCH_NONE,
    owner: undefined,
    crashedOn: [],
    immovable: false,
    changedAtMs: 1_700_000_000_000,
    ...change,
  };
}

export function indexStoreContract(adapter: string, start: () => Promise<IndexHarness>): void {
  describe(`IndexStore on ${adapter}`, () => {
    let harness: IndexHarness;
    let index: IndexStore;
    let other: IndexStore;
    let rooms = 0;
    beforeAll(async () => {
      harness = await start();
      ({ index, other } = harness);
    });
    afterAll(() => harness?.close());
    const fresh = (): RoomId => roomId(`ix/room-${rooms++}`);
    const write = async (room: RoomId, epoch: Epoch, store = index) =>
      got(await store.change(room, (old) => ({ ...entry(room), ...old, epoch })));

    it("[IX1] reads no entry", async () => {
      expect(await index.read(fresh())).toEqual({ ok: true, value: undefined });
    });

    it("[IX2] stores what was decided, for every process", async () => {
      const room = fresh();
      const full = entry(room, {
        status: "quarantined",
        epoch: epochAt(3, 2 ** 39),
        owner: process(1),
        crashedOn: [process(1), process(2)],
        immovable: true,
      });
      expect(await index.change(room, () => full)).toEqual({ ok: true, value: full });
      expect(await other.read(room)).toEqual({ ok: true, value: full });
      expect(got(await other.list())).toContainEqual(full);
      const closed = { ...full, status: "closed" as const, owner: undefined };
      got(await other.change(room, (old) => old && { ...old, status: "closed", owner: undefined }));
      expect(await index.read(room)).toEqual({ ok: true, value: closed });
    });

    it("[IX3] never lowers an epoch", async () => {
      const room = fresh();
      await write(room, epochAt(1, 10));
      const answer = await write(room, epochAt(1, 9), other);
      expect(answer?.epoch).toBe(epochAt(1, 10));
      expect(got(await index.read(room))?.epoch).toBe(epochAt(1, 10));
      await write(room, epochAt(1, 10));
      await write(room, epochAt(2, 1));
      await write(room, epochAt(1, 11), other);
      expect(got(await index.read(room))?.epoch).toBe(epochAt(2, 1));
    });

    it("[IX4] applies every racing change", async () => {
      const room = fresh();
      await write(room, EPOCH_NONE);
      const changes = Array.from({ length: 8 }, (_, n) =>
        (n % 2 === 0 ? index : other).change(
          room,
          (old) => old && { ...old, crashedOn: [...old.crashedOn, process(n)] },
        ),
      );
      for (const change of await Promise.all(changes)) got(change);
      const crashedOn = got(await index.read(room))?.crashedOn ?? [];
      expect([...crashedOn].sort()).toEqual(Array.from({ length: 8 }, (_, n) => process(n)).sort());
    });

    it("[IX5] gives up after 16 lost races", async () => {
      const room = fresh();
      await write(room, EPOCH_NONE);
      let tries = 0;
      const outcome = await index.change(room, (old) => {
        tries++;
        harness.interfere(entry(room, { changedAtMs: tries }));
        return old && { ...old, immovable: true };
      });
      expect(outcome).toEqual({ ok: false, error: "contended" });
      expect(tries).toBe(16);
      expect(got(await other.read(room))).toEqual(entry(room, { changedAtMs: 16 }));
    });

    it("[IX6] tells watchers", async () => {
      const room = fresh();
      const heard: { own: IndexEntry[]; others: IndexEntry[] } = { own: [], others: [] };
      const watches = [
        index.watch((changed) => heard.own.push(changed)),
        other.watch((changed) => heard.others.push(changed)),
      ];
      await waitUntil(
        "both watchers to hear of a change",
        async () => {
          got(await index.change(room, (old) => ({ ...entry(room), ...old, owner: process(4) })));
          return heard.own.length > 0 && heard.others.length > 0;
        },
        { dump: () => heard },
      );
      for (const changed of [heard.own[0], heard.others[0]])
        expect(changed).toEqual(entry(room, { owner: process(4) }));
      for (const watch of watches) watch.close();
      const told = heard.own.length;
      await write(room, epochAt(1, 3));
      got(await index.read(room));
      expect(heard.own).toHaveLength(told);
    });

    it("[IX7] leaves an entry alone", async () => {
      const room = fresh();
      expect(await index.change(room, () => undefined)).toEqual({ ok: true, value: undefined });
      expect(got(await index.read(room))).toBeUndefined();
      await write(room, epochAt(1, 5));
      const answer = got(await index.change(room, () => undefined));
      expect(answer?.epoch).toBe(epochAt(1, 5));
    });

    it("[IX8] lists 5,000 entries, also while they change", async () => {
      const many = Array.from({ length: 5_000 }, () => fresh());
      const waiting = [...many];
      const workers = Array.from({ length: 64 }, async () => {
        for (let room = waiting.pop(); room; room = waiting.pop()) await write(room, epochAt(1, 1));
      });
      await Promise.all(workers);
      const before = performance.now();
      const listed = got(await other.list());
      const listMs = performance.now() - before;
      console.log(`[IX8] ${harness.name}: ${listed.length} entries in ${listMs.toFixed(0)} ms`);
      expect(new Set(listed.map((one) => one.room)).size).toBe(listed.length);
      const names = new Set(listed.map((one) => one.room));
      expect(many.filter((room) => !names.has(room))).toEqual([]);

      let listing = true;
      const rewriting = (async () => {
        for (let i = 0; listing; i = (i + 37) % many.length)
          await write(many[i] ?? roomId("t/none"), epochAt(1, 2));
      })();
      const during = new Set(got(await other.list()).map((one) => one.room));
      listing = false;
      await rewriting;
      expect(many.filter((room) => !during.has(room))).toEqual([]);
    });

    it("[IX9] answers unavailable without the store", async () => {
      const cut = await harness.cutOff();
      const room = fresh();
      const unavailable = { ok: false, error: "unavailable" };
      expect(await cut.read(room)).toEqual(unavailable);
      expect(await cut.list()).toEqual(unavailable);
      expect(await cut.change(room, () => entry(room))).toEqual(unavailable);
      expect(await cut.changeRound(() => undefined)).toEqual(unavailable);
      expect(await cut.remove(room, () => true)).toEqual(unavailable);
      expect(got(await index.read(room))).toBeUndefined();
    });

    it("[IX12] removes an entry, and none that was written since it was judged", async () => {
      const [room, beside] = [fresh(), fresh()];
      await write(room, epochAt(1, 5));
      await write(beside, epochAt(1, 6));
      const heard: RoomId[] = [];
      const watch = other.watch((changed) => heard.push(changed.room));
      const judged: Epoch[] = [];
      const judge = (mayGo: boolean) => (old: IndexEntry) => {
        judged.push(old.epoch);
        return mayGo;
      };
      expect(got(await index.remove(room, judge(false)))).toBe(false);
      const raced = await index.remove(room, (old) => {
        harness.interfere({ ...old, changedAtMs: 7 });
        return true;
      });
      // On a server the write may come just after the removal; it is there all the same.
      let late: IndexEntry | undefined;
      const isThere = async () => {
        late = got(await other.read(room));
        return late?.changedAtMs === 7;
      };
      await waitUntil("the write that came between", isThere, { dump: () => [raced, late] });
      expect(got(await index.remove(room, judge(true)))).toBe(true);
      expect(got(await other.read(room))).toBeUndefined();
      expect(got(await index.remove(room, judge(true)))).toBe(false);
      expect(judged).toEqual([epochAt(1, 5), epochAt(1, 5)]);
      const listed = got(await other.list()).map((one) => one.room);
      expect([listed.includes(room), listed.includes(beside)]).toEqual([false, true]);
      // Whoever writes it anew need not know what it once was.
      await waitUntil("a hint", async () => {
        await write(beside, epochAt(1, 7));
        return heard.includes(beside);
      });
      expect(heard.filter((one) => one === room).length, "that of the write").toBeLessThanOrEqual(
        1,
      );
      await write(room, epochAt(1, 2), other);
      expect(got(await index.read(room))?.epoch).toBe(epochAt(1, 2));
      watch.close();
    });

    it("[IX10] keeps rounds, of which racing processes win one each, beside the entries", async () => {
      const listed = got(await index.list()).length;
      const heard: IndexEntry[] = [];
      const watch = other.watch((changed) => heard.push(changed));
      expect(got(await index.changeRound(() => undefined))).toBeUndefined();
      const next = (by: number) => (old: MovesRound | undefined) => ({
        round: (old?.round ?? 0) + 1,
        by: process(by),
        load: 0.25,
      });
      const raced = await Promise.all(
        [0, 1, 2, 3].map((n) => (n % 2 === 0 ? index : other).changeRound(next(n))),
      );
      expect(raced.map((won) => got(won)?.round).sort()).toEqual([1, 2, 3, 4]);
      // Who saw an earlier round stand finds another one, and leaves it alone.
      const stale = await index.changeRound((old) => (old?.round === 3 ? next(9)(old) : undefined));
      expect(got(stale)).toMatchObject({ round: 4, load: 0.25 });
      expect(got(await other.changeRound(() => undefined))).toEqual(got(stale));
      expect(got(await other.list())).toHaveLength(listed);
      // Hints come in order: what was said of rounds would be here before this one's.
      const room = fresh();
      await waitUntil("a hint", async () => {
        await write(room, epochAt(1, 1));
        return heard.length > 0;
      });
      expect(new Set(heard.map((changed) => changed.room))).toEqual(new Set([room]));
      watch.close();
    });
  });
}
