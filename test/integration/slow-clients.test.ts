import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Cluster } from "../support/cluster.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { residentBytes, SlowCrowd } from "../support/slow-crowd.ts";
import { waitUntil } from "../support/wait-until.ts";

const PAUSE_MS = 10_000;
const GATEWAY = "gateway-1";
/** What may wait in a gateway for one that does not read, if nothing is for it alone. */
const QUEUED_BYTES_MAX = 8 * 1024;
/** Of a process of 150 MiB whose collector comes and goes. */
const NOISE_BYTES = 32 * 1024 * 1024;

/**
 * Real sockets that are not read for ten seconds of the room's time, which is the condition itself:
 * nothing else makes kernels, timers and a collector behave as they do then.
 */
describe.skipIf(withoutNats)("clients that read nothing for 10 s", () => {
  let cluster: Cluster;
  let crowd: SlowCrowd | undefined;

  beforeAll(async () => {
    // Where the machine is so busy that a test is late with its own words, nobody is hung up on.
    const patient = ["gateway.pingMs=30000", "gateway.helloMsMax=20000"];
    const set = { gateway: patient };
    cluster = await Cluster.start({ nats: 1, placements: 1, nodes: 1, gateways: 1, set });
  }, 60_000);
  afterEach(() => crowd?.close());
  afterAll(async () => cluster?.close());

  let entered = 0;
  async function enter(name: string, walkers: number, slow: number, looks: number) {
    // A test that is tried once more finds nobody who is left of the first time.
    const room = `${name}-${++entered}`;
    await cluster.createRoom(room);
    crowd = new SlowCrowd(cluster, room);
    await crowd.join(walkers, slow, looks);
    return crowd;
  }

  const until = (what: string, condition: () => boolean, timeoutMs = 60_000): Promise<void> =>
    waitUntil(what, condition, {
      timeoutMs,
      pollMs: 50,
      dump: () => `${crowd?.wrong.slice(0, 20).join("\n")}\n${cluster.dump()}`,
    });

  /** All but the last frame may still be on its way to some. */
  const undisturbed = (them: SlowCrowd): void => {
    expect(Math.max(...them.missed()), "frames of walkers that others were sent").toBe(0);
    expect(them.wrong.slice(0, 10)).toEqual([]);
  };

  async function pauseAndResume(them: SlowCrowd) {
    const { pid } = cluster.member(GATEWAY);
    const queued = () => cluster.metric(GATEWAY, "roomcluster_gateway_queued_bytes");
    const [before, from] = [residentBytes(pid), them.tick];
    them.startCounting();
    const pausedAt = Date.now();
    them.pause();
    let [most, waiting] = [before, 0];
    await until("the room has moved for ten seconds", () => {
      most = Math.max(most, residentBytes(pid));
      return Date.now() - pausedAt >= PAUSE_MS && them.tick > from + 20;
    });
    waiting = await queued();
    undisturbed(them);
    const ticks = them.tick - from;
    const now = them.tick;
    them.resume();
    const all = them.slow.map(({ client }) => client);
    await until("everybody is shown the present", () => all.every(({ tick }) => tick > now));
    undisturbed(them);
    const stale = them.slow.map((slowpoke) => slowpoke.stale);
    const ages = them.slow.map(({ firstAgeMs = 0 }) => firstAgeMs);
    console.log(
      `${all.length} slow: ${waiting} bytes queued, ${Math.round((most - before) / 1024)} KiB more resident; of ${ticks} ticks ${Math.max(...stale)} frames were waiting at most, the first ${Math.round(Math.max(...ages))} ms old`,
    );
    return { waiting, grown: most - before, ticks };
  }

  /** What everybody knows is the same, and nobody was told by a snapshot what it had missed. */
  async function agreed(them: SlowCrowd): Promise<void> {
    them.rest();
    const looking = them.everybody.filter(({ looks }) => looks);
    await until("they see everybody where they stand", () =>
      looking.every((client) => them.mistaken(client).length === 0),
    );
    const [first] = them.walkers;
    const indexes = (): Set<number> => new Set(them.everybody.map(({ index }) => index));
    await until("they have all records", () => indexes().size === 1);
    for (const { state } of them.everybody) expect(state).toEqual(first?.state);
    expect(them.everybody.filter(({ snapshots }) => snapshots !== 1)).toEqual([]);
    undisturbed(them);
  }

  it("[GW61] one that is stuck and one that is deaf disturb nobody, and are right from the next frame on", async () => {
    const them = await enter("pier", 20, 2, 2);
    const { waiting, ticks } = await pauseAndResume(them);
    expect(waiting).toBeLessThanOrEqual(2 * QUEUED_BYTES_MAX);
    for (const { how, stale } of them.slow) if (how === "stuck") expect(stale).toBeLessThan(ticks);
    await agreed(them);
  }, 120_000);

  it("[GW61] a thousand of them neither, and their memory is bounded", async () => {
    const slow = 1_000;
    const them = await enter("square", 50, slow, 10);
    const { waiting, grown } = await pauseAndResume(them);
    expect(waiting).toBeLessThanOrEqual(slow * QUEUED_BYTES_MAX);
    expect(grown).toBeLessThanOrEqual(slow * QUEUED_BYTES_MAX + NOISE_BYTES);
    await agreed(them);
  }, 300_000);
});
