import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { browserTransport } from "../../src/client/browser-transport.ts";
import { loadNodeTransport } from "../../src/client/node-transport.ts";
import type { Transport, TransportSocket } from "../../src/client/transport.ts";
import { waitUntil } from "../support/wait-until.ts";

let server: WebSocketServer;
let url: string;

beforeEach(async () => {
  server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  for (const socket of server.clients) socket.terminate();
  await new Promise((resolve) => server.close(resolve));
});

function open(transport: Transport, to: string) {
  const log: unknown[] = [];
  const socket: TransportSocket = transport.open(to, "roomcluster", {
    open: () => log.push("open"),
    message: (data) => log.push([...data]),
    close: (code, reason) => log.push({ code, reason }),
  });
  return { log, socket };
}

// `ws` implements the browser's interface too, so the other transport meets a real socket.
const transports: [string, () => Promise<Transport>][] = [
  ["node", loadNodeTransport],
  [
    "browser",
    async () => {
      Object.assign(globalThis, { WebSocket: globalThis.WebSocket ?? WebSocket });
      return browserTransport;
    },
  ],
];

describe.each(transports)("%s transport", (_, load) => {
  test("[CL44] carries binary both ways in order, with the subprotocol", async () => {
    server.on("connection", (peer) => {
      expect(peer.protocol).toBe("roomcluster");
      peer.on("message", (data) => peer.send(data));
    });
    const { log, socket } = open(await load(), url);
    await waitUntil("the socket to open", () => log.length === 1);
    for (const byte of [1, 2, 3]) socket.send(Uint8Array.of(byte, byte));
    await waitUntil("three echoes", () => log.length === 4, { dump: () => log });
    expect(log).toEqual(["open", [1, 1], [2, 2], [3, 3]]);
    expect(socket.bufferedBytes).toBe(0);
    socket.close(1000, "bye");
    await waitUntil("the close", () => log.length === 5, { dump: () => log });
    expect(log[4]).toMatchObject({ code: 1000 });
    socket.send(Uint8Array.of(9));
  });

  test("[CL44] tells the server's close code, and text as an empty payload", async () => {
    server.on("connection", (peer) => {
      peer.send("text");
      peer.close(4001, "full");
    });
    const { log } = open(await load(), url);
    await waitUntil("the close", () => log.length === 3, { dump: () => log });
    expect(log).toEqual(["open", [], { code: 4001, reason: "full" }]);
  });

  test("[CL44] a port without a server and an impossible url close as 1006", async () => {
    const transport = await load();
    const dead = url;
    await new Promise((resolve) => server.close(resolve));
    for (const to of [dead, "nonsense"]) {
      const { log } = open(transport, to);
      await waitUntil(`the failure of ${to}`, () => log.length > 0);
      expect(log).toMatchObject([{ code: 1006 }]);
    }
  });
});
