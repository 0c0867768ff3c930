import { afterEach, describe, expect, it } from "vitest";
import type { NatsClient } from "../../src/bus/nats-client.ts";
import { callApi, object } from "../../src/journal/nats-api.ts";
import {
  NATS_JOURNAL_LIMITS,
  NatsJournal,
  openNatsJournal,
} from "../../src/journal/nats-journal.ts";
import { provisionStreams } from "../../src/journal/nats-provision.ts";
import {
  generationOf,
  INDEX_STREAM,
  JOURNAL_STREAMS,
  planStreams,
  streamInfo,
  WAIT_LIMITS,
  waitForStreams,
} from "../../src/journal/nats-streams.ts";
import { roomId } from "../../src/kernel/ids.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { SNAPSHOT_STREAM } from "../../src/protocol/subjects.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { type StoreServers, startStores } from "../support/nats-stores.ts";
import { waitUntil } from "../support/wait-until.ts";
import { fill, got } from "./journal.suite.ts";

const ALL = [...JOURNAL_STREAMS, SNAPSHOT_STREAM, INDEX_STREAM];

describe.skipIf(withoutNats)("Streams", () => {
  let stores: StoreServers;
  let placement: NatsClient;
  afterEach(() => stores?.close());

  async function configs(): Promise<Map<string, unknown>> {
    const found = new Map<string, unknown>();
    for (const name of ALL) {
      const info = await streamInfo(placement, name, 2_000);
      if (!info.ok) throw new Error(`${name}: ${info.error.reason}`);
      found.set(name, info.value.config);
    }
    return found;
  }

  it("[JS1] are made once, whoever asks, and brought up to date", async () => {
    stores = await startStores(1);
    placement = await stores.connect("placement");
    const before = await configs();
    const node = await stores.connect("node");
    const others = [
      placement,
      ...(await Promise.all([1, 2, 3].map(() => stores.connect("placement")))),
    ];
    const again = await Promise.all(others.map((one) => provisionStreams(one, { replicas: 1 })));
    for (const made of again) expect(made).toEqual({ ok: true, value: { generation: 1 } });
    expect(await configs()).toEqual(before);

    // An operator's mistake: the index answered by followers.
    const changed = { ...object(before.get(INDEX_STREAM)), allow_direct: true };
    const update = `$JS.API.STREAM.UPDATE.${INDEX_STREAM}`;
    got(mapError(await callApi(placement, update, changed, 2_000)));
    expect(object((await configs()).get(INDEX_STREAM)).allow_direct).toBe(true);
    got(mapError(await provisionStreams(placement, { replicas: 1 })));
    expect((await configs()).get(INDEX_STREAM)).toEqual(before.get(INDEX_STREAM));

    const denied = await callApi(node, update, changed, 2_000);
    expect(denied.ok).toBe(false);
  });

  it("[JS3] are waited for", async () => {
    stores = await startStores(1);
    placement = await stores.connect("placement");
    const node = await stores.connect("node");
    got(await waitForStreams(node, "all"));
    await stores.nats.servers[0]?.kill();
    const limits = { ...WAIT_LIMITS, waitMsMax: 300, pollMs: 20 };
    expect(await waitForStreams(node, "all", limits)).toEqual({ ok: false, error: "unavailable" });
    const waiting = waitForStreams(node, "all");
    await stores.nats.servers[0]?.restart();
    expect(await waiting).toEqual({ ok: true, value: { generation: 1 } });
  });

  it("[JN15] [JN28] [JS4] of a higher generation are taken up, and the old one writes nothing", async () => {
    stores = await startStores(1);
    placement = await stores.connect("placement");
    const opened = await openNatsJournal(await stores.connect("node"));
    if (!opened.ok) throw new Error(opened.error);
    const journal = opened.value;
    const room = roomId("gen/room");
    expect((await journal.append(room, 0, new Uint8Array([1]))).kind).toBe("accepted");

    // What a restore does: the same streams, other subjects, a higher generation.
    for (const { name, config } of planStreams(1, 2).slice(0, JOURNAL_STREAMS.length))
      got(mapError(await callApi(placement, `$JS.API.STREAM.UPDATE.${name}`, config, 2_000)));
    expect((await journal.append(room, 1, new Uint8Array([2]))).kind).toBe("undecided");
    await waitUntil("the new generation", () => journal.generation === 2);
    const tail = got(await journal.readTail(room));
    expect(tail).toEqual({ generation: 2, sequence: 0, record: undefined });

    // One that did not notice believes in no empty journal either.
    const unaware = new NatsJournal(await stores.connect("node"), 1, NATS_JOURNAL_LIMITS);
    const other = got(await unaware.readTail(roomId("gen/other")));
    expect(other).toEqual({ generation: 2, sequence: 0, record: undefined });

    // Nor does it trim by the old sequences what has others now.
    const restored = roomId("gen/restored");
    const sequences = await fill(journal, restored, ["a", "b", "c"]);
    const late = new NatsJournal(await stores.connect("node"), 1, NATS_JOURNAL_LIMITS);
    const trimmed = await late.trim(restored, sequences.at(-1) as number);
    expect(trimmed).toEqual({ ok: false, error: "unavailable" });
    expect(got(await journal.readThrough(restored, 1_000_000))).toHaveLength(3);

    const made = await provisionStreams(placement, { replicas: 1 });
    expect(made).toEqual({ ok: true, value: { generation: 2 } });
    const generations = [...(await configs()).values()].slice(0, JOURNAL_STREAMS.length);
    expect(generations.map((config) => generationOf(object(config)))).toEqual(
      JOURNAL_STREAMS.map(() => 2),
    );
  });

  it("[JN20] a journal that is too long says so until it is trimmed", async () => {
    stores = await startStores(1);
    const errors: unknown[] = [];
    const log = { ...silentObserver.log, error: (fields: unknown) => errors.push(fields) };
    const client = await stores.connect("node", { observer: { ...silentObserver, log } });
    const limits = { ...NATS_JOURNAL_LIMITS, batchRecords: 2 };
    const few = new NatsJournal(client, 1, { ...limits, recordsMax: 5 });
    const small = new NatsJournal(client, 1, { ...limits, bytesMax: 50 });
    const room = roomId("long/room");
    const sequences = await fill(few, room, Array(5).fill("ten bytes."));
    const last = 1_000_000;
    const bothWays = [{ leader: false }, { leader: true }];
    for (const journal of [few, small])
      for (const how of bothWays)
        expect(got(await journal.readThrough(room, last, how))).toHaveLength(5);
    expect(errors).toEqual([]);
    sequences.push(...(await fill(few, room, ["x"])));
    for (const journal of [few, small])
      for (const how of bothWays)
        expect(await journal.readThrough(room, last, how)).toEqual({
          ok: false,
          error: "too_long",
        });
    expect(errors).toHaveLength(4);
    expect(errors[0]).toEqual({ room, recordsMax: 5, bytesMax: NATS_JOURNAL_LIMITS.bytesMax });
    // What a reader asks for counts, not what is there.
    for (const how of bothWays)
      expect(got(await few.readThrough(room, sequences[4] as number, how))).toHaveLength(5);
    got(await few.trim(room, sequences[0] as number));
    for (const journal of [few, small])
      for (const how of bothWays)
        expect(got(await journal.readThrough(room, last, how))).toHaveLength(5);
  });

  it("[JS5] give each role what it needs and no more", async () => {
    stores = await startStores(1);
    placement = await stores.connect("placement");
    const room = roomId("rights/room");
    const record = new Uint8Array([1]);
    const journals = new Map<string, NatsJournal>();
    for (const role of ["node", "gateway", "placement"] as const) {
      const opened = await openNatsJournal(await stores.connect(role));
      if (!opened.ok) throw new Error(`${role}: ${opened.error}`);
      journals.set(role, opened.value);
    }
    expect((await journals.get("node")?.append(room, 0, record))?.kind).toBe("accepted");
    for (const role of ["gateway", "placement"]) {
      const journal = journals.get(role) as NatsJournal;
      const before = performance.now();
      expect((await journal.append(room, 1, record)).kind).toBe("undecided");
      // Refused, not waited for in vain.
      expect(performance.now() - before).toBeLessThan(NATS_JOURNAL_LIMITS.appendMsMax);
      expect(got(await journal.readTail(room)).sequence).toBe(1);
    }
    const [node, gateway] = [journals.get("node"), journals.get("gateway")];
    expect((await node?.append(room, 1, record))?.kind).toBe("accepted");
    expect(await gateway?.trim(room, 1)).toEqual({ ok: false, error: "unavailable" });
    expect(await journals.get("placement")?.rooms()).toEqual({ ok: true, value: [room] });
  });

  it("[JS2] have leaders on every server", async () => {
    const started = performance.now();
    stores = await startStores(3);
    const readyMs = (performance.now() - started).toFixed(0);
    console.log(`[JS2] three fresh servers and their streams ready after ${readyMs} ms`);
    placement = await stores.connect("placement");
    const others = await Promise.all([1, 2].map(() => stores.connect("placement")));
    await Promise.all(others.map((one) => provisionStreams(one, { replicas: 3 })));
    const led = new Map<string, number>(stores.nats.servers.map((server) => [server.name, 0]));
    for (const name of ALL) {
      const info = await streamInfo(placement, name, 2_000);
      if (!info.ok) throw new Error(`${name}: ${info.error.reason}`);
      expect(info.value.servers).toHaveLength(3);
      led.set(info.value.leader, (led.get(info.value.leader) ?? 0) + 1);
    }
    const counts = [...led.values()];
    expect(Math.max(...counts) - Math.min(...counts), JSON.stringify([...led])).toBeLessThan(2);
  });
});

/** An API's answer as a plain result whose error can be shown. */
function mapError<T>(
  result: { ok: true; value: T } | { ok: false; error: object },
): { ok: true; value: T } | { ok: false; error: string } {
  return result.ok ? result : { ok: false, error: JSON.stringify(result.error) };
}
