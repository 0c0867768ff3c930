/** What authors of worlds import as `roomcluster`. */
export type { Ban } from "../src/protocol/event-public.ts";
export { defineEvent, type EventDefinition, type StageDefinition } from "./event/define-event.ts";
export type { EventState } from "./event/event-state.ts";
export {
  CAPACITY_MAX,
  type Command,
  defineRoom,
  isRefusal,
  type Pose,
  type Refusal,
  type Room,
  type RoomDefinition,
  refuse,
  type Schema,
  type Who,
  type World,
} from "./room/define-room.ts";
