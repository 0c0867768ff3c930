import type { AddressInfo } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { WriterTalk } from "./writer.ts";

/** `ws.send` of one shared buffer, as a careful server does it. Takes CONNECTIONS and BYTES. */
const [connections = 0, bytes = 0] = process.argv.slice(2).map(Number);
const PENDING_BYTES_MAX = 4 * 1024;
const sockets: WebSocket[] = [];
const talk = new WriterTalk(connections);
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  perMessageDeflate: false,
  clientTracking: false,
  skipUTF8Validation: true,
});
server.on("connection", (socket) => {
  sockets.push(socket);
  talk.entered(sockets.length);
});
server.on("listening", () => talk.listening((server.address() as AddressInfo).port));
talk.serve(() => {
  let failed = 0;
  const payload = Buffer.alloc(bytes);
  for (const socket of sockets) {
    if (socket.readyState === WebSocket.OPEN && socket.bufferedAmount <= PENDING_BYTES_MAX)
      socket.send(payload);
    else failed++;
  }
  return failed;
});
