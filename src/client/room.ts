import type { Timer } from "../kernel/clock.ts";
import { EPOCH_NONE, type Epoch } from "../kernel/epoch.ts";
import { randomId } from "../kernel/random.ts";
import type {
  ClientRecord,
  GatewayMessage,
  Member,
  Profile,
  Seat,
} from "../protocol/client-messages.ts";
import type { Frame } from "../protocol/frame.ts";
import { type Pose, ROW_WORDS, rowsFromBytes } from "../protocol/pose-row.ts";
import { checkProfile, checkSignal } from "./arguments.ts";
import { Avatars, type PoseOfMember } from "./avatars.ts";
import { Commands } from "./commands.ts";
import { Emitter } from "./emitter.ts";
import { type EndCode, JoinRefused } from "./errors.ts";
import { Follows } from "./follows.ts";
import { judgeQuality, type Quality } from "./link-quality.ts";
import type { Joined } from "./membership.ts";
import { PoseLink } from "./pose-link.ts";
import { type MemberChange, Replica } from "./replica.ts";
import { Residence, type ResidenceHandlers } from "./residence.ts";
import type { RoomEvents, RoomStats } from "./room-events.ts";
import type { RoomHost } from "./room-host.ts";
import type { JoinOptions, Me } from "./room-options.ts";

const HOUSEKEEPING_MS = 500;

/** One person's place in one room: a replica of it, and the ways to act in it. */
export class Room<State = unknown> {
  readonly name: string;
  readonly #host: RoomHost;
  readonly #residence: Residence;
  readonly #events = new Emitter<RoomEvents>();
  readonly #replica = new Replica<State>();
  readonly #commands: Commands;
  readonly #avatars: Avatars;
  readonly #poses: PoseLink;
  readonly #follows: Follows;
  readonly #housekeeping: Timer;
  /** Tells whoever waits for the join; later calls say nothing new. */
  readonly #settled: (refusal: JoinRefused | undefined) => void;
  #profile: Profile;
  #me: Joined | undefined;
  #epoch: Epoch = EPOCH_NONE;
  #lastTick: number | undefined;
  #frameAtMs: number;
  #quality: Quality;
  #suspended = false;
  readonly #counts = { framesFenced: 0, duplicates: 0, holes: 0 };

  /** Joins, and answers once the state is there. Rejects with `JoinRefused`. */
  static open<State>(
    host: RoomHost,
    name: string,
    options: JoinOptions,
    transfer: string | null,
  ): Promise<Room<State>> {
    return new Promise((resolve, reject) => {
      const room = new Room<State>(host, name, options, transfer, (refusal) =>
        refusal ? reject(refusal) : resolve(room),
      );
      room.#residence.current.start();
    });
  }

  private constructor(
    host: RoomHost,
    name: string,
    options: JoinOptions,
    transfer: string | null,
    settled: (refusal: JoinRefused | undefined) => void,
  ) {
    const limits = { ...host.limits, poseHz: options.poseHz ?? host.limits.poseHz };
    this.name = name;
    this.#host = host;
    this.#settled = settled;
    this.#profile = options.profile;
    this.#commands = new Commands(host.clock, limits, host.commandPace, (due) => {
      const live = this.#residence.live;
      if (!live) return;
      const { channel, connection } = live;
      connection.send(...due.map((command) => ({ type: "command", channel, ...command }) as const));
    });
    this.#avatars = new Avatars(limits, () => host.rtt().wayMs);
    this.#poses = new PoseLink(host.clock, limits, () => this.#residence.live);
    this.#follows = new Follows(host, this.#replica, (members) => {
      const live = this.#residence.live;
      live?.connection.send({ type: "follow", channel: live.channel, members });
      return live !== undefined;
    });
    this.#frameAtMs = host.clock.now();
    this.#quality = judgeQuality({ rttMs: 0, frameAgeMs: 0, jitterMs: 0 }, true);
    this.#housekeeping = host.clock.every(HOUSEKEEPING_MS, () => this.#judgeQuality());
    const { beside, onSession, onWaiting, resume } = options;
    const how = { beside, onSession, onWaiting, resume, transfer };
    this.#residence = new Residence(host, name, this.#handlers(), this.#commands, how);
  }

  get me(): Me {
    const { session = "", slot = -1, generation = 0 } = this.#me ?? {};
    const seated = this.#replica.seated(slot, generation);
    const person = seated ? (this.#replica.members.get(slot)?.person ?? "") : "";
    return { session, slot, generation, person };
  }
  /** The world's public state, changed in place as records come. To be read only. */
  get state(): State {
    return this.#replica.state as State;
  }
  get members(): ReadonlyMap<number, Member> {
    return this.#replica.members;
  }
  /** The room's own name, which of a seat in an event is a shard's. */
  get place(): string {
    return this.#me?.room ?? this.name;
  }
  get epoch(): number {
    return this.#epoch;
  }
  get index(): number {
    return this.#replica.index;
  }
  get quality(): Quality {
    return this.#quality;
  }
  get ended(): boolean {
    return this.#residence.ended;
  }
  get stats(): RoomStats {
    return { ...this.#counts, resyncs: this.#residence.current.resyncs };
  }

  /** The room's time in ms since 1970, as every member has it. Only a move sets it back. */
  roomTime(): number {
    return this.#avatars.roomTime(this.#host.clock.now());
  }

  /**
   * Where everybody is to be drawn at room time `atMs` (default: now): a little in the past,
   * between two rows. Your own avatar, which you know better, only if asked for.
   */
  *poses(atMs = this.roomTime(), options?: { readonly self: boolean }): Iterable<PoseOfMember> {
    for (const shown of this.#avatars.poses(this.#replica.members.values(), atMs))
      if (options?.self || shown.member.slot !== this.#me?.slot) yield shown;
  }

  /** Moves your avatar. The latest pose wins; call it as often as you draw. */
  setPose(pose: Pose): void {
    this.#poses.set(pose);
  }

  /** Best effort, never repeated. False where it could not even be sent. */
  signal(name: string, body: unknown = null): boolean {
    checkSignal(name);
    const live = this.#residence.live;
    if (!live || live.connection.congested) return false;
    if (!this.#host.signalPace.take(1, this.#host.clock.now())) return false;
    live.connection.send({ type: "signal", channel: live.channel, name, body });
    return true;
  }

  /**
   * Changes durable state, exactly once. Resolves with the reply's data once that is journaled and
   * visible in `state`. Rejects with `CommandRefused`, or `CommandLost` if the membership ended.
   */
  command(name: string, body: unknown = null, traceparent?: string): Promise<unknown> {
    return this.#commands.run(name, body, traceparent ?? null);
  }

  setProfile(profile: Profile): void {
    checkProfile(profile);
    this.#profile = profile;
    const live = this.#residence.live;
    live?.connection.send({ type: "profile", channel: live.channel, profile });
  }

  /**
   * Members whose every move this client wants to be sent, wherever they are, in place of those it
   * named before. Holds until they leave. Answers whom: members who are here, 16 at most.
   */
  follow(members: Iterable<Seat>): readonly Member[] {
    return this.#follows.set(members);
  }

  /** Answers the function that takes the listener off again. */
  on<K extends keyof RoomEvents>(name: K, listener: (...args: RoomEvents[K]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** Gives the seat up. Commands already sent may still be answered; the others are lost. */
  leave(transfer: string | null = null): Promise<void> {
    return new Promise((resolve) => {
      if (this.ended) return resolve();
      this.#events.on("ended", () => resolve());
      this.#residence.leave(transfer);
    });
  }

  /** Goes to another room: in there first, out of here then. A refusal leaves you where you are. */
  travel<Next = unknown>(room: string, options: JoinOptions): Promise<Room<Next>> {
    return this.#host.travel<Next>(this, room, options, randomId(this.#host.random));
  }

  #handlers(): ResidenceHandlers {
    return {
      cursor: () => this.#replica.cursor,
      profile: () => this.#profile,
      lastTick: () => this.#lastTick,
      joined: (joined) => this.#joined(joined),
      moved: (joined) => this.#moved(joined),
      message: (message) => this.#message(message),
      frame: (frame) => this.#frame(frame),
      detached: () => this.#detached(),
      ended: (code, reason, refusal) => this.#ended(code, reason, refusal),
    };
  }

  #detached(): void {
    this.#commands.detached();
    this.#poses.stop();
    this.#suspend("connection", 0);
  }

  #joined(joined: Joined): void {
    this.#me = joined;
    this.#frameAtMs = this.#host.clock.now();
    this.#avatars.joined(joined.tickHz);
    this.#follows.attached();
    this.#commands.joined(joined.seq);
    this.#resume();
    this.#poses.attached();
  }

  #moved(joined: Joined): void {
    this.#tellMembers(this.#replica.clear());
    // Those of another room say nothing of this one's, and its time is its own.
    this.#me = joined;
    this.#epoch = EPOCH_NONE;
    this.#lastTick = undefined;
    this.#avatars.clear();
    this.#commands.renewed();
    this.#events.emit("moved", this.place);
  }

  #message(message: GatewayMessage): void {
    switch (message.type) {
      case "snapshot":
        return this.#snapshot(message);
      case "record":
        return this.#record(message.epoch, message.record);
      case "reply":
        return this.#commands.reply(message);
      case "expect":
        return this.#commands.expect(message.seq);
      case "busy":
        return this.#commands.busy(message.seq, message.retryAfterMs);
      case "epoch":
        return this.#heard(message.epoch);
      case "error":
        if (message.code === "rate_limited") this.#commands.rateLimited();
        return;
      case "suspended":
        this.#commands.suspended();
        return this.#suspend("room", message.forMs);
      case "signal": {
        const { slot, generation, name, body } = message;
        const member = this.#replica.members.get(slot);
        if (member?.generation === generation) this.#events.emit("signal", { member, name, body });
        return;
      }
      case "moveTo":
        return this.#residence.move(message.room);
      case "crowd": {
        const { channel, type, ...crowd } = message;
        return this.#events.emit("crowd", crowd);
      }
      case "profile": {
        const { slot, generation, profile } = message;
        const member = this.#replica.setProfile(slot, generation, profile);
        if (member) this.#events.emit("profile", member);
        return;
      }
    }
  }

  #frame(frame: Frame): void {
    // A lower epoch is of an owner that is over; within one, a tick that is not higher is a repeat.
    const repeated = frame.epoch === this.#epoch && frame.tick <= (this.#lastTick ?? -1);
    const accepted = frame.epoch >= this.#epoch && !repeated;
    if (accepted) {
      const now = this.#host.clock.now();
      this.#heard(frame.epoch);
      this.#lastTick = frame.tick;
      this.#frameAtMs = now;
      this.#avatars.frame(frame.at, now);
      this.#avatars.rows(frame.rows, frame.at, (slot, generation) =>
        this.#replica.seated(slot, generation),
      );
    } else this.#counts.framesFenced++;
    const { epoch, tick, at: atMs, index } = frame;
    const rows = frame.rows.length / ROW_WORDS;
    const attach = this.#me?.attach ?? 0;
    this.#events.emit("frame", { epoch, tick, atMs, index, rows, accepted, attach });
    if (!accepted || !this.#replica.loaded) return;
    if (index > this.#replica.index) this.#hole();
    else this.#follows.caughtUp();
  }

  /** The owner of `epoch`, or its gateway's word for it, has reached us. */
  #heard(epoch: Epoch): void {
    if (epoch < this.#epoch) return;
    const before = this.#epoch;
    this.#epoch = epoch;
    if (epoch > before) this.#lastTick = undefined;
    this.#commands.heard(epoch);
    this.#resume();
    if (epoch > before && before !== EPOCH_NONE) this.#events.emit("epoch", epoch);
  }

  #snapshot(snapshot: Extract<GatewayMessage, { type: "snapshot" }>): void {
    const changes = this.#replica.load(snapshot);
    // A gateway that is behind would take us back: ask again, it catches up or another is found.
    if (changes === undefined) return this.#hole();
    this.#heard(snapshot.epoch);
    const rows = rowsFromBytes(snapshot.rows);
    this.#tellMembers(changes);
    if (rows)
      this.#avatars.rows(rows, snapshot.at, (slot, generation) =>
        this.#replica.seated(slot, generation),
      );
    this.#commands.shown(snapshot.index);
    this.#events.emit("state", null, snapshot.index);
    this.#residence.current.ready();
    this.#settled(undefined);
  }

  #record(epoch: Epoch, record: ClientRecord): void {
    // Records keep their writer's epoch and are ordered by index alone, so none is fenced here;
    // a replayed one may be of an owner before the last.
    if (epoch > this.#epoch) this.#heard(epoch);
    const changes: MemberChange[] = [];
    const outcome = this.#replica.apply(epoch, record, changes);
    // Before the snapshot that this client waits for, records mean nothing; it includes them.
    if (outcome === "unloaded") return;
    if (outcome === "duplicate") {
      this.#counts.duplicates++;
      return;
    }
    if (outcome !== "applied") return this.#hole();
    const { index, at: atMs } = record;
    this.#tellMembers(changes);
    if (record.patches.length > 0) this.#events.emit("state", record.patches, index);
    for (const { name, data } of record.events)
      this.#events.emit("event", { name, data, index, atMs });
    // Last, so that listeners have seen the effect when the command's promise resolves.
    this.#commands.shown(index);
  }

  #tellMembers(changes: readonly MemberChange[]): void {
    for (const { kind, member } of changes) {
      if (kind === "left") this.#avatars.remove(member.slot, member.generation);
      this.#events.emit(kind, member);
    }
  }

  #hole(): void {
    this.#counts.holes++;
    this.#residence.current.resync();
  }

  #suspend(cause: "room" | "connection", forMs: number): void {
    this.#suspended = true;
    this.#events.emit("suspended", cause, forMs);
  }

  #resume(): void {
    if (!this.#suspended) return;
    this.#suspended = false;
    this.#events.emit("resumed");
  }

  #judgeQuality(): void {
    const { rttMs } = this.#host.rtt();
    const frameAgeMs = this.#host.clock.now() - this.#frameAtMs;
    const measured = { rttMs, frameAgeMs, jitterMs: this.#avatars.jitterMs };
    const before = this.#quality.level;
    this.#quality = judgeQuality(measured, this.#residence.live !== undefined);
    if (this.#quality.level !== before) this.#events.emit("quality", this.#quality);
  }

  #ended(code: EndCode, reason: string, refusal: JoinRefused | undefined): void {
    this.#housekeeping.cancel();
    this.#poses.stop();
    this.#commands.end(code);
    this.#settled(refusal ?? new JoinRefused(code, reason, null));
    this.#events.emit("ended", code, reason);
  }
}
