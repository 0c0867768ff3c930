import type { Subscription } from "../../src/bus/bus.ts";
import { decodeControl } from "../../src/protocol/control-messages.ts";
import { ALL_ROUTES } from "../../src/protocol/subjects.ts";
import type { JournalChecker } from "./journal-checker.ts";
import type { SimNats } from "./sim-nats.ts";
import type { Accuse } from "./violation.ts";

/** I1: nobody says that they serve a room under an epoch that the journal never gave them. */
export function checkRoutes(nats: SimNats, journal: JournalChecker, accuse: Accuse): Subscription {
  const ear = nats.control.open("route-checker");
  ear.subscribe(ALL_ROUTES, ({ data }) => {
    const said = decodeControl(data);
    if (said?.type !== "route") return;
    for (const { room, epoch } of said.routes) {
      const owner = journal.truth(room).owners.get(epoch);
      if (owner !== said.owner)
        accuse(
          "I1",
          `${said.owner} serves ${room} under ${epoch}, which is ${owner ?? "nobody"}'s`,
        );
    }
  });
  return { close: () => void ear.close() };
}
