import { createServer } from "node:http";
import { Room, Server } from "@colyseus/core";
import { Encoder } from "@colyseus/schema";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { Player, POSE_BYTES, POSE_MESSAGE, PoseState } from "./colyseus-state.mjs";
import { ready } from "./ready.mjs";

/**
 * Rooms on Colyseus: schema state, patches 10 times a second, poses as bytes (`sendBytes`), which
 * is the cheapest message it has. The state of 500 fits into the encoder's buffer.
 */
Encoder.BUFFER_SIZE = 64 * 1024;

class PoseRoom extends Room {
  maxClients = 600;
  patchRate = 100;
  state = new PoseState();

  onCreate() {
    this.onMessageBytes(POSE_MESSAGE, (client, bytes) => {
      const { player } = client.userData;
      if (bytes.length !== POSE_BYTES) return client.leave();
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      player.x = view.getInt32(0, true);
      player.z = view.getInt32(4, true);
      player.y = view.getUint16(8, true);
      player.reach = view.getUint16(10, true);
      player.yaw = bytes[12];
      player.pitch = view.getInt8(13);
      player.animation = bytes[14];
    });
  }

  onJoin(client) {
    const player = new Player();
    client.userData = { player };
    this.state.players.set(client.sessionId, player);
  }

  onLeave(client) {
    this.state.players.delete(client.sessionId);
  }
}

const http = createServer();
const server = new Server({ transport: new WebSocketTransport({ server: http }), greet: false });
server.define("pose", PoseRoom).filterBy(["hall"]);
await server.listen(0, "127.0.0.1");
ready(http.address().port);
