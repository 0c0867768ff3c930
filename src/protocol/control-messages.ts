import {
  ANY,
  BOOLEAN,
  bytes,
  COUNT,
  EPOCH,
  family,
  list,
  type MessageOf,
  NUMBER,
  nullable,
  oneOf,
  PROCESS,
  type Read,
  ROOM,
  text,
  tuple,
  U32,
  WORLD,
} from "./shape.ts";
import { LETTER, WARM_BYTES_MAX } from "./warm-state.ts";

export const ROUTES_PER_MESSAGE_MAX = 256;
/** An owner record holds two process ids, a world's name and numbers. */
const HAND_OVER_BYTES_MAX = 1024;
/** Records that go along with a hand-over, and their bytes together. */
export const SINCE_MAX = 128;
export const SINCE_BYTES_MAX = 64 * 1024;
/** Messages of gateways that one `forward` passes on. */
export const FORWARDED_MAX = 64;
const ID = text(64);
const OPERATE_BYTES_MAX = 16 * 1024;

/** Something a node can host: a room type and the newest state version it understands. */
export const HOSTED_WORLD = tuple({ world: WORLD, stateVersion: U32 });

/** A placement's wish; the target obeys only while the tail still shows `replaces`. */
export const PROPOSAL = tuple({
  room: ROOM,
  world: WORLD,
  replaces: EPOCH,
  reason: oneOf("new", "owner_down", "owner_stalled", "crashes", "orphan", "operator"),
});
export type Proposal = Read<typeof PROPOSAL.fields>;

/** `sessions`: people in the room, for placement; null from a node that does not tell yet. */
export const ROUTE = tuple({ room: ROOM, epoch: EPOCH, sessions: nullable(U32) });

/** Everything that processes tell each other over the control account. */
export const control = family({
  /** From the node's liveness thread, every 250 ms on its own connection. */
  nodeBeat: [
    1,
    {
      process: PROCESS,
      sequence: COUNT,
      /** Age of the main loop's last turn, in the liveness thread's own running time. */
      loopAgeMs: NUMBER,
      /** Oldest unanswered self-addressed echo over the other connections. */
      echoAgeMs: NUMBER,
      rooms: U32,
      sessions: U32,
      /** Share of the main loop's time spent running, 0 to 1. */
      load: NUMBER,
      egressBytesPerS: NUMBER,
      /** Relative to the reference node, which is 1. */
      capacity: NUMBER,
      arch: ID,
      zone: ID,
      version: ID,
      pricePerHour: NUMBER,
      draining: BOOLEAN,
      host: text(128),
      pid: U32,
      worlds: list(HOSTED_WORLD, 256),
      /** The room whose turn runs now: what a stalled loop is stuck in. */
      running: nullable(ROOM),
      /** How much longer than asked for its rooms' ticks are apart; null: an older node. */
      stretch: nullable(NUMBER),
    },
  ],
  gatewayBeat: [
    2,
    {
      process: PROCESS,
      sequence: COUNT,
      url: text(256),
      sessions: U32,
      sessionsMax: U32,
      draining: BOOLEAN,
      zone: ID,
      version: ID,
      host: text(128),
      pid: U32,
      /** How much longer than its rooms' ticks its frames are apart; null: an older gateway. */
      stretch: nullable(NUMBER),
    },
  ],
  placementBeat: [
    3,
    { process: PROCESS, sequence: COUNT, url: text(256), host: text(128), pid: U32 },
  ],
  /** An owner's rooms: at 0, 50, 100, 200, 500 ms after a takeover, then at 1 Hz. */
  route: [4, { owner: PROCESS, routes: list(ROUTE, ROUTES_PER_MESSAGE_MAX) }],
  propose: [5, { proposals: list(PROPOSAL, ROUTES_PER_MESSAGE_MAX) }],
  /** Asks placement where a room is; a known room without an owner is placed. */
  locate: [6, { room: ROOM }],
  located: [
    7,
    {
      status: oneOf("placed", "placing", "unknown", "closed", "quarantined", "no_capacity"),
      epoch: EPOCH,
      owner: nullable(PROCESS),
      retryAfterMs: U32,
    },
  ],
  probe: [8, { from: PROCESS }],
  alive: [9, { process: PROCESS, loopAgeMs: NUMBER }],
  /** Ends a room for good: members are told, the journal keeps what happened. */
  closeRoom: [10, { room: ROOM, epoch: EPOCH }],
  drain: [11, { deadlineMs: U32 }],
  echo: [12, { stamp: NUMBER }],
  /** To an incarnation that still beats: placement holds it dead and never uses it again. */
  declaredDead: [13, { process: PROCESS }],
  /** Asks a room's owner to hand it over. Obeyed only under this epoch. */
  migrate: [14, { room: ROOM, epoch: EPOCH, target: PROCESS }],
  /** The owner asks the target to read the room in advance; answered `prepared` or `declined`. */
  prepare: [15, { room: ROOM, world: WORLD, epoch: EPOCH }],
  /** `stateVersion`: the target's, which the hand-over record carries. */
  prepared: [16, { room: ROOM, stateVersion: U32 }],
  declined: [17, { room: ROOM, why: oneOf("unknown_world", "full", "hosted", "unavailable") }],
  /**
   * The hand-over is in the journal: the record, and its sequence. It opens this epoch. `warm`: an
   * encoded `WarmState`; null where it would be too large. `since`: every record from `prepare` to
   * the hand-over; null where they are too many.
   */
  handOver: [
    18,
    {
      room: ROOM,
      world: WORLD,
      epoch: EPOCH,
      sequence: COUNT,
      record: bytes(HAND_OVER_BYTES_MAX),
      warm: nullable(bytes(WARM_BYTES_MAX)),
      since: nullable(list(tuple({ sequence: COUNT, data: bytes(SINCE_BYTES_MAX) }), SINCE_MAX)),
    },
  ],
  /** What came for `epoch` after its owner had handed the room over: to the next owner. */
  forward: [19, { room: ROOM, epoch: EPOCH, letters: list(LETTER, FORWARDED_MAX) }],
  /** An operator's command, to a room's owner; answered `operated`. `body`: one msgpack value. */
  operate: [20, { room: ROOM, epoch: EPOCH, name: ID, body: bytes(OPERATE_BYTES_MAX) }],
  /**
   * Once it is durable. `gone`: that ownership is not here, so nothing was run. `ended`: it did not
   * live to answer.
   */
  operated: [21, { room: ROOM, status: text(48), data: ANY }],
});
export type ControlMessage = MessageOf<typeof control.definitions>;
export type ControlOf<T extends ControlMessage["type"]> = Extract<ControlMessage, { type: T }>;
export type NodeBeat = ControlOf<"nodeBeat">;
export type GatewayBeat = ControlOf<"gatewayBeat">;
export type PlacementBeat = ControlOf<"placementBeat">;

/** The only message of a payload, or undefined where it is not one of ours. */
export function decodeControl(data: Uint8Array): ControlMessage | undefined {
  const messages = control.decode(data, 1);
  return messages.ok ? messages.value[0] : undefined;
}
