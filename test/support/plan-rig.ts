import type { Coefficients } from "../../src/plan/cost-model.ts";
import { type PlanFlags, type PlanValues, readPlanFlags } from "../../src/plan/flags.ts";
import { type Plan, planOf } from "../../src/plan/plan.ts";
import { type RoleSizing, type Sizing, sizingOf } from "../../src/plan/sizing.ts";
import type { RoleName } from "../../src/plan/work.ts";

/** Round figures, so that a test can be worked out by hand. */
export const ROUND: Coefficients = {
  source: {
    command: "npm run bench:plan -- --write",
    machine: "a machine of tests",
    date: "2026-11-26",
    floorUs: 10,
    most: {
      users: 4_000,
      usersPerGateway: 2_000,
      framesPerS: 30_000,
      joinsPerS: 400,
      commandsPerS: 200,
    },
    runs: 9,
  },
  us: {
    gateway: {
      frame: 20,
      pose: 10,
      tick: 100,
      command: 200,
      join: 1_000,
      connection: 5,
      process: 20_000,
    },
    node: { tick: 50, row: 1, message: 10, command: 300, join: 500, process: 20_000 },
    nats: { batch: 25, record: 400, process: 5_000 },
    placement: { join: 0, process: 10_000 },
  },
  windows: {
    gateway: { frame: 18, pose: 18, tick: 18, command: 4, join: 9, connection: 18, process: 18 },
    node: { tick: 18, row: 18, message: 18, command: 4, join: 9, process: 18 },
    nats: { batch: 18, record: 11, process: 18 },
    placement: { join: 9, process: 18 },
  },
  bytes: {
    process: { gateway: 100e6, node: 90e6, nats: 20e6, placement: 80e6 },
    person: { gateway: 10_000, node: 2_000, nats: 500, placement: 0 },
    kernelConnection: 5_000,
  },
  checks: [
    {
      name: "2400 people",
      beyond: false,
      frameBytes: { predicted: 1_000, measured: 900 },
      cores: {
        gateway: { predicted: 0.6, measured: 0.5 },
        node: { predicted: 0.2, measured: 0.2 },
        nats: { predicted: 0.1, measured: 0.1 },
        placement: { predicted: 0.1, measured: 0.2 },
      },
    },
  ],
};

export function flagsOf(values: PlanValues): PlanFlags {
  const flags = readPlanFlags(values);
  if (!flags.ok) throw new Error(flags.error);
  return flags.value;
}

export function sizingFor(values: PlanValues, coefficients = ROUND, slowness = 1): Sizing {
  const sizing = sizingOf(flagsOf(values), coefficients, slowness);
  if (!sizing.ok) throw new Error(sizing.error);
  return sizing.value;
}

export const roleFor = (role: RoleName, values: PlanValues): RoleSizing =>
  sizingFor(values).roles[role];

export function planFor(values: PlanValues, coefficients = ROUND): Plan {
  const plan = planOf(flagsOf(values), coefficients);
  if (!plan.ok) throw new Error(plan.error);
  return plan.value;
}
