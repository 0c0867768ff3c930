import { Packr } from "msgpackr";
import { Sender, WebSocket } from "ws";
import { FIELDS } from "./steps.mjs";

export const packr = new Packr({ useRecords: false });
/** Rows for somebody who waits with this much unsent are skipped: a later row replaces them. */
const PENDING_BYTES_MAX = 16 * 1024;
const SEND = { binary: true, compress: false };
/** Frames a message once for all, past the public API of `ws`; Socket.IO does so too. */
const PREFRAMED = process.argv.includes("--preframed");
const FRAME = { fin: true, opcode: 2, mask: false, readOnly: true, rsv1: false };
const frames = new WeakMap();

function framed(message) {
  let frame = frames.get(message);
  if (!frame) {
    frame = Buffer.concat(Sender.frame(message, FRAME));
    frames.set(message, frame);
  }
  return frame;
}

/**
 * One room: the last pose of everybody in one array, and one encoded message a tick for all. A
 * message is `[rows, left]`: rows in a flat list, each an id and the pose, of those who moved.
 */
export class WsRoom {
  members = new Map();
  poses = new Int32Array(64 * FIELDS);
  /** Ids of those who moved since the last tick. */
  moved = new Set();
  #left = [];
  #free = [];
  #next = 0;

  join(socket) {
    const id = this.#free.pop() ?? this.#next++;
    if ((id + 1) * FIELDS > this.poses.length) {
      const larger = new Int32Array(this.poses.length * 2);
      larger.set(this.poses);
      this.poses = larger;
    }
    const member = { id, socket, placed: false };
    this.members.set(id, member);
    const others = [...this.members.values()].filter((other) => other.placed);
    socket.send(packr.pack([id, this.rowsOf(others.map((other) => other.id))]), SEND);
    return member;
  }

  leave(member) {
    this.members.delete(member.id);
    this.moved.delete(member.id);
    this.#free.push(member.id);
    this.#left.push(member.id);
  }

  /** `pose` has been checked. */
  place(member, pose) {
    this.poses.set(pose, member.id * FIELDS);
    member.placed = true;
    this.moved.add(member.id);
  }

  rowsOf(ids) {
    const rows = new Array(ids.length * (FIELDS + 1));
    let at = 0;
    for (const id of ids) {
      rows[at++] = id;
      for (let i = id * FIELDS; i < (id + 1) * FIELDS; i++) rows[at++] = this.poses[i];
    }
    return rows;
  }

  tick() {
    if (this.moved.size === 0 && this.#left.length === 0) return;
    this.tell(this.#left);
    this.moved.clear();
    this.#left = [];
  }

  tell(left) {
    const message = packr.pack([this.rowsOf([...this.moved]), left]);
    for (const { socket } of this.members.values()) this.write(socket, message);
  }

  write(socket, message) {
    if (socket.readyState !== WebSocket.OPEN) return;
    if (socket.bufferedAmount > PENDING_BYTES_MAX) return;
    if (PREFRAMED) socket._socket.write(framed(message));
    else socket.send(message, SEND);
  }
}
