import { describe, expect, it } from "vitest";
import { MemoryStores } from "../../src/journal/memory-stores.ts";
import { roomId } from "../../src/kernel/ids.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { journalShard, journalStream } from "../../src/protocol/subjects.ts";

const ROOM = roomId("t/room");
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function open() {
  const clock = new ManualClock();
  const stores = new MemoryStores(clock, seededRandom(3));
  return { clock, stores, access: stores.open() };
}

describe("MemoryStores", () => {
  it("[JN16] let a late append land only on the tail it expects", async () => {
    const { clock, stores, access } = open();
    Object.assign(access.faults, { timeoutMs: 100, lateMsMin: 50, lateMsMax: 50 });
    access.faults.nextAppends.push("late", "none", "late");
    const late = access.journal.append(ROOM, 0, bytes("late"));
    await clock.run(105);
    expect(await late).toEqual({ kind: "undecided", reason: "timeout" });
    // The identical write is repeated and accepted; the late one then finds another tail.
    const again = await access.journal.append(ROOM, 0, bytes("late"));
    expect(again).toEqual({ kind: "accepted", sequence: 1 });
    await clock.run(60);
    expect(stores.logs.get(ROOM)?.records).toHaveLength(1);
    expect(stores.fired).toMatchObject({ late: 1, lateLanded: 0 });

    const second = access.journal.append(ROOM, 1, bytes("second"));
    await clock.run(105);
    expect((await second).kind).toBe("undecided");
    expect(await stores.open().journal.readTail(ROOM)).toMatchObject({ value: { sequence: 1 } });
    await clock.run(60);
    expect(await access.journal.append(ROOM, 1, bytes("second"))).toEqual({ kind: "refused" });
    expect(stores.fired).toMatchObject({ late: 2, lateLanded: 1 });
  });

  it("[JN6] lose an append, or only its acknowledgement", async () => {
    const { clock, stores, access } = open();
    access.faults.nextAppends.push("lost", "ack_lost");
    for (const sequence of [0, 1]) {
      const append = access.journal.append(ROOM, 0, bytes("x"));
      await clock.run(access.faults.timeoutMs + 5);
      expect((await append).kind).toBe("undecided");
      const tail = await access.journal.readTail(ROOM);
      expect(tail).toMatchObject({ ok: true, value: { sequence } });
    }
    expect(stores.fired).toMatchObject({ lost: 1, ackLost: 1 });
  });

  it("[JN17] read a stale end, but not from the leader", async () => {
    const { stores, access } = open();
    for (let i = 0; i < 10; i++) await access.journal.append(ROOM, i, bytes(`${i}`));
    Object.assign(access.faults, { staleRate: 1, staleRecordsMax: 4 });
    const lengths = new Set<number>();
    for (let i = 0; i < 50; i++) {
      const read = await access.journal.readThrough(ROOM, 10);
      const sequences = read.ok ? read.value.map((record) => record.sequence) : [];
      expect(sequences).toEqual(Array.from({ length: sequences.length }, (_, k) => k + 1));
      lengths.add(sequences.length);
    }
    expect([...lengths].sort()).toEqual([6, 7, 8, 9]);
    const leader = await access.journal.readThrough(ROOM, 10, { leader: true });
    expect(leader.ok && leader.value).toHaveLength(10);
    expect(stores.fired.stale).toBe(50);
  });

  it("[JN18] freeze one stream and no other", async () => {
    const { clock, stores, access } = open();
    const other = Array.from({ length: 50 }, (_, i) => roomId(`t/other-${i}`)).find(
      (room) => journalShard(room) !== journalShard(ROOM),
    );
    stores.frozen.add(journalStream(journalShard(ROOM)));
    const [append, tail] = [
      access.journal.append(ROOM, 0, bytes("x")),
      access.journal.readTail(ROOM),
    ];
    await clock.run(access.faults.timeoutMs + 5);
    expect((await append).kind).toBe("undecided");
    expect(await tail).toEqual({ ok: false, error: "unavailable" });
    expect((await access.journal.append(other as typeof ROOM, 0, bytes("x"))).kind).toBe(
      "accepted",
    );
    stores.frozen.clear();
    expect((await access.journal.append(ROOM, 0, bytes("x"))).kind).toBe("accepted");
    expect(stores.fired.frozen).toBe(2);
  });

  it("[JN13] take their time on the clock", async () => {
    const { clock, access } = open();
    Object.assign(access.faults, { latencyMsMin: 3, latencyMsMax: 3 });
    let answered = false;
    const append = access.journal.append(ROOM, 0, bytes("x")).then((outcome) => {
      answered = true;
      return outcome;
    });
    await clock.run(5);
    expect(answered).toBe(false);
    await clock.run(1);
    expect(await append).toEqual({ kind: "accepted", sequence: 1 });
    expect(clock.pending).toBe(0);
  });
});
