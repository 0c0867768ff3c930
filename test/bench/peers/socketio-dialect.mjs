import msgpackParser from "socket.io-msgpack-parser";
import { eachRow, listOf } from "./steps.mjs";

/** Socket.IO's protocol with its msgpack parser. Engine.IO's own packets stay text. */
export const dialect = {
  dial: async (_base, { room }) => new SocketIoTalk(room),
};

const encoder = new msgpackParser.Encoder();
const encode = (packet) => encoder.encode({ nsp: "/", ...packet })[0];

function decoded(payload) {
  let packet;
  const decoder = new msgpackParser.Decoder();
  decoder.on("decoded", (found) => {
    packet = found;
  });
  // The parser hands out views of what it is given.
  decoder.add(Buffer.from(payload));
  return packet;
}

class SocketIoTalk {
  path = "/socket.io/?EIO=4&transport=websocket";
  joined = false;
  #room;

  constructor(room) {
    this.#room = room;
  }

  opened() {
    return [];
  }

  hear(text, payload, replies) {
    if (text) {
      if (payload[0] === 0x30) replies.push(encode({ type: 0, data: { room: `r${this.#room}` } }));
      else if (payload[0] === 0x32) replies.push("3");
      return "other";
    }
    if (this.joined) return "update";
    this.joined = decoded(payload).type === 0;
    return "other";
  }

  pose(steps) {
    return encode({ type: 2, data: ["p", ...listOf(steps)] });
  }

  decode(payload, row) {
    const { data } = decoded(payload);
    if (data[0] === "s") eachRow(data[1], row);
  }
}
