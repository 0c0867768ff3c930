import { setImmediate as turn } from "node:timers/promises";
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
/** Accepted writes to each room before, without and after the leader. */
const ACCEPTED = 20;
/** A room that has so many waits for the slowest: every read through it is kept whole. */
const ACCEPTED_MAX = 5 * ACCEPTED;
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
  // Of a long read, its length and what stands around its first record that is another one.
  const shortened = (event: StoreEvent) => {
    if (typeof event.outcome !== "object") return event;
    const { outcome } = event;
    const other = outcome.findIndex((words, i) => words !== final[i]);
    const from = other < 0 ? outcome.length - 4 : Math.max(0, other - 4);
    return { ...event, records: outcome.length, other, outcome: outcome.slice(from, from + 8) };
  };
  const lines = around.map((event) => JSON.stringify(shortened(event)));
  const why = found.ok ? "" : `event ${at} is impossible ${found.why}`;
  return [`seed ${SEED}, ${lane.room}: ${why}`, ...lines, `final ${final}`].join("\n");
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
    expect(found).toEqual({ ok: true, landings, old: new Set() });
    const again = await replay(events, landings, roomOf(0));
    expect(again).toEqual({ events, final: ["a", "b", "c"] });
  });

  it("[JN27] [JN29] is explained by a leader that was deposed", async () => {
    const [a, , tail, refused, c] = events as [StoreEvent, ...StoreEvent[]];
    const seen = [a, tail, refused, c] as StoreEvent[];
    const found = explain(seen, ["a", "b", "c"]);
    const landings = [0, 2, 3].map((event) => ({ event, before: event }));
    expect(found).toEqual({ ok: true, landings, old: new Set() });
    expect((await replay(seen, landings, roomOf(0))).events).toEqual(seen);
  });

  it("[JN31] is explained by a leader that was frozen, and answers reads by what it had", async () => {
    const [a, , , , c] = events as [StoreEvent, ...StoreEvent[]];
    const b = { do: "append", words: "b", expected: "a", outcome: "accepted" } as const;
    const woken = [
      { do: "readThrough", leader: true, outcome: ["a"] },
      { do: "readTail", outcome: "b" },
      { do: "append", words: "d", expected: "b", outcome: "refused" },
    ] as const;
    const seen = [a, b, c, ...woken] as StoreEvent[];
    const found = explain(seen, ["a", "b", "c"], true);
    expect(found).toMatchObject({ ok: true, old: new Set([3, 4]) });
    if (!found.ok) return;
    const again = await replay(seen, found.landings, roomOf(0), found.old);
    expect(again).toEqual({ events: seen, final: ["a", "b", "c"] });
    expect(explain(seen, ["a", "b", "c"]).ok, "no leader was frozen").toBe(false);
    const other = { do: "readThrough", leader: true, outcome: ["b"] } as const;
    expect(explain([...seen, other], ["a", "b", "c"], true).ok, "it had that never").toBe(false);
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
    impossible([a, tail, refused, c], ["a", "c"]);
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

describe.skipIf(withoutNats)("Three NATS servers", { timeout: 150_000 }, () => {
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

  /** Every room is written to until `happen` is over; then what each journal holds in the end. */
  async function whileWriting(
    lanes: readonly HistoryLane[],
    happen: (untilWritten: (what: string) => Promise<void>) => Promise<void>,
  ): Promise<(readonly string[] | undefined)[]> {
    let isOver = false;
    let since = lanes.map(() => 0);
    const run = async (lane: HistoryLane, i: number): Promise<readonly string[] | undefined> => {
      const mayStep = (): boolean => isOver || lane.count("accepted", since[i]) < ACCEPTED_MAX;
      while (!isOver) {
        await waitUntil(`a turn of ${lane.room}`, mayStep, { timeoutMs: 2 * RUN_MS_MAX, dump });
        await lane.step();
        // A client whose server is frozen refuses at once, and would hear of nothing else for ever.
        await turn();
      }
      // As long as a stream may be without a leader, and a leader may be deposed again.
      const until = performance.now() + RUN_MS_MAX;
      while (performance.now() < until) {
        const final = await lane.end();
        if (final) return final;
        await turn();
      }
      return undefined;
    };
    const dump = () => lanes.map(({ events, room }) => `${room}: ${events.length} events`);
    const running = Promise.all(lanes.map(run));
    try {
      await happen((what) => {
        since = lanes.map(({ events }) => events.length);
        const isWritten = (): boolean =>
          lanes.every((lane, i) => lane.count("accepted", since[i]) >= ACCEPTED);
        return waitUntil(`writes to every room ${what}`, isWritten, {
          timeoutMs: RUN_MS_MAX,
          dump,
        });
      });
    } finally {
      isOver = true;
    }
    return running;
  }

  it.each(["killed", "frozen"])("[JN27] answer as memory can, a leader %s", async (how) => {
    stores = await startStores(3);
    const journals = [await journal(), await journal()] as const;
    const lanes = ROOMS.map(
      (room, i) => new HistoryLane(room, journals, seededRandom(SEED * ROOMS.length + i)),
    );
    const leader = await leaderOf(STREAM);
    let struckAt = 0;
    const finals = await whileWriting(lanes, async (untilWritten) => {
      await untilWritten("before");
      struckAt = lanes[0]?.events.length ?? 0;
      if (how === "killed") await leader.kill();
      else leader.pause();
      await untilWritten("without it");
      if (how === "killed") return;
      // It has writes that it did not answer, and does not know that it leads no more.
      leader.resume();
      await untilWritten("with it again");
    });
    const counts = {
      events: 0,
      accepted: 0,
      refused: 0,
      undecided: 0,
      landedLate: 0,
      deposed: 0,
      old: 0,
    };
    for (const [i, lane] of lanes.entries()) {
      const final = finals[i] ?? expect.fail(`${lane.room} does not come to its end`);
      const found = explain(lane.events, final, how === "frozen");
      if (!found.ok) expect.fail(dump(lane, final, found));
      const again = await replay(lane.events, found.landings, lane.room, found.old);
      expect(again.events, `seed ${SEED}, ${lane.room}`).toEqual(lane.events);
      expect(again.final).toEqual(final);
      counts.events += lane.events.length;
      for (const kind of ["accepted", "refused", "undecided"] as const)
        counts[kind] += lane.count(kind);
      counts.deposed += found.landings.filter(
        ({ event }) => lane.events[event]?.outcome === "refused",
      ).length;
      const byLeader = ({ do: done, ...event }: StoreEvent) =>
        done === "readTail" || ("leader" in event && event.leader === true);
      counts.old += [...found.old].filter((at) => byLeader(lane.events[at] as StoreEvent)).length;
      counts.landedLate += found.landings.filter(({ event, before }) => before > event).length;
    }
    console.info(`[JN27] seed ${SEED}, leader ${how}: ${JSON.stringify(counts)}`);
    expect(lanes[0]?.count("undecided", struckAt), "undecided writes then").toBeGreaterThan(0);
  });
});
