import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    root: new URL("..", import.meta.url).pathname,
    include: ["test/**/*.test.ts"],
    exclude: ["test/bench/**", "node_modules/**"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Integration tests start clusters of processes: two files at once fill two cores.
    maxWorkers: 2,
    // Real processes on a shared machine: one more try there, which the report names as a retry. On
    // a developer's machine a flaw shows at once.
    retry: process.env.CI ? 1 : 0,
    reporters: ["default"],
  },
});
