import { EPOCH_NONE, type Epoch } from "../src/kernel/epoch.ts";
import type { SessionId } from "../src/kernel/ids.ts";
import type { Role, Seat } from "../src/protocol/client-messages.ts";
import { ROW_WORDS, rowX, rowZ } from "../src/protocol/pose-row.ts";
import { type Cell, NO_CELL, nextCell } from "./cells.ts";
import { Following } from "./following.ts";
import type { Listener } from "./news.ts";
import { Outbox } from "./outbox.ts";
import type { Replica } from "./replica.ts";
import type { Ride } from "./show.ts";
import { Tier } from "./tiers.ts";

/** The socket as whoever writes to it sees it. */
export interface ViewerLink {
  /** False once it closes, and while too much of earlier writes is pending. */
  readonly writable: boolean;
  /** What is told to the connection rather than to one of its sessions. */
  readonly outbox: Outbox;
  /**
   * One or more whole WebSocket messages, to one that is writable. The buffer may be shared: nobody
   * changes it.
   */
  write(frame: Buffer): void;
}

/** Places before any in the news: nothing was told yet, or what was missed is forgotten. */
export const FRESH = -2;
export const BEHIND = -1;

export const NO_PREAMBLE: readonly Uint8Array[] = [];

/** What one session is told, and how far it has come. */
export class Viewer implements Listener {
  readonly session: SessionId;
  readonly role: Role;
  readonly channel: number;
  readonly link: ViewerLink;
  readonly outbox: Outbox;
  /** False until the session may be told about the room. */
  admitted = false;
  /** True once its client was told that it is in. */
  entered = false;
  /** Where in the room's news it goes on. */
  place: number = FRESH;
  /** `joined` and a replay: told before anything else. */
  preamble = NO_PREAMBLE;
  seat: Seat | undefined;
  /** The last pose that its own client sent; the view of one who has no row in the room. */
  row: Uint32Array | undefined;
  cell: Cell = NO_CELL;
  /** Undefined for most: who follows nobody is written what others are, byte for byte. */
  following: Following | undefined;
  /** What rides its frames: the stage of the event in whose shard it sits. */
  ride: Ride | undefined;
  /** The last tick whose frame it was written; -1: none. */
  shownTick = -1;
  /** Whose tick rode to it last, which one, and the last for which that will do. */
  carriedOf: Epoch = EPOCH_NONE;
  carriedTick = -1;
  carriedUntil = -1;
  /** What lies between two frames that it rides; 0: it rides none. */
  rideMs = 0;
  /** What it rode is late, and the stage wrote to it instead. */
  strayed = false;
  /** How often it is sent a frame. */
  readonly tier = new Tier();

  constructor(
    who: { readonly session: SessionId; readonly role: Role; readonly channel: number },
    link: ViewerLink,
    tailBytesMax: number,
  ) {
    this.session = who.session;
    this.role = who.role;
    this.channel = who.channel;
    this.link = link;
    this.outbox = new Outbox(tailBytesMax);
  }

  /** In place of whom it followed before; of more than `most` the first count. */
  follow(seats: readonly Seat[], most: number, replica: Replica): void {
    const followed = seats.slice(0, most);
    this.following = followed.length > 0 ? new Following(followed, replica) : undefined;
  }

  /** Goes with the avatar, or with the own pose where there is none to see. */
  look(replica: Replica, hysteresisM: number): void {
    const { seat } = this;
    const seen = seat && replica.seats(seat) && replica.hasRow(seat.slot);
    const rows = seen ? replica.rows : this.row;
    if (!rows) return;
    const at = seen ? seat.slot * ROW_WORDS : 0;
    this.cell = nextCell(this.cell, rowX(rows, at), rowZ(rows, at), hysteresisM);
  }
}
