import type { Clock } from "../src/kernel/clock.ts";
import type { RoomId } from "../src/kernel/ids.ts";
import { err, ok, type Result } from "../src/kernel/result.ts";
import type { MembershipCode } from "../src/protocol/close-codes.ts";
import { easeAt, WHOLE } from "../src/protocol/event-ladder.ts";
import { shardRoom } from "../src/protocol/event-names.ts";
import { EVENT_PUBLIC, type EventPublic, type Silenced } from "../src/protocol/event-public.ts";
import type { SeatsAnswer } from "../src/protocol/room-messages.ts";
import type { GatewayConfig } from "./config.ts";
import type { HeldRoom } from "./held-room.ts";
import { BARRED, Moderation } from "./moderation.ts";
import { type Seated, SeatPool } from "./seat-pool.ts";
import type { SessionInit } from "./session.ts";
import { Speech, type Utterance } from "./speech.ts";

export interface Refusal {
  readonly code: MembershipCode;
  readonly message: string;
  readonly retryAfterMs?: number;
}

/** How far somebody has come who waits to be let in. */
export interface Waiting {
  /** How many are before them. */
  readonly ahead: number;
  /** At all gateways. */
  readonly total: number;
  /** Null where nobody can say: doors are not open, or all seats are taken. */
  readonly etaMs: number | null;
}

/** Somebody who wants a seat. */
export interface Newcomer {
  readonly person: string;
  /** Friends who want to sit together, by a name of their own. */
  readonly beside: string | null;
  /** False once they are gone. */
  wanted(): boolean;
  /** Where they wait, every now and then. */
  told(waiting: Waiting): void;
}

export interface DoorDeps {
  readonly clock: Clock;
  readonly config: Pick<GatewayConfig, "joinMsMax" | "waitingMax" | "waitingTellMs">;
  readonly stage: HeldRoom;
  /** No other door of this process has it. */
  readonly number: number;
  /** How much longer than ticks this gateway's frames are apart because it is behind. */
  readonly stretch: () => number;
  /** A shard, where this gateway holds it. */
  readonly shard: (room: RoomId) => HeldRoom | undefined;
}

interface Watcher {
  readonly person: string;
  readonly since: number;
  readonly settle: (may: Result<true, Refusal>) => void;
}

interface InLine {
  readonly newcomer: Newcomer;
  readonly since: number;
  readonly settle: (seat: Result<number, Refusal>) => void;
}

const FULL_RETRY_MS = 5_000;

/**
 * The door of one event at this gateway (DESIGN 9): people wait in a line until the stage's owner
 * has granted seats, and who was banned or kicked there goes from every shard. It holds the stage
 * like any room, so all it knows of the event is what its owner says, fenced as ever.
 */
export class EventDoor {
  readonly #deps: DoorDeps;
  readonly #pool = new SeatPool();
  readonly #line: InLine[] = [];
  /** Those who would watch the stage, until it is known whether it is one. */
  readonly #watchers: Watcher[] = [];
  /** Shards that this gateway has sent somebody to. */
  readonly #shards = new Map<number, RoomId>();
  readonly #moderation = new Moderation();
  readonly #speech = new Speech();
  /** What the event's ladder asks of this gateway. */
  #ease = WHOLE;
  #usedAt: number;
  /** How far down the line people were told, and when. */
  #toldTo = 0;
  #toldAt: number;
  #seenIndex = -1;
  #event: EventPublic | undefined;
  #last: SeatsAnswer | undefined;
  /** How often each reaction was heard at this door, in the event's order. */
  readonly #reactions: number[] = [];
  #toldCrowdAt = Number.NEGATIVE_INFINITY;
  /** Whose friends the open question is for. */
  #beside: InLine | undefined;

  constructor(deps: DoorDeps) {
    this.#deps = deps;
    this.#usedAt = deps.clock.now();
    this.#toldAt = this.#usedAt;
    deps.stage.serve(this);
  }

  /** Resolves to a shard when there is a seat, however long that takes while they are wanted. */
  seat(newcomer: Newcomer): Promise<Result<number, Refusal>> {
    const { clock, config } = this.#deps;
    this.#usedAt = clock.now();
    if (this.#line.length >= config.waitingMax) return Promise.resolve(err(LINE_FULL));
    return new Promise((settle) => {
      this.#line.push({ newcomer, since: clock.now(), settle });
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
    this.#moderation.came();
    this.#serves(shard);
    if (given) this.#pool.came(shard);
  }

  /** Newcomers see and are not seen. */
  get ghosts(): boolean {
    return this.#ease.ghosts;
  }

  refuses(who: SessionInit, utterance: Utterance): Silenced | undefined {
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
    const beside = this.#beside;
    if (!this.#pool.answer(seats, now)) return;
    this.#beside = undefined;
    this.#last = seats;
    const [grant] = seats.grants;
    if (beside && grant && this.#leave(beside)) {
      this.#pool.takeIn(grant.shard);
      this.#give(beside, grant.shard);
    }
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
    this.#moderate(now);
    for (const id of this.#shards.values()) this.#deps.shard(id)?.ease(this.#ease);
    this.#dismiss(now);
    this.#serve(now);
    this.#tell(now);
    if (this.#used) this.#usedAt = now;
    return now - this.#usedAt < this.#deps.config.joinMsMax;
  }

  close(): void {
    this.#deps.stage.serve(undefined);
    this.#refuseAll(UNREACHABLE);
  }

  #refuseAll(refusal: Refusal): void {
    for (const { settle } of this.#line.splice(0)) settle(err(refusal));
    for (const { settle } of this.#watchers.splice(0)) settle(err(refusal));
  }

  /** Seats those who can be seated, and asks for the others. */
  #serve(now: number): void {
    this.#look();
    const phase = this.#event?.phase;
    if (phase === "ending" || phase === "closed")
      for (const { settle } of this.#line.splice(0)) settle(err(OVER));
    for (let at = 0; at < this.#line.length; ) {
      const next = this.#line[at] as InLine;
      if (!next.newcomer.wanted() || this.#banned(next.newcomer.person)) {
        this.#line.splice(at, 1);
        next.settle(err(BANNED));
        continue;
      }
      // Friends are asked for one by one: their seat is beside somebody.
      if (next.newcomer.beside !== null) {
        at++;
        continue;
      }
      const shard = this.#event ? this.#pool.take(now) : undefined;
      if (shard === undefined) break;
      this.#line.splice(at, 1);
      this.#give(next, shard);
    }
    this.#ask(now);
  }

  #ask(now: number): void {
    const { stage } = this.#deps;
    if (!stage.replica.ready || !this.#event) return;
    const waiting = this.#line.length;
    if (!this.#pool.due(waiting, now)) return;
    const first = this.#line[0];
    this.#beside = first && first.newcomer.beside !== null ? first : undefined;
    const beside = this.#beside?.newcomer.beside ?? null;
    const asked = this.#pool.question(waiting, beside, this.#seated(), now);
    const door = this.#deps.number;
    // Changed in place, and the message is encoded at once.
    const stretch = this.#deps.stretch();
    stage.askSeats({ ...asked, door, reactions: this.#reactions, stretch });
  }

  #give({ settle }: InLine, shard: number): void {
    this.#serves(shard);
    settle(ok(shard));
  }

  #leave(one: InLine): boolean {
    const at = this.#line.indexOf(one);
    if (at >= 0) this.#line.splice(at, 1);
    return at >= 0;
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
      settle(this.#banned(person) ? err(BANNED) : ok(true));
  }

  #banned(person: string): boolean {
    return this.#moderation.bars(person, this.#deps.stage.replica.at);
  }

  /** Everybody of the event who is here, in whatever shard or before the stage. */
  #moderate(now: number): void {
    if (!this.#moderation.due(now)) return;
    const { shard, stage } = this.#deps;
    const rooms = [...this.#shards.values()].flatMap((id) => shard(id)?.attendance ?? []);
    const speech = this.#speech.restricted ? this : undefined;
    const { at } = stage.replica;
    this.#moderation.apply([stage.attendance, ...rooms], { at, now, speech });
  }

  /** A stage that cannot be reached seats nobody, nor does what is no stage. */
  #dismiss(now: number): void {
    const { config, stage } = this.#deps;
    if (this.#event) return;
    if (stage.replica.ready) return this.#refuseAll(NO_EVENT);
    const refusal = err({ ...UNREACHABLE, code: stage.route.problem });
    for (const waiting of [this.#line, this.#watchers])
      while (waiting[0] && now - waiting[0].since >= config.joinMsMax)
        waiting.shift()?.settle(refusal);
  }

  /** How the whole crowd is, to everybody here who watches the stage. */
  #tellCrowd({ energy, reactions, seated, waiting }: SeatsAnswer, now: number): void {
    if (now - this.#toldCrowdAt < this.#ease.crowdMs) return;
    this.#toldCrowdAt = now;
    this.#deps.stage.news.add({ type: "crowd", seated, waiting, reactions, energy });
  }

  /**
   * Everybody in line is told every `waitingTellMs`, some of them at each sweep: thousands at once
   * would hold the loop up. Whoever has gone meanwhile is nobody's to wait for.
   */
  #tell(now: number): void {
    const share = (now - this.#toldAt) / this.#deps.config.waitingTellMs;
    this.#toldAt = now;
    const { perS = 0, waiting = 0 } = this.#last ?? {};
    for (let left = Math.ceil(this.#line.length * share); left > 0; left--) {
      if (this.#toldTo >= this.#line.length) this.#toldTo = 0;
      const at = this.#toldTo;
      const next = this.#line[at];
      if (!next) return;
      if (!next.newcomer.wanted()) {
        this.#line.splice(at, 1);
        next.settle(err(BANNED));
        continue;
      }
      const here = this.#line.length;
      const total = Math.max(here, waiting);
      // People wait in as many lines as there are gateways, which move alike.
      const ahead = Math.round((at * total) / here);
      const etaMs = perS > 0 ? Math.round((at / perS) * 1000) : null;
      next.newcomer.told({ ahead, total, etaMs });
      this.#toldTo++;
    }
  }
}

const BANNED: Refusal = { code: "kicked", message: BARRED };
const OVER: Refusal = { code: "room_closed", message: "the event is over" };
const NO_EVENT: Refusal = { code: "room_unknown", message: "there is no such event" };
const UNREACHABLE: Refusal = {
  ...{ code: "room_unavailable", message: "the event could not be reached in time" },
  retryAfterMs: FULL_RETRY_MS,
};
const LINE_FULL: Refusal = {
  ...{ code: "no_capacity", message: "too many people wait here" },
  retryAfterMs: FULL_RETRY_MS,
};
