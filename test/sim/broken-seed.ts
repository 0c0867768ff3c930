import type { PlannedFault } from "./fault-plan.ts";
import type { SeedReport } from "./seed-run.ts";

/** Of a seed that could not be run to its end, which is a finding like any other. */
export const brokenSeed = (
  seed: number,
  plan: readonly PlannedFault[] | undefined,
  rule: "crash" | "stuck",
  what: string,
): SeedReport => ({
  seed,
  shape: { nodes: 0, placements: 0, gateways: 0, rooms: 0, clients: 0, event: undefined },
  plan: plan ?? [],
  struck: {},
  fired: {},
  commands: 0,
  answered: 0,
  epochChanges: 0,
  events: 0,
  hash: "",
  violations: [{ rule, atMs: 0, what }],
});
