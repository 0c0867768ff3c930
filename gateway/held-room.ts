import type { Timer } from "../src/kernel/clock.ts";
import { EPOCH_NONE, type Epoch, epochGeneration } from "../src/kernel/epoch.ts";
import type { ProcessId, RoomId } from "../src/kernel/ids.ts";
import type { Ease } from "../src/protocol/event-ladder.ts";
import { poseRow } from "../src/protocol/frame.ts";
import { ROW_WORDS, rowsFromBytes } from "../src/protocol/pose-row.ts";
import type { FromRoom, SeatsQuestion, ToRoom } from "../src/protocol/room-messages.ts";
import { Ahead, type AheadMessage } from "./ahead.ts";
import { Attendance, type AttendanceDeps } from "./attendance.ts";
import { type ComposeCount, Composer, countFrames } from "./composer.ts";
import type { EventDoor } from "./event-door.ts";
import { FramePace, type GatewayPace } from "./frame-pace.ts";
import { passOn } from "./in-passing.ts";
import { LateTails } from "./late-tails.ts";
import { News } from "./news.ts";
import { PoseBatch } from "./pose-batch.ts";
import { Replica } from "./replica.ts";
import { RoomRoute, type RouteDeps } from "./room-route.ts";
import type { Session } from "./session.ts";
import { Show } from "./show.ts";
import { Silence } from "./silence.ts";
import { SnapshotParts } from "./snapshot-parts.ts";
import { TokenBucket } from "./token-bucket.ts";
import type { Uplink } from "./uplink.ts";

export interface RoomDeps extends RouteDeps, Pick<AttendanceDeps, "attaches"> {
  readonly pace: GatewayPace;
  readonly uplink: (node: ProcessId) => Uplink;
  /** Somebody here sent a signal that an event may count. */
  readonly reacted: (name: string) => void;
}

type From<T extends FromRoom["type"]> = Extract<FromRoom, { type: T }>;

/** Everything that this gateway holds of one room, and the only place where its parts meet. */
export class HeldRoom {
  readonly id: RoomId;
  readonly attendance: Attendance;
  readonly route: RoomRoute;
  readonly replica = new Replica();
  readonly show: Show;
  readonly news: News;
  readonly composer: Composer;
  readonly #parts: SnapshotParts;
  readonly #deps: RoomDeps;
  readonly #watches: TokenBucket;
  readonly #corrections: TokenBucket;
  readonly #silence: Silence;
  #watchedAt = Number.NEGATIVE_INFINITY;
  #behind = false;
  /** Of the current owner's ticks. */
  #lastTick = -1;
  #tickedAt = Number.NEGATIVE_INFINITY;
  readonly #tails: LateTails;
  readonly #framePace: FramePace;
  readonly #ahead: Ahead;
  readonly #poses: PoseBatch;
  /** Attaches whoever the owner does not confirm by itself. */
  #attaching: Timer | undefined;
  #idleSince: number;
  /** Somebody is about to come: until then it is held, and its owner watched. */
  #expectedUntil = Number.NEGATIVE_INFINITY;
  /** Where this is a stage, which is held as long as somebody sits in one of its shards. */
  #door: EventDoor | undefined;

  constructor(id: RoomId, deps: RoomDeps) {
    const { clock, config } = deps;
    const now = clock.now();
    this.id = id;
    this.#deps = deps;
    this.#silence = new Silence(config, now);
    this.#idleSince = now;
    this.news = new News({ itemsMax: config.newsMax, bytesMax: config.newsBytesMax });
    this.show = new Show(this.replica, this.news);
    this.composer = new Composer(this.replica, this.news, config);
    this.#parts = new SnapshotParts(config.snapshotBytesMax);
    this.#ahead = new Ahead(config);
    this.#tails = new LateTails(clock, config.tailMs, (due) => {
      if (this.replica.ready) this.#count(this.composer.flush(due));
    });
    this.#framePace = new FramePace(deps.pace.phase(), config.frameMsMax);
    this.#poses = new PoseBatch(clock, (rows) => {
      this.#send({ type: "poses", room: id, epoch: this.route.floor, rows });
    });
    const { watchesPerSecondMax: perSecond } = config;
    const rate = { perSecond, burst: Math.max(1, perSecond >> 1) };
    this.#watches = new TokenBucket(rate, now);
    this.#corrections = new TokenBucket(rate, now);
    this.route = new RoomRoute(id, deps, {
      moved: (epoch) => this.#moved(epoch),
      gone: (code) => {
        this.attendance.endAll(code);
        this.#door?.gone(code);
      },
    });
    this.attendance = new Attendance({
      ...deps,
      route: this.route,
      replica: this.replica,
      news: this.news,
      send: (message) => this.#send(message),
      show: (viewer) => this.#count(this.composer.flush([viewer])),
      told: (viewer) => this.#tails.told(viewer),
      gone: (viewer) => this.#tails.gone(viewer),
      standing: (session) => this.#standing(session),
    });
  }

  join(session: Session): void {
    this.attendance.join(session);
    this.#locate();
  }

  /** Latest wins. `data`: a client's pose. */
  pose(session: Session, data: Uint8Array): void {
    const { viewer } = session;
    viewer.row ??= new Uint32Array(ROW_WORDS);
    poseRow(data, viewer.row);
    this.#standing(session);
  }

  /** Undefined: it is held no longer than for those who are in it. */
  serve(door: EventDoor | undefined): void {
    this.#door = door;
    if (door) this.#locate();
  }

  #locate(): void {
    if (!this.route.owner) this.route.sweep(this.#deps.clock.now(), true);
  }

  expect(ms: number): void {
    this.#expectedUntil = this.#deps.clock.now() + ms;
    this.#locate();
  }

  /** What an event asks of this gateway's frames of one of its shards. */
  ease(ease: Ease): void {
    this.#framePace.eased = ease.frameStretch;
    this.composer.ease(ease);
  }

  askSeats(question: SeatsQuestion): void {
    this.#send({ type: "askSeats", room: this.id, epoch: this.route.floor, ...question });
  }

  #standing(session: Session): void {
    const { floor, owner } = this.route;
    const { row, seat } = session.viewer;
    if (!owner || !seat || !row || !session.attachedUnder(floor)) return;
    this.#poses.put(row, seat, { tickMs: 1_000 / this.replica.tickHz, tickedAt: this.#tickedAt });
  }

  /** A message that says it is about this room, from a process that may or may not own it. */
  receive(from: ProcessId, message: FromRoom): void {
    if (message.type === "moved") return this.route.heard("moved");
    if (message.type === "stale") return this.#stale(from, message.epoch);
    const standing = this.route.judge(message.epoch);
    if (standing === "stale") {
      this.#deps.observer.metrics.add("roomcluster_fenced_total", 1, { where: "gateway" });
      if (this.#corrections.take(this.#deps.clock.now()))
        this.#deps.uplink(from).send(this.#watchMessage());
      return;
    }
    if (standing === "ahead") return this.#hold({ from, message });
    if (from !== this.route.owner) return this.#dropped("foreign", 1);
    this.#heard(message.epoch);
    this.#apply(message);
  }

  /** It waits for the read of the tail that it causes. */
  #hold(ahead: AheadMessage): void {
    const dropped = this.#ahead.hold(ahead, this.#deps.clock.now());
    if (dropped > 0) this.#dropped("ahead", dropped);
    this.route.heard(ahead.message.epoch);
  }

  /** The floor has risen: what was waiting for it is heard now, or waits for the next. */
  #release(): void {
    for (const { from, message } of this.#ahead.take())
      if (this.route.judge(message.epoch) === "stale") this.#dropped("ahead", 1);
      else this.receive(from, message);
  }

  #dropped(why: "ahead" | "foreign", count: number): void {
    this.#deps.observer.metrics.add("roomcluster_gateway_dropped_total", count, { why });
  }

  /** Who serves the room says so. What it was told while it still recovered was lost. */
  announced(epoch: Epoch): void {
    const awaited = epoch === this.route.floor && this.replica.epoch !== epoch;
    if (awaited) this.#fallBehind();
    else this.route.heard(epoch);
  }

  /** A node where the room is not says so with the epoch that it was addressed by. */
  #stale(from: ProcessId, epoch: Epoch): void {
    const gone = from === this.route.owner && epoch === this.route.floor;
    this.route.heard(gone ? "gone" : epoch);
  }

  /** Batches of this process, or (null) of everybody, were lost: some perhaps of this room. */
  lost(from: ProcessId | null): void {
    if (from === null || from === this.route.owner) this.#fallBehind();
  }

  /** Does what is due. True while the room is to be kept. `lateMs`: since it was to be done. */
  sweep(now: number, lateMs: number): boolean {
    const { config } = this.#deps;
    const expected = this.#door !== undefined || now < this.#expectedUntil;
    const wanted = expected || this.attendance.size > 0;
    const silent = this.#silence.judge(now, lateMs) > this.replica.lateMs(config.watchMs);
    this.route.sweep(now, wanted && (silent || this.route.owner === undefined));
    this.attendance.sweep(now);
    this.#suspend(now);
    const expired = this.#ahead.expire(now);
    if (expired > 0) this.#dropped("ahead", expired);
    const watchDue = this.#behind || now - this.#watchedAt >= config.watchMs;
    const used = expected || !this.attendance.empty;
    if (used && watchDue) this.#watch(now);
    this.#flush(now);
    if (used) this.#idleSince = now;
    else if (this.route.floor === EPOCH_NONE) return false;
    return now - this.#idleSince < config.roomIdleMs;
  }

  release(): void {
    this.#tails.cancel();
    this.#attaching?.cancel();
    this.#poses.clear();
    this.route.release();
    this.#parts.clear();
  }

  #apply(message: Exclude<FromRoom, { type: "moved" | "stale" }>): void {
    const { attendance } = this;
    switch (message.type) {
      case "attached":
        attendance.attached(message);
        if (this.replica.index < message.index) this.#fallBehind();
        return;
      case "superseded":
        return attendance.superseded(message);
      case "refused":
        return attendance.refused(message);
      case "ended":
        return attendance.ended(message);
      case "reply":
        attendance.answered(message);
        if (this.replica.index < message.index) this.#fallBehind();
        return;
      case "expect":
      case "busy":
        return attendance.answered(message);
      case "records":
        return attendance.records(message);
      case "record":
        return this.#record(message);
      case "snapshot":
        return this.#snapshot(message);
      case "profile":
      case "signal":
      case "spotlight":
        return passOn(message, this.replica, this.news, this.composer);
      case "tick":
        return this.#tick(message);
      case "seats":
        return this.#door?.answered(message);
    }
  }

  #record({ record, epoch }: From<"record">): void {
    const outcome = this.replica.applyRecord(record);
    if (outcome === "old") return;
    if (outcome === "applied") {
      this.news.addRecord(record, epoch, this.replica.state);
      return this.attendance.caughtUp();
    }
    if (outcome === "diverged") this.#startOver();
    this.#fallBehind();
  }

  #snapshot(message: From<"snapshot">): void {
    if (this.replica.ready && message.index <= this.replica.index) return;
    const outcome = this.#parts.add(message);
    if (outcome.kind === "partial") return;
    const { metrics } = this.#deps.observer;
    metrics.add("roomcluster_gateway_room_images_total", 1, { outcome: outcome.kind });
    if (outcome.kind === "broken") return this.#fallBehind();
    this.replica.reset(outcome.index, outcome.image);
    // What was jumped over can not be told any more.
    this.news.clear();
    this.#behind = false;
    this.attendance.caughtUp();
  }

  #tick({ tick, at, index, rows }: From<"tick">): void {
    const { replica } = this;
    // A batch that came twice takes nobody back.
    if (tick <= this.#lastTick) return;
    this.#lastTick = tick;
    if (replica.ready && index < replica.index) this.#startOver();
    if (index > replica.index || !replica.ready) this.#fallBehind();
    if (!replica.ready) return;
    const words = rowsFromBytes(rows);
    const touched = words ? replica.applyRows(words) : [];
    replica.tick = tick;
    replica.at = at;
    const now = this.#deps.clock.now();
    this.#tickedAt = now;
    if (replica.takeAway()) this.attendance.contradict(now);
    const rate = { tickMs: 1000 / replica.tickHz, stretch: this.#deps.pace.stretch() };
    const shown = this.#framePace.tick(touched, now, rate);
    if (!shown) return;
    this.#count(this.composer.tick(this.attendance.viewers, shown, this.#door && this.show));
  }

  /** The owner speaks. Whoever was told otherwise, or of another owner, hears that first. */
  #heard(epoch: Epoch): void {
    const resumes = this.#silence.heard(this.#deps.clock.now());
    const known = this.replica.epoch;
    if (known === epoch && !resumes) return;
    if (known !== epoch) this.#lastTick = -1;
    this.replica.epoch = epoch;
    if (known === EPOCH_NONE) return;
    if (epochGeneration(known) !== epochGeneration(epoch)) this.#startOver();
    // The tick that follows at once takes it along: one write, not two, for everyone here.
    this.news.add({ type: "epoch", epoch });
    // Behind what else it says now: to whom it was handed over confirms everybody by itself.
    this.#attaching ??= this.#deps.clock.after(0, () => {
      this.#attaching = undefined;
      this.attendance.attachAll(this.#deps.clock.now());
    });
  }

  #moved(epoch: Epoch): void {
    const now = this.#deps.clock.now();
    const { log } = this.#deps.observer;
    log.info({ room: this.id, epoch, owner: this.route.owner }, "The room has a new owner.");
    this.#parts.clear();
    this.#poses.clear();
    // A takeover hits all rooms of a node at once: first each shows that it lives, then its people
    // are attached. Somebody who joins has nothing to see and need not wait.
    const { attachMsMax } = this.#deps.config;
    this.attendance.moved(now, this.replica.ready ? now + attachMsMax : now);
    this.#release();
    this.#fallBehind();
  }

  /** Only a snapshot helps: for the replica, then for everyone who was told what it had. */
  #startOver(): void {
    this.replica.invalidate();
    this.attendance.startOver();
    this.news.clear();
    this.#parts.clear();
  }

  #fallBehind(): void {
    this.#behind = true;
    this.#watch(this.#deps.clock.now());
  }

  #watch(now: number): void {
    if (!this.route.owner || !this.#watches.take(now)) return;
    if (this.#behind) this.#deps.observer.metrics.add("roomcluster_gateway_gaps_total");
    this.#behind = false;
    this.#watchedAt = now;
    this.#send(this.#watchMessage());
  }

  #watchMessage(): ToRoom {
    const index = this.replica.ready ? this.replica.index : 0;
    return { type: "watch", room: this.id, epoch: this.route.floor, index };
  }

  #suspend(now: number): void {
    const lateMs = this.replica.lateMs(this.#deps.config.suspendedMs);
    if (this.replica.epoch === EPOCH_NONE || !this.#silence.due(now, lateMs)) return;
    // It has not ticked for longer than that either, so this sweep's flush takes it along.
    this.news.add({ type: "suspended", forMs: Math.round(this.#silence.forMs(now)) });
  }

  /** News of a room that has not ticked for half a period too long, and tails that are late. */
  #flush(now: number): void {
    if (!this.replica.ready) return;
    const { tailMs, silentMs } = this.#deps.config;
    if (now - this.#tickedAt < this.replica.lateMs(silentMs)) return this.#tails.sweep();
    const due = this.attendance.behind(now - tailMs, this.show);
    if (due.length > 0) this.#count(this.composer.flush(due));
  }

  #send(message: ToRoom): void {
    const { owner } = this.route;
    if (owner) this.#deps.uplink(owner).send(message);
  }

  #count(count: ComposeCount): void {
    countFrames(this.#deps.observer.metrics, count);
  }
}
