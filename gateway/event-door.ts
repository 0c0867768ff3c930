import type { Clock } from "../src/kernel/clock.ts";
import { type RoomId, roomParts } from "../src/kernel/ids.ts";
import { err, ok, type Result } from "../src/kernel/result.ts";
import type { MembershipCode } from "../src/protocol/close-codes.ts";
import { easeAt, WHOLE } from "../src/protocol/event-ladder.ts";
import { shardRoom } from "../src/protocol/event-names.ts";
import { EVENT_PUBLIC, type EventPublic, type Silenced } from "../src/protocol/event-public.ts";
import { type SeatsAnswer, type SeatWish, WISHES_MAX } from "../src/protocol/room-messages.ts";
import type { GatewayConfig } from "./config.ts";
import type { HeldRoom } from "./held-room.ts";
import { BARRED, Moderation } from "./moderation.ts";
import { Movers } from "./regrouping.ts";
import { type Seated, SeatPool } from "./seat-pool.ts";
import type { SessionInit } from "./session.ts";
import { Speech, type Utterance } from "./speech.ts";
import {
  type InLine,
  type Newcomer,
  type Place,
  type Refusal,
  WaitingLine,
} from "./waiting-line.ts";

export interface DoorDeps {
  readonly clock: Clock;
  readonly config: Pick<GatewayConfig, "joinMsMax" | "waitingMax" | "waitingTellMs">;
  readonly stage: HeldRoom;
  /** No other door of this process has it. */
  readonly number: number;
  /** How much longer than ticks this gateway's frames are apart because it is behind. */
  readonly stretch: () => number;
  /** What clients dial to come by this gateway. */
  readonly url: () => string;
  /** People are about to be sent there. */
  readonly expect: (room: RoomId, ms: number) => void;
  /** A shard, where this gateway holds it. */
  readonly shard: (room: RoomId) => HeldRoom | undefined;
}

interface Watcher {
  readonly person: string;
  readonly since: number;
  readonly settle: (may: Result<true, Refusal>) => void;
}

/** A shard that is made ahead of need is needed by then, or asked for again. */
const EXPECTED_MS = 5_000;
const FULL_RETRY_MS = 5_000;
/** As many as a question has a number for; nobody that far back is seated by its answer. */
const BEFORE_MAX = 0xffff;

/**
 * The door of one event at this gateway (DESIGN 9): people wait in a line until the stage's owner
 * has granted seats, and who was banned or kicked there goes from every shard. It holds the stage
 * like any room, so all it knows of the event is what its owner says, fenced as ever.
 */
export class EventDoor {
  readonly #deps: DoorDeps;
  readonly #pool = new SeatPool();
  readonly #line: WaitingLine;
  /** Those who would watch the stage, until it is known whether it is one. */
  readonly #watchers: Watcher[] = [];
  /** Shards that this gateway has sent somebody to. */
  readonly #shards = new Map<number, RoomId>();
  readonly #moderation = new Moderation();
  readonly #speech = new Speech();
  /** What the event's ladder asks of this gateway. */
  #ease = WHOLE;
  #usedAt: number;
  #seenIndex = -1;
  #event: EventPublic | undefined;
  #last: SeatsAnswer | undefined;
  /** How often each reaction was heard at this door, in the event's order. */
  readonly #reactions: number[] = [];
  #toldCrowdAt = Number.NEGATIVE_INFINITY;
  /** Whose wishes the open question has, in that order. */
  #wishing: readonly InLine[] = [];
  readonly #movers = new Movers();

  constructor(deps: DoorDeps) {
    this.#deps = deps;
    this.#usedAt = deps.clock.now();
    this.#line = new WaitingLine(this.#usedAt);
    deps.stage.serve(this);
    for (const session of deps.stage.attendance.sessions) session.speech = this;
  }

  /** Resolves when there is a seat, however long that takes while they are wanted. */
  seat(newcomer: Newcomer): Promise<Result<Place, Refusal>> {
    const { clock, config } = this.#deps;
    this.#usedAt = clock.now();
    if (this.#line.length >= config.waitingMax) return Promise.resolve(err(LINE_FULL));
    const askedOver = this.#askedOver(newcomer, clock.now());
    return new Promise((settle) => {
      this.#line.push({ newcomer, since: clock.now(), askedOver, settle });
      this.#serve(clock.now());
    });
  }

  /** Whether somebody may watch the stage, as soon as that is known. */
  watch(person: string): Promise<Result<true, Refusal>> {
    const { clock, config } = this.#deps;
    this.#usedAt = clock.now();
    if (this.#watchers.length >= config.waitingMax) return Promise.resolve(err(LINE_FULL));
    return new Promise((settle) => {
      this.#watchers.push({ person, since: clock.now(), settle });
      this.#look();
    });
  }

  /** Somebody sits there now, or did not come after all. `given`: the seat was this door's. */
  settled(shard: number, given: boolean): void {
    this.#usedAt = this.#deps.clock.now();
    this.#serves(shard);
    if (given) this.#pool.came(shard);
  }

  /** Who may not come in, also not where they were before. */
  bars(person: string): boolean {
    return this.#moderation.bars(person, this.#deps.stage.replica.at);
  }

  /** True where the session that somebody began then was kicked, wherever it was. */
  kicked(person: string, began: number): boolean {
    return this.#moderation.kicked(person, began);
  }

  /** The stage's room time; undefined before anything is known of it. */
  get at(): number | undefined {
    return this.#event && this.#deps.stage.replica.at;
  }

  /** Newcomers see and are not seen. */
  get ghosts(): boolean {
    return this.#ease.ghosts;
  }

  refuses(who: SessionInit, utterance: Utterance): Silenced | undefined {
    this.#look();
    return this.#speech.refuses(who, utterance, this.#deps.stage.replica.at);
  }

  /** Somebody here claps, or whatever the event counts. */
  react(name: string): void {
    const at = this.#event?.reactions.indexOf(name) ?? -1;
    if (at < 0) return;
    while (this.#reactions.length <= at) this.#reactions.push(0);
    this.#reactions[at] = (this.#reactions[at] ?? 0) + 1;
  }

  answered(seats: SeatsAnswer): void {
    const now = this.#deps.clock.now();
    this.#tellCrowd(seats, now);
    const wishing = this.#wishing;
    if (!this.#pool.answer(seats, now)) return;
    this.#wishing = [];
    this.#last = seats;
    for (const [at, { full, home, shard }] of seats.wished.entries()) {
      const one = wishing[at];
      if (!one || (shard === null && !full) || !this.#line.leave(one)) continue;
      if (shard === null) one.settle(err(SHARD_FULL));
      else {
        this.#pool.coming(shard);
        this.#give(one, shard, home);
      }
    }
    this.#regroup(seats, now);
    for (const shard of seats.ahead)
      this.#deps.expect(shardRoom(this.#deps.stage.id, shard), EXPECTED_MS);
    this.#serve(now);
  }

  /** There is no such room, or no more. */
  gone(code: MembershipCode): void {
    this.#refuseAll({ code, message: NO_EVENT.message });
    // Names that nobody has keep no room out (GW25).
    this.#usedAt = Number.NEGATIVE_INFINITY;
  }

  /** Does what is due. True while the door is to be kept. */
  sweep(now: number): boolean {
    this.#look();
    this.#moderate();
    for (const id of this.#shards.values()) this.#deps.shard(id)?.ease(this.#ease);
    this.#dismiss(now);
    this.#serve(now);
    for (const { settle } of this.#line.tell(now, this.#deps.config.waitingTellMs, this.#last))
      settle(err(BANNED));
    if (this.#used) this.#usedAt = now;
    return now - this.#usedAt < this.#deps.config.joinMsMax;
  }

  close(): void {
    this.#deps.stage.serve(undefined);
    this.#refuseAll(UNREACHABLE);
  }

  #refuseAll(refusal: Refusal): void {
    for (const { settle } of this.#line.takeAll()) settle(err(refusal));
    for (const { settle } of this.#watchers.splice(0)) settle(err(refusal));
  }

  /** Seats those who can be seated, and asks for the others. */
  #serve(now: number): void {
    this.#look();
    const phase = this.#event?.phase;
    if (phase === "ending" || phase === "closed")
      for (const { settle } of this.#line.takeAll()) settle(err(OVER));
    for (let next = this.#line.first; next && this.#event; next = this.#line.first) {
      if (this.#barred(next)) continue;
      const shard = this.#pool.take(now);
      if (shard === undefined) break;
      this.#line.leave(next);
      this.#give(next, shard);
    }
    this.#ask(now);
  }

  /** Who has gone, or may not come in, is out of the line. */
  #barred(one: InLine): boolean {
    const { newcomer, settle } = one;
    if (newcomer.wanted() && !this.bars(newcomer.person)) return false;
    this.#line.leave(one);
    settle(err(BANNED));
    return true;
  }

  #ask(now: number): void {
    const { stage } = this.#deps;
    if (!stage.replica.ready || !this.#event) return;
    if (!this.#pool.due(this.#line.length, now)) return;
    const wishing = this.#line.wishing(WISHES_MAX).filter(({ one }) => !this.#barred(one));
    this.#wishing = wishing.map(({ one }) => one);
    const wishes = wishing.flatMap(({ one: { newcomer }, before }): SeatWish[] =>
      newcomer.wish ? [{ ...newcomer.wish, before: Math.min(before, BEFORE_MAX) }] : [],
    );
    const { anywhere, length: waiting } = this.#line;
    const asked = this.#pool.question({ anywhere, waiting }, wishes, this.#seated(), now);
    const door = this.#deps.number;
    // Changed in place, and the message is encoded at once.
    const [stretch, url] = [this.#deps.stretch(), this.#deps.url()];
    stage.askSeats({ ...asked, door, reactions: this.#reactions, stretch, url });
  }

  #askedOver({ person, wish }: Newcomer, now: number): boolean {
    if (wish === undefined || wish.shard === null) return false;
    return this.#movers.expects(person, this.#shardName(wish.shard), now);
  }

  #shardName(shard: number): string {
    return roomParts(shardRoom(this.#deps.stage.id, shard)).name;
  }

  #give({ settle }: InLine, shard: number, servedAt: string | null = null): void {
    this.#serves(shard);
    settle(ok({ shard, servedAt }));
  }

  /** Asks people over to other shards, where the stage's owner finds that better. */
  #regroup({ moves }: SeatsAnswer, now: number): void {
    const { shard, stage } = this.#deps;
    for (const { from, seats, to } of moves) {
      const attendance = shard(shardRoom(stage.id, from))?.attendance;
      if (attendance) this.#movers.ask(attendance, this.#shardName(to), seats, now);
    }
  }

  #seated(): Seated {
    const seated = new Map<number, { seated: number; members: number }>();
    for (const [shard, id] of this.#shards) {
      const room = this.#deps.shard(id);
      // A replica that nobody looks at is not kept up to date.
      if (!room || room.attendance.size === 0) continue;
      seated.set(shard, { seated: room.attendance.size, members: room.replica.members.size });
    }
    return seated;
  }

  #serves(shard: number): void {
    if (!this.#shards.has(shard)) this.#shards.set(shard, shardRoom(this.#deps.stage.id, shard));
  }

  /** True where anybody of the event is here. */
  get #used(): boolean {
    const { shard, stage } = this.#deps;
    if (stage.attendance.size > 0 || this.#line.length > 0) return true;
    for (const room of this.#shards.values())
      if ((shard(room)?.attendance.size ?? 0) > 0) return true;
    return false;
  }

  /** What the stage's owner says of the event, where it has said something new. */
  #look(): void {
    const { replica } = this.#deps.stage;
    if (replica.ready && replica.index !== this.#seenIndex) {
      this.#seenIndex = replica.index;
      this.#event = EVENT_PUBLIC(replica.state);
      this.#moderation.hear(this.#event);
      this.#ease = this.#event ? easeAt(this.#event.ladder.step) : WHOLE;
      this.#speech.hear(this.#event, this.#ease.slowMs);
    }
    if (!this.#event) return;
    for (const { person, settle } of this.#watchers.splice(0))
      settle(this.bars(person) ? err(BANNED) : ok(true));
  }

  /** Everybody of the event who is here, in whatever shard or before the stage. */
  #moderate(): void {
    if (!this.#moderation.due) return;
    const { shard, stage } = this.#deps;
    const rooms = [...this.#shards.values()].flatMap((id) => shard(id)?.attendance ?? []);
    this.#moderation.apply([stage.attendance, ...rooms], stage.replica.at);
  }

  /** A stage that cannot be reached seats nobody, nor does what is no stage. */
  #dismiss(now: number): void {
    const { config, stage } = this.#deps;
    if (this.#event) return;
    if (stage.replica.ready) return this.#refuseAll(NO_EVENT);
    const refusal = err({ ...UNREACHABLE, code: stage.route.problem });
    const sinceMax = now - config.joinMsMax;
    for (const { settle } of this.#line.takeLate(sinceMax)) settle(refusal);
    while (this.#watchers[0] && this.#watchers[0].since <= sinceMax)
      this.#watchers.shift()?.settle(refusal);
  }

  /** How the whole crowd is, to everybody here who watches the stage. */
  #tellCrowd({ energy, reactions, seated, waiting }: SeatsAnswer, now: number): void {
    if (now - this.#toldCrowdAt < this.#ease.crowdMs) return;
    this.#toldCrowdAt = now;
    this.#deps.stage.news.add({ type: "crowd", seated, waiting, reactions, energy });
  }
}

export const BANNED: Refusal = { code: "kicked", message: BARRED };
const OVER: Refusal = { code: "room_closed", message: "the event is over" };
const SHARD_FULL: Refusal = { code: "room_full", message: "no seat is free there" };
const NO_EVENT: Refusal = { code: "room_unknown", message: "there is no such event" };
const UNREACHABLE: Refusal = {
  ...{ code: "room_unavailable", message: "the event could not be reached in time" },
  retryAfterMs: FULL_RETRY_MS,
};
const LINE_FULL: Refusal = {
  ...{ code: "no_capacity", message: "too many people wait here" },
  retryAfterMs: FULL_RETRY_MS,
};
