import { defineEvent } from "../../actors/event/define-event.ts";
import { newChat, say } from "../../actors/worlds/chat.ts";

/** Of an audience that is told so often a second. */
const rates = [1, 2, 5, 10] as const;

/** Events of the name `gala-<hz>`: a stage at 20 Hz, and shards that tick more rarely. */
export default rates.flatMap((tickHz) =>
  defineEvent({
    name: `gala-${tickHz}`,
    version: 1,
    reactions: ["clap"],
    stage: { capacity: 64, state: () => ({}), commands: {} },
    shard: { tickHz, capacity: 250, state: newChat, commands: { say } },
  }),
);
