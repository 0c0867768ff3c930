import { Reflection, decode as read } from "@colyseus/schema";
import { POSE_BYTES, POSE_MESSAGE } from "./colyseus-state.mjs";

/** Of @colyseus/shared-types. */
const PROTOCOL = { joinRoom: 10, error: 11, state: 14, patch: 15, bytes: 17 };

/** A seat by HTTP, then the socket of the room, as the SDK of Colyseus does it. */
export const dialect = {
  async dial(base, { room }) {
    const response = await fetch(`${base}/matchmake/joinOrCreate/pose`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ hall: room }),
    });
    const seat = await response.json();
    if (!response.ok || seat.error) throw new Error(`no seat: ${JSON.stringify(seat)}`);
    const { processId, roomId, sessionId } = seat.room ? { ...seat, ...seat.room } : seat;
    return new ColyseusTalk(`/${processId}/${roomId}?sessionId=${sessionId}`);
  },
};

class ColyseusTalk {
  joined = false;
  /** Kept for who decodes: what the state is made of, and its first image. */
  #handshake;
  #first;
  #decoder;

  constructor(path) {
    this.path = path;
  }

  opened() {
    return [];
  }

  hear(_text, payload, replies) {
    const kind = payload[0];
    if (kind === PROTOCOL.patch) return "update";
    if (kind === PROTOCOL.joinRoom) {
      this.#handshake = Buffer.from(payload);
      replies.push(Buffer.from([PROTOCOL.joinRoom]));
    } else if (kind === PROTOCOL.state) {
      this.#first = Buffer.from(payload);
      this.joined = true;
    } else if (kind === PROTOCOL.error) throw new Error(`Colyseus refused: ${payload.toString()}`);
    return "other";
  }

  pose({ x, y, z, yaw, pitch, reach, animation }) {
    const message = Buffer.allocUnsafe(2 + POSE_BYTES);
    message[0] = PROTOCOL.bytes;
    message[1] = POSE_MESSAGE;
    message.writeInt32LE(x, 2);
    message.writeInt32LE(z, 6);
    message.writeUInt16LE(y, 10);
    message.writeUInt16LE(reach, 12);
    message[14] = yaw;
    message.writeInt8(pitch, 15);
    message[16] = animation;
    return message;
  }

  decode(payload, row) {
    if (!this.#decoder) {
      this.#decoder = decoderOf(this.#handshake);
      this.#decoder.decode(this.#first, { offset: 1 });
    }
    this.#decoder.decode(payload, { offset: 1 });
    // Who did not move is told again; whoever counts what is new sees that it is not.
    this.#decoder.state.players.forEach((player, session) => {
      row(session, player);
    });
  }
}

function decoderOf(handshake) {
  const it = { offset: 1 };
  // The token to come back with, and the serializer's name: each with its length before it.
  for (let i = 0; i < 2; i++) it.offset += handshake[it.offset] + 1;
  const length = read.number(handshake, it);
  return Reflection.decode(handshake.subarray(it.offset, it.offset + length));
}
