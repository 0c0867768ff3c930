import { encodeIndexEntry } from "../../src/journal/index-entry.ts";
import type { IndexEntry } from "../../src/journal/index-store.ts";
import { MemoryStores, type StoreAccess } from "../../src/journal/memory-stores.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { indexStoreContract } from "./index-store.suite.ts";
import { journalContract } from "./journal.suite.ts";
import { snapshotStoreContract } from "./snapshot-store.suite.ts";

const close = async (): Promise<void> => undefined;

function start() {
  const stores = new MemoryStores(systemClock, seededRandom(1));
  const cutOff = (): StoreAccess => {
    const access = stores.open();
    Object.assign(access.faults, { unreachable: true, timeoutMs: 5 });
    return access;
  };
  return { stores, one: stores.open(), two: stores.open(), cutOff };
}

journalContract("memory", async () => {
  const { stores, one, two, cutOff } = start();
  return {
    name: "memory",
    journal: one.journal,
    other: two.journal,
    impatient: async () => {
      const access = stores.open();
      Object.assign(access.faults, { ackLostRate: 1, timeoutMs: 5 });
      return access.journal;
    },
    cutOff: async () => cutOff().journal,
    close,
  };
});

snapshotStoreContract("memory", async () => {
  const { one, two, cutOff } = start();
  return {
    store: one.snapshots,
    other: two.snapshots,
    cutOff: async () => cutOff().snapshots,
    close,
  };
});

indexStoreContract("memory", async () => {
  const { stores, one, two, cutOff } = start();
  const interfere = (entry: IndexEntry): void => {
    const revision = stores.nextSequence("KV_own");
    stores.entries.set(entry.room, { data: encodeIndexEntry(entry), revision });
  };
  const parts = { name: "memory", index: one.index, other: two.index, interfere };
  return { ...parts, cutOff: async () => cutOff().index, close };
});
