import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import { MemoryNetwork } from "../../src/bus/memory-bus.ts";
import { NatsBus } from "../../src/bus/nats-bus.ts";
import { openNats } from "../../src/bus/nats-connection.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { seededRandom, systemRandom } from "../../src/kernel/random.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { BusPlayer, generatePhases, PROCESSES } from "../support/conformance-bus.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { startOpenCluster } from "../support/open-cluster.ts";

const SEED = Number(process.env.CONFORMANCE_SEED ?? Date.now() % 1_000_000);
const PHASES = Number(process.env.CONFORMANCE_PHASES ?? 100);
const SAYINGS = 50;
/** Nobody is to miss it because the machine is busy. */
const REQUEST_MS = 10_000;

describe.skipIf(withoutNats)("A memory network and three NATS servers", () => {
  let cluster: Awaited<ReturnType<typeof startOpenCluster>>;
  const buses: Bus[] = [];
  beforeAll(async () => {
    cluster = await startOpenCluster();
    for (let i = 0; i < PROCESSES; i++) {
      const servers = [cluster.servers[i]?.url ?? ""];
      const opened = await openNats(
        { servers, user: "", password: "", inboxPrefix: "_INBOX", name: `p${i}`, label: "test" },
        { clock: systemClock, random: systemRandom, observer: silentObserver },
      );
      if (!opened.ok) throw new Error(opened.error.detail);
      buses.push(new NatsBus(opened.value));
    }
  });
  afterAll(async () => {
    await Promise.all(buses.map((bus) => bus.close()));
    await cluster?.close();
  });

  it("[BU39] carry everything alike", { timeout: 120_000 }, async () => {
    const started = performance.now();
    const network = new MemoryNetwork(systemClock, seededRandom(SEED));
    const simulated = new BusPlayer(
      Array.from({ length: PROCESSES }, (_, i) => network.open(`p${i}`)),
      REQUEST_MS,
    );
    const real = new BusPlayer(buses, REQUEST_MS);
    const phases = generatePhases(seededRandom(SEED), PHASES, SAYINGS);
    for (const [i, phase] of phases.entries()) {
      const listeners = phases.slice(0, i + 1).flatMap(({ opened }) => opened);
      const [asReal, asSimulated] = [await real.play(phase), await simulated.play(phase)];
      const where = `CONFORMANCE_SEED=${SEED}, phase ${i} of ${JSON.stringify(listeners)}`;
      expect(asSimulated, where).toEqual(asReal);
      expect(asReal.outOfOrder, where).toEqual([]);
    }
    const kinds: Record<string, number> = {};
    for (const [words, answer] of real.requests) {
      const asReal = await answer;
      kinds[asReal] = (kinds[asReal] ?? 0) + 1;
      const asked = phases.flatMap(({ said }) => said).find((saying) => saying.text === words);
      const where = `CONFORMANCE_SEED=${SEED}, ${JSON.stringify(asked)}`;
      expect(await simulated.requests.get(words), where).toBe(asReal);
    }
    const seconds = (performance.now() - started) / 1_000;
    const counts = `${PHASES * SAYINGS} messages, requests ${JSON.stringify(kinds)}`;
    console.info(`[BU39] seed ${SEED}: ${counts} in ${seconds.toFixed(1)} s`);
    expect(Object.keys(kinds).sort()).toEqual(["answered", "no_responders", "timeout"]);
  });
});
