import { assert } from "../kernel/assert.ts";

/** What people do and are to be shown, each second. */
export interface Demand {
  readonly users: number;
  readonly framesPerS: number;
  readonly posesPerS: number;
  readonly joinsPerS: number;
  readonly commandsPerS: number;
  /** Of rooms, which are the shards of an event here. */
  readonly tickHz: number;
  readonly roomSize: number;
}

/** By how many processes. */
export interface Topology {
  readonly gateways: number;
  readonly nodes: number;
  readonly natsServers: number;
  readonly placements: number;
  /** Gateways by which the people of one room come. */
  readonly gatewaysPerRoom: number;
}

export const ROLES = ["gateway", "node", "nats", "placement"] as const;
export type RoleName = (typeof ROLES)[number];

/** What processor time is spent on: each of these costs a role some time of its own. */
export const TERMS = {
  gateway: ["frame", "pose", "tick", "command", "join", "connection", "process"],
  node: ["tick", "row", "message", "command", "join", "process"],
  nats: ["batch", "record", "process"],
  placement: ["join", "process"],
} as const satisfies Record<RoleName, readonly string[]>;
export type Term<R extends RoleName> = (typeof TERMS)[R][number];
/** How often a second; how many there are, of what costs by being there. */
export type Counts = { readonly [R in RoleName]: Readonly<Record<Term<R>, number>> };

/** An event has one, whoever is on it. */
export const STAGE_TICK_HZ = 20;
/** Of `src/bus/link.ts`: the time between two batches of a pair, and where a batch is cut. */
const LINK_S = 0.005;
const BATCH_BYTES = 4 * 1024;
/** Of `gateway/held-room.ts`: poses wait for so much of a tick. */
const POSE_WAIT_TICKS = 0.2;
const ROW_BYTES = 16;
/** What is around the rows of one message between processes. */
const MESSAGE_HEAD_BYTES = 60;

export interface Traffic {
  readonly rooms: number;
  readonly ticksMade: number;
  /** The same tick at two gateways is taken twice. */
  readonly ticksTaken: number;
  /** From gateways to nodes: poses of one room that waited together. */
  readonly poseMessages: number;
  readonly batchesUp: number;
  readonly batchesDown: number;
}

/** What goes between processes, by the terms on which they wait for company. */
export function trafficOf(demand: Demand, topology: Topology): Traffic {
  const { framesPerS, posesPerS, roomSize, tickHz, users } = demand;
  const { gateways, nodes } = topology;
  assert(users > 0 && gateways > 0 && nodes > 0, "somebody is served by somebody");
  const rooms = Math.ceil(users / roomSize);
  // Rooms tick as often as their people are shown something: more rarely where all are behind.
  const ticks = rooms * Math.min(tickHz, framesPerS / users);
  const perRoom = gatewaysPerRoomOf(rooms, demand, topology);
  const held = rooms * perRoom;
  const posesOfHeld = posesPerS / held;
  const poseMessages = held * waited(posesOfHeld, POSE_WAIT_TICKS / tickHz);
  const ticksTaken = ticks * perRoom + STAGE_TICK_HZ * gateways;
  const pairs = Math.min(gateways * nodes, held);
  const rowBytes = posesPerS * ROW_BYTES;
  const upBytes = rowBytes + poseMessages * MESSAGE_HEAD_BYTES;
  const downBytes = rowBytes * perRoom + ticksTaken * MESSAGE_HEAD_BYTES;
  return {
    rooms,
    ticksMade: ticks + STAGE_TICK_HZ,
    ticksTaken,
    poseMessages,
    batchesUp: pairs * batchesOf(poseMessages / pairs, upBytes / pairs),
    batchesDown: pairs * batchesOf(ticksTaken / pairs, downBytes / pairs),
  };
}

/** Shards of an event have one gateway each, once there is one for each gateway. */
function gatewaysPerRoomOf(rooms: number, { roomSize }: Demand, topology: Topology): number {
  const { gateways, gatewaysPerRoom } = topology;
  const most = Math.min(gateways, roomSize);
  return Math.min(most, rooms < gateways ? gateways : gatewaysPerRoom);
}

/** Of things that come by themselves and wait together, from the first one on, for `waitS`. */
const waited = (perS: number, waitS: number): number => perS / (1 + perS * waitS);

const batchesOf = (messagesPerS: number, bytesPerS: number): number =>
  Math.min(messagesPerS, Math.max(waited(messagesPerS, LINK_S), bytesPerS / BATCH_BYTES));

/** How much of everything each role has to do. */
export function countsOf(demand: Demand, topology: Topology): Counts {
  const traffic = trafficOf(demand, topology);
  const { natsServers: servers } = topology;
  const { commandsPerS: command, joinsPerS: join } = demand;
  // A batch is handled by its sender's server, and by its receiver's where that is another one.
  const hops = 2 - 1 / servers;
  return {
    gateway: {
      frame: demand.framesPerS,
      pose: demand.posesPerS,
      tick: traffic.ticksTaken,
      command,
      join,
      connection: demand.users,
      process: topology.gateways,
    },
    node: {
      tick: traffic.ticksMade,
      row: demand.posesPerS,
      message: traffic.poseMessages,
      command,
      join,
      process: topology.nodes,
    },
    nats: {
      batch: (traffic.batchesUp + traffic.batchesDown) * hops,
      // Every server keeps a copy of every journal.
      record: (command + join) * servers,
      process: servers,
    },
    placement: { join, process: topology.placements },
  };
}
