import { pack, unpack } from "msgpackr";
import { eachRow, listOf } from "./steps.mjs";

export const dialect = {
  dial: async (_base, { room }) => new WsTalk(`/r${room}`),
};

class WsTalk {
  joined = false;
  constructor(path) {
    this.path = path;
  }
  opened() {
    return [];
  }
  /** The first message tells one's id and who is there; all others are updates. */
  hear() {
    if (this.joined) return "update";
    this.joined = true;
    return "other";
  }
  pose(steps) {
    return pack(listOf(steps));
  }
  decode(payload, row) {
    eachRow(unpack(payload)[0], row);
  }
}
