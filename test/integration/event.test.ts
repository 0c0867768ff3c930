import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConcertState } from "../../actors/worlds/concert.ts";
import { type Client, connect } from "../../src/client/client.ts";
import type { Room } from "../../src/client/room.ts";
import { Cluster } from "../support/cluster.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { waitUntil } from "../support/wait-until.ts";

const WORLDS = fileURLToPath(new URL("../../src/roles/demo-worlds.ts", import.meta.url));
const EVENT = "/v1/events/demo/gala";
const PROFILE = { name: "somebody", color: 0x88aaff, model: "capsule" };

interface EventView {
  readonly owner: string;
  readonly epoch: number;
  readonly event: string;
  readonly immovable: boolean;
  readonly phase: string;
  readonly spec: object;
  readonly announcement: object;
  readonly bans: number;
  readonly mutes: number;
  readonly sessions: number;
  readonly shards: readonly { readonly room: string }[];
}

type Nodes = readonly [number, { readonly nodes: readonly { readonly state: string }[] }];

/** Real processes, with what an operator says in HTTP and people in rooms as clients. */
describe.skipIf(withoutNats)("an event", () => {
  let cluster: Cluster;
  const clients: Client[] = [];
  let closes = 0;

  beforeAll(async () => {
    const node = [`node.worlds=${JSON.stringify([WORLDS])}`];
    const shape = { nats: 1, placements: 2, nodes: 3, gateways: 1 } as const;
    cluster = await Cluster.start({ ...shape, set: { node } });
  }, 60_000);
  afterAll(async () => {
    for (const client of clients) client.close();
    await cluster?.close();
  });

  async function ask(method: string, path: string, body?: object, replica = cluster.control) {
    const headers = { "content-type": "application/json" };
    const init = body ? { method, headers, body: JSON.stringify(body) } : { method };
    const answer = await fetch(replica + path, init);
    return [answer.status, await answer.json()] as const;
  }

  const view = async (): Promise<EventView> => (await ask("GET", EVENT))[1] as EventView;

  async function join<S extends object>(person: string, room: string, role: string) {
    const client = await connect({
      urls: cluster.gateways,
      token: (gateway) => cluster.token(gateway, person, role),
      agent: "event-test",
      onConnection: (state) => {
        if (state === "reconnecting") closes++;
      },
    });
    clients.push(client);
    return client.join<S>(room, { profile: PROFILE });
  }

  const settled = (what: string, done: () => boolean | Promise<boolean>) =>
    waitUntil(what, done, { timeoutMs: 20_000, dump: () => cluster.dump() });

  /** What the next owner of the stage must know. */
  async function opened(): Promise<{ stage: Room<ConcertState>; seat: Room<object> }> {
    const other = `http://127.0.0.1:${cluster.member("placement-2").port}`;
    for (const replica of [cluster.control, other])
      await settled("both replicas know all nodes", async () => {
        const [, { nodes }] = (await ask("GET", "/v1/nodes", undefined, replica)) as Nodes;
        return nodes.filter(({ state }) => state === "alive").length === 3;
      });
    const spec = { capacity: 40, shardSize: 1, endsAt: "2999-01-01T00:00:00Z" };
    const body = { event: "demo/gala", world: "concert", ...spec, immovable: true };
    expect(await ask("POST", "/v1/events", body), cluster.dump()).toMatchObject([
      201,
      { shards: [] },
    ]);
    expect(await ask("POST", "/v1/events", body, other)).toMatchObject([200, {}]);
    expect(await ask("POST", `${EVENT}/phase`, { phase: "doors_open" })).toMatchObject([200, {}]);
    expect(await ask("POST", `${EVENT}/announce`, { text: "Welcome" })).toMatchObject([
      200,
      { n: 1 },
    ]);
    expect(await ask("POST", `${EVENT}/ban`, { person: "eve" })).toMatchObject([200, {}]);
    const stage = await join<ConcertState>("ada", "gala", "performer");
    await stage.command("start", null);
    await stage.command("set", { name: "First" });
    const seat = await join<object>("fan", "event/gala", "audience");
    expect(await seat.command("say", { text: "hello" })).toEqual({ n: 1 });
    await join("friend", "event/gala", "audience");
    return { stage, seat };
  }

  it("[CO37] [CO39] [EV4] [PL76] keeps all that was said of it when its stage's owner dies", async () => {
    const { stage, seat } = await opened();
    await settled("placement has heard who sits where", async () => (await view()).sessions === 2);
    const before = await view();
    expect(before).toMatchObject({
      ...{ phase: "doors_open", bans: 1, announcement: { n: 1, text: "Welcome" } },
      spec: { capacity: 40, shardSize: 1, endsAt: "2999-01-01T00:00:00.000Z" },
    });
    // The event keeps more of them warm than have people.
    expect(before.shards.slice(0, 2)).toMatchObject([
      { room: "demo/gala--0", sessions: 1 },
      { room: "demo/gala--1", sessions: 1 },
    ]);
    cluster.kill(before.owner);
    await settled("the performers are served by the next owner", () => stage.epoch > before.epoch);
    const after = await view();
    expect(after.owner).not.toBe(before.owner);
    const { event, phase, spec, announcement, bans, mutes, immovable } = before;
    expect(after).toMatchObject({ event, phase, spec, announcement, bans, mutes, immovable });
    expect(stage.state).toMatchObject({ cues: 1, set: { n: 1, name: "First" } });
    expect(await stage.command("set", { name: "Second" })).toMatchObject({ n: 2 });
    expect(await seat.command("say", { text: "still here" })).toEqual({ n: 2 });
    expect(await ask("POST", `${EVENT}/phase`, { phase: "live" })).toMatchObject([200, {}]);
    const back = await ask("POST", `${EVENT}/phase`, { phase: "doors_open" });
    expect(back).toMatchObject([
      409,
      { error: { code: "phase_is_over", message: expect.stringContaining("forward") } },
    ]);
    expect(await ask("DELETE", `${EVENT}/bans/eve`)).toMatchObject([200, {}]);
    expect(await view()).toMatchObject({ phase: "live", bans: 0 });
    const late = await join<object>("late", "event/gala", "audience");
    expect(await late.command("say", { text: "seated" })).toMatchObject({ n: expect.any(Number) });
    await settled("three sit in its shards", async () => (await view()).sessions === 3);
    expect(await ask("POST", `${EVENT}/mute`, { person: "eve" })).toMatchObject([200, {}]);
    await stage.command("set", { name: "Third" });
    await settled("its record is there", () => stage.state.set?.name === "Third");
    expect(JSON.stringify(stage.state), "[GW76] of persons nothing is told").not.toContain('"eve"');
    expect(closes).toBe(0);

    const shardsClosed = (await view()).shards.length;
    expect(shardsClosed).toBeGreaterThanOrEqual(3);
    expect(await ask("DELETE", EVENT)).toMatchObject([200, { status: "closed", shardsClosed }]);
    await settled("everybody is told that it is over", () => stage.ended && seat.ended);
    await expect(join("later", "gala--2", "audience")).rejects.toMatchObject({
      code: "room_closed",
    });
    expect(await ask("DELETE", EVENT)).toMatchObject([200, { shardsClosed: 0 }]);
    expect(await view()).toMatchObject({ status: "closed", phase: "closed" });
  }, 120_000);
});
