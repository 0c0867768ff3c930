import { SNAPSHOT_BYTES_MAX } from "../../src/journal/limits.ts";
import { MAILBOX_DEFAULTS, type MailboxLimits } from "../mailbox.ts";

/** Limits and times of every room on a node. Durations in ms, sizes in bytes. */
export interface RoomConfig {
  readonly mailbox: MailboxLimits;
  /** Decisions waiting for the journal; beyond it commands are answered BUSY. */
  readonly pendingEntriesMax: number;
  readonly pendingBytesMax: number;
  /** Records are cut here. Raising it nears NATS's max_payload of 1 MB. */
  readonly recordBytesMax: number;
  /** Sessions of one person in a room: their tabs, and what a stolen token could fill it with. */
  readonly seatsPerPersonMax: number;
  /** Members in the light at once. Each takes a row of every frame in a crowd while they move. */
  readonly spotlightsMax: number;
  readonly spotlightMsMax: number;
  /** World state a room may hold; commands beyond it are refused with `state_full`. */
  readonly stateBytesMax: number;
  /** Data of one command's reply; beyond it the command is refused with `reply_too_large`. */
  readonly replyBytesMax: number;
  /** Slow work that has not come back; beyond it what asks for more is refused. */
  readonly laterOutstandingMax: number;
  /** A larger snapshot is not taken; more than the store takes has no effect. */
  readonly snapshotBytesMax: number;
  /** A snapshot is taken after so many records at the latest: what a takeover has to replay. */
  readonly snapshotRecords: number;
  /** And after so many at the earliest, once they are as large as the last snapshot was. */
  readonly snapshotRecordsMin: number;
  /**
   * Records without a snapshot that counts; beyond it commands are answered BUSY. Well below what a
   * journal reads through (65,536), because people still come and go.
   */
  readonly unnamedRecordsMax: number;
  /** Where there are so many, a snapshot is tried so often, also without new records. */
  readonly snapshotRetryMs: number;
  /** A room that is to be handed over comes to rest in this time, or goes on. */
  readonly restMsMax: number;
  /** After a takeover none is taken for so long, and up to twice as long. */
  readonly snapshotQuietMs: number;
  /**
   * Records kept for gateways and clients that resume; beyond it they get a snapshot. All of them
   * go into one message, so the bytes stay below NATS's max_payload.
   */
  readonly ringRecordsMax: number;
  readonly ringBytesMax: number;
  /** How long a seat is held for somebody whose socket, gateway or owner died. */
  readonly seatHoldMs: number;
  /** After this long without a socket a person is shown as away. */
  readonly awayShownMs: number;
  /**
   * How long after a leave the session may come back; its replies are kept as long. A session that
   * is forgotten can not resume, so no resend of its commands can ever be admitted.
   */
  readonly sessionKeepMs: number;
  /** Sessions kept after their leave; beyond it the oldest are forgotten early. */
  readonly sessionsLeftMax: number;
  /** A gateway that did not watch for so long holds nobody any more. */
  readonly gatewaySilentMs: number;
  /** What a BUSY client is told to wait. */
  readonly busyRetryMs: number;
  /** Signals passed on in one tick; more are dropped. */
  readonly signalsPerTickMax: number;
  /**
   * A busy node lets a room tick no more rarely than this, unless its world does. Above half a
   * second clients have nothing to draw between, and gateways soon take the owner for silent.
   */
  readonly tickMsMax: number;
}

export const ROOM_DEFAULTS: RoomConfig = {
  mailbox: MAILBOX_DEFAULTS,
  pendingEntriesMax: 1024,
  pendingBytesMax: 1024 * 1024,
  recordBytesMax: 256 * 1024,
  stateBytesMax: 1024 * 1024,
  replyBytesMax: 1024,
  laterOutstandingMax: 64,
  snapshotBytesMax: SNAPSHOT_BYTES_MAX,
  snapshotRecords: 256,
  snapshotRecordsMin: 32,
  unnamedRecordsMax: 16_384,
  snapshotRetryMs: 10_000,
  seatsPerPersonMax: 8,
  spotlightsMax: 8,
  spotlightMsMax: 60_000,
  restMsMax: 500,
  snapshotQuietMs: 1_500,
  ringRecordsMax: 512,
  ringBytesMax: 512 * 1024,
  seatHoldMs: 60_000,
  awayShownMs: 5_000,
  sessionKeepMs: 15 * 60_000,
  sessionsLeftMax: 4096,
  gatewaySilentMs: 5_000,
  busyRetryMs: 250,
  signalsPerTickMax: 256,
  tickMsMax: 500,
};
