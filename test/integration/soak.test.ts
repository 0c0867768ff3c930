import { describe, expect, it } from "vitest";
import { soak } from "../bench/soak/soak.ts";
import { withoutNats } from "../support/nats-servers.ts";

const MIB = 1024 * 1024;
/** On a calm machine it takes some 75 s. */
const MS_MAX = 240_000;

/**
 * `npm run bench:soak` in short. A gateway that kept half a KiB of every frame would be found; how
 * fast this machine is does not matter.
 */
describe.skipIf(withoutNats)("a steady load", () => {
  it(
    "lets no process grow, and nobody misses anything",
    async () => {
      const lines: string[] = [];
      const report = await soak({
        users: 200,
        share: 1,
        usersMax: 200,
        warmUpS: 15,
        seconds: 40,
        sampleS: 4,
        processes: 1,
        joinsPerSecond: 100,
        cores: undefined,
        judgesTime: false,
        say: (line) => lines.push(line),
        memory: { share: 0, least: 32 * MIB },
        p99Ms: { share: Number.POSITIVE_INFINITY, least: 0 },
      });
      const about = `${lines.join("\n")}\n${JSON.stringify(report, undefined, 1)}`;
      expect(report.verdict, about).toMatchObject({ memory_flat: true, nothing_missed: true });
      expect(Object.keys(report.memory_bytes).sort()).toEqual([
        "gateway-1",
        "nats-1",
        "node-1",
        "placement-1",
      ]);
      expect(report.samples.length).toBe(10);
      for (const sample of report.samples) expect(sample.frames_per_s, about).toBeGreaterThan(0);
    },
    MS_MAX,
  );
});
