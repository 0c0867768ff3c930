import { defineConfig } from "vitest/config";

/** These load or watch the whole machine: what runs beside them would be what they see. */
const ALONE = ["overload", "slow-clients", "soak"].map(
  (name) => `test/integration/${name}.test.ts`,
);

export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    projects: [
      {
        extends: true,
        test: {
          name: "parts",
          include: ["test/**/*.test.ts"],
          exclude: ["test/bench/**", "test/sim/**", "node_modules/**", ...ALONE],
          sequence: { groupOrder: 0 },
        },
      },
      {
        // It takes both cores for minutes, and what is beside it waits on real processes.
        extends: true,
        test: {
          name: "simulation",
          include: ["test/sim/**/*.test.ts"],
          sequence: { groupOrder: 1 },
          maxConcurrency: 2,
        },
      },
      {
        extends: true,
        test: {
          name: "alone",
          include: ALONE,
          sequence: { groupOrder: 2 },
          maxWorkers: 1,
        },
      },
    ],
    testTimeout: 60_000,
    // Most start a cluster: see support/cluster.ts.
    hookTimeout: 120_000,
    // Integration tests start clusters of processes: two files at once fill two cores.
    maxWorkers: 2,
    // Real processes on a shared machine: one more try there, which the report names as a retry. On
    // a developer's machine a flaw shows at once.
    retry: process.env.CI ? 1 : 0,
    reporters: ["default"],
  },
});
