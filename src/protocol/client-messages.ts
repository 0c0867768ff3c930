import { MEMBERSHIP_CODES } from "./close-codes.ts";
import { REACTIONS_MAX } from "./event-public.ts";
import { PATCH } from "./patches.ts";
import { ROW_BYTES } from "./pose-row.ts";
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
  PERSON,
  type Read,
  SESSION,
  text,
  tuple,
  U8,
  U16,
  U32,
} from "./shape.ts";

/** The protocol versions this code speaks. */
export const VERSION_MIN = 1;
export const VERSION_MAX = 1;
export const SUBPROTOCOL = "roomcluster";
/** Memberships on one socket. */
export const CHANNELS_MAX = 8;
export const COMMAND_BODY_BYTES_MAX = 16 * 1024;
export const COMMANDS_IN_FLIGHT_MAX = 32;
export const MESSAGES_PER_PAYLOAD_MAX = 1024;
/** A record gathers the writes of many commands; its bytes are bounded where it is cut. */
export const RECORD_ITEMS_MAX = 65536;
/** Members whom a client names to follow; a gateway may be set to take fewer. */
export const FOLLOWED_MAX = 64;

/** What clients dial. */
export const URL_MAX = 256;

/** Characters at most of what a client says. */
export const TEXT_MAX = {
  token: 8_192,
  agent: 128,
  room: 64,
  session: 2_048,
  beside: 64,
  command: 64,
  signal: 32,
  profileName: 48,
  profileModel: 32,
} as const;

/** How a person looks. Volatile: never journaled. */
export const PROFILE = tuple({
  name: text(TEXT_MAX.profileName),
  color: U32,
  model: text(TEXT_MAX.profileModel),
});
export type Profile = Read<typeof PROFILE.fields>;

/** The role of those whose every move everybody in the room is to see. */
export const PERFORMER = "performer";
export const ROLES = [PERFORMER, "staff", "audience", "observer"] as const;
export type Role = (typeof ROLES)[number];
/** Of those who make a show: they come onto an event's stage, and are let in first. */
export const isOnStage = (role: Role): boolean => role === PERFORMER || role === "staff";
export const ROLE = oneOf(...ROLES);

export const CURSOR = tuple({ epoch: EPOCH, index: COUNT });
export type Cursor = Read<typeof CURSOR.fields>;

/** Somebody in the room, as everyone in it sees them. */
export const MEMBER = tuple({
  slot: U16,
  generation: U8,
  person: PERSON,
  role: ROLE,
  profile: nullable(PROFILE),
});
export type Member = Read<typeof MEMBER.fields>;

export const SEAT = tuple({ slot: U16, generation: U8 });
export type Seat = Read<typeof SEAT.fields>;

export const CLIENT_EVENT = tuple({ name: text(64), data: ANY });
export type ClientEvent = Read<typeof CLIENT_EVENT.fields>;

/** One journal record as a client sees it; the cursor of the client moves to its index. */
export const CLIENT_RECORD = tuple({
  index: COUNT,
  at: NUMBER,
  joined: list(MEMBER, RECORD_ITEMS_MAX),
  left: list(SEAT, RECORD_ITEMS_MAX),
  patches: list(PATCH, RECORD_ITEMS_MAX),
  events: list(CLIENT_EVENT, RECORD_ITEMS_MAX),
});
export type ClientRecord = Read<typeof CLIENT_RECORD.fields>;

const MEMBERSHIP_CODE = oneOf(...MEMBERSHIP_CODES);

export const clientToGateway = family({
  hello: [
    1,
    {
      versionMin: U16,
      versionMax: U16,
      token: text(TEXT_MAX.token),
      agent: text(TEXT_MAX.agent),
    },
  ],
  join: [
    2,
    {
      channel: U8,
      /** The room's name within the token's tenant, or `event/` and an event's. */
      room: text(TEXT_MAX.room),
      /** Numbers the sockets of a session in the order opened; 1 for a new session. */
      attach: U32,
      /** The session token of an earlier join, or null for a new session. */
      session: nullable(text(TEXT_MAX.session)),
      /** The last record this client has, or null for a snapshot. */
      cursor: nullable(CURSOR),
      profile: PROFILE,
      /** The same on a leave and a join: the person travels. */
      transfer: nullable(text(64)),
      /** To an event: friends who give the same sit together where they can. */
      beside: nullable(text(TEXT_MAX.beside)),
    },
  ],
  leave: [3, { channel: U8, transfer: nullable(text(64)) }],
  command: [
    4,
    {
      channel: U8,
      /** Consecutive per session, from 1. */
      seq: COUNT,
      name: text(TEXT_MAX.command),
      /** One msgpack value; a resend carries the same bytes. */
      body: bytes(COMMAND_BODY_BYTES_MAX),
      /** True where this command was sent before, to an older epoch. */
      resent: BOOLEAN,
      traceparent: nullable(text(64)),
    },
  ],
  signal: [5, { channel: U8, name: text(TEXT_MAX.signal), body: ANY }],
  ping: [6, { clientTime: NUMBER, echoes: list(tuple({ channel: U8, tick: U32 }), CHANNELS_MAX) }],
  profile: [7, { channel: U8, profile: PROFILE }],
  /** Whom to see at the full rate wherever they are; in place of those of before. */
  follow: [8, { channel: U8, members: list(SEAT, FOLLOWED_MAX) }],
});
export type ClientMessage = MessageOf<typeof clientToGateway.definitions>;

/** What a client starts from: everything public in the room at one index. */
const SNAPSHOT_FIELDS = {
  epoch: EPOCH,
  index: COUNT,
  at: NUMBER,
  state: ANY,
  members: list(MEMBER, 65536),
  /** Rows of everybody, 16 bytes each. */
  rows: bytes(65536 * ROW_BYTES),
};

export const gatewayToClient = family({
  welcome: [
    1,
    {
      version: U16,
      gateway: text(80),
      serverTime: NUMBER,
      /** A client sends something at least this often. */
      pingMs: U32,
      payloadBytesMax: U32,
    },
  ],
  joined: [
    2,
    {
      channel: U8,
      session: SESSION,
      /** Secret; resumes this session on any gateway until it expires. */
      token: text(2048),
      attach: U32,
      slot: U16,
      generation: U8,
      /** The last command of this session that the room has an outcome for. */
      seq: COUNT,
      tickHz: NUMBER,
      world: text(64),
      /** Followed by `snapshot` (false) or by `record`s from the cursor on (true). */
      replayed: BOOLEAN,
      /** The name of the room, which of an event is a shard's. */
      room: nullable(text(64)),
    },
  ],
  refused: [
    3,
    { channel: U8, code: MEMBERSHIP_CODE, message: text(256), retryAfterMs: nullable(U32) },
  ],
  reply: [4, { channel: U8, seq: COUNT, status: text(48), data: ANY, index: COUNT }],
  expect: [5, { channel: U8, seq: COUNT }],
  busy: [6, { channel: U8, seq: COUNT, retryAfterMs: U32 }],
  /** A new owner serves the room: resend what has no reply yet, marked. */
  epoch: [7, { channel: U8, epoch: EPOCH }],
  /** The room has had no reachable owner for a while; commands wait, the membership stays. */
  suspended: [8, { channel: U8, forMs: U32 }],
  signal: [9, { channel: U8, slot: U16, generation: U8, name: text(32), body: ANY }],
  pong: [10, { clientTime: NUMBER, serverTime: NUMBER }],
  error: [11, { channel: nullable(U8), code: text(48), message: text(256) }],
  left: [
    12,
    { channel: U8, code: MEMBERSHIP_CODE, reason: text(256), transfer: nullable(text(64)) },
  ],
  snapshot: [13, { channel: U8, ...SNAPSHOT_FIELDS }],
  record: [14, { channel: U8, epoch: EPOCH, record: CLIENT_RECORD }],
  profile: [15, { channel: U8, slot: U16, generation: U8, profile: PROFILE }],
  /** The socket will close; come back, here or elsewhere, after the delay. */
  retryAfter: [16, { afterMs: U32 }],
  /** Rides a frame, whose rows these are too: of whom this client follows. */
  rows: [17, { rows: bytes(FOLLOWED_MAX * ROW_BYTES) }],
  /** From an event's stage, about once a second: how many are there, and what they make of it. */
  crowd: [
    21,
    {
      channel: U8,
      seated: U32,
      waiting: U32,
      /** How often each reaction was heard, in the order of the state's `event.reactions`. */
      reactions: list(COUNT, REACTIONS_MAX),
      /** All of them a second, smoothed. */
      energy: NUMBER,
    },
  ],
  /** The shard is to be emptied, or has too many: join that one instead, if you can. */
  moveTo: [22, { channel: U8, room: text(64) }],
  /** The gateway that serves this client's shard anyway: go on there, after the delay. */
  servedAt: [23, { url: text(URL_MAX), afterMs: U32 }],
  /** A join to an event is in line: so many are before it, of so many. Null: nobody can say. */
  waiting: [20, { channel: U8, ahead: U32, total: U32, etaMs: nullable(U32) }],
});
export type GatewayMessage = MessageOf<typeof gatewayToClient.definitions>;

/** A snapshot's fields without its channel. */
export type RoomSnapshot = Read<typeof SNAPSHOT_FIELDS>;
