import {
  type Counts,
  countsOf,
  type Demand,
  type RoleName,
  type Topology,
} from "../../../src/plan/work.ts";
import {
  decodeOf,
  type EventReport,
  type EventRun,
  GATEWAYS,
  type Means,
  NODES,
  nameOf,
  standHzOf,
} from "./events.ts";

/** A while of a run in which it did one thing: what there was to do, and what that took. */
export interface Window {
  readonly name: string;
  readonly demand: Demand;
  readonly counts: Counts;
  readonly cores: Readonly<Record<RoleName, number>>;
}

export const TOPOLOGY: Topology = {
  gateways: GATEWAYS,
  nodes: NODES,
  natsServers: 1,
  placements: 1,
  gatewaysPerRoom: 1,
};

const JOINING_S_MIN = 3;

/** By what came and went, not by what should have: coming in, and then with everybody there. */
export function windowsOf(run: EventRun, report: EventReport): Window[] {
  const commands = commandsPerS(run);
  const { joining, steady } = report;
  const come = joining.seconds >= JOINING_S_MIN;
  return [
    windowOf(run, "all in", steady, { joinsPerS: 0, commandsPerS: commands }),
    ...(come
      ? [
          windowOf(run, "coming", joining, {
            joinsPerS: joining.joins_per_s,
            commandsPerS: (commands * joining.in_room) / run.users,
          }),
        ]
      : []),
  ];
}

/** By what was asked for alone, as an operator knows it beforehand. */
export function plannedDemand(run: EventRun): Demand {
  const { hz, moving, users } = run;
  return {
    users,
    framesPerS: users * hz,
    posesPerS: users * (moving * hz + (1 - moving) * standHzOf(run)),
    joinsPerS: 0,
    commandsPerS: commandsPerS(run),
    tickHz: hz,
    roomSize: run.shardSize,
  };
}

const commandsPerS = (run: EventRun): number =>
  (run.users * decodeOf(run) * (run.saysPerMinute ?? 0)) / 60;

function windowOf(
  run: EventRun,
  name: string,
  means: Means,
  more: Pick<Demand, "joinsPerS" | "commandsPerS">,
): Window {
  const demand: Demand = {
    users: means.in_room,
    framesPerS: means.frames_per_s,
    posesPerS: means.poses_per_s,
    tickHz: run.hz,
    roomSize: run.shardSize,
    ...more,
  };
  const { gateway = 0, node = 0, nats = 0, placement = 0 } = means.cores;
  return {
    name: `${nameOf(run)}, ${name}`,
    demand,
    counts: countsOf(demand, TOPOLOGY),
    cores: { gateway, node, nats, placement },
  };
}
