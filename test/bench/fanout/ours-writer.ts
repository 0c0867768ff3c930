import { pathToFileURL } from "node:url";
import { GATEWAY_DEFAULTS } from "../../../gateway/config.ts";
import type { ClientSocket } from "../../../gateway/connection.ts";
import { silentObserver } from "../../../src/observe/observer.ts";
import { WriterTalk } from "./writer.ts";

/**
 * The gateway's own sockets, out of what `npm run build` made:
 * `ours-writer.ts CONNECTIONS BYTES DIST fast|public`.
 */
const [connections = 0, bytes = 0] = process.argv.slice(2, 4).map(Number);
const dist = pathToFileURL(`${process.argv[4]}/gateway/`).href;
const { listen }: typeof import("../../../gateway/server.ts") = await import(`${dist}server.js`);
const { preframe }: typeof import("../../../gateway/preframe.ts") = await import(
  `${dist}preframe.js`
);
const config = { ...GATEWAY_DEFAULTS, fastSockets: process.argv[5] === "fast" };
const sockets: ClientSocket[] = [];
const talk = new WriterTalk(connections);
const server = await listen({
  config,
  observer: silentObserver,
  draining: () => false,
  http: () => false,
  accept: (socket) => {
    sockets.push(socket);
    talk.entered(sockets.length);
    return {
      receive: () => undefined,
      pinged: () => true,
      ponged: () => undefined,
      fault: () => undefined,
      closed: () => undefined,
    };
  },
});
talk.listening(server.port);
talk.serve(() => {
  let failed = 0;
  const frame = preframe(Buffer.alloc(bytes));
  // What gateway/connection.ts asks of a socket for each frame.
  for (const socket of sockets) {
    const writable = socket.open && socket.pendingBytes <= config.pendingBytesMax;
    if (writable && socket.open) socket.write(frame);
    else failed++;
  }
  return failed;
});
