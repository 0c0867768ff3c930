import { type ProcessId, parseProcessId, type RoomId, roomId } from "../kernel/ids.ts";

/**
 * The only builder and parser of NATS subjects. Ids are subject tokens by construction; a process
 * is two tokens (`name.incarnation`) and so is a room (`tenant.name`).
 */
export const JOURNAL_SHARDS = 8;

const roomTokens = (room: RoomId): string => room.replace("/", ".");

/** Data account: one batch per sender and receiver, addressed by process. */
export const nodeInbox = (node: ProcessId): string => `d.n.${node}.in`;
export const gatewayInbox = (gateway: ProcessId): string => `d.g.${gateway}.out`;
export const dataEcho = (role: "n" | "g", process: ProcessId): string =>
  `d.${role}.${process}.echo`;

/** Control account. */
export const nodeBeat = (node: ProcessId): string => `c.hb.n.${node}`;
export const gatewayBeat = (gateway: ProcessId): string => `c.hb.g.${gateway}`;
export const placementBeat = (placement: ProcessId): string => `c.hb.p.${placement}`;
export const ALL_NODE_BEATS = "c.hb.n.>";
export const ALL_GATEWAY_BEATS = "c.hb.g.>";
export const ALL_PLACEMENT_BEATS = "c.hb.p.>";
export const routes = (node: ProcessId): string => `c.route.${node}`;
export const ALL_ROUTES = "c.route.>";
export const PLACE_REQUEST = "c.place.req";
export const PLACE_QUEUE = "placement";
export const nodeControl = (node: ProcessId): string => `c.n.${node}.ctl`;
/** From the owner of a room to the node that is to be its next. */
export const nodePeer = (node: ProcessId): string => `c.n.${node}.peer`;
export const nodePing = (node: ProcessId): string => `c.n.${node}.ping`;
export const nodeEcho = (node: ProcessId): string => `c.n.${node}.echo`;
export const gatewayControl = (gateway: ProcessId): string => `c.g.${gateway}.ctl`;
export const placementControl = (placement: ProcessId): string => `c.p.${placement}.ctl`;

/** JetStream. The generation in the subject keeps writers of a rebuilt stream's past out. */
export const journalStream = (shard: number): string => `JRN${shard}`;
export const journalSubjects = (generation: number, shard: number): string =>
  `jrn.${generation}.${shard}.>`;
export const journalSubject = (generation: number, room: RoomId): string =>
  `jrn.${generation}.${journalShard(room)}.${roomTokens(room)}`;
export const SNAPSHOT_STREAM = "SNP";
export const SNAPSHOT_SUBJECTS = "snp.>";
/** Every snapshot of a room lies below it: `<index>.<digest>.<chunk>`. */
export const snapshotsOf = (room: RoomId): string => `snp.${roomTokens(room)}`;
export const snapshotSubject = (
  room: RoomId,
  index: number,
  digest: string,
  chunk: number,
): string => `${snapshotsOf(room)}.${index}.${digest}.${chunk}`;
export const INDEX_BUCKET = "own";
export const indexKey = (room: RoomId): string => roomTokens(room);
/** Of one token, where a room's key has two: no listing of rooms meets it. */
export const ROUNDS_KEY = "rebalance";
export const ALL_ROOM_KEYS = "*.*";
/** Where the server republishes every change of the index bucket. */
export const INDEX_HINTS = "c.idx";

/** The room in the last two tokens of a journal subject or an index key. */
export function roomOfTokens(subject: string): RoomId {
  const tokens = subject.split(".");
  return roomId(`${tokens.at(-2)}/${tokens.at(-1)}`);
}

/** FNV-1a over the room's id: which of the journal streams holds it. Never changes. */
export function journalShard(room: RoomId): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < room.length; i++)
    hash = Math.imul(hash ^ room.charCodeAt(i), 0x01000193) >>> 0;
  return hash % JOURNAL_SHARDS;
}

/** Advisories of the server about a client of the control account. */
export const DISCONNECTS = "$SYS.ACCOUNT.CTRL.DISCONNECT";
/** The name of a node's liveness connection, which those advisories repeat. */
export const livenessConnection = (node: ProcessId): string => `live:${node}`;
export const processOfLiveness = (name: string): ProcessId | undefined =>
  name.startsWith("live:") ? parseProcessId(name.slice(5)) : undefined;
