import { defineRoom } from "../../../actors/room/define-room.ts";

/** People who stand about, told so as seldom as a room can. */
export const still = defineRoom({
  name: "still",
  version: 1,
  tickHz: 5,
  capacity: 600,
  state: () => ({}),
  commands: {},
});

export default [still];
