import { describe } from "vitest";
import { encodeIndexEntry } from "../../src/journal/index-entry.ts";
import { NatsIndexStore } from "../../src/journal/nats-index-store.ts";
import {
  NATS_JOURNAL_LIMITS,
  NatsJournal,
  openNatsJournal,
} from "../../src/journal/nats-journal.ts";
import { NatsSnapshotStore } from "../../src/journal/nats-snapshot-store.ts";
import { indexSubject } from "../../src/journal/nats-streams.ts";
import { type Clock, systemClock } from "../../src/kernel/clock.ts";
import { indexKey } from "../../src/protocol/subjects.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { type StoreServers, startStores } from "../support/nats-stores.ts";
import { indexStoreContract } from "./index-store.suite.ts";
import { type JournalHarness, journalContract } from "./journal.suite.ts";
import { snapshotStoreContract } from "./snapshot-store.suite.ts";

async function openJournal(stores: StoreServers): Promise<NatsJournal> {
  const journal = await openNatsJournal(await stores.connect("node"));
  if (!journal.ok) throw new Error(`the journal is ${journal.error}`);
  return journal.value;
}

async function cutOffClient(stores: StoreServers) {
  const client = await stores.connect("node");
  await client.close();
  return client;
}

/** Every deadline passes at once: what was sent is on its way and no answer is waited for. */
const impatientClock: Clock = {
  ...systemClock,
  after: (_delayMs, fire) => {
    let cancelled = false;
    queueMicrotask(() => {
      if (!cancelled) fire();
    });
    return {
      cancel: () => {
        cancelled = true;
      },
    };
  },
};

async function journalHarness(name: string, servers: 1 | 3): Promise<JournalHarness> {
  const stores = await startStores(servers);
  const journal = await openJournal(stores);
  return {
    name,
    journal,
    other: await openJournal(stores),
    impatient: async () => {
      const client = await stores.connect("node", { clock: impatientClock });
      return new NatsJournal(client, journal.generation, NATS_JOURNAL_LIMITS);
    },
    cutOff: async () =>
      new NatsJournal(await cutOffClient(stores), journal.generation, NATS_JOURNAL_LIMITS),
    close: stores.close,
  };
}

async function indexHarness(name: string, servers: 1 | 3) {
  const stores = await startStores(servers);
  const client = await stores.connect("placement");
  return {
    name,
    index: new NatsIndexStore(client),
    other: new NatsIndexStore(await stores.connect("placement")),
    // The same connection: the server sees it before what is published after it.
    interfere: (entry: Parameters<typeof encodeIndexEntry>[0]) =>
      void client.publish(indexSubject(indexKey(entry.room)), encodeIndexEntry(entry)),
    cutOff: async () => new NatsIndexStore(await cutOffClient(stores)),
    close: stores.close,
  };
}

describe.skipIf(withoutNats)("NATS", () => {
  const three = "three NATS servers, three replicas";
  journalContract("one NATS server", () => journalHarness("one server", 1));
  journalContract(three, () => journalHarness("three servers", 3));
  indexStoreContract("one NATS server", () => indexHarness("one server", 1));
  indexStoreContract(three, () => indexHarness("three servers", 3));
  snapshotStoreContract("one NATS server", async () => {
    const stores = await startStores(1);
    return {
      store: new NatsSnapshotStore(await stores.connect("node")),
      other: new NatsSnapshotStore(await stores.connect("node")),
      cutOff: async () => new NatsSnapshotStore(await cutOffClient(stores)),
      close: stores.close,
    };
  });
});
