import { describe, expect, test } from "vitest";
import type { IndexEntry } from "../../src/journal/index-store.ts";
import { MemoryStores } from "../../src/journal/memory-stores.ts";
import { EPOCH_NONE, type Epoch, epochAt } from "../../src/kernel/epoch.ts";
import { processId, type RoomId, roomId, worldName } from "../../src/kernel/ids.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { CLOSED_LIMITS, ClosedEntries, makeEntry } from "../../src/placement/closed-entries.ts";
import { OperatorChanges } from "../../src/placement/operator-changes.ts";
import { encodeRecord, type JournalEntry } from "../../src/protocol/journal-record.ts";

const OWNER = processId("n1.00000000000000a1");
const WORLD = worldName("plaza");
const CLOSE: JournalEntry = { type: "close" };
const TICK: JournalEntry = { type: "system", cause: "tick", patches: [], events: [] };

/** Rooms in memory stores, and what takes their entries away. */
class Shelf {
  readonly clock = new ManualClock();
  readonly stores = new MemoryStores(this.clock, seededRandom(1));
  readonly access = this.stores.open();
  readonly metrics = createMetrics({ processMetrics: false });
  readonly parts = {
    index: this.access.index,
    journal: this.access.journal,
    clock: this.clock,
    observer: { ...silentObserver, metrics: this.metrics },
  };

  async entry(name: string, over: Partial<IndexEntry> = {}): Promise<RoomId> {
    const room = roomId(`t/${name}`);
    const usual = { status: "closed", epoch: EPOCH_NONE, owner: undefined } as const;
    const rest = { world: WORLD, crashedOn: [], immovable: false } as const;
    const changedAtMs = Math.floor(this.clock.wallNow());
    await this.access.index.change(room, () => ({ room, ...usual, ...rest, changedAtMs, ...over }));
    return room;
  }

  /** An owner's record, and one for each list of entries. */
  async journal(room: RoomId, ...batches: readonly JournalEntry[][]): Promise<Epoch> {
    const { journal } = this.access;
    let tail = 0;
    let epoch: Epoch = EPOCH_NONE;
    const head = { previous: 0, epoch, by: OWNER, nonce: "n", at: 0, stateVersion: 1 };
    const append = async (data: Uint8Array): Promise<void> => {
      const appended = await journal.append(room, tail, data);
      if (appended.kind !== "accepted") throw new Error(appended.kind);
      tail = appended.sequence;
    };
    await append(encodeRecord({ type: "owner", ...head, index: 1, owner: OWNER, world: WORLD }));
    epoch = epochAt(journal.generation, tail);
    for (const [at, entries] of batches.entries())
      await append(encodeRecord({ type: "batch", ...head, epoch, index: at + 2, entries }));
    return epoch;
  }

  async sweep(over: Partial<typeof CLOSED_LIMITS> = {}): Promise<void> {
    const entries = await this.access.index.list();
    if (!entries.ok) throw new Error(entries.error);
    await new ClosedEntries(this.parts, { ...CLOSED_LIMITS, ...over }).sweep(entries.value);
  }

  async left(): Promise<string[]> {
    const entries = await this.access.index.list();
    return entries.ok ? entries.value.map(({ room }) => room.slice(2)).sort() : [entries.error];
  }
}

describe("entries of closed rooms", () => {
  test("[PL57] go in turn, also from behind those that can not go", async () => {
    const shelf = new Shelf();
    for (const name of ["a1", "a2", "a3"]) await shelf.journal(await shelf.entry(name), [TICK]);
    for (const name of ["b1", "b2"]) await shelf.entry(name);
    shelf.clock.advance(2 * CLOSED_LIMITS.keepMs);
    const entries = await shelf.access.index.list();
    if (!entries.ok) throw new Error(entries.error);
    const closed = new ClosedEntries(shelf.parts, { ...CLOSED_LIMITS, removalsMax: 2 });
    for (let sweep = 0; sweep < 3; sweep++) await closed.sweep(entries.value);
    expect(await shelf.left()).toEqual(["a1", "a2", "a3"]);
  });

  test("[PL57] go when the journal says that the room is closed, or nobody ever owned it", async () => {
    const shelf = new Shelf();
    const epoch = await shelf.journal(await shelf.entry("ended"), [TICK], [TICK, CLOSE]);
    await shelf.entry("ended", { epoch });
    await shelf.entry("never-owned");
    await shelf.entry("open", { status: "wanted" });
    await shelf.entry("quarantined", { status: "quarantined" });
    await shelf.journal(await shelf.entry("owner-died"), [TICK]);
    await shelf.journal(await shelf.entry("claimed-since"), []);
    // It was claimed, and its journal was lost: it is not known what is in a backup.
    await shelf.entry("lost", { epoch: epochAt(1, 77) });
    await shelf.clock.run(CLOSED_LIMITS.keepMs, 10_000);
    await shelf.journal(await shelf.entry("young"), [CLOSE]);
    await shelf.sweep();
    expect((await shelf.left()).length, "not before their time").toBe(8);
    await shelf.clock.run(1);
    await shelf.sweep();
    expect(await shelf.left()).toEqual([
      ...["claimed-since", "lost", "open", "owner-died", "quarantined", "young"],
    ]);
    expect(await shelf.metrics.text()).toContain("entries_removed_total 2");
  });

  test("[PL57] stay where they are written meanwhile, and where a store does not answer", async () => {
    const shelf = new Shelf();
    const room = await shelf.entry("late");
    await shelf.journal(room, [CLOSE]);
    await shelf.clock.run(CLOSED_LIMITS.keepMs + 10_000, 10_000);
    const { journal } = shelf.access;
    const readTail = journal.readTail.bind(journal);
    journal.readTail = async (where) => {
      const tail = await readTail(where);
      await shelf.entry("late", { status: "wanted", epoch: epochAt(1, 9) });
      return tail;
    };
    await shelf.sweep();
    expect(await shelf.left()).toEqual(["late"]);
    await shelf.entry("late", { epoch: epochAt(1, 9), changedAtMs: 0 });
    journal.readTail = async () => ({ ok: false, error: "unavailable" });
    await shelf.sweep();
    expect(await shelf.left()).toEqual(["late"]);
  });

  test("[PL57] go a few at a time", async () => {
    const shelf = new Shelf();
    for (const name of ["a", "b", "c"]) await shelf.entry(name);
    await shelf.clock.run(CLOSED_LIMITS.keepMs + 10_000, 10_000);
    await shelf.sweep({ removalsMax: 2 });
    expect(await shelf.left()).toHaveLength(1);
  });
});

describe("a room without an entry", () => {
  const make = async (shelf: Shelf, room: RoomId) => {
    const told: string[] = [];
    const changes = new OperatorChanges(shelf.parts, ({ status }) => told.push(status));
    const made = await changes.create(room, WORLD, false);
    return made.ok ? [made.value.created, made.value.entry.status, ...told] : made.error;
  };

  test("[PL58] is made, but not where its journal says that it was closed", async () => {
    const shelf = new Shelf();
    const [fresh, closed, dropped] = ["fresh", "closed", "dropped"].map((name) =>
      roomId(`t/${name}`),
    ) as [RoomId, RoomId, RoomId];
    await shelf.journal(closed, [TICK], [CLOSE]);
    await shelf.journal(dropped, [TICK]);
    expect(await make(shelf, fresh)).toEqual([true, "wanted", "wanted"]);
    expect(await make(shelf, fresh)).toEqual([false, "wanted", "wanted"]);
    expect(await make(shelf, closed)).toEqual([false, "closed", "closed"]);
    expect(await make(shelf, dropped), "its index was lost").toEqual([true, "wanted", "wanted"]);
    expect(await shelf.access.index.read(closed)).toMatchObject({ value: { status: "closed" } });
    shelf.access.journal.readTail = async () => ({ ok: false, error: "unavailable" });
    expect(await make(shelf, roomId("t/unknown"))).toBe("unavailable");
  });

  test("[PL58] is made by one of several that want to", async () => {
    const shelf = new Shelf();
    const change = { kind: "create", room: roomId("t/x"), world: WORLD, immovable: false } as const;
    const made: boolean[] = [false, false, false];
    await Promise.all(
      made.map((_, i) =>
        makeEntry(shelf.parts, change, (created) => {
          made[i] = created;
        }),
      ),
    );
    expect(made.filter(Boolean)).toHaveLength(1);
  });
});
