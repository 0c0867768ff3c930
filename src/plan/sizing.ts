import { assert } from "../kernel/assert.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { type Coefficients, coresOf, type TermCost, termCosts } from "./cost-model.ts";
import type { PlanFlags } from "./flags.ts";
import {
  type Counts,
  countsOf,
  type Demand,
  ROLES,
  type RoleName,
  type Topology,
  type Traffic,
  trafficOf,
} from "./work.ts";

/** Of `src/config`: sockets of one gateway, and files that it keeps for other things. */
const SOCKETS_MAX = 17_000;
const FILES_RESERVED = 256;
/** Of `src/placement`: a node refuses one more. */
const ROOMS_PER_NODE_MAX = 2_000;
export const PROCESSES_MAX = 10_000;
/** It grows with what it needs, so it ends long before. */
const ROUNDS_MAX = 1_000;

/** What one role needs, with every step of how that was found. */
export interface RoleSizing {
  readonly role: RoleName;
  readonly terms: readonly TermCost[];
  readonly cores: number;
  /** That fit the headroom, each process having a core. */
  readonly byCores: number;
  /** That something else asks for, and what: sockets, rooms. */
  readonly byLimit: number;
  readonly limit: string | undefined;
  readonly needed: number;
  /** With what may be lost. */
  readonly processes: number;
  /** Of each process; more than 1 only for NATS, which uses many. */
  readonly coresEach: number;
  readonly bytesEach: number;
}

export interface Sizing {
  /** How much longer everything takes than on the machine that was measured. */
  readonly slowness: number;
  readonly roles: Readonly<Record<RoleName, RoleSizing>>;
  readonly counts: Counts;
  readonly traffic: Traffic;
  readonly processes: number;
  readonly coresUsed: number;
  readonly coresBought: number;
  readonly bytes: number;
}

export const demandOf = (flags: PlanFlags): Demand => ({
  users: flags.users,
  framesPerS: flags.users * flags.hz,
  posesPerS: flags.users * posesOfOne(flags),
  joinsPerS: flags.joinsPerS,
  commandsPerS: flags.commandsPerS,
  tickHz: flags.hz,
  roomSize: flags.roomSize,
});

export const posesOfOne = ({ moving, moveHz, standHz }: PlanFlags): number =>
  moving * moveHz + (1 - moving) * standHz;

export const socketsEach = ({ openFiles }: PlanFlags): number =>
  Math.min(SOCKETS_MAX, openFiles - FILES_RESERVED);

/**
 * As many processes as the work needs. Each one costs something by being there, so work is counted
 * anew for those that came out, until no more are needed.
 */
export function sizingOf(
  flags: PlanFlags,
  coefficients: Coefficients,
  slowness: number,
): Result<Sizing, string> {
  assert(slowness > 0, "a machine takes some time");
  const demand = demandOf(flags);
  const { gatewaysPerRoom, natsServers, spare, zones } = flags;
  const placements = Math.max(1 + spare, zones);
  let topology: Topology = { gateways: 1, nodes: 1, natsServers, placements, gatewaysPerRoom };
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const counts = countsOf(demand, topology);
    const roles = Object.fromEntries(
      ROLES.map((role) => [role, roleSizing(role, counts, { flags, coefficients, slowness })]),
    ) as Record<RoleName, RoleSizing>;
    const next: Topology = {
      ...topology,
      gateways: Math.max(topology.gateways, roles.gateway.processes),
      nodes: Math.max(topology.nodes, roles.node.processes),
    };
    if (next.gateways > PROCESSES_MAX || next.nodes > PROCESSES_MAX)
      return err(`that takes more than ${PROCESSES_MAX} processes of one role.`);
    if (next.gateways === topology.gateways && next.nodes === topology.nodes)
      return ok(summed(roles, counts, trafficOf(demand, topology), slowness));
    topology = next;
  }
  return err(`no number of processes was enough after ${ROUNDS_MAX} rounds.`);
}

interface Given {
  readonly flags: PlanFlags;
  readonly coefficients: Coefficients;
  readonly slowness: number;
}

function roleSizing(role: RoleName, counts: Counts, given: Given): RoleSizing {
  const { coefficients, flags, slowness } = given;
  const terms = termCosts(role, counts, coefficients.us, slowness);
  const cores = coresOf(terms);
  const process = { role, terms, cores };
  if (role === "nats") return { ...process, ...natsSizing(cores, given) };
  const byCores = role === "placement" ? 1 : Math.max(1, Math.ceil(cores / flags.headroom));
  const { byLimit, limit } = limitOf(role, counts, flags);
  const needed = Math.max(byCores, byLimit);
  const processes =
    role === "placement" ? counts.placement.process : withSpare(needed, flags.spare, flags.zones);
  const bytesEach = bytesOf(role, flags.users / needed, coefficients);
  return { ...process, byCores, byLimit, limit, needed, processes, coresEach: 1, bytesEach };
}

function limitOf(
  role: RoleName,
  counts: Counts,
  flags: PlanFlags,
): Pick<RoleSizing, "byLimit" | "limit"> {
  if (role === "gateway") {
    const each = socketsEach(flags);
    const limit = `${each.toLocaleString("en")} sockets each`;
    return { byLimit: Math.ceil(counts.gateway.connection / each), limit };
  }
  if (role === "node") {
    const rooms = Math.ceil(flags.users / flags.roomSize);
    const limit = `${ROOMS_PER_NODE_MAX.toLocaleString("en")} rooms each`;
    return { byLimit: Math.ceil(rooms / ROOMS_PER_NODE_MAX), limit };
  }
  return { byLimit: 1, limit: undefined };
}

/** Their number is given. One may be lost, where there are more, and the others do its work. */
function natsSizing(
  cores: number,
  { coefficients, flags }: Given,
): Omit<RoleSizing, "role" | "terms" | "cores"> {
  const { headroom, natsServers: servers, users } = flags;
  const left = Math.max(1, servers - 1);
  const coresEach = Math.max(1, Math.ceil(cores / left / headroom));
  const bytesEach = bytesOf("nats", users, coefficients);
  const none = { byLimit: 1, limit: undefined };
  return { byCores: left, ...none, needed: left, processes: servers, coresEach, bytesEach };
}

/** So that what is left after the loss of `spare` processes, or of one zone, is enough. */
export function withSpare(needed: number, spare: number, zones: number): number {
  if (zones === 1) return needed + spare;
  const eachZone = Math.ceil(needed / (zones - 1));
  return Math.max(eachZone, Math.ceil((needed + spare) / zones)) * zones;
}

/** Of one process, with what is left of them serving everybody. */
function bytesOf(role: RoleName, people: number, { bytes }: Coefficients): number {
  const kernel = role === "gateway" ? bytes.kernelConnection : 0;
  return bytes.process[role] + people * (bytes.person[role] + kernel);
}

function summed(
  roles: Sizing["roles"],
  counts: Counts,
  traffic: Traffic,
  slowness: number,
): Sizing {
  const sum = (of: (role: RoleSizing) => number): number =>
    ROLES.reduce((total, role) => total + of(roles[role]), 0);
  return {
    slowness,
    roles,
    counts,
    traffic,
    processes: sum(({ processes }) => processes),
    coresUsed: sum(({ cores }) => cores),
    coresBought: sum(({ processes, coresEach }) => processes * coresEach),
    bytes: sum(({ bytesEach, processes }) => bytesEach * processes),
  };
}
