import {
  COMMAND_BODY_BYTES_MAX,
  MEMBER,
  PROFILE,
  RECORD_ITEMS_MAX,
  ROLE,
  SEAT,
  URL_MAX,
} from "./client-messages.ts";
import { MEMBERSHIP_CODES } from "./close-codes.ts";
import { SHARDS_MAX } from "./event-names.ts";
import { REACTIONS_MAX, SILENCED } from "./event-public.ts";
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
  PROCESS,
  type Read,
  ROOM,
  SESSION,
  text,
  tuple,
  U8,
  U16,
  U32,
  WORLD,
} from "./shape.ts";

/** Slots are 16 bits wide; a room's capacity is far below. */
export const ROWS_PER_TICK_MAX = 4096;
export const MEMBERS_MAX = 4096;
/** A snapshot travels in parts that fit NATS's max_payload with room to spare. */
export const SNAPSHOT_PART_BYTES = 192 * 1024;
export const STATE_BYTES_MAX = 1024 * 1024;
/** One socket of one session on one gateway: tells two with the same attach number apart. */
const CONNECTION = text(96);
const ROWS = bytes(ROWS_PER_TICK_MAX * ROW_BYTES);

/** Who may hear an event: everyone (null), the holders of a role, or named sessions. */
export const AUDIENCE = nullable(
  tuple({ kind: oneOf("role", "sessions"), values: list(text(64), 256) }),
);
export type Audience = Exclude<ReturnType<typeof AUDIENCE>, undefined>;

export const ROOM_EVENT = tuple({ name: text(64), data: ANY, audience: AUDIENCE });
export type RoomEvent = Read<typeof ROOM_EVENT.fields>;

/** A journal record as gateways see it: public patches, events with their audience. */
export const ROOM_RECORD = tuple({
  index: COUNT,
  at: NUMBER,
  joined: list(MEMBER, RECORD_ITEMS_MAX),
  left: list(SEAT, RECORD_ITEMS_MAX),
  patches: list(PATCH, RECORD_ITEMS_MAX),
  events: list(ROOM_EVENT, RECORD_ITEMS_MAX),
});
export type RoomRecord = Read<typeof ROOM_RECORD.fields>;

/** Every message carries the room and the epoch its sender believes in; receivers fence by it. */
const FENCE = { room: ROOM, epoch: EPOCH };
const MEMBERSHIP = { ...FENCE, session: SESSION, attach: U32, connection: CONNECTION };

/** Shards of an event, and grants of one answer. */
export const GRANTS_MAX = 64;
/** Seats of one question that somebody has named a place for. */
export const WISHES_MAX = 32;
export const MOVES_MAX = 16;
/** Shards that one gateway makes before anybody sits there. */
export const AHEAD_MAX = 16;

const SEATS_QUESTION = {
  /** Rises by one with each. */
  request: U32,
  /** The last request whose grants are counted in below. */
  answered: U32,
  /** For people who sit anywhere. */
  want: U16,
  /** How many people wait at this gateway, those for whom it asks included. */
  waiting: U32,
  /**
   * One seat each: in that shard, or where those sit who gave the same name. So many of those who
   * sit anywhere came `before` them; the wishes are in their own order too.
   */
  wishes: list(
    tuple({ beside: nullable(text(64)), shard: nullable(U16), before: U16 }),
    WISHES_MAX,
  ),
  /**
   * By shard: who sits there by this gateway, seats that it may still give away, and all members
   * that its replica shows, of other gateways and who are just away included.
   */
  shards: list(tuple({ shard: U16, seated: U16, held: U16, members: U16 }), SHARDS_MAX),
  /** What clients dial to come by this gateway. */
  url: text(URL_MAX),
  /** Numbers the doors of one gateway process: what is counted begins anew with each. */
  door: U32,
  /** How often each reaction was heard here since that door opened, in the event's order. */
  reactions: list(COUNT, REACTIONS_MAX),
  /** How much longer than ticks its frames are apart because it is behind; 1: it is not. */
  stretch: NUMBER,
};
export type SeatsQuestion = Read<typeof SEATS_QUESTION>;
export type SeatWish = SeatsQuestion["wishes"][number];

/** `home`: another gateway, which serves the shard anyway, by what clients dial. */
const SEAT_GIVEN = tuple({ shard: nullable(U16), full: BOOLEAN, home: nullable(text(URL_MAX)) });
export type SeatGiven = Read<typeof SEAT_GIVEN.fields>;

const SEATS_ANSWER = {
  request: U32,
  grants: list(tuple({ shard: U16, seats: U16 }), GRANTS_MAX),
  /** A seat for each wish, in their order; null: not now, or not there, where it is full. */
  wished: list(SEAT_GIVEN, WISHES_MAX),
  /** So many people who sit in `from` by this gateway are to be asked over to `to`. */
  moves: list(tuple({ from: U16, to: U16, seats: U16 }), MOVES_MAX),
  /** Shards that people are about to be sent to: to be made now. */
  ahead: list(U16, AHEAD_MAX),
  /** When to ask again, where people still wait. */
  retryAfterMs: U32,
  /** How many this gateway may expect to seat in a second. */
  perS: NUMBER,
  /** At all gateways. */
  waiting: U32,
  /** Everybody that sits in the event. */
  seated: U32,
  shards: U16,
  /** Of everybody, since the event began. */
  reactions: list(COUNT, REACTIONS_MAX),
  /** All of them a second, smoothed. */
  energy: NUMBER,
};
export type SeatsAnswer = Read<typeof SEATS_ANSWER>;
export type SeatMove = SeatsAnswer["moves"][number];

/** Gateway to the owning node. */
export const gatewayToRoom = family({
  /** This gateway holds members and has everything up to `index` (0: nothing). Repeated at 1 Hz. */
  watch: [1, { ...FENCE, index: COUNT }],
  attach: [
    2,
    {
      ...MEMBERSHIP,
      person: PERSON,
      role: ROLE,
      profile: PROFILE,
      /** False for a new session: then the room admits or refuses. */
      resumed: BOOLEAN,
      /** The last row of this person, so that after a takeover they stand where they stood. */
      row: nullable(bytes(ROW_BYTES)),
    },
  ],
  /** The socket closed without a leave: the seat is held for a while. */
  away: [3, { ...MEMBERSHIP }],
  leave: [4, { ...MEMBERSHIP, reason: text(48) }],
  command: [
    5,
    {
      ...MEMBERSHIP,
      seq: COUNT,
      name: text(64),
      body: bytes(COMMAND_BODY_BYTES_MAX),
      resent: BOOLEAN,
      traceparent: nullable(text(64)),
      /** An event does not let its sender say this now: it is used up and refused so. */
      silenced: nullable(oneOf(...SILENCED)),
    },
  ],
  signal: [6, { ...FENCE, slot: U16, generation: U8, name: text(32), body: ANY }],
  /** Rows of members attached by this gateway, conflated to one each. */
  poses: [7, { ...FENCE, rows: ROWS }],
  /** Records after `after`, for a client that resumes; answered by `records`. */
  fetch: [8, { ...FENCE, request: U32, after: COUNT }],
  profile: [9, { ...MEMBERSHIP, profile: PROFILE }],
  /** To an event's stage: what this gateway has of its shards, and how many seats it wants. */
  askSeats: [20, { ...FENCE, ...SEATS_QUESTION }],
});
export type ToRoom = MessageOf<typeof gatewayToRoom.definitions>;

/** The owning node to a gateway. */
export const roomToGateway = family({
  attached: [1, { ...MEMBERSHIP, slot: U16, generation: U8, seq: COUNT, index: COUNT }],
  /** `connection` lost to attach number `attach`, which is the session's current one. */
  superseded: [2, { ...MEMBERSHIP }],
  refused: [3, { ...MEMBERSHIP, code: oneOf(...MEMBERSHIP_CODES), retryAfterMs: nullable(U32) }],
  reply: [4, { ...FENCE, session: SESSION, seq: COUNT, status: text(48), data: ANY, index: COUNT }],
  /** The room admits `seq` next from this session. */
  expect: [5, { ...FENCE, session: SESSION, seq: COUNT }],
  busy: [6, { ...FENCE, session: SESSION, seq: COUNT, retryAfterMs: U32 }],
  record: [7, { ...FENCE, record: ROOM_RECORD }],
  /** Part `part` of `parts` of an encoded `RoomImage` at `index`. */
  snapshot: [
    8,
    { ...FENCE, index: COUNT, part: U16, parts: U16, data: bytes(SNAPSHOT_PART_BYTES) },
  ],
  profile: [9, { ...FENCE, slot: U16, generation: U8, profile: PROFILE }],
  /** Rows of everyone who moved, and in turn of everyone else. `index` is the last record's. */
  tick: [10, { ...FENCE, tick: U32, at: NUMBER, index: COUNT, rows: ROWS }],
  signal: [11, { ...FENCE, slot: U16, generation: U8, name: text(32), body: ANY }],
  /** You are behind: the receiver knows a higher epoch than the message it answers carried. */
  stale: [12, { ...FENCE }],
  records: [13, { ...FENCE, request: U32, records: nullable(list(ROOM_RECORD, 4096)) }],
  /** The session's membership is over. */
  ended: [14, { ...FENCE, session: SESSION, code: oneOf(...MEMBERSHIP_CODES), reason: text(256) }],
  /** The room lives at `owner` now; re-read the tail. */
  moved: [15, { ...FENCE, owner: PROCESS }],
  /** Everybody is to see every move of this member until then, in room time. */
  spotlight: [16, { ...FENCE, slot: U16, generation: U8, until: NUMBER }],
  seats: [20, { ...FENCE, ...SEATS_ANSWER }],
});
export type FromRoom = MessageOf<typeof roomToGateway.definitions>;

/** What a gateway's replica starts from. */
export const ROOM_IMAGE = tuple({
  world: WORLD,
  tickHz: NUMBER,
  at: NUMBER,
  /** The public state. */
  state: ANY,
  members: list(MEMBER, MEMBERS_MAX),
  rows: ROWS,
});
export type RoomImage = Read<typeof ROOM_IMAGE.fields>;

/** What stands first in every batch between a gateway and a node. */
export const BATCH_HEAD = tuple({ from: PROCESS, sequence: COUNT });
export type BatchHead = Read<typeof BATCH_HEAD.fields>;
export const BATCH_MESSAGES_MAX = 65536;
