import { defineEvent } from "../../actors/event/define-event.ts";
import { newChat, say } from "../../actors/worlds/chat.ts";

/** Of an audience that is told so often a second. */
const rates = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10] as const;

/** Events of the name `gala-<hz>` (0.2: `gala-0-2`): a stage at 20 Hz, and shards below that. */
export default rates.flatMap((tickHz) =>
  defineEvent({
    name: `gala-${String(tickHz).replace(".", "-")}`,
    version: 1,
    reactions: ["clap"],
    stage: { capacity: 64, state: () => ({}), commands: {} },
    shard: { tickHz, capacity: 250, state: newChat, commands: { say } },
  }),
);
