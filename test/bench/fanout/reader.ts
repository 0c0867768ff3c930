import { SUBPROTOCOL } from "../../../src/protocol/client-messages.ts";
import { LightSocket } from "../density/light-socket.ts";

/** Drains connections and counts: `{port, connections}` opens them, "count" tells the frames. */
const sockets: LightSocket[] = [];
let frames = 0;
let lost = 0;

function open(port: number): Promise<void> {
  return new Promise((resolve) => {
    const handler = {
      opened: () => resolve(),
      message: () => {
        frames++;
      },
      closed: () => {
        lost++;
      },
    };
    const asked = { path: "/", subprotocol: SUBPROTOCOL };
    sockets.push(new LightSocket({ host: "127.0.0.1", port }, asked, handler));
  });
}

process.on("message", async (asked: { port: number; connections: number } | "count") => {
  if (asked !== "count")
    // One after the other: the floor takes them in turn.
    for (let i = 0; i < asked.connections; i++) await open(asked.port);
  process.send?.({ frames, lost });
});
process.on("disconnect", () => process.exit(0));
