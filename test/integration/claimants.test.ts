import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { claimRoom } from "../../actors/room/claim.ts";
import type { AppendOutcome, Journal } from "../../src/journal/journal.ts";
import { openNatsJournal } from "../../src/journal/nats-journal.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { EPOCH_NONE } from "../../src/kernel/epoch.ts";
import { processId, roomId } from "../../src/kernel/ids.ts";
import { systemRandom } from "../../src/kernel/random.ts";
import { decodeRecord } from "../../src/protocol/journal-record.ts";
import { ledger } from "../support/ledger-world.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { type StoreServers, startStores } from "../support/nats-stores.ts";

/** Holds every append back until it is let go: a claimant that stalls between read and write. */
function stalling(journal: Journal): { journal: Journal; letGo: () => void } {
  let letGo = (): void => {};
  const gate = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const append = async (...args: Parameters<Journal["append"]>): Promise<AppendOutcome> => {
    await gate;
    return journal.append(...args);
  };
  const stalled = new Proxy(journal, {
    get: (target, name) => {
      if (name === "append") return append;
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { journal: stalled, letGo };
}

describe.skipIf(withoutNats)("two claimants", () => {
  let stores: StoreServers;
  let journal: Journal;
  beforeAll(async () => {
    stores = await startStores(3);
    const opened = await openNatsJournal(await stores.connect("node"));
    if (!opened.ok) throw new Error(`the journal is ${opened.error}`);
    journal = opened.value;
  });
  afterAll(async () => stores?.close());

  it("[OW1] that both read the tail before either writes: one owns, the other knows", async () => {
    for (let round = 0; round < 20; round++) {
      const room = roomId(`demo/claim-${round}`);
      const claims = ["a", "b", "c"].map((name) => {
        const stalled = stalling(journal);
        const self = processId(`${name}.${round.toString(16).padStart(16, "0")}`);
        const ports = { journal: stalled.journal, clock: systemClock, random: systemRandom, self };
        return {
          self,
          letGo: stalled.letGo,
          outcome: claimRoom(ports, room, ledger, EPOCH_NONE, () => true),
        };
      });
      for (const { letGo } of claims.toReversed()) letGo();
      const outcomes = await Promise.all(claims.map(({ outcome }) => outcome));
      const winners = claims.filter((_, i) => outcomes[i]?.kind === "claimed");
      expect(winners, JSON.stringify(outcomes)).toHaveLength(1);
      const tail = await journal.readTail(room);
      const record = tail.ok && tail.value.record ? decodeRecord(tail.value.record) : undefined;
      expect(record).toMatchObject({ type: "owner", index: 1, owner: winners[0]?.self });
    }
  });
});
