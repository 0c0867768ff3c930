import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SNAPSHOT_CHUNK_BYTES } from "../../src/journal/limits.ts";
import { snapshotDigest } from "../../src/journal/snapshot-digest.ts";
import type { SnapshotName, SnapshotStore } from "../../src/journal/snapshot-store.ts";
import { type RoomId, roomId } from "../../src/kernel/ids.ts";

export interface SnapshotHarness {
  readonly store: SnapshotStore;
  /** Another process's. */
  readonly other: SnapshotStore;
  cutOff(): Promise<SnapshotStore>;
  close(): Promise<void>;
}

function snapshot(index: number, bytes: number): { name: SnapshotName; data: Uint8Array } {
  const data = new Uint8Array(bytes).map((_, i) => (i * 31 + index + (i >> 8)) & 255);
  return { name: { index, digest: snapshotDigest(data), bytes }, data };
}

export function snapshotStoreContract(
  adapter: string,
  start: () => Promise<SnapshotHarness>,
): void {
  describe(`SnapshotStore on ${adapter}`, () => {
    let harness: SnapshotHarness;
    let store: SnapshotStore;
    let rooms = 0;
    beforeAll(async () => {
      harness = await start();
      store = harness.store;
    });
    afterAll(() => harness?.close());
    const fresh = (): RoomId => roomId(`sn/room-${rooms++}`);

    it("[SN1] gives back what was put, whatever its size", async () => {
      const room = fresh();
      const chunk = SNAPSHOT_CHUNK_BYTES;
      const sizes = [0, 1, chunk - 1, chunk, chunk + 1, 1024 * 1024, 3 * chunk];
      for (const [i, size] of sizes.entries()) {
        const { name, data } = snapshot(i + 1, size);
        expect(await store.put(room, name, data)).toEqual({ ok: true, value: undefined });
        data.fill(0);
        const read = await harness.other.get(room, name);
        expect(read.ok && snapshotDigest(read.value)).toBe(name.digest);
      }
    });

    it("[SN2] answers missing for what is not there or not what it says", async () => {
      const room = fresh();
      const missing = { ok: false, error: "missing" };
      const { name, data } = snapshot(1, 300_000);
      expect(await store.get(room, name)).toEqual(missing);
      await store.put(room, name, data);
      expect(await store.get(room, { ...name, index: 2 })).toEqual(missing);
      expect(await store.get(room, { ...name, bytes: name.bytes - 1 })).toEqual(missing);
      expect(await store.get(room, { ...name, bytes: name.bytes + 200_000 })).toEqual(missing);
      expect(await store.get(fresh(), name)).toEqual(missing);
      const wrong = { ...name, index: 5, digest: "0".repeat(64) };
      await store.put(room, wrong, data);
      expect(await store.get(room, wrong)).toEqual(missing);
    });

    it("[SN3] puts again without harm", async () => {
      const room = fresh();
      const { name, data } = snapshot(1, 400_000);
      for (let i = 0; i < 2; i++) expect((await store.put(room, name, data)).ok).toBe(true);
      expect((await harness.other.put(room, name, data)).ok).toBe(true);
      const read = await store.get(room, name);
      expect(read.ok && Buffer.compare(read.value, data)).toBe(0);
    });

    it("[SN4] removes what is older, of this room only", async () => {
      const [room, neighbour] = [fresh(), fresh()];
      const kept: [RoomId, SnapshotName][] = [];
      const gone: SnapshotName[] = [];
      for (const index of [1, 2, 9, 10, 100]) {
        const { name, data } = snapshot(index, 200_000);
        for (const owner of [room, neighbour]) {
          await store.put(owner, name, data);
          if (owner === room && index < 10) gone.push(name);
          else kept.push([owner, name]);
        }
      }
      expect((await store.removeBelow(room, 10)).ok).toBe(true);
      expect((await store.removeBelow(fresh(), 10)).ok).toBe(true);
      for (const name of gone)
        expect(await store.get(room, name)).toEqual({ ok: false, error: "missing" });
      for (const [owner, name] of kept) expect((await store.get(owner, name)).ok).toBe(true);
    });

    it("[SN4] keeps other rooms' snapshots where names are numbers", async () => {
      const rooms = ["demo/0", "demo/7", "demo/hall", "0/x", "0/0", "5/y"].map(roomId);
      for (const pruned of rooms) {
        const kept: [RoomId, SnapshotName][] = [];
        for (const room of rooms)
          for (const index of room === pruned ? [3, 300] : [1, 7, 40, 500]) {
            const { name, data } = snapshot(index, 10);
            expect((await store.put(room, name, data)).ok).toBe(true);
            if (index !== 3) kept.push([room, name]);
          }
        expect((await store.removeBelow(pruned, 300)).ok).toBe(true);
        for (const [room, name] of kept)
          expect((await store.get(room, name)).ok, `${room} ${name.index} after ${pruned}`).toBe(
            true,
          );
        const removed = await store.get(pruned, snapshot(3, 10).name);
        expect(removed).toEqual({ ok: false, error: "missing" });
      }
    });

    it("[SN5] answers unavailable without the store", async () => {
      const cut = await harness.cutOff();
      const { name, data } = snapshot(1, 10);
      const unavailable = { ok: false, error: "unavailable" };
      expect(await cut.put(fresh(), name, data)).toEqual(unavailable);
      expect(await cut.get(fresh(), name)).toEqual(unavailable);
      expect(await cut.removeBelow(fresh(), 3)).toEqual(unavailable);
    });
  });
}
