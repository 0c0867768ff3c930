import { isDeepStrictEqual } from "node:util";
import type { SessionId } from "../src/kernel/ids.ts";
import {
  type ClientMessage,
  type GatewayMessage,
  gatewayToClient,
  type Profile,
} from "../src/protocol/client-messages.ts";
import type { MembershipCode } from "../src/protocol/close-codes.ts";
import { shardOf } from "../src/protocol/event-names.ts";
import type { FromRoom } from "../src/protocol/room-messages.ts";
import { Admission, type AdmissionDeps } from "./admission.ts";
import type { AttachWindow } from "./attach-window.ts";
import { Departures } from "./departure.ts";
import type { ClientCommand, Session } from "./session.ts";
import type { Show } from "./show.ts";
import type { Viewer } from "./viewer.ts";

type From<T extends FromRoom["type"]> = Extract<FromRoom, { type: T }>;
type InPassing = Extract<ClientMessage, { type: "signal" | "profile" | "follow" }>;

export interface AttendanceDeps extends AdmissionDeps {
  /** Something was put behind the next frame of this viewer. */
  readonly told: (viewer: Viewer) => void;
  readonly gone: (viewer: Viewer) => void;
  readonly reacted: (name: string) => void;
  readonly attaches: AttachWindow;
  /** The owner is to be told where this person stands. */
  readonly standing: (session: Session) => void;
}

const FULL_RETRY_MS = 250;

const LEFT_TEXT: Partial<Record<MembershipCode, string>> = {
  superseded: "the session is attached elsewhere",
  left: "left",
  room_closed: "the room is closed",
  room_quarantined: "the room failed too often and waits for an operator",
  room_unknown: "there is no such room",
  room_unavailable: "the room could not be reached in time",
  no_capacity: "no node can take the room now",
};

const NOBODY: readonly Session[] = [];

/** Who of this gateway is in one room: attaches, admits, ends, and what is said to one of them. */
export class Attendance {
  /** By connection, and by session: one may be here twice while it changes sockets. */
  readonly #sessions = new Map<string, Session>();
  readonly #viewers = new Set<Viewer>();
  readonly #byId = new Map<SessionId, readonly Session[]>();
  /** Those that are not attached, or not let in yet: only they have something due. */
  readonly #unsettled = new Set<Session>();
  /** Those with replies that wait for the replica: every record asks for them. */
  readonly #early = new Set<Session>();
  readonly #departures: Departures;
  readonly #admission: Admission;
  readonly #deps: AttendanceDeps;

  constructor(deps: AttendanceDeps) {
    this.#deps = deps;
    this.#departures = new Departures(deps);
    this.#admission = new Admission(deps);
  }

  get sessions(): Iterable<Session> {
    return this.#sessions.values();
  }

  get size(): number {
    return this.#sessions.size;
  }

  get empty(): boolean {
    return this.#sessions.size === 0 && this.#departures.empty;
  }

  get viewers(): ReadonlySet<Viewer> {
    return this.#viewers;
  }

  join(session: Session): void {
    this.#sessions.set(session.init.connection, session);
    this.#viewers.add(session.viewer);
    this.#byId.set(session.id, [...this.#of(session.id), session]);
    this.#unsettled.add(session);
    this.#attach(session, this.#deps.clock.now());
    if (session.init.spectator) this.#admission.admit(session);
  }

  /** The socket closed (undefined) or the client left, for a reason. */
  part(session: Session, reason: string | undefined): void {
    if (!this.#remove(session)) return;
    if (!session.spoke) return;
    this.#departures.add(session, reason, this.#deps.clock.now());
  }

  /** The room, or this gateway in its place, says that it is over. */
  end(
    session: Session,
    code: MembershipCode,
    options: { readonly reason?: string; readonly retryAfterMs?: number | null } = {},
  ): void {
    if (!this.#remove(session)) return;
    const { channel } = session.init;
    const reason = options.reason || LEFT_TEXT[code] || code;
    const retryAfterMs = options.retryAfterMs ?? null;
    const message: GatewayMessage = session.viewer.entered
      ? { type: "left", channel, code, reason, transfer: null }
      : { type: "refused", channel, code, message: reason, retryAfterMs };
    this.farewell(session, message);
    session.link.released(channel, code);
  }

  /** The gateway shows somebody out, and the room is told. */
  expel(session: Session, code: MembershipCode, reason: string): void {
    if (session.spoke) this.#departures.add(session, code, this.#deps.clock.now());
    this.end(session, code, { reason });
  }

  /** The last message of a session, behind all that it has coming. */
  farewell(session: Session, message: GatewayMessage): void {
    const { link, viewer } = session;
    // Nothing of the session is written any more, so its tail becomes the connection's.
    // One who was not told `joined` yet has no use for it, nor for the replay behind it.
    for (const part of viewer.entered ? viewer.outbox.take() : [])
      if (link.outbox.push(part, this.#deps.clock.now()) === "overflow")
        return link.close("slowConsumer");
    link.tell(message);
  }

  endAll(code: MembershipCode): void {
    for (const session of [...this.#sessions.values()]) this.end(session, code);
  }

  /**
   * Whoever is here but shown as away is attached again: the room had not heard this gateway for a
   * while and would let them go.
   */
  contradict(now: number): void {
    const { replica, route } = this.#deps;
    for (const session of this.#sessions.values()) {
      const { seat } = session.viewer;
      if (!seat || !replica.showsAway(seat) || !session.attachedUnder(route.floor)) continue;
      this.#unsettled.add(session);
      session.reattach(now);
      this.#attach(session, now);
    }
  }

  /** The floor rose: whoever is here has to be attached again, at `dueAt` at the latest. */
  moved(now: number, dueAt: number): void {
    for (const session of this.#sessions.values()) {
      this.#unsettled.add(session);
      session.reattach(dueAt);
      this.#attach(session, now);
    }
    this.#departures.startAnew(now);
  }

  /** The owner listens. Whose attach is on its way to it has an answer coming. */
  attachAll(now: number): void {
    const { route } = this.#deps;
    for (const session of this.#unsettled) {
      if (session.phase !== "attaching" || session.asked(route.floor, now)) continue;
      session.reattach(now);
      this.#attach(session, now);
    }
  }

  sweep(now: number): void {
    for (const session of [...this.#unsettled]) {
      this.#attach(session, now);
      if (session.viewer.admitted) {
        if (session.phase === "attached") this.#unsettled.delete(session);
        continue;
      }
      this.#admission.fetchAgain(session, now);
      if (now < session.deadlineAt) continue;
      const { problem } = this.#deps.route;
      if (session.spoke) {
        const why = session.init.resumed ? undefined : "join_timeout";
        this.#departures.add(session, why, now);
      }
      this.end(session, problem, { retryAfterMs: this.#deps.config.seekMsMax });
    }
    this.#departures.run(now);
  }

  attached(message: From<"attached">): void {
    const session = this.#at(message);
    if (session?.phase !== "attaching") return;
    const { floor } = this.#deps.route;
    const { slot, generation } = message;
    const before = session.viewer.seat;
    const moved = before?.slot !== slot || before.generation !== generation;
    const restored = session.restoredBy(floor);
    const isAsked = session.wasAsked(floor);
    session.attached(floor, { slot, generation }, message.seq, message.index);
    for (const command of session.released(floor)) this.#deps.send(command);
    if (!isAsked) this.#catchUp(session);
    // The client knows itself by its seat, and its commands by their numbers: with another seat, or
    // where the room may have forgotten outcomes, it starts over.
    if (before && (moved || restored)) {
      session.viewer.admitted = false;
      this.#unsettled.add(session);
      session.cursor = null;
      session.deadlineAt = this.#deps.clock.now() + this.#deps.config.joinMsMax;
    }
    for (const other of this.#of(session.id))
      if (other.init.attach < session.init.attach) this.end(other, "superseded");
    this.#admission.admit(session);
  }

  /**
   * The owner knew of the session by the one before it. What no attach has told it may have been
   * lost on the way between the two: how the person looks, and where they stand.
   */
  #catchUp(session: Session): void {
    const { replica, standing } = this.#deps;
    const { seat } = session.viewer;
    const known = seat && replica.members.get(seat.slot)?.profile;
    if (!isDeepStrictEqual(known, session.profile)) this.#profile(session, session.profile);
    standing(session);
  }

  superseded(message: From<"superseded">): void {
    const session = this.#sessions.get(message.connection);
    if (session?.id === message.session) this.end(session, "superseded");
    this.#departures.forget(message.connection);
  }

  refused(message: From<"refused">): void {
    const session = this.#at(message);
    if (session?.phase !== "attaching") return;
    const full = message.code === "room_full" && shardOf(message.room) !== undefined;
    // Their seat was let go and is taken. Another shard may have one, for who comes anew.
    if (full && session.init.resumed)
      return this.end(session, "session_expired", { reason: "the seat was given away" });
    // Whom an event's door sent there is given another seat when they ask again.
    const retryAfterMs = message.retryAfterMs ?? (full ? FULL_RETRY_MS : null);
    // A new owner that can not take this socket yet is asked again; the membership stays.
    if (session.viewer.admitted && message.code === "room_unavailable") return;
    this.end(session, message.code, { retryAfterMs });
  }

  ended(message: From<"ended">): void {
    const { code, reason } = message;
    for (const session of this.#of(message.session)) {
      // A seat that was let go is not the one that somebody coming back is about to be given.
      if (code === "session_expired" && session.phase === "attaching") continue;
      this.end(session, code, { reason });
    }
  }

  /** Outcomes of commands go to the socket that the room knows. */
  answered(message: From<"reply" | "expect" | "busy">): void {
    for (const session of this.#of(message.session)) {
      if (session.phase !== "attached") continue;
      const { channel } = session.init;
      const { seq } = message;
      if (message.type === "reply") {
        const { status, data, index } = message;
        const reply = { type: "reply", channel, seq, status, data, index } as const;
        if (index > this.#deps.replica.index) this.#hold(session, reply);
        else this.tell(session, reply);
      } else if (message.type === "busy") {
        const { retryAfterMs } = message;
        this.tell(session, { type: "busy", channel, seq, retryAfterMs });
      } else this.tell(session, { type: "expect", channel, seq });
    }
  }

  /** Its record comes later. */
  #hold(session: Session, reply: Extract<GatewayMessage, { type: "reply" }>): void {
    session.replies.hold(reply);
    this.#early.add(session);
  }

  records(message: From<"records">): void {
    for (const session of this.#unsettled) {
      if (session.fetch?.request !== message.request) continue;
      return this.#admission.fetched(session, message.records);
    }
  }

  command(session: Session, command: ClientCommand): void {
    const { config, replica, route, send } = this.#deps;
    if (session.init.spectator) {
      const { channel } = session.init;
      const refusal = { status: "forbidden", data: null, index: replica.index } as const;
      return this.tell(session, { type: "reply", channel, seq: command.seq, ...refusal });
    }
    // Its number has to be used up, so the room is asked to refuse it.
    const silenced = session.speech?.refuses(session.init, command) ?? null;
    const outcome = session.command({ ...command, silenced }, route.floor);
    if (outcome === "waits") return;
    if (outcome !== "full") return send(outcome);
    const { channel, seq } = command;
    this.tell(session, { type: "busy", channel, seq, retryAfterMs: config.busyMs });
  }

  /** What no journal keeps. */
  inPassing(session: Session, message: InPassing): void {
    const { config, replica } = this.#deps;
    if (message.type === "signal") this.#signal(session, message);
    else if (message.type === "profile") this.#profile(session, message.profile);
    else session.viewer.follow(message.members, config.followedMax, replica);
  }

  #profile(session: Session, profile: Profile): void {
    session.profile = profile;
    const { route, send } = this.#deps;
    if (!session.attachedUnder(route.floor)) return;
    send({ type: "profile", ...session.membership(route.floor), profile });
  }

  #signal(session: Session, message: Extract<ClientMessage, { type: "signal" }>): void {
    const { reacted, route, send } = this.#deps;
    const { seat } = session.viewer;
    if (session.speech?.refuses(session.init, { name: message.name })) return;
    reacted(message.name);
    if (!seat || !session.attachedUnder(route.floor)) return;
    const { name, body } = message;
    const { slot, generation } = seat;
    const { room } = session.init;
    send({ type: "signal", room, epoch: route.floor, slot, generation, name, body });
  }

  /** Who has not been told everything that is new and no other room brings, or what is theirs. */
  behind(since: number, show: Show): Viewer[] {
    const due: Viewer[] = [];
    for (const viewer of this.#viewers) {
      const { outbox, place, preamble } = viewer;
      const late = (!outbox.empty && outbox.since <= since) || preamble.length > 0;
      const behind = late || (place !== this.#deps.news.end && !show.carries(viewer));
      if (viewer.admitted && behind) due.push(viewer);
    }
    return due;
  }

  /** Queues what only this session is told; one who lets it pile up has to resume. */
  tell(session: Session, message: GatewayMessage): void {
    const { outbox } = session.viewer;
    const outcome = outbox.push(gatewayToClient.encode(message), this.#deps.clock.now());
    if (outcome === "overflow") session.link.close("slowConsumer");
    else this.#deps.told(session.viewer);
  }

  /** The replica has come further: replies that waited for it are told, and whoever did let in. */
  caughtUp(): void {
    const { index } = this.#deps.replica;
    for (const session of this.#early) {
      for (const reply of session.replies.release(index)) this.tell(session, reply);
      if (session.replies.empty) this.#early.delete(session);
    }
    for (const session of [...this.#unsettled]) this.#admission.admit(session);
  }

  /** The replica starts over. Replies of a history that may be gone are asked for again. */
  startOver(): void {
    for (const session of this.#early) session.replies.clear();
    this.#early.clear();
  }

  #attach(session: Session, now: number): void {
    const { attaches, random, route, send } = this.#deps;
    if (!route.owner || !session.attachDue(now)) return;
    if (!attaches.admits(route.owner, session, now)) return;
    send(session.attach(route.floor, now, random));
  }

  #at(message: { session: SessionId; attach: number; connection: string }): Session | undefined {
    const session = this.#sessions.get(message.connection);
    return session?.id === message.session && session.init.attach === message.attach
      ? session
      : undefined;
  }

  #of(id: SessionId): readonly Session[] {
    return this.#byId.get(id) ?? NOBODY;
  }

  /** False where it is gone already. */
  #remove(session: Session): boolean {
    if (session.phase === "left") return false;
    session.phase = "left";
    session.viewer.admitted = false;
    this.#sessions.delete(session.init.connection);
    this.#viewers.delete(session.viewer);
    this.#unsettled.delete(session);
    this.#early.delete(session);
    this.#deps.gone(session.viewer);
    const rest = this.#of(session.id).filter((other) => other !== session);
    if (rest.length === 0) this.#byId.delete(session.id);
    else this.#byId.set(session.id, rest);
    return true;
  }
}
