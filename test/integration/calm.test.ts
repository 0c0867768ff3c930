import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CalmDrill, DISTURBANCES } from "../support/calm-drill.ts";
import { withoutNats } from "../support/nats-servers.ts";

const TIMES = 3;

/** Real processes. The same a hundred times of each: `npm run bench:calm`. */
describe.skipIf(withoutNats)("nobody is declared dead, and no room is claimed", () => {
  let drill: CalmDrill;
  beforeAll(async () => {
    drill = await CalmDrill.start({ nodes: 4, rooms: 12, clients: 12 });
  }, 90_000);
  afterAll(async () => drill?.close());

  const TITLES = {
    nats_server: "when a NATS server dies and comes back",
    stalled_loop: "when a node's event loop stalls for 2 s",
    placement: "when a placement replica dies and comes back",
  } as const;

  it.each(DISTURBANCES.map((kind) => [TITLES[kind], kind] as const))(
    "%s",
    async (_, kind) => {
      for (let time = 0; time < TIMES; time++) {
        const { failovers, suspensions, socketsClosed } = await drill.disturb(kind);
        const harm = { failovers, suspensions, socketsClosed };
        const none = { failovers: [], suspensions: [], socketsClosed: 0 };
        expect(harm, drill.describe()).toEqual(none);
      }
      expect(await drill.verdict(), drill.describe()).toEqual({ lost: 0, doubled: 0 });
    },
    180_000,
  );
});
