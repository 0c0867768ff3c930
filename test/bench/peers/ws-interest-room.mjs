import { NO_CELL, nextCell } from "../../../dist/gateway/cells.js";
import { GATEWAY_DEFAULTS } from "../../../dist/gateway/config.js";
import { Interest } from "../../../dist/gateway/interest.js";
import { FIELDS } from "./steps.mjs";
import { packr, WsRoom } from "./ws-room.mjs";

const WORDS = 4;

/**
 * A room that does not tell everybody everything: whom people are shown is decided by the product's
 * own code, as built, from its own settings; a message is shared by all of one view cell.
 */
export class WsInterestRoom extends WsRoom {
  /** What that code looks at: ids as slots, and of rows only where people are. */
  #replica = {
    tickHz: 10,
    rows: new Uint32Array(64 * WORDS),
    slots: [],
    members: this.members,
    performers: [],
    hasRow: () => true,
  };
  #interest = new Interest(this.#replica, GATEWAY_DEFAULTS);

  leave(member) {
    super.leave(member);
    this.#replica.slots = this.#replica.slots.filter((id) => id !== member.id);
  }

  place(member, pose) {
    const { id } = member;
    if (!member.placed) this.#admit(id);
    super.place(member, pose);
    const { rows } = this.#replica;
    rows[id * WORDS + 1] = pose[0] & 0xffffff;
    rows[id * WORDS + 2] = pose[2] & 0xffffff;
  }

  #admit(id) {
    const replica = this.#replica;
    replica.slots = [...replica.slots, id].sort((a, b) => a - b);
    if ((id + 1) * WORDS > replica.rows.length) {
      const larger = new Uint32Array(replica.rows.length * 2);
      larger.set(replica.rows);
      replica.rows = larger;
    }
    replica.rows[id * WORDS] = id;
  }

  tell(left) {
    const moved = [...this.moved];
    this.#interest.begin(moved, moved);
    if (!this.#interest.crowded) return super.tell(left);
    const messages = new Map();
    for (const member of this.members.values()) {
      const cell = this.#look(member);
      let message = messages.get(cell);
      if (!message) {
        message = packr.pack([this.rowsOf(this.#idsFor(cell)), left]);
        messages.set(cell, message);
      }
      this.write(member.socket, message);
    }
  }

  #look(member) {
    const { cellHysteresisM } = GATEWAY_DEFAULTS;
    const at = member.id * FIELDS;
    const [x, z] = [this.poses[at] / 1000, this.poses[at + 2] / 1000];
    member.cell = nextCell(member.cell ?? NO_CELL, x, z, cellHysteresisM);
    return member.cell;
  }

  #idsFor(cell) {
    const { words, count } = this.#interest.pick(cell, 0);
    return Array.from({ length: count }, (_, i) => words[i * WORDS] & 0xffff);
  }
}
