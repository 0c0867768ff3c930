import { expect, it } from "vitest";
import { withoutNats } from "../support/nats-servers.ts";
import { factsOf, type Kind } from "./plan.ts";
import { failuresOf, reportOf, tableOf } from "./report.ts";
import { htmlOf } from "./report-html.ts";
import { latencyPoints } from "./report-timeline.ts";
import { Chaos } from "./run.ts";

const KINDS: readonly Kind[] = ["node_sigkill", "node_sigterm", "client_links_reset"];
const SHAPE = { nats: 1, placements: 1, nodes: 2, gateways: 2, rooms: 4 } as const;
const SEED = 3;
const BOTS = 16;
/** On a calm machine it takes some 20 s. */
const MS_MAX = 150_000;

it.skipIf(withoutNats)(
  "a short chaos run: three faults, nothing lost, everybody served",
  async () => {
    const lines: string[] = [];
    const chaos = await Chaos.open({
      seed: SEED,
      runMs: 60_000,
      faultsMax: KINDS.length,
      kinds: KINDS,
      fleet: SHAPE,
      bots: BOTS,
      botProcesses: 1,
      sayMs: 700,
      warmUpMs: 500,
      say: (line) => lines.push(line),
    });
    try {
      const result = await chaos.run();
      const command = `npm run chaos -- --seed ${SEED} --kinds ${KINDS.join()}`;
      const report = reportOf(result, { seed: SEED, command, minutes: 1, bots: BOTS, ...SHAPE });
      const about = `${lines.join("\n")}\n${tableOf(report)}\n${result.deaths.join("\n")}`;
      expect(failuresOf(report), about).toEqual([]);
      expect(report.faults, about).toEqual(Object.fromEntries(KINDS.map((kind) => [kind, 1])));
      expect(report.commands, about).toBeGreaterThan(BOTS);
      expect([report.ended, report.unknown, report.bots_at_end], about).toEqual([0, 0, BOTS]);
      const { failover_ms, samples } = report;
      expect(samples.failover_ms, about).toBeGreaterThanOrEqual(BOTS / SHAPE.rooms);
      expect(failover_ms?.max, about).toBeLessThan(20_000);
      for (const { cuts, kind, servedAfterMs } of report.timeline) {
        expect(servedAfterMs, `${kind}\n${about}`).not.toBeNull();
        if (factsOf(kind).lane === "node") expect(cuts, `${kind}\n${about}`).toBe(0);
        else expect(cuts, `${kind}\n${about}`).toBeGreaterThan(0);
      }
      const page = htmlOf({
        report,
        latency: latencyPoints(result.commands, result.startMs, result.tookMs),
      });
      expect(page).toContain(`seed ${SEED}`);
    } finally {
      await chaos.close();
    }
  },
  MS_MAX,
);
