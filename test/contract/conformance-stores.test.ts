import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MemoryStores } from "../../src/journal/memory-stores.ts";
import { NATS_INDEX_LIMITS, NatsIndexStore } from "../../src/journal/nats-index-store.ts";
import { NATS_JOURNAL_LIMITS, NatsJournal } from "../../src/journal/nats-journal.ts";
import { NATS_SNAPSHOT_LIMITS, NatsSnapshotStore } from "../../src/journal/nats-snapshot-store.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { generateOps, type StoreOp, WRITERS } from "../support/conformance-ops.ts";
import type { Writer } from "../support/conformance-player.ts";
import { compare, type Difference, emptyTally, shrink } from "../support/conformance-run.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { type StoreServers, startStores } from "../support/nats-stores.ts";

/** Lanes have rooms of their own and run at once: together they keep three servers busy. */
const LANES = 6;
const OPS = Number(process.env.CONFORMANCE_OPS ?? 10_000);
const SEED = Number(process.env.CONFORMANCE_SEED ?? Date.now() % 1_000_000);
const SHRINK_RUNS_MAX = 40;
const FILE = "test/contract/conformance-stores.test.ts";

/** A machine that is busy with other tests decides late, and decides all the same. */
const PATIENT = { requestMsMax: 15_000, chunkMsMax: 15_000, removeMsMax: 15_000 };

async function realWriters(stores: StoreServers): Promise<Writer[]> {
  const journalLimits = {
    ...NATS_JOURNAL_LIMITS,
    readMsMax: 15_000,
    appendMsMax: 15_000,
    trimMsMax: 15_000,
  };
  return Promise.all(
    Array.from({ length: WRITERS }, async () => {
      const client = await stores.connect("node");
      return {
        journal: new NatsJournal(client, 1, journalLimits),
        snapshots: new NatsSnapshotStore(client, { ...NATS_SNAPSHOT_LIMITS, ...PATIENT }),
        index: new NatsIndexStore(client, { ...NATS_INDEX_LIMITS, ...PATIENT }),
      };
    }),
  );
}

/** The same object with some methods of its own: classes' methods are on their prototype. */
function overridden<T extends object>(object: T, own: Partial<T>): T {
  return new Proxy(object, {
    get: (target, name) => {
      if (name in own) return own[name as keyof T];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function simulatedWriters(): Writer[] {
  const stores = new MemoryStores(systemClock, seededRandom(SEED));
  return Array.from({ length: WRITERS }, () => stores.open());
}

describe.skipIf(withoutNats)("Memory stores and three NATS servers", () => {
  let stores: StoreServers;
  let real: Writer[];
  beforeAll(async () => {
    stores = await startStores(3);
    real = await realWriters(stores);
  });
  afterAll(() => stores?.close());

  const lane = (number: number): StoreOp[] => {
    const ops = generateOps(seededRandom(SEED * LANES + number), Math.ceil(OPS / LANES));
    // There is one record of rounds, and one lane that looks at it.
    return number === 0 ? ops : ops.filter((op) => op.do !== "round");
  };

  async function explain(number: number, difference: Difference): Promise<string> {
    const before = lane(number)
      .slice(0, difference.at + 1)
      .filter((op) => op.do !== "round");
    let runs = 0;
    const again = (ops: readonly StoreOp[]) =>
      compare(ops, { real, simulated: simulatedWriters() }, `s${number}-${runs++}`, emptyTally());
    const least = await shrink(before, again, SHRINK_RUNS_MAX);
    const lines = [
      `seed ${SEED}, lane ${number}, operation ${difference.at} of ${OPS / LANES}`,
      `CONFORMANCE_SEED=${SEED} CONFORMANCE_OPS=${OPS} npm test -- ${FILE}`,
      `operation: ${JSON.stringify(difference.op).slice(0, 300)}`,
      `three servers: ${JSON.stringify(difference.real).slice(0, 600)}`,
      `memory:        ${JSON.stringify(difference.simulated).slice(0, 600)}`,
      `${least.length} operations that differ too, if it was no race:`,
      ...least.map((op) => `  ${JSON.stringify(op).slice(0, 200)}`),
    ];
    return lines.join("\n");
  }

  it("[JN26] end every operation alike", { timeout: 300_000 }, async () => {
    const tally = emptyTally();
    const started = performance.now();
    const found = await Promise.all(
      Array.from({ length: LANES }, (_, number) =>
        compare(lane(number), { real, simulated: simulatedWriters() }, `l${number}`, tally),
      ),
    );
    const seconds = (performance.now() - started) / 1_000;
    console.info(`[JN26] seed ${SEED}: ${JSON.stringify(tally)} in ${seconds.toFixed(1)} s`);
    for (const [number, difference] of found.entries())
      if (difference) expect.fail(await explain(number, difference));
    expect(tally.ops).toBeGreaterThan(OPS * 0.95);
  });

  it("[JN26] a store that trims its last record is found out, by few operations", async () => {
    const wrong = (): Writer[] => {
      const memory = new MemoryStores(systemClock, seededRandom(1));
      return Array.from({ length: WRITERS }, () => {
        const { journal, ...others } = memory.open();
        const trim: typeof journal.trim = async (room, upTo) => {
          const trimmed = await journal.trim(room, upTo);
          const records = memory.logs.get(room)?.records ?? [];
          if ((records[0]?.sequence ?? upTo + 1) <= upTo) records.shift();
          return trimmed;
        };
        return { ...others, journal: overridden(journal, { trim }) };
      });
    };
    let runs = 0;
    const run = (ops: readonly StoreOp[]) =>
      compare(ops, { real, simulated: wrong() }, `w${runs++}`, emptyTally());
    const ops = generateOps(seededRandom(7), 400).filter(({ do: kind }) => kind !== "round");
    const difference = await run(ops);
    expect(difference).toBeDefined();
    const least = await shrink(ops.slice(0, (difference?.at ?? 0) + 1), run, 120);
    expect(least.length).toBeLessThanOrEqual(4);
    expect(least.map(({ do: kind }) => kind)).toContain("trim");
  });
});
