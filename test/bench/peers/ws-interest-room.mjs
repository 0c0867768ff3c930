import { FIELDS } from "./steps.mjs";
import { packr, WsRoom } from "./ws-room.mjs";

/** These are the product's: see gateway/row-picker.ts and gateway/config.ts. */
const ROWS_MAX = 96;
const TICK_HZ = 10;
const CELL_M = 16;
const HYSTERESIS_M = 2;

const centre = (cell) => (cell + 0.5) * CELL_M;

/**
 * A room that does not tell everybody everything: as in the product's gateway, people of one cell
 * share a message with everybody's row in turn, once a second, and those who moved nearest to it.
 */
export class WsInterestRoom extends WsRoom {
  #lastInTurn = -1;

  tell(left) {
    const placed = [...this.members.values()].filter(({ placed }) => placed);
    if (placed.length <= ROWS_MAX) return super.tell(left);
    const turn = this.#turnOf(placed);
    const near = Math.max(ROWS_MAX - turn.length, ROWS_MAX >> 2);
    const byCell = this.#movedByCell();
    const messages = new Map();
    for (const member of this.members.values()) {
      const cell = this.#look(member);
      const key = `${cell.x}/${cell.z}`;
      let message = messages.get(key);
      if (!message) {
        message = packr.pack([this.rowsOf(choose(turn, near, byCell, cell)), left]);
        messages.set(key, message);
      }
      this.write(member.socket, message);
    }
  }

  #turnOf(placed) {
    const ids = placed.map(({ id }) => id).sort((a, b) => a - b);
    const share = Math.ceil(ids.length / TICK_HZ);
    const from = Math.max(
      ids.findIndex((id) => id > this.#lastInTurn),
      0,
    );
    const turn = Array.from({ length: share }, (_, i) => ids[(from + i) % ids.length]);
    this.#lastInTurn = turn[share - 1];
    return turn;
  }

  /** Everybody who moved, by cell. */
  #movedByCell() {
    const byCell = new Map();
    for (const id of this.moved) {
      const x = Math.floor(this.poses[id * FIELDS] / 1000 / CELL_M);
      const z = Math.floor(this.poses[id * FIELDS + 2] / 1000 / CELL_M);
      const key = `${x}/${z}`;
      const cell = byCell.get(key);
      if (cell) cell.ids.push(id);
      else byCell.set(key, { x, z, ids: [id] });
    }
    return [...byCell.values()];
  }

  /** A member keeps its cell until it is well outside of it. */
  #look(member) {
    const x = this.poses[member.id * FIELDS] / 1000;
    const z = this.poses[member.id * FIELDS + 2] / 1000;
    const { cell } = member;
    const reach = CELL_M / 2 + HYSTERESIS_M;
    if (cell && Math.abs(x - centre(cell.x)) <= reach && Math.abs(z - centre(cell.z)) <= reach)
      return cell;
    member.cell = { x: Math.floor(x / CELL_M), z: Math.floor(z / CELL_M) };
    return member.cell;
  }
}

function choose(turn, nearMax, byCell, from) {
  const ids = [...turn];
  const chosen = new Set(turn);
  const distance = (cell) => (cell.x - from.x) ** 2 + (cell.z - from.z) ** 2;
  let left = nearMax;
  for (const cell of byCell.toSorted((a, b) => distance(a) - distance(b)))
    for (const id of cell.ids) {
      if (chosen.has(id)) continue;
      if (left-- === 0) return ids;
      ids.push(id);
    }
  return ids;
}
