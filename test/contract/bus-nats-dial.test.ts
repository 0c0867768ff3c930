import { once } from "node:events";
import net from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openNats } from "../../src/bus/nats-connection.ts";
import { NATS_LIMITS } from "../../src/bus/nats-options.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { systemRandom } from "../../src/kernel/random.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { TcpProxy } from "../chaos/proxy.ts";
import { startNats, type TestNats, withoutNats } from "../support/nats-servers.ts";
import { waitUntil } from "../support/wait-until.ts";

interface Connections {
  readonly connections: readonly { readonly name?: string }[];
}

describe.skipIf(withoutNats)("a server that nobody reaches for a while", () => {
  let nats: TestNats;
  let ports: { readonly client: number; readonly http: number };
  let proxy: TcpProxy;

  beforeAll(async () => {
    nats = await startNats({ servers: 1 });
    ports = (nats.servers[0] as (typeof nats.servers)[number]).ports;
    proxy = await TcpProxy.listen({ host: "127.0.0.1", port: ports.client });
  });
  afterAll(async () => {
    await proxy.close();
    await nats.close();
  });

  it("[BU40] is dialled anew, and leaves one connection, told once", async () => {
    const servers = [`nats://127.0.0.1:${proxy.port}`];
    const target = { ...nats.credentials["gateway-data"], servers, name: "dialler", label: "data" };
    // Several dials in vain for each second of the cut.
    const limits = { ...NATS_LIMITS, dialMsMax: 300 };
    const runtime = { clock: systemClock, random: systemRandom, observer: silentObserver };
    const opened = await openNats(target, runtime, limits);
    if (!opened.ok) throw new Error(opened.error.detail);
    const client = opened.value;
    const changes: boolean[] = [];
    client.onConnection((connected) => changes.push(connected));
    const acceptedBefore = proxy.accepted;
    proxy.set({ kind: "cut" });
    const dump = () => ({ changes, accepted: proxy.accepted, links: proxy.links });
    const inVain = () => proxy.accepted >= acceptedBefore + 4;
    await waitUntil("four dials in vain", inVain, { timeoutMs: 20_000, dump });
    proxy.set({ kind: "open" });
    await waitUntil("the connection", () => client.connected, { timeoutMs: 10_000, dump });
    // It says nothing and is closed in the end, as any dial would be that was left alone.
    const mute = net.connect(ports.client, "127.0.0.1").resume();
    await once(mute, "close");
    expect(changes, JSON.stringify(dump())).toEqual([false, true]);
    const listed = (await (
      await fetch(`http://127.0.0.1:${ports.http}/connz`)
    ).json()) as Connections;
    expect(listed.connections.filter(({ name }) => name === "dialler")).toHaveLength(1);
    await client.close();
  });
});
