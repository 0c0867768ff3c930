import { eachRow, listOf } from "./steps.mjs";

/** Socket.IO's protocol with its default parser: text of Engine.IO packets. */
export const dialect = {
  dial: async (_base, { room }) => new SocketIoTextTalk(room),
};

class SocketIoTextTalk {
  path = "/socket.io/?EIO=4&transport=websocket";
  joined = false;
  #room;

  constructor(room) {
    this.#room = room;
  }

  opened() {
    return [];
  }

  hear(_text, payload, replies) {
    // `42["s",`: a message (4) that is an event (2).
    if (payload[0] === 0x34 && payload[1] === 0x32 && payload[4] === 0x73) return "update";
    const said = payload.toString();
    if (said.startsWith("0")) replies.push(`40${JSON.stringify({ room: `r${this.#room}` })}`);
    else if (said.startsWith("40")) this.joined = true;
    else if (said === "2") replies.push("3");
    else if (!said.startsWith("42")) throw new Error(`Socket.IO said ${said}`);
    return "other";
  }

  pose(steps) {
    return `42["p",${listOf(steps).join(",")}]`;
  }

  decode(payload, row) {
    eachRow(JSON.parse(payload.toString("latin1", 2))[1], row);
  }
}
