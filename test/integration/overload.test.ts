import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tokensOf } from "../../src/load/dense/tokens.ts";
import { Cluster, SECRET } from "../support/cluster.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { PacedClient } from "../support/paced-client.ts";
import { waitUntil } from "../support/wait-until.ts";

const NODE = "node-1";
const GATEWAY = "gateway-1";
/** Of a command that holds the node's loop. */
const STALL_MS = 80;
const EVERY_MS = 100;
const PING_MS = 4_000;
const TICK_MS = 100;

/** A real process whose loop really has no time left: only there its measures can be wrong. */
describe.skipIf(withoutNats)("a node whose loop is full", () => {
  let cluster: Cluster;
  let timer: NodeJS.Timeout;
  const clients: PacedClient[] = [];
  let stalling = false;

  beforeAll(async () => {
    cluster = await Cluster.start({ nats: 1, placements: 1, nodes: 1, gateways: 1 });
    timer = setInterval(() => step(), EVERY_MS);
  }, 60_000);
  afterAll(async () => {
    clearInterval(timer);
    for (const client of clients) client.destroy();
    await cluster?.close();
  });

  const seqs = new Map<PacedClient, number>();
  const pinged = new Map<PacedClient, number>();
  function step(): void {
    const now = performance.now();
    for (const client of clients) {
      if (!client.isIn) continue;
      if (now - (pinged.get(client) ?? 0) >= PING_MS) {
        pinged.set(client, now);
        client.ping();
      }
      // As many a second as a connection may send; those beyond a room's mailbox are told `busy`.
      if (!stalling || !client.person.startsWith("staller")) continue;
      const seq = (seqs.get(client) ?? 0) + 1;
      seqs.set(client, seq);
      client.command(seq, "stall", { ms: STALL_MS });
    }
  }

  const tokens = tokensOf({ kind: "secret", secret: SECRET }, "demo");
  async function enter(person: string, room: string): Promise<PacedClient> {
    const [url = ""] = cluster.gateways;
    const client = new PacedClient(url, room, { person, token: await tokens(person) });
    clients.push(client);
    await waitUntil(`${person} is in`, () => client.isIn, {
      timeoutMs: 20_000,
      dump: () => cluster.dump(),
    });
    return client;
  }

  const stretch = (): Promise<number> => cluster.metric(NODE, "roomcluster_stretch");
  const until = (what: string, condition: () => Promise<boolean>, timeoutMs = 60_000) =>
    waitUntil(what, condition, { timeoutMs, pollMs: 100, dump: () => cluster.dump() });

  it("[RG9] lets its rooms tick more rarely, drops nobody, and comes back", async () => {
    for (const room of ["bystanders", "stalled"]) await cluster.createRoom(room);
    const ann = await enter("ann", "bystanders");
    for (let n = 0; n < 4; n++) await enter(`staller-${n}`, "stalled");
    await until("the node has had a calm start", async () => (await stretch()) === 1, 120_000);
    stalling = true;
    await until("its ticks are stretched to the bound", async () => (await stretch()) === 4);
    const views = await cluster.get<{ nodes: { name: string; stretch: number }[] }>("/v1/nodes");
    expect(views.nodes.find(({ name }) => name === NODE)?.stretch).toBeGreaterThan(1);

    /** Room time between two ticks, over some frames. */
    const [first, from] = [{ tick: 0, at: 0 }, ann.frames];
    let tickMs = 0;
    ann.onFrame = (tick, at) => {
      if (first.tick === 0) Object.assign(first, { tick, at });
      else tickMs = (at - first.at) / (tick - first.tick);
    };
    await until("ann was sent some more frames", async () => ann.frames > from + 8);
    expect(tickMs).toBeGreaterThan(2 * TICK_MS);
    expect(await cluster.metric(GATEWAY, "roomcluster_gateway_closes_total")).toBe(0);
    expect(clients.flatMap(({ gone, wrong }) => [gone, ...wrong]).filter(Boolean)).toEqual([]);

    stalling = false;
    await until("its rooms tick faster again", async () => (await stretch()) < 4, 120_000);
    expect(clients.filter(({ gone }) => gone !== undefined)).toEqual([]);
  }, 400_000);
});
