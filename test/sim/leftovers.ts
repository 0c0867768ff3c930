import type { Fleet } from "./fleet.ts";
import type { Accuse } from "./violation.ts";

const QUIET_MS = 20_000;

/** I12: when everything was closed, nothing is left of it but what ends by itself. */
export function checkLeftovers(fleet: Fleet, accuse: Accuse): void {
  fleet.stop();
  fleet.time.run(fleet.time.now + QUIET_MS);
  const alive = fleet.nodes.filter(({ process }) => process.up).length;
  const routes = fleet.nats.networks.reduce((sum, network) => sum + network.routes.size, 0);
  if (routes > alive * LIVENESS_SUBSCRIPTIONS)
    accuse("I12", `${routes} subscriptions are left, with ${alive} nodes that still beat`);
  for (const { self, main, up } of fleet.processes)
    if (up && main.timers > LIVENESS_TIMERS) accuse("I12", `${self} has ${main.timers} timers`);
  for (const { name, access } of fleet.people)
    if (access.strand.timers > 0) accuse("I12", `${name} has ${access.strand.timers} timers`);
}

/** Those of the liveness half, which lives as long as its process. */
const LIVENESS_TIMERS = 2;
/** An echo on each of two connections, and the answer to probes. */
const LIVENESS_SUBSCRIPTIONS = 3;
