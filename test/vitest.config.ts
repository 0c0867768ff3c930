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
    reporters: ["default"],
  },
});
