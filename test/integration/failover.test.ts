import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { SavedSession } from "../../src/client/client.ts";
import { Cluster } from "../support/cluster.ts";
import { Crew, type Sailor } from "../support/crew.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { waitUntil } from "../support/wait-until.ts";

const nameOf = (owner: string | null): string => owner?.split(".")[0] ?? "";

/**
 * One cluster with everything three-fold where it counts; each test kills something else and
 * starts it again, while people put tokens into their room's ledger.
 */
describe.skipIf(withoutNats)("what dies does not hurt", () => {
  let cluster: Cluster;
  let crew: Crew;
  let rooms = 0;

  beforeAll(async () => {
    cluster = await Cluster.start({ nats: 3, placements: 2, nodes: 3, gateways: 2 });
  }, 60_000);
  afterEach(() => crew?.close());
  afterAll(async () => cluster?.close());

  /** A fresh room with people at work in it. */
  async function people(count: number, everyMs = 20): Promise<{ room: string; people: Sailor[] }> {
    const room = `room-${++rooms}`;
    await cluster.createRoom(room);
    crew = new Crew(cluster);
    await Promise.all(Array.from({ length: count }, (_, i) => crew.join(`p${rooms}-${i}`, room)));
    crew.work(everyMs);
    await settled("everyone has put a token", (s) => s.acked.size > 0);
    return { room, people: crew.sailors };
  }

  const settled = (what: string, done: (sailor: Sailor) => boolean, timeoutMs = 20_000) =>
    waitUntil(what, () => crew.sailors.every(done), {
      timeoutMs,
      dump: () => `${crew.describe()}\n${cluster.dump()}`,
    });

  async function nothingLost(room: string): Promise<void> {
    await crew.rest();
    const verdict = await crew.verdict([room]);
    const about = `${crew.describe()}\n${cluster.dump()}`;
    expect(verdict.lost, about).toEqual([]);
    expect(verdict.doubled, about).toEqual([]);
    expect(crew.sailors.flatMap(({ refused }) => refused)).toEqual([]);
  }

  it("SIGKILL of the owner: no command lost or doubled, no socket closed, poses flow", async () => {
    const { room } = await people(20);
    const before = await cluster.room(room);
    const epoch = crew.sailors[0]?.room.epoch ?? 0;
    cluster.kill(nameOf(before.owner));
    const killedAt = performance.now();
    const served = (s: Sailor): boolean => s.room.epoch > epoch && s.firstFrameAt.has(s.room.epoch);
    await settled("a frame of the next owner reaches everyone", served);
    const took = crew.sailors.map((s) => (s.firstFrameAt.get(s.room.epoch) ?? 0) - killedAt);
    console.log(
      `owner killed, fresh state after ${Math.round(Math.max(...took))} ms at the latest`,
    );
    const acked = crew.sailors.map((s) => s.acked.size);
    await settled("everyone puts tokens again", (s) => s.acked.size > (acked[0] ?? 0) + 5);
    const watcher = crew.sailors[0] as Sailor;
    const seen = (): string => JSON.stringify([...watcher.room.poses()].map(({ pose }) => pose.x));
    const first = seen();
    await waitUntil("others are seen to move", () => seen() !== first, { dump: seen });
    expect(crew.sailors.map(({ closes }) => closes)).toEqual(Array(20).fill(0));
    await nothingLost(room);
    const after = await cluster.owned(room, ({ owner }) => owner !== before.owner);
    expect(after.epoch).toBeGreaterThan(before.epoch);
    await cluster.restart(nameOf(before.owner));
  });

  it("SIGSTOP of the owner for 5 s: its late writes are refused and counted, nobody sees them", async () => {
    const { room } = await people(10);
    const before = await cluster.room(room);
    const owner = nameOf(before.owner);
    const epoch = crew.sailors[0]?.room.epoch ?? 0;
    cluster.signal(owner, "SIGSTOP");
    const stoppedAt = performance.now();
    try {
      await settled("another owner serves everyone", (s) => s.room.epoch > epoch);
      console.log(
        `owner frozen, served again after ${Math.round(performance.now() - stoppedAt)} ms`,
      );
      await waitUntil("5 s have passed", () => performance.now() - stoppedAt > 5_000, {});
    } finally {
      cluster.signal(owner, "SIGCONT");
    }
    await waitUntil(
      "the old owner found itself fenced",
      async () => (await cluster.metric(owner, "roomcluster_fenced_total")) > 0,
      { timeoutMs: 15_000, dump: () => cluster.dump() },
    );
    expect(cluster.member(owner).child.exitCode, "a resumed node is fenced, not shot").toBeNull();
    for (const { epochs, name } of crew.sailors)
      expect(epochs, `${name} saw epochs rise only`).toEqual([...epochs].sort((a, b) => a - b));
    expect(crew.sailors.every(({ closes }) => closes === 0)).toBe(true);
    await nothingLost(room);
  });

  it("SIGKILL of a gateway: the same avatars elsewhere, missed chat replayed", async () => {
    const room = `room-${++rooms}`;
    await cluster.createRoom(room);
    crew = new Crew(cluster);
    const moved = await crew.join("moved", room);
    const doomed = cluster.gateways.indexOf(moved.url());
    const speaker = await crew.join("speaker", room, [cluster.gateways[1 - doomed] ?? ""]);
    const before = moved.room.me;
    const chat = (): string => Object.values(moved.room.state.chat).join();
    const dump = (): string => `${chat()}\n${crew.describe()}\n${cluster.dump()}`;
    await speaker.room.command("say", { text: "before" });
    await waitUntil("chat arrives", () => chat() === "before", { dump });
    cluster.kill(`gateway-${doomed + 1}`);
    for (const text of ["one", "two", "three"]) await speaker.room.command("say", { text });
    await waitUntil("the missed chat is here", () => chat() === "before,one,two,three", {
      timeoutMs: 20_000,
      dump,
    });
    const { session, slot, generation, person } = moved.room.me;
    expect({ session, slot, generation, person }).toEqual(before);
    expect(await moved.room.command("say", { text: "back" })).toBe(5);
    expect(speaker.closes).toBe(0);
    await cluster.restart(`gateway-${doomed + 1}`);
  });

  it("a duplicated tab: the newer one speaks, the older one is told and gone", async () => {
    const room = `room-${++rooms}`;
    await cluster.createRoom(room);
    crew = new Crew(cluster);
    let saved: SavedSession | undefined;
    const first = await crew.join("tab", room, cluster.gateways, {
      onSession: (session) => {
        saved = session;
      },
    });
    const seat = first.room.me;
    await first.room.command("put", { token: "first" });
    let end = "";
    first.room.on("ended", (code) => {
      end = code;
    });
    const second = await crew.join("tab", room, cluster.gateways, { resume: saved });
    await waitUntil("the older tab is told", () => end !== "", { dump: () => cluster.dump() });
    expect(end).toBe("superseded");
    expect(second.room.me).toEqual(seat);
    expect(await second.room.command("put", { token: "second" })).toBe(1);
    await expect(first.room.command("put", { token: "ghost" })).rejects.toThrow();
    expect(second.room.members.size, "nobody was removed or doubled").toBe(1);
  });

  it("SIGKILL of the acting placement replica during a failover: the next one finishes it", async () => {
    const { room } = await people(5);
    const before = await cluster.room(room);
    const epoch = crew.sailors[0]?.room.epoch ?? 0;
    cluster.kill(nameOf(before.owner));
    cluster.kill("placement-1");
    await settled("another owner serves everyone", (s) => s.room.epoch > epoch);
    expect(crew.sailors.map(({ closes }) => closes)).toEqual(Array(5).fill(0));
    await nothingLost(room);
    await cluster.restart("placement-1");
    await cluster.restart(nameOf(before.owner));
  });

  it("SIGKILL of one of three nats-servers: nothing is lost, no socket closes", async () => {
    const { room } = await people(10);
    const acked = (): number => crew.sailors.reduce((sum, s) => sum + s.acked.size, 0);
    for (const server of cluster.nats.servers) {
      await server.kill();
      const now = acked();
      await waitUntil("commands are acknowledged again", () => acked() > now + 50, {
        timeoutMs: 30_000,
        dump: () => `${crew.describe()}\n${cluster.dump()}`,
      });
      await server.restart();
      await server.healthy();
    }
    expect(crew.sailors.map(({ closes }) => closes)).toEqual(Array(10).fill(0));
    await nothingLost(room);
  }, 120_000);
});
