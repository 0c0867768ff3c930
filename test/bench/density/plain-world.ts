import { defineRoom } from "../../../actors/room/define-room.ts";

/** People who walk about, and nothing else. */
export const plain = defineRoom({
  name: "plain",
  version: 1,
  tickHz: 10,
  capacity: 600,
  state: () => ({}),
  commands: {},
});

export default [plain];
