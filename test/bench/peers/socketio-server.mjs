import { createServer } from "node:http";
import { Server } from "socket.io";
import msgpackParser from "socket.io-msgpack-parser";
import { ready } from "./ready.mjs";
import { FIELDS, isPose } from "./steps.mjs";
import { everyTick } from "./ticker.mjs";

/**
 * Rooms on Socket.IO with what its documentation advises for speed: WebSocket alone, no
 * compression, the msgpack parser, the initial request thrown away, `volatile` for positions,
 * bufferutil beside `ws`. `--text` keeps the default parser.
 */
const TICK_MS = 100;
const http = createServer();
const io = new Server(http, {
  transports: ["websocket"],
  serveClient: false,
  perMessageDeflate: false,
  httpCompression: false,
  ...(process.argv.includes("--text") ? {} : { parser: msgpackParser }),
});
io.engine.on("connection", (rawSocket) => {
  rawSocket.request = null;
});
const rooms = new Map();

/** The poses of those who moved since the last tick, by id. */
class PoseRoom {
  #moved = new Map();
  #free = [];
  #next = 0;

  constructor(name) {
    this.name = name;
  }

  enter() {
    return this.#free.pop() ?? this.#next++;
  }

  leave(id) {
    this.#moved.delete(id);
    this.#free.push(id);
    io.to(this.name).emit("left", id);
  }

  place(id, pose) {
    this.#moved.set(id, pose);
  }

  tick() {
    if (this.#moved.size === 0) return;
    const rows = new Array(this.#moved.size * (FIELDS + 1));
    let at = 0;
    for (const [id, pose] of this.#moved) {
      rows[at++] = id;
      for (let i = 0; i < FIELDS; i++) rows[at++] = pose[i];
    }
    this.#moved.clear();
    io.to(this.name).volatile.emit("s", rows);
  }
}

function roomOf(name) {
  let room = rooms.get(name);
  if (room) return room;
  room = new PoseRoom(name);
  rooms.set(name, room);
  everyTick(TICK_MS, (rooms.size * 37) % TICK_MS, () => room.tick());
  return room;
}

io.on("connection", (socket) => {
  const room = roomOf(String(socket.handshake.auth.room));
  const id = room.enter();
  socket.join(room.name);
  socket.on("p", (...pose) => {
    if (isPose(pose)) room.place(id, pose);
    else socket.disconnect(true);
  });
  socket.on("disconnect", () => room.leave(id));
});
http.listen(0, "127.0.0.1", 511, () => ready(http.address().port));
