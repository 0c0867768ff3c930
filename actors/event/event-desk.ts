import type { ProcessId } from "../../src/kernel/ids.ts";
import { LADDER, type Step } from "../../src/protocol/event-ladder.ts";
import {
  type AuditEntry,
  EVENT_AUDIT,
  EVENT_READ,
  type EventReport,
  type EventSpec,
  shardsOf,
} from "../../src/protocol/event-spec.ts";
import {
  MOVES_MAX,
  type SeatGiven,
  type SeatsAnswer,
  type SeatsQuestion,
  type SeatWish,
} from "../../src/protocol/room-messages.ts";
import type { Desk, DeskRoom, DeskView } from "../room/desk.ts";
import { type Audit, addAudit, auditOf } from "./audit.ts";
import { Crowd, type Heard } from "./crowd.ts";
import { Easing } from "./easing.ts";
import { Energy } from "./energy.ts";
import { admits, type EventState } from "./event-state.ts";
import { Foresight } from "./foresight.ts";
import { Ramp } from "./ramp.ts";
import { REGROUPING_LIMITS, Regrouping } from "./regrouping.ts";
import { SEATING_LIMITS, Seating } from "./seating.ts";

/** A new owner hears the gateways before it gives seats away: they report every second. */
const LISTEN_MS = 1_500;
/** A gateway whose people wait asks again then. */
const RETRY_MS = 250;
/** Parties whose shard is known; the oldest is forgotten. */
const PARTIES_MAX = 20_000;

/** What was counted is journaled so often: what a gateway and the owner who die together lose. */
const WRITE_MS = 5_000;

interface EventSecret {
  readonly event: Heard;
  readonly audit: Audit;
}

interface StageState {
  readonly event: EventState;
}

interface Opened {
  readonly spec: EventSpec;
  readonly seating: Seating;
  readonly ramp: Ramp;
  readonly regrouping: Regrouping;
  readonly foresight: Foresight;
}

type Granted = Pick<SeatsAnswer, "grants" | "wished">;
const NOT_NOW: SeatGiven = { shard: null, full: false, home: null };
const FULL: SeatGiven = { ...NOT_NOW, full: true };

/**
 * The volatile half of an event, at its owner: who may seat how many where. Gateways report and ask
 * in one message; nothing of it is journaled, and a new owner learns it from their next reports.
 */
export class EventDesk implements Desk {
  readonly #since: number;
  /** How many wait at each gateway, as it last said. */
  readonly #waiting = new Map<ProcessId, number>();
  /** By what clients dial each gateway. */
  readonly #urls = new Map<ProcessId, string>();
  readonly #parties = new Map<string, number>();
  readonly #energy = new Energy();
  readonly #easing = new Easing();
  /** The step of the ladder that is to be written down. */
  #step: { readonly from: Step; readonly to: Step } | undefined;
  #opened: Opened | undefined;
  #crowd: Crowd | undefined;
  #wroteAt: number;

  constructor(now: number) {
    this.#since = now;
    this.#wroteAt = now;
  }

  due(now: number): boolean {
    return this.#countsDue(now) || this.#step !== undefined;
  }

  get unwritten(): boolean {
    return this.#crowd?.unwritten === true;
  }

  write(room: DeskRoom, now: number): void {
    if (this.unwritten) {
      this.#wroteAt = now;
      this.#crowd?.writeTo((room.secret as EventSecret).event);
    }
    const { ladder } = (room.state as StageState).event;
    const { from, to } = this.#step ?? {};
    this.#step = undefined;
    // An operator may have said something meanwhile.
    if (to === undefined || ladder.by !== "load" || ladder.step !== from) return;
    ladder.step = to;
    const { audit } = room.secret as EventSecret;
    addAudit(audit, { at: room.now, by: null, what: "event.eased", body: to });
    this.#easing.took(LADDER.indexOf(to) > LADDER.indexOf(from), now);
  }

  #countsDue(now: number): boolean {
    return this.unwritten && now - this.#wroteAt >= WRITE_MS;
  }

  seats(from: ProcessId, question: SeatsQuestion, view: DeskView): SeatsAnswer {
    const { now, secret, state } = view;
    const { event } = state as StageState;
    const { request, waiting } = question;
    this.#ease(from, question.stretch, event, now);
    const heard = this.#hear(from, question, event, { now, secret });
    const closed: Granted = { grants: [], wished: question.wishes.map(() => NOT_NOW) };
    const nobody = { retryAfterMs: RETRY_MS, perS: 0, waiting, seated: 0, shards: 0 };
    const idle = { moves: [], ahead: [] };
    if (!event.spec) return { request, ...closed, ...nobody, ...idle, ...heard };
    const opened = this.#open(event.spec, now);
    const { ramp, seating } = opened;
    seating.expire(now);
    seating.report(from, question.answered, question.shards, now);
    this.#urls.set(from, question.url);
    this.#hearWaiting(from, waiting, seating, now);
    const knows = now - this.#since >= LISTEN_MS;
    const open = admits(event) && knows;
    const granted = open ? this.#grant(from, question, opened, now) : closed;
    return {
      request,
      ...granted,
      moves: open ? this.#moves(from, opened, now) : [],
      ahead: knows ? this.#ahead(from, opened, event.spec, view) : [],
      retryAfterMs: RETRY_MS,
      perS: ramp.perS * this.#share(from),
      waiting: this.#waitingEverywhere,
      seated: seating.seated().reduce((sum, one) => sum + one, 0),
      shards: seating.opened,
      ...heard,
    };
  }

  #ease(from: ProcessId, stretch: number, { ladder }: EventState, now: number): void {
    this.#easing.hear(from, stretch);
    const to = ladder.by === "load" ? this.#easing.due(ladder.step, now) : undefined;
    this.#step = to && { from: ladder.step, to };
  }

  /** Takes in what was counted at a door, and says what was counted at all. */
  #hear(
    from: ProcessId,
    { door, reactions }: SeatsQuestion,
    event: EventState,
    { now, secret }: Pick<DeskView, "now" | "secret">,
  ): Pick<SeatsAnswer, "reactions" | "energy"> {
    this.#crowd ??= new Crowd((secret as EventSecret).event);
    this.#crowd.report(`${from}#${door}`, reactions);
    const totals = this.#crowd.totals(event.reactions.length);
    this.#energy.hear(
      totals.reduce((sum, one) => sum + one, 0),
      now,
    );
    return { reactions: totals, energy: this.#energy.perS };
  }

  /** For operators. Who waits and sits is what gateways said last, and 0 until they have. */
  read(name: string, { secret, state }: DeskView): EventReport | AuditEntry[] | undefined {
    if (name === EVENT_AUDIT) return auditOf((secret as EventSecret).audit);
    if (name !== EVENT_READ) return undefined;
    const { event } = state as StageState;
    const { phase, spec, announcement, ladder, slowMs, bans, mutes, slows } = event;
    const seated = this.#opened?.seating.seated() ?? [];
    return {
      ...{ phase, spec, announcement, ladder, slowMs },
      bans: Object.keys(bans).length,
      mutes: Object.keys(mutes).length,
      slows: Object.keys(slows).length,
      waiting: this.#waitingEverywhere,
      seated: seated.reduce((sum, one) => sum + one, 0),
    };
  }

  /** A new spec, say a larger capacity, begins with what gateways report next. */
  #open(spec: EventSpec, now: number): Opened {
    const { shardSize, admitPerS, capacity } = spec;
    const last = this.#opened?.spec;
    const same = last?.shardSize === shardSize && last.capacity === capacity;
    if (this.#opened && same && last.admitPerS === admitPerS) return this.#opened;
    const limits = { ...SEATING_LIMITS, shardSize, shardsMax: shardsOf(spec) };
    const ramp = new Ramp(admitPerS, now);
    const regrouping = new Regrouping({ ...REGROUPING_LIMITS, shardSize }, now);
    const foresight = new Foresight(now);
    this.#opened = { spec, seating: new Seating(limits), ramp, regrouping, foresight };
    return this.#opened;
  }

  #hearWaiting(from: ProcessId, waiting: number, seating: Seating, now: number): void {
    this.#waiting.set(from, waiting);
    for (const process of this.#waiting.keys())
      if (!seating.present(process, now)) {
        this.#waiting.delete(process);
        this.#urls.delete(process);
        this.#easing.forget(process);
      }
  }

  #grant(
    from: ProcessId,
    { request, stretch, want, wishes }: SeatsQuestion,
    { foresight, ramp, regrouping, seating }: Opened,
    now: number,
  ): Granted {
    seating.emptying = regrouping.emptying;
    const share = this.#share(from) / Math.max(1, stretch);
    const admitted = ramp.admit(want + wishes.length, share, now);
    let [given, came] = [0, 0];
    const wished = wishes.map((wish) => {
      if (wish.shard !== null && !seating.offers(wish.shard)) return FULL;
      // In the order in which they came: a name is no way past the others in line.
      if (given + wish.before >= admitted) return NOT_NOW;
      const shard = this.#wished(wish);
      const seat = shard === undefined ? undefined : seating.grantAt(from, request, shard, now);
      const [one] = seat ? [seat] : seating.grant(from, request, 1, now);
      if (!one) return NOT_NOW;
      given++;
      if (wish.shard === null) came++;
      if (wish.beside !== null) this.#remember(wish.beside, one.shard);
      return { shard: one.shard, full: false, home: this.#homeOf(one.shard, from, seating, now) };
    });
    const grants = seating.grant(from, request, Math.min(want, admitted - given), now);
    const seats = grants.reduce((sum, one) => sum + one.seats, 0);
    ramp.spend(given + seats);
    // Who names a shard has mostly been asked over to it, and does not make the crowd grow.
    if (came + seats > 0) regrouping.grow(now);
    foresight.came(came + seats, now);
    return { grants, wished };
  }

  #wished({ beside, shard }: SeatWish): number | undefined {
    if (shard !== null) return shard;
    return beside === null ? undefined : this.#parties.get(beside);
  }

  /** Of a shard that another gateway serves. */
  #homeOf(shard: number, from: ProcessId, seating: Seating, now: number): string | null {
    const home = seating.homeOf(shard);
    if (home === undefined || home === from || !seating.present(home, now)) return null;
    return this.#urls.get(home) ?? null;
  }

  /** This gateway's part of those who are about to come; before the doors it is all alike. */
  #ahead(
    from: ProcessId,
    { foresight, seating }: Opened,
    spec: EventSpec,
    { at, now, state }: DeskView,
  ): readonly number[] {
    const { phase } = (state as StageState).event;
    if (phase === "ending" || phase === "closed") return [];
    const share = this.#waitingEverywhere === 0 ? 1 / seating.gateways(now) : this.#share(from);
    return seating.ahead(from, foresight.people(spec, at, now), share, now);
  }

  #moves(from: ProcessId, { regrouping, seating }: Opened, now: number): SeatsAnswer["moves"] {
    const moves = regrouping.moves({
      held: seating.heldBy(from),
      seated: seating.seated(),
      taken: seating.taken(),
      elsewhere: () => seating.elsewhere(from, now),
      now,
    });
    return moves.slice(0, MOVES_MAX);
  }

  #remember(party: string, shard: number): void {
    this.#parties.delete(party);
    this.#parties.set(party, shard);
    if (this.#parties.size <= PARTIES_MAX) return;
    for (const oldest of this.#parties.keys()) {
      this.#parties.delete(oldest);
      break;
    }
  }

  get #waitingEverywhere(): number {
    let sum = 0;
    for (const waiting of this.#waiting.values()) sum += waiting;
    return sum;
  }

  #share(from: ProcessId): number {
    const all = this.#waitingEverywhere;
    return all === 0 ? 1 : (this.#waiting.get(from) ?? 0) / all;
  }
}
