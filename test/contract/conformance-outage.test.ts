import { afterEach, describe, expect, it } from "vitest";
import { MemoryStores } from "../../src/journal/memory-stores.ts";
import { NATS_JOURNAL_LIMITS, openNatsJournal } from "../../src/journal/nats-journal.ts";
import { streamInfo } from "../../src/journal/nats-streams.ts";
import { type RoomId, roomId } from "../../src/kernel/ids.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { JOURNAL_SHARDS, journalShard, journalStream } from "../../src/protocol/subjects.ts";
import { HistoryLane } from "../support/history-lane.ts";
import { type NatsServer, withoutNats } from "../support/nats-servers.ts";
import { type StoreServers, startStores } from "../support/nats-stores.ts";
import { type Explanation, explain, replay, type StoreEvent } from "../support/store-history.ts";
import { waitUntil } from "../support/wait-until.ts";

const SEED = Number(process.env.CONFORMANCE_SEED ?? Date.now() % 1_000_000);
const STEPS_BEFORE = 60;
const ACCEPTED_AFTER = 20;
const RUN_MS_MAX = 60_000;
const STREAM = journalStream(0);
/** Many tries in one outage, and many that are given up before they land. */
const IMPATIENT = { readMsMax: 250, appendMsMax: 250 };

function roomOf(shard: number): RoomId {
  for (let i = 0; ; i++) {
    const room = roomId(`outage/room-${i}`);
    if (journalShard(room) === shard) return room;
  }
}

/** One for each stream. */
const ROOMS = Array.from({ length: JOURNAL_SHARDS }, (_, shard) => roomOf(shard));

/** Whatever a history was that no simulated store can have. */
function dump(lane: HistoryLane, final: readonly string[], found: Explanation): string {
  const at = found.ok ? 0 : found.at;
  const around = lane.events.slice(Math.max(0, at - 12), at + 3);
  const lines = around.map((event) => JSON.stringify(event).slice(0, 160));
  const why = found.ok ? "" : `event ${at} is impossible ${found.why}`;
  return [`seed ${SEED}, ${lane.room}: ${why}`, ...lines, `final ${final.slice(-12)}`].join("\n");
}

describe("A history", () => {
  const events: StoreEvent[] = [
    { do: "append", words: "a", expected: "", outcome: "accepted" },
    { do: "append", words: "b", expected: "a", outcome: "undecided" },
    { do: "readTail", outcome: "a" },
    { do: "append", words: "b", expected: "a", outcome: "refused" },
    { do: "append", words: "c", expected: "b", outcome: "accepted" },
  ];
  const impossible = (changed: StoreEvent[], final: readonly string[]) =>
    expect(explain(changed, final).ok, JSON.stringify(changed)).toBe(false);

  it("[JN27] is explained by when what was undecided landed", async () => {
    const found = explain(events, ["a", "b", "c"]);
    const landings = [
      { event: 0, before: 0 },
      { event: 1, before: 3 },
      { event: 4, before: 4 },
    ];
    expect(found).toEqual({ ok: true, landings });
    const again = await replay(events, landings, roomOf(0));
    expect(again).toEqual({ events, final: ["a", "b", "c"] });
  });

  it("[JN27] that no store can have is found out", () => {
    const [a, b, tail, refused, c] = events as [
      StoreEvent,
      StoreEvent,
      StoreEvent,
      StoreEvent,
      StoreEvent,
    ];
    // What was accepted is gone; what was refused is there; it was refused without a reason.
    impossible(events, ["a", "b"]);
    impossible([a, tail, refused, c], ["a", "b", "c"]);
    impossible([a, b, tail, refused, tail], ["a"]);
    // The tail went back; one record stands there twice; nobody wrote it.
    impossible([a, b, tail, refused, tail, c], ["a", "b", "c"]);
    impossible(events, ["a", "b", "b", "c"]);
    impossible(events, ["a", "x", "b", "c"]);
    impossible([a, { do: "readThrough", leader: true, outcome: [] }], ["a"]);
    expect(explain([a, { do: "readThrough", leader: false, outcome: [] }], ["a"]).ok).toBe(true);
  });
});

describe("Memory stores without a leader", () => {
  it("[JN27] have histories of the same kind", async () => {
    const clock = new ManualClock();
    const stores = new MemoryStores(clock, seededRandom(SEED));
    stores.outage.keptRate = stores.outage.refusedRate = stores.outage.answerLostRate = 0.4;
    const journals = [stores.open(), stores.open()].map(({ journal, faults }) => {
      Object.assign(faults, { latencyMsMin: 1, latencyMsMax: 3, staleRate: 0.2 });
      return journal;
    });
    const room = roomOf(0);
    const both = [journals[0], journals[1]] as [(typeof journals)[0], (typeof journals)[0]];
    const lane = new HistoryLane(room, both as never, seededRandom(SEED));
    let over = false;
    const run = async (): Promise<readonly string[] | undefined> => {
      for (let i = 0; i < 400; i++) {
        if (i % 100 === 40) stores.frozen.add(STREAM);
        if (i % 100 === 60) stores.frozen.clear();
        await lane.step();
      }
      return lane.end().finally(() => {
        over = true;
      });
    };
    const running = run();
    for (let s = 0; !over && s < 10_000; s++) await clock.run(1_000, 1);
    const final = (await running) ?? [];
    const found = explain(lane.events, final);
    expect(found.ok, dump(lane, final, found)).toBe(true);
    expect(stores.fired.kept).toBeGreaterThan(0);
    expect(stores.fired.refused).toBeGreaterThan(0);
    expect(lane.count("undecided")).toBeGreaterThan(5);
  });
});

describe.skipIf(withoutNats)("Three NATS servers", () => {
  let stores: StoreServers;
  afterEach(() => stores?.close());

  async function leaderOf(stream: string): Promise<NatsServer> {
    const info = await streamInfo(await stores.connect("placement"), stream, 2_000);
    const name = info.ok ? info.value.leader : "";
    const leader = stores.nats.servers.find((server) => server.name === name);
    if (!leader) throw new Error(`nobody leads ${stream}`);
    return leader;
  }

  async function journal() {
    const client = await stores.connect("node");
    const opened = await openNatsJournal(client, { ...NATS_JOURNAL_LIMITS, ...IMPATIENT });
    if (!opened.ok) throw new Error(opened.error);
    return opened.value;
  }

  it("[JN27] that lose a stream's leader answer as memory can", { timeout: 120_000 }, async () => {
    stores = await startStores(3);
    const journals = [await journal(), await journal()] as const;
    const lanes = ROOMS.map(
      (room, i) => new HistoryLane(room, journals, seededRandom(SEED * ROOMS.length + i)),
    );
    const killedAt = lanes.map(() => Number.POSITIVE_INFINITY);
    const isDone = (i: number): boolean =>
      Number.isFinite(killedAt[i]) &&
      (lanes[i]?.count("accepted", killedAt[i]) ?? 0) >= ACCEPTED_AFTER;
    let isOver = false;
    const run = async (lane: HistoryLane): Promise<readonly string[] | undefined> => {
      while (!isOver) await lane.step();
      for (let tries = 0; tries < 50; tries++) {
        const final = await lane.end();
        if (final) return final;
      }
      return undefined;
    };
    const leader = await leaderOf(STREAM);
    const running = Promise.all(lanes.map(run));
    const patience = { timeoutMs: RUN_MS_MAX, dump: () => lanes.map((lane) => lane.events.length) };
    const isWritten = (): boolean => lanes.every(({ events }) => events.length >= STEPS_BEFORE);
    try {
      await waitUntil("all rooms to be written to", isWritten, patience);
      for (const [i, lane] of lanes.entries()) killedAt[i] = lane.events.length;
      await leader.kill();
      const areBack = (): boolean => lanes.every((_, i) => isDone(i));
      await waitUntil("all rooms to be written to again", areBack, patience);
    } finally {
      isOver = true;
    }
    const finals = await running;

    const counts = { events: 0, accepted: 0, refused: 0, undecided: 0, landedLate: 0 };
    for (const [i, lane] of lanes.entries()) {
      const final = finals[i] ?? expect.fail(`${lane.room} does not come to its end`);
      const found = explain(lane.events, final);
      if (!found.ok) expect.fail(dump(lane, final, found));
      const again = await replay(lane.events, found.landings, lane.room);
      expect(again.events, `seed ${SEED}, ${lane.room}`).toEqual(lane.events);
      expect(again.final).toEqual(final);
      counts.events += lane.events.length;
      for (const kind of ["accepted", "refused", "undecided"] as const)
        counts[kind] += lane.count(kind);
      counts.landedLate += found.landings.filter(({ event, before }) => before > event).length;
    }
    console.info(`[JN27] seed ${SEED}: ${JSON.stringify(counts)}`);
    const [struck] = lanes as [HistoryLane];
    expect(struck.count("undecided", killedAt[0]), "what the leader's death left").toBeGreaterThan(
      0,
    );
  });
});
