import { unreachable } from "../src/kernel/assert.ts";
import type { FromRoom } from "../src/protocol/room-messages.ts";
import type { Composer } from "./composer.ts";
import type { News } from "./news.ts";
import type { Replica } from "./replica.ts";

type InPassing = Extract<FromRoom, { type: "profile" | "signal" | "spotlight" }>;

/** What the room says of a member that no record holds. */
export function passOn(
  message: InPassing,
  replica: Replica,
  news: News,
  composer: Pick<Composer, "shine" | "spoke">,
): void {
  const { slot, generation } = message;
  switch (message.type) {
    case "profile": {
      const { profile } = message;
      if (replica.applyProfile({ slot, generation }, profile))
        news.add({ type: "profile", slot, generation, profile });
      return;
    }
    case "signal": {
      const { name, body } = message;
      if (!replica.seats({ slot, generation })) return;
      composer.spoke({ slot, generation });
      news.add({ type: "signal", slot, generation, name, body });
      return;
    }
    case "spotlight":
      return composer.shine({ slot, generation }, message.until);
    default:
      return unreachable(message);
  }
}
