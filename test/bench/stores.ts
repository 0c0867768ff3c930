/**
 * Measures the stores on NATS: `npx tsx test/bench/stores.ts [1|3]` (servers, default 1). One
 * process, default sync interval; prints one line a figure.
 */

import {
  NATS_JOURNAL_LIMITS,
  NatsJournal,
  openNatsJournal,
} from "../../src/journal/nats-journal.ts";
import { NatsSnapshotStore } from "../../src/journal/nats-snapshot-store.ts";
import { snapshotDigest } from "../../src/journal/snapshot-digest.ts";
import { type RoomId, roomId } from "../../src/kernel/ids.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { startStores } from "../support/nats-stores.ts";

const RECORD = new Uint8Array(512).fill(7);

function summary(label: string, samples: number[]): void {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(2);
  console.log(`${label}: p50 ${at(0.5)} p99 ${at(0.99)} max ${at(1)} ms (n=${samples.length})`);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await work();
  return performance.now() - before;
}

async function appendMany(journal: NatsJournal, room: RoomId, count: number): Promise<number[]> {
  const times: number[] = [];
  const tail = await journal.readTail(room);
  let expected = tail.ok ? tail.value.sequence : 0;
  for (let i = 0; i < count; i++) {
    const before = performance.now();
    const outcome = await journal.append(room, expected, RECORD);
    times.push(performance.now() - before);
    if (outcome.kind !== "accepted") throw new Error(`append ${i}: ${JSON.stringify(outcome)}`);
    expected = outcome.sequence;
  }
  return times;
}

const servers = process.argv[2] === "3" ? 3 : 1;
const stores = await startStores(servers);
let busy = 0;
const metrics = {
  ...silentObserver.metrics,
  add: (name: string) => {
    if (name === "roomcluster_store_busy_total") busy++;
  },
};
const client = await stores.connect("node", { observer: { ...silentObserver, metrics } });
const opened = await openNatsJournal(client);
if (!opened.ok) throw new Error(opened.error);
const journal = opened.value;
const rooms = Array.from({ length: 200 }, (_, i) => roomId(`bench/room-${i}`));
const [first, long] = [rooms[0] ?? roomId("bench/none"), roomId("bench/long")];

await appendMany(journal, first, 200);
summary("append, one room, 512 B", await appendMany(journal, first, 2_000));
console.log(`sent again because the subject was busy: ${busy} of 2200`);
await Promise.all(rooms.map((room) => appendMany(journal, room, 10)));
busy = 0;
const hundred = rooms.slice(0, 100);
const began = performance.now();
const parallel = await Promise.all(hundred.map((room) => appendMany(journal, room, 40)));
const rate = (4_000 / (performance.now() - began)) * 1_000;
summary("append, 100 rooms at once", parallel.flat());
console.log(`100 rooms at once: ${rate.toFixed(0)} appends/s, ${busy} sent again`);

const tails: number[] = [];
for (let i = 0; i < 1_000; i++) tails.push(await timed(() => journal.readTail(first)));
summary("readTail, one after the other", tails);
for (let i = 0; i < 3; i++) {
  const total = await timed(() => Promise.all(rooms.map((room) => journal.readTail(room))));
  console.log(`readTail of 200 rooms at once: ${total.toFixed(1)} ms`);
}

await appendMany(journal, long, 1_000);
const end = await journal.readTail(long);
if (!end.ok) throw new Error(end.error);
const all = await journal.readThrough(long, end.value.sequence, { leader: true });
if (!all.ok) throw new Error(all.error);
const limits = { ...NATS_JOURNAL_LIMITS, leaderParallelMax: 1 };
const oneByOne = new NatsJournal(client, journal.generation, limits);
for (const count of [200, 1_000]) {
  const until = all.value[count - 1]?.sequence ?? 0;
  const reads = {
    "batched direct": () => journal.readThrough(long, until),
    "leader, 8 at once": () => journal.readThrough(long, until, { leader: true }),
    "leader, one by one": () => oneByOne.readThrough(long, until, { leader: true }),
  };
  for (const [label, read] of Object.entries(reads)) {
    const times: number[] = [];
    for (let i = 0; i < 7; i++)
      times.push(
        await timed(async () => {
          const records = await read();
          if (!records.ok || records.value.length !== count) throw new Error(`${label} failed`);
        }),
      );
    summary(`readThrough of ${count} records, ${label}`, times);
  }
}
for (let i = 0; i < 2; i++) {
  const total = await timed(() =>
    Promise.all(hundred.map((room) => journal.readThrough(room, end.value.sequence * 2))),
  );
  console.log(`readThrough of 100 rooms of 50 records at once: ${total.toFixed(1)} ms`);
}

const snapshots = new NatsSnapshotStore(client);
const data = new Uint8Array(1024 * 1024).map((_, i) => i * 13);
const puts: number[] = [];
const gets: number[] = [];
for (let index = 1; index <= 20; index++) {
  data[0] = index;
  const name = { index, digest: snapshotDigest(data), bytes: data.length };
  puts.push(await timed(() => snapshots.put(first, name, data)));
  gets.push(
    await timed(async () => {
      const read = await snapshots.get(first, name);
      if (!read.ok) throw new Error(read.error);
    }),
  );
}
summary("snapshot of 1 MiB, put", puts);
summary("snapshot of 1 MiB, get", gets);
await stores.close();
