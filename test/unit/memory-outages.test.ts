import { describe, expect, it } from "vitest";
import { MemoryNetwork } from "../../src/bus/memory-bus.ts";
import { MemoryStores, type StoreAccess } from "../../src/journal/memory-stores.ts";
import { EPOCH_NONE } from "../../src/kernel/epoch.ts";
import { type RoomId, roomId, worldName } from "../../src/kernel/ids.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { journalShard, journalStream } from "../../src/protocol/subjects.ts";

const ROOM = roomId("t/room");
const STREAM = journalStream(journalShard(ROOM));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function open(seed = 3) {
  const clock = new ManualClock();
  const stores = new MemoryStores(clock, seededRandom(seed));
  return { clock, stores, access: stores.open() };
}

const write = ({ index }: StoreAccess, room: RoomId, changedAtMs: number) =>
  index.change(room, () => ({
    room,
    world: worldName("w"),
    status: "wanted",
    epoch: EPOCH_NONE,
    owner: undefined,
    crashedOn: [],
    immovable: false,
    changedAtMs,
  }));

describe("A stream without a leader", () => {
  it("[JN21] keeps some writes for the next one, which stores what still may be", async () => {
    const { clock, stores, access } = open();
    stores.outage.keptRate = 1;
    stores.frozen.add(STREAM);
    const append = access.journal.append(ROOM, 0, bytes("kept"));
    const again = access.journal.append(ROOM, 0, bytes("kept"));
    await clock.run(access.faults.timeoutMs + 5);
    expect((await append).kind).toBe("undecided");
    expect((await again).kind).toBe("undecided");
    expect(stores.logs.size).toBe(0);
    stores.frozen.delete(STREAM);
    expect(stores.logs.get(ROOM)?.records).toEqual([{ sequence: 1, data: bytes("kept") }]);
    expect(stores.fired).toMatchObject({ kept: 2, keptLanded: 1 });
    expect(await access.journal.append(ROOM, 0, bytes("kept"))).toEqual({ kind: "refused" });
  });

  it("[JN21] says so at once to some, and stores nothing of what it does not keep", async () => {
    const { clock, stores, access } = open();
    stores.outage.refusedRate = 1;
    stores.frozen.add(STREAM);
    expect((await access.journal.append(ROOM, 0, bytes("x"))).kind).toBe("undecided");
    expect((await access.journal.readTail(ROOM)).ok).toBe(false);
    expect(clock.now()).toBe(0);
    stores.frozen.clear();
    expect(stores.logs.size).toBe(0);
    expect(stores.fired).toMatchObject({ frozen: 2, refused: 2, kept: 0 });
  });

  it("[JN21] may have stored what it did not acknowledge", async () => {
    const { clock, stores, access } = open();
    stores.outage.answerLostRate = 1;
    Object.assign(access.faults, { latencyMsMin: 10, latencyMsMax: 10 });
    const append = access.journal.append(ROOM, 0, bytes("x"));
    await clock.run(15);
    stores.frozen.add(STREAM);
    await clock.run(access.faults.timeoutMs);
    expect((await append).kind).toBe("undecided");
    stores.frozen.delete(STREAM);
    expect(stores.logs.get(ROOM)?.records).toHaveLength(1);
    expect(stores.fired.answerLost).toBe(1);
  });
});

describe("A leader that was deposed", () => {
  it("[JN29] refuses what the new one stores", async () => {
    const { stores, access } = open();
    access.faults.nextAppends.push("refused", "refused");
    const { journal } = access;
    expect(await journal.append(ROOM, 0, bytes("x"))).toEqual({ kind: "refused" });
    expect(await journal.readAfter(ROOM, 0)).toMatchObject({ value: { data: bytes("x") } });
    expect(await journal.append(ROOM, 0, bytes("y"))).toEqual({ kind: "refused" });
    expect(stores.logs.get(ROOM)?.records).toHaveLength(1);
    expect(stores.fired.refusedLanded).toBe(1);
    access.faults.refusedRate = 1;
    expect(await journal.append(ROOM, 1, bytes("z"))).toEqual({ kind: "refused" });
    expect(stores.fired.refusedLanded).toBe(2);
  });
});

describe("Slow storage", () => {
  it("[JN22] takes one request after the other, and what it stores after the deadline stays", async () => {
    const { clock, stores, access } = open();
    stores.slow.set(STREAM, { msMin: 400, msMax: 400 });
    const settledAt: number[] = [];
    const kinds: string[] = [];
    for (let i = 0; i < 5; i++)
      void access.journal.append(ROOM, i, bytes("x")).then(({ kind }) => {
        settledAt.push(clock.now());
        kinds.push(kind);
      });
    await Promise.resolve();
    await clock.run(3_000, 10);
    expect(settledAt).toEqual([400, 800, 1_200, 1_500, 1_500]);
    expect(kinds).toEqual(["accepted", "accepted", "accepted", "undecided", "undecided"]);
    expect(stores.logs.get(ROOM)?.records).toHaveLength(5);
    expect(stores.fired.slowed).toBe(5);
    stores.slow.clear();
    expect((await access.journal.append(ROOM, 5, bytes("x"))).kind).toBe("accepted");
  });
});

describe("A write that lands late", () => {
  it("[JN23] does so though its process is dead", async () => {
    const { clock, stores } = open();
    let dead = false;
    const access = stores.open((happen) => {
      if (!dead) happen();
    });
    Object.assign(access.faults, { lateMsMin: 50, lateMsMax: 50 });
    access.faults.nextAppends.push("late");
    let settled = false;
    void access.journal.append(ROOM, 0, bytes("x")).then(() => {
      settled = true;
    });
    dead = true;
    await clock.run(access.faults.timeoutMs + 60, 10);
    expect(settled).toBe(false);
    expect(stores.logs.get(ROOM)?.records).toHaveLength(1);
  });
});

describe("A process's connection", () => {
  it("[JN24] ends what is under way when it is lost, and refuses at once where there is none", async () => {
    const { clock, stores } = open();
    const network = new MemoryNetwork(clock, seededRandom(1));
    const access = stores.open(undefined, network.open("a"));
    Object.assign(access.faults, { latencyMsMin: 10, latencyMsMax: 10 });
    const append = access.journal.append(ROOM, 0, bytes("x"));
    await clock.run(15);
    network.faults.disconnect("a");
    expect((await append).kind).toBe("undecided");
    expect(await access.journal.readTail(ROOM)).toEqual({ ok: false, error: "unavailable" });
    expect(clock.now()).toBe(15);
    network.faults.reconnect("a");
    const tail = access.journal.readTail(ROOM);
    await clock.run(25);
    expect(await tail).toMatchObject({ ok: true, value: { sequence: 1 } });
  });
});

describe("Hints", () => {
  it("[IX11] lag in their order, come twice, or not at all", async () => {
    const { clock, stores, access } = open();
    const watching = stores.open();
    const heard: number[] = [];
    const at: number[] = [];
    watching.index.watch(({ changedAtMs }) => {
      heard.push(changedAtMs);
      at.push(clock.now());
    });
    Object.assign(watching.faults, { watchLagMsMin: 10, watchLagMsMax: 500 });
    for (let i = 0; i < 20; i++) await write(access, ROOM, i);
    expect(heard).toEqual([]);
    await clock.run(510, 10);
    expect(heard).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(Math.max(...at) - Math.min(...at)).toBeGreaterThan(0);

    Object.assign(watching.faults, { watchLagMsMin: 0, watchLagMsMax: 0, watchDuplicateRate: 1 });
    await write(access, ROOM, 20);
    await clock.run(1);
    expect(heard.slice(20)).toEqual([20, 20]);
    watching.faults.watchSilent = true;
    await write(access, ROOM, 21);
    await clock.run(1_000, 10);
    expect(heard).toHaveLength(22);
    expect(stores.fired).toMatchObject({ watchLagged: 20, watchDuplicated: 1, watchSilent: 1 });
  });
});

describe("A restore", () => {
  it("[JN25] raises the generation, which a process learns from what fails", async () => {
    const { stores, access } = open();
    const unaware = stores.open();
    const rooms = Array.from({ length: 20 }, (_, i) => roomId(`t/room-${i}`));
    const expected = new Map<RoomId, number>();
    const write = async (times: number): Promise<void> => {
      for (const room of rooms)
        for (let i = 0; i < times; i++) {
          const outcome = await access.journal.append(room, expected.get(room) ?? 0, bytes("x"));
          if (outcome.kind === "accepted") expected.set(room, outcome.sequence);
        }
    };
    await write(1);
    const backup = stores.backup();
    const before = new Map([...stores.logs].map(([room, { records }]) => [room, [...records]]));
    await write(3);
    stores.restore(backup);
    for (const room of rooms) expect(stores.logs.get(room)?.records).toEqual(before.get(room));
    expect(stores.fired.restoredWithout).toBe(60);

    for (const journal of [unaware.journal, access.journal]) expect(journal.generation).toBe(1);
    const last = stores.logs.get(ROOM)?.records.at(-1)?.sequence ?? 0;
    expect((await unaware.journal.append(ROOM, last, bytes("y"))).kind).toBe("undecided");
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(unaware.journal.generation).toBe(2);
    expect((await unaware.journal.append(ROOM, last, bytes("y"))).kind).toBe("accepted");
    const [room] = rooms as [RoomId];
    expect(await access.journal.trim(room, 1_000)).toEqual({ ok: false, error: "unavailable" });
    expect(await access.journal.readTail(room)).toMatchObject({ value: { generation: 2 } });
    expect(access.journal.generation).toBe(2);
  });
});
