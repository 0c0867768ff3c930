import { backoffMs } from "../kernel/backoff.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Random } from "../kernel/random.ts";
import type { Cursor, GatewayMessage, Profile } from "../protocol/client-messages.ts";
import type { MembershipCode } from "../protocol/close-codes.ts";
import type { Frame } from "../protocol/frame.ts";
import type { ChannelOwner, Connection } from "./connection.ts";
import { type EndCode, JoinRefused, type Unjoinable } from "./errors.ts";
import { JoinDeadline } from "./join-deadline.ts";
import type { ClientLimits } from "./limits.ts";
import type { Waiting } from "./room-options.ts";
import { CLOSED_ABNORMALLY } from "./transport.ts";

/** What a page keeps, so that the same person can go on in this room after a reload. */
export interface SavedSession {
  readonly room: string;
  /** Secret: whoever holds it can resume the session. */
  readonly token: string;
  /** The highest attach number used; the next attach is numbered one higher. */
  readonly attach: number;
}

export type Joined = Extract<GatewayMessage, { type: "joined" }>;

/** What a membership needs of its client. */
export interface MembershipHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: ClientLimits;
  /** The connection to attach through; undefined while there is none. */
  readonly connection: () => Connection | undefined;
  /** Answers why it can not be joined; undefined where it can. */
  readonly register: (membership: Membership) => Unjoinable | undefined;
  /** The membership now lives on another connection than before, or on none. */
  readonly moved: (membership: Membership) => void;
}

export interface MembershipHandlers {
  readonly cursor: () => Cursor | null;
  readonly profile: () => Profile;
  readonly lastTick: () => number | undefined;
  readonly joined: (joined: Joined) => void;
  readonly message: (message: GatewayMessage) => void;
  readonly frame: (frame: Frame) => void;
  readonly detached: () => void;
  readonly ended: (code: EndCode, reason: string, refusal: JoinRefused | undefined) => void;
}

export interface MembershipOptions {
  readonly resume?: SavedSession | undefined;
  readonly onSession?: ((saved: SavedSession) => void) | undefined;
  readonly transfer: string | null;
  readonly beside?: string | undefined;
  readonly onWaiting?: ((waiting: Waiting) => void) | undefined;
}

interface Binding {
  readonly connection: Connection;
  readonly channel: number;
  /** The number of the join that was sent on it. */
  readonly attach: number;
}

/** Refusals that asking again cannot change. */
const FINAL: ReadonlySet<MembershipCode> = new Set<MembershipCode>([
  "room_unknown",
  "room_closed",
  "room_quarantined",
  "wrong_room",
  "session_expired",
  "superseded",
  "kicked",
  "left",
]);

const mayPass = (code: MembershipCode, retryAfterMs: number | null): boolean =>
  !FINAL.has(code) && (code !== "room_full" || retryAfterMs !== null);

/**
 * One session's attachment to whatever gateway serves this client. There are up to two bindings:
 * the live one, and one on which a join has been sent. The live one serves until the other's
 * `joined` comes, so changing gateways interrupts nothing.
 */
export class Membership implements ChannelOwner {
  readonly room: string;
  readonly #host: MembershipHost;
  readonly #handlers: MembershipHandlers;
  readonly #onSession: ((saved: SavedSession) => void) | undefined;
  readonly #transfer: string | null;
  readonly #beside: string | null;
  readonly #onWaiting: ((waiting: Waiting) => void) | undefined;
  readonly #deadline: JoinDeadline;
  #live: Binding | undefined;
  #joining: Binding | undefined;
  #token: string | null;
  #attach: number;
  #phase: "joining" | "joined" | "leaving" | "ended" = "joining";
  #attempt = 0;
  #resyncs = 0;
  #resyncStreak = 0;
  #resyncAtMs = Number.NEGATIVE_INFINITY;
  #answerTimer: Timer | undefined;
  #retryTimer: Timer | undefined;
  #leaveTimer: Timer | undefined;

  constructor(
    host: MembershipHost,
    room: string,
    handlers: MembershipHandlers,
    options: MembershipOptions,
  ) {
    this.room = room;
    this.#host = host;
    this.#handlers = handlers;
    this.#onSession = options.onSession;
    this.#transfer = options.transfer;
    this.#beside = options.beside ?? null;
    this.#onWaiting = options.onWaiting;
    this.#token = options.resume?.token ?? null;
    this.#attach = options.resume?.attach ?? 0;
    this.#deadline = new JoinDeadline(host.clock, host.limits.joinMsMax, (why) =>
      this.#refuseJoin("timeout", `${why} until the time was up`, null),
    );
  }

  /** Joins, through whatever connection there is or will be. */
  start(): void {
    const { register, connection } = this.#host;
    this.#deadline.start();
    const why = register(this);
    if (why) return this.#refuseJoin(why.code, why.message, null);
    const open = connection();
    if (open) this.attachTo(open);
  }

  /** The replica is loaded: from now on refusals are met with patience. */
  ready(): void {
    this.#deadline.cancel();
  }

  /** The binding messages go out on; undefined while detached. */
  get live(): Binding | undefined {
    return this.#live;
  }

  /** How often the replica had to be fetched again. */
  get resyncs(): number {
    return this.#resyncs;
  }

  /** False where a later attach of this very membership is why `connection` was superseded. */
  wasSupersededOn(connection: Connection): boolean {
    const newest = this.#live?.connection === connection && this.#live.attach === this.#attach;
    return newest || this.#phase !== "joined";
  }

  readonly lastTick = (): number | undefined => this.#handlers.lastTick();

  /** Sends a join through `connection`, as the next attach of this session. */
  attachTo(connection: Connection): void {
    if (this.#phase === "ended" || this.#phase === "leaving") return;
    this.#retryTimer?.cancel();
    this.#retryTimer = undefined;
    this.#abandonJoin("elsewhere");
    const channel = connection.claim(this);
    if (channel === undefined) {
      // Only when eight rooms are open and one of them must attach twice. A new socket has room.
      connection.close(CLOSED_ABNORMALLY, "no free channel");
      return;
    }
    this.#attach = this.#token === null ? 1 : this.#attach + 1;
    const binding = { connection, channel, attach: this.#attach };
    this.#joining = binding;
    if (this.#token !== null) {
      // Kept before it is used: after a crash, a number that was never kept could be used twice.
      this.#onSession?.({ room: this.room, token: this.#token, attach: this.#attach });
      if (this.#joining !== binding) return;
    }
    this.#awaitAnswer(connection);
    connection.send({
      type: "join",
      channel,
      room: this.room,
      attach: this.#attach,
      session: this.#token,
      cursor: this.#token === null ? null : this.#handlers.cursor(),
      profile: this.#handlers.profile(),
      transfer: this.#transfer,
      beside: this.#beside,
    });
  }

  #awaitAnswer(connection: Connection): void {
    this.#answerTimer?.cancel();
    this.#answerTimer = this.#host.clock.after(this.#host.limits.joinAnswerMsMax, () =>
      connection.close(CLOSED_ABNORMALLY, "no answer to a join"),
    );
  }

  /** In line before an event's doors: as long as that is said, there is an answer coming. */
  #waits(connection: Connection, { ahead, total, etaMs }: Waiting): void {
    this.#awaitAnswer(connection);
    if (this.#phase === "joining") this.#deadline.start();
    this.#onWaiting?.({ ahead, total, etaMs });
  }

  /** That connection is gone. The client attaches again once it has another. */
  connectionClosed(connection: Connection): void {
    if (this.#joining?.connection === connection) this.#abandonJoin("elsewhere");
    if (this.#live?.connection !== connection) return;
    this.#live = undefined;
    this.#handlers.detached();
    if (this.#phase === "leaving") this.end("left", "the connection closed");
  }

  /** Attaches anew to be sent what is missing: a replica that has a hole must not go on. */
  resync(): void {
    if (this.#phase !== "joined" || this.#joining || this.#retryTimer) return;
    this.#attachLater(this.#resyncMs());
  }

  /** The first at once; a gateway that leaves a hole every time is not asked in a tight loop. */
  #resyncMs(): number {
    const { clock, random, limits } = this.#host;
    const now = clock.now();
    if (now - this.#resyncAtMs > limits.stableMs) this.#resyncStreak = 0;
    this.#resyncs++;
    this.#resyncAtMs = now;
    const streak = this.#resyncStreak++;
    return streak === 0 ? 0 : backoffMs(streak - 1, limits.backoff, random);
  }

  leave(transfer: string | null): void {
    if (this.#phase === "ended" || this.#phase === "leaving") return;
    const { clock, limits } = this.#host;
    const live = this.#live;
    this.#phase = "leaving";
    this.#retryTimer?.cancel();
    this.#abandonJoin("leave");
    // Nobody to tell: the room lets go of the seat by itself once the session has been away long.
    if (!live) return this.end("left", "left while away");
    live.connection.send({ type: "leave", channel: live.channel, transfer });
    this.#leaveTimer = clock.after(limits.leaveMsMax, () => this.end("left", "no answer"));
  }

  readonly receive = (connection: Connection, channel: number, message: GatewayMessage): void => {
    const at = (binding: Binding | undefined): boolean =>
      binding?.connection === connection && binding.channel === channel;
    if (at(this.#joining)) {
      if (message.type === "joined") this.#promote(message);
      else if (message.type === "refused")
        this.#refused(message.code, message.message, message.retryAfterMs);
      else if (message.type === "left") this.#refused(message.code, message.reason, null);
      else if (message.type === "waiting") this.#waits(connection, message);
    } else if (at(this.#live)) {
      if (message.type === "left") this.#left(message.code, message.reason, null);
      else if (message.type === "refused")
        this.#left(message.code, message.message, message.retryAfterMs);
      else if (message.type === "joined") this.#reseated(message);
      else if (message.type === "error" && message.code === "not_joined") this.#strayed();
      else this.#handlers.message(message);
    }
  };

  readonly frame = (connection: Connection, channel: number, frame: Frame): void => {
    if (this.#live?.connection === connection && this.#live.channel === channel)
      this.#handlers.frame(frame);
  };

  /** Over, for whatever reason; nothing more comes or goes. */
  end(code: EndCode, reason: string, refusal?: JoinRefused): void {
    if (this.#phase === "ended") return;
    this.#phase = "ended";
    this.#deadline.cancel();
    this.#retryTimer?.cancel();
    this.#leaveTimer?.cancel();
    this.#abandonJoin("leave");
    this.#live?.connection.release(this.#live.channel, "when_left");
    this.#live = undefined;
    this.#host.moved(this);
    this.#handlers.ended(code, reason, refusal);
  }

  get ended(): boolean {
    return this.#phase === "ended";
  }

  #promote(joined: Joined): void {
    const before = this.#live;
    this.#live = this.#joining;
    this.#joining = undefined;
    this.#answerTimer?.cancel();
    if (before) {
      // On the same socket, what the gateway still says on the old channel must find nobody there.
      const same = before.connection === this.#live?.connection;
      before.connection.release(before.channel, same ? "when_left" : "now");
    }
    this.#phase = "joined";
    this.#attempt = 0;
    this.#keep(joined);
    this.#host.moved(this);
    if (this.#live) this.#handlers.joined(joined);
  }

  /** The room has another seat for this session now: its journal was restored. */
  #reseated(joined: Joined): void {
    if (this.#phase !== "joined") return;
    this.#keep(joined);
    if (this.#live) this.#handlers.joined(joined);
  }

  #keep({ token }: Joined): void {
    this.#token = token;
    this.#onSession?.({ room: this.room, token, attach: this.#attach });
  }

  /** The gateway says that the live binding is over. */
  #left(code: MembershipCode, reason: string, retryAfterMs: number | null): void {
    const number = this.#detach();
    if (this.#phase === "leaving") return this.end(code, reason);
    // By this very client: the answer to that later attach is slower than this, or it is lost.
    const own = code === "superseded" && number < this.#attach;
    if (own) this.#attachAgain(0);
    else if (!mayPass(code, retryAfterMs)) this.end(code, reason);
    else this.#attachAgain(this.#patienceMs(retryAfterMs));
  }

  /** The gateway knows nothing of the live binding. Whatever it said of it was lost. */
  #strayed(): void {
    this.#detach();
    if (this.#phase === "leaving") this.end("left", "nothing was joined");
    else this.#attachAgain(this.#resyncMs());
  }

  /** Gives the live binding up, without a word to the gateway; answers its attach number. */
  #detach(): number {
    const live = this.#live as Binding;
    live.connection.release(live.channel, "now");
    this.#live = undefined;
    if (this.#phase === "leaving") return live.attach;
    this.#handlers.detached();
    this.#host.moved(this);
    return live.attach;
  }

  #refused(code: MembershipCode, message: string, retryAfterMs: number | null): void {
    this.#abandonJoin("refused");
    if (code === "session_expired" && this.#phase === "joining" && this.#token !== null) {
      // A page opened again long after: the old seat is gone, so this person comes in anew.
      this.#token = null;
      return this.#attachLater(0);
    }
    const ask = mayPass(code, retryAfterMs);
    if (this.#phase === "joining") {
      const waitMs = Math.min(retryAfterMs ?? 0, this.#host.limits.retryAfterMsMax);
      if (!ask || this.#deadline.refused(code, waitMs))
        return this.#refuseJoin(code, message, retryAfterMs);
    } else if (!ask) return this.end(code, message);
    this.#attachLater(this.#patienceMs(retryAfterMs));
  }

  #patienceMs(retryAfterMs: number | null): number {
    const { limits, random } = this.#host;
    const waitMs = Math.min(retryAfterMs ?? 0, limits.retryAfterMsMax);
    return waitMs + backoffMs(this.#attempt++, limits.backoff, random);
  }

  #refuseJoin(code: JoinRefused["code"], message: string, retryAfterMs: number | null): void {
    const refusal = new JoinRefused(code, message, retryAfterMs);
    const local = code === "timeout" || code === "too_many_rooms";
    this.end(local ? "disconnected" : code, message, refusal);
  }

  /** Unless that is under way already. */
  #attachAgain(delayMs: number): void {
    if (!this.#joining && !this.#retryTimer) this.#attachLater(delayMs);
  }

  /** Through whatever connection there is then; a new one attaches everything by itself. */
  #attachLater(delayMs: number): void {
    this.#retryTimer?.cancel();
    this.#retryTimer = this.#host.clock.after(delayMs, () => {
      this.#retryTimer = undefined;
      const connection = this.#host.connection();
      if (connection && this.#joining === undefined) this.attachTo(connection);
    });
  }

  #abandonJoin(why: "leave" | "refused" | "elsewhere"): void {
    this.#answerTimer?.cancel();
    const joining = this.#joining;
    if (!joining) return;
    this.#joining = undefined;
    const { connection, channel } = joining;
    // Where the answer is still to come, the gateway would keep a member that nobody listens for.
    if (why === "leave") connection.send({ type: "leave", channel, transfer: null });
    connection.release(channel, why === "refused" ? "now" : "when_left");
  }
}
