import { Unpackr } from "msgpackr";
import { WebSocketServer } from "ws";
import { ready } from "./ready.mjs";
import { isPose } from "./steps.mjs";
import { everyTick } from "./ticker.mjs";
import { WsInterestRoom } from "./ws-interest-room.mjs";
import { WsRoom } from "./ws-room.mjs";

/**
 * Rooms by hand on `ws` and msgpack, with the public API of `ws` and its documented options.
 * `--interest`: with the product's interest sets.
 */
const Room = process.argv.includes("--interest") ? WsInterestRoom : WsRoom;
const TICK_MS = 100;
const unpackr = new Unpackr({ useRecords: false });
const rooms = new Map();

function roomOf(name) {
  let room = rooms.get(name);
  if (room) return room;
  room = new Room();
  rooms.set(name, room);
  // Rooms tick at phases of their own, or all would want the process at once.
  everyTick(TICK_MS, (rooms.size * 37) % TICK_MS, () => room.tick());
  return room;
}

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  backlog: 511,
  perMessageDeflate: false,
  clientTracking: false,
  skipUTF8Validation: true,
  maxPayload: 1024,
});
server.on("connection", (socket, request) => {
  const room = roomOf(request.url);
  const member = room.join(socket);
  socket.on("message", (data) => {
    let pose;
    try {
      pose = unpackr.unpack(data);
    } catch {
      pose = undefined;
    }
    if (isPose(pose)) room.place(member, pose);
    else socket.close(1008);
  });
  socket.on("error", () => socket.terminate());
  socket.on("close", () => room.leave(member));
});
server.on("listening", () => ready(server.address().port));
