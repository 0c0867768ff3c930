import { backoffMs } from "../src/kernel/backoff.ts";
import { BoundedQueue } from "../src/kernel/bounded-queue.ts";
import { EPOCH_NONE, type Epoch, epochGeneration } from "../src/kernel/epoch.ts";
import type { PersonId, RoomId, SessionId } from "../src/kernel/ids.ts";
import type { Random } from "../src/kernel/random.ts";
import type {
  ClientMessage,
  Cursor,
  GatewayMessage,
  Profile,
  Role,
  Seat,
} from "../src/protocol/client-messages.ts";
import type { CloseName, MembershipCode } from "../src/protocol/close-codes.ts";
import type { Silenced } from "../src/protocol/event-public.ts";
import { bytesOfRows } from "../src/protocol/pose-row.ts";
import type { ToRoom } from "../src/protocol/room-messages.ts";
import type { GatewayConfig } from "./config.ts";
import { EarlyReplies } from "./early-replies.ts";
import type { SpeechRules } from "./speech.ts";
import { Viewer, type ViewerLink } from "./viewer.ts";

export type ClientCommand = Extract<ClientMessage, { type: "command" }>;

/** As it goes to the room. */
export type SpokenCommand = ClientCommand & { readonly silenced: Silenced | null };

/** The connection as its sessions see it. */
export interface SessionLink extends ViewerLink {
  /** Said to the connection itself, outside of any membership. */
  tell(message: GatewayMessage): void;
  /** The channel is free again; `code` is why. */
  released(channel: number, code: MembershipCode): void;
  close(why: CloseName): void;
}

export interface SessionInit {
  readonly room: RoomId;
  readonly session: SessionId;
  /** When the person came with it: of an event the stage's room time, in ms since 1970. */
  readonly began: number;
  readonly person: PersonId;
  readonly role: Role;
  readonly profile: Profile;
  readonly channel: number;
  readonly attach: number;
  /** `<gateway process>#<number>`: this channel of this socket, and no other ever. */
  readonly connection: string;
  /** True where the session was in the room before, through another socket. */
  readonly resumed: boolean;
  readonly cursor: Cursor | null;
  /** What the client resumes with. */
  readonly token: string;
  /** Sees the room from this gateway's replica; its owner never hears of it. */
  readonly spectator: boolean;
  /** Another gateway that serves the room anyway, which the client is told of once it is in. */
  readonly servedAt: string | null;
}

/** Nobody's: slots are dealt from 0 up. */
const NO_SEAT: Seat = { slot: 0xffff, generation: 0 };

/** attaching: the owner has not confirmed this socket under the floor. left: over for good. */
export type SessionPhase = "attaching" | "attached" | "left";

/** An unanswered request for the records that a resumed client missed. */
export interface Fetch {
  readonly request: number;
  dueAt: number;
  tries: number;
}

/** One channel of one connection as a member of one room: what it says to the room, and when. */
export class Session {
  readonly init: SessionInit;
  readonly link: SessionLink;
  readonly viewer: Viewer;
  readonly replies = new EarlyReplies();
  /** When a session that is not let in by then is refused. */
  deadlineAt: number;
  profile: Profile;
  /** Where an event lets not everybody say everything. */
  speech: SpeechRules | undefined;
  phase: SessionPhase = "attaching";
  /** The last record that the client says it has. */
  cursor: Cursor | null;
  fetch: Fetch | undefined;
  /** The last command that the room has an outcome for, as of the attach. */
  seq = 0;
  /** Index of the record that the attach stands in, or of a later one. */
  attachIndex = 0;
  /** Whom commands went to last, the highest of them, and the highest that went before. */
  #forwardedTo: Epoch = EPOCH_NONE;
  #forwardedSeq = 0;
  #elsewhereSeq = 0;
  #attachedEpoch: Epoch = EPOCH_NONE;
  /** The owner that the last attach went to, and when. */
  #askedFloor: Epoch = EPOCH_NONE;
  #askedAt = 0;
  #tries = 0;
  #dueAt: number;
  /** True once the room may have heard of this socket. */
  #spoke: boolean;
  #rejoins: boolean;
  /** Made for the first that has to wait: most sessions are attached before they say anything. */
  #waiting: BoundedQueue<SpokenCommand> | undefined;
  readonly #config: GatewayConfig;

  constructor(init: SessionInit, link: SessionLink, config: GatewayConfig, now: number) {
    this.init = init;
    this.link = link;
    this.profile = init.profile;
    this.cursor = init.cursor;
    this.viewer = new Viewer(init, link, config.tailBytesMax);
    this.deadlineAt = now + config.joinMsMax;
    this.#dueAt = now;
    this.#spoke = false;
    this.#rejoins = init.resumed;
    this.#config = config;
    if (!init.spectator) return;
    this.phase = "attached";
    this.viewer.seat = NO_SEAT;
  }

  get id(): SessionId {
    return this.init.session;
  }

  get spoke(): boolean {
    return this.#spoke;
  }

  /** True where the owner at this floor has confirmed this socket. */
  attachedUnder(floor: Epoch): boolean {
    return this.phase === "attached" && this.#attachedEpoch === floor;
  }

  /** It has its place, as far as this gateway can tell: a spectator needs none. */
  placedUnder(floor: Epoch): boolean {
    return this.init.spectator || this.attachedUnder(floor);
  }

  /** True where it was attached before, to a history that another one has taken the place of. */
  restoredBy(floor: Epoch): boolean {
    const before = this.#attachedEpoch;
    return before !== EPOCH_NONE && epochGeneration(before) !== epochGeneration(floor);
  }

  /** There is a new owner, who has to be told of this socket at `dueAt` at the latest. */
  reattach(dueAt: number): void {
    if (this.phase === "left" || this.init.spectator) return;
    if (this.phase === "attached") this.#rejoins = true;
    this.phase = "attaching";
    this.#tries = 0;
    this.#dueAt = dueAt;
  }

  /** True where an attach went to the owner at this floor. */
  wasAsked(floor: Epoch): boolean {
    return this.#askedFloor === floor;
  }

  /** True where the owner at this floor was asked so lately that the answer may be coming. */
  asked(floor: Epoch, now: number): boolean {
    return this.#askedFloor === floor && now - this.#askedAt < this.#config.attachMsMin;
  }

  /** True where an attach is to be sent, for the first time or again. */
  attachDue(now: number): boolean {
    return this.phase === "attaching" && now >= this.#dueAt;
  }

  /** That attach. */
  attach(floor: Epoch, now: number, random: Random): ToRoom {
    const { attachMsMin, attachMsMax } = this.#config;
    const limits = { baseMs: attachMsMin, capMs: attachMsMax - attachMsMin };
    this.#dueAt = now + attachMsMin + backoffMs(this.#tries++, limits, random);
    this.#spoke = true;
    this.#askedFloor = floor;
    this.#askedAt = now;
    const { person, role } = this.init;
    const { row } = this.viewer;
    return {
      type: "attach",
      ...this.membership(floor),
      person,
      role,
      profile: this.profile,
      resumed: this.#rejoins,
      row: row ? bytesOfRows(row, 1) : null,
    };
  }

  attached(floor: Epoch, seat: Seat, seq: number, index: number): void {
    this.phase = "attached";
    this.#attachedEpoch = floor;
    this.viewer.seat = seat;
    this.seq = seq;
    this.attachIndex = index;
  }

  /** The commands that waited, in order, for the owner at `floor`. */
  released(floor: Epoch): ToRoom[] {
    const messages: ToRoom[] = [];
    const waiting = this.#waiting;
    this.#waiting = undefined;
    for (let next = waiting?.shift(); next; next = waiting?.shift())
      messages.push(this.#forward(next, floor));
    return messages;
  }

  /** The message for the owner; "waits" until it is attached, "full" where too many do. */
  command(command: SpokenCommand, floor: Epoch): ToRoom | "waits" | "full" {
    if (this.attachedUnder(floor)) return this.#forward(command, floor);
    // The body is a view into what the socket received, most of which is not needed any longer.
    const kept = { ...command, body: command.body.slice() };
    this.#waiting ??= new BoundedQueue({ itemsMax: this.#config.commandsWaitingMax });
    return this.#waiting.push(kept) === "full" ? "full" : "waits";
  }

  /** The identity of this socket's attach, for whatever it says to the room. */
  membership(floor: Epoch) {
    const { room, session, attach, connection } = this.init;
    return { room, epoch: floor, session, attach, connection };
  }

  #forward(command: SpokenCommand, floor: Epoch): ToRoom {
    const { seq, name, body, silenced, traceparent } = command;
    if (floor !== this.#forwardedTo) {
      this.#elsewhereSeq = this.#forwardedSeq;
      this.#forwardedTo = floor;
    }
    this.#forwardedSeq = Math.max(this.#forwardedSeq, seq);
    // The client can not know that its resend crossed a takeover on the way.
    const resent = command.resent || seq <= this.#elsewhereSeq;
    return {
      type: "command",
      ...this.membership(floor),
      seq,
      name,
      body,
      resent,
      traceparent,
      silenced,
    };
  }
}
