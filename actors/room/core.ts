import { type Epoch, epochCompare } from "../../src/kernel/epoch.ts";
import type { ProcessId, RoomId } from "../../src/kernel/ids.ts";
import { type Random, randomHex } from "../../src/kernel/random.ts";
import type { RecordOf } from "../../src/protocol/journal-record.ts";
import { encode } from "../../src/protocol/msgpack.ts";
import type { RoomRecord, ToRoom } from "../../src/protocol/room-messages.ts";
import type { WarmState } from "../../src/protocol/warm-state.ts";
import { Commands } from "./commands.ts";
import { creation } from "./creation.ts";
import { Decisions } from "./decisions.ts";
import type { World } from "./define-room.ts";
import type { Moment, RoomEffect, RoomMessage, RoomParts } from "./effects.ts";
import type { RoomFold } from "./fold.ts";
import { FrontDesk } from "./front-desk.ts";
import { HandOver } from "./hand-over.ts";
import { LaterWork } from "./later-work.ts";
import { Ledger } from "./ledger.ts";
import { Membership } from "./membership.ts";
import { Movement } from "./movement.ts";
import { type Outgoing, Outlet, publicRecord } from "./outlet.ts";
import { Presence } from "./presence.ts";
import { RecordRing } from "./record-ring.ts";
import type { PlacedRecord } from "./recovery.ts";
import type { Register, RegisterEffect } from "./register.ts";
import type { RoomConfig } from "./room-config.ts";
import { RoomTime } from "./room-time.ts";
import { Snapshots } from "./snapshots.ts";
import { Spotlights } from "./spotlights.ts";
import { TickHook } from "./tick-hook.ts";

/**
 * An owned room: takes a message and the time, changes its own state, answers with effects. No
 * I/O, no clock; randomness only through the port. Author's code that throws goes up as it is, and
 * whoever drives this starts the room again from its journal.
 */
export class RoomCore {
  readonly epoch: Epoch;
  readonly #parts: RoomParts;
  readonly #membership: Membership;
  readonly #commands: Commands;
  readonly #movement: Movement;
  readonly #handOver: HandOver;
  readonly #ring: RecordRing;
  readonly #snapshots: Snapshots;
  readonly #later: LaterWork;
  readonly #time: RoomTime;
  readonly #desk: FrontDesk;
  readonly #tickHook: TickHook;
  #effects: RoomEffect[] = [];
  #tick = 0;
  #nonceInFlight = "";

  constructor(options: {
    readonly room: RoomId;
    readonly self: ProcessId;
    readonly epoch: Epoch;
    readonly world: World;
    readonly config: RoomConfig;
    readonly random: Random;
    readonly fold: RoomFold;
    readonly register: Register;
    readonly records: readonly RoomRecord[];
    /** Records since the last named snapshot. */
    readonly replayed: number;
    readonly moment: Moment;
    /** What the last owner gave along, where it handed the room over. */
    readonly warm: WarmState | undefined;
  }) {
    const { room, self, epoch, world, config, random, fold, register, records, moment } = options;
    this.epoch = epoch;
    const nonce = (): string => randomHex(random, 8);
    const ledger = new Ledger({ self, epoch, fold, register, limits: config, nonce });
    const presence = new Presence();
    const send = (gateway: ProcessId, data: Uint8Array): void => {
      this.#effects.push({ type: "send", gateway, data });
    };
    const outlet = new Outlet(room, epoch, send);
    const effects = { push: (effect: RoomEffect) => void this.#effects.push(effect) };
    const later = new LaterWork(config.laterOutstandingMax);
    const spotlights = new Spotlights(config, ledger, outlet);
    const { hook, record, system } = new Decisions({
      room,
      config,
      random,
      ledger,
      presence,
      later,
      spotlights,
      effects,
    });
    this.#parts = {
      world,
      config,
      ledger,
      presence,
      outlet,
      spotlights,
      effects,
      hook,
      record,
      system,
      overgrown: () => this.#snapshots.overgrown,
    };
    this.#membership = new Membership(this.#parts, moment, options.warm);
    this.#commands = new Commands(this.#parts);
    this.#movement = new Movement(this.#parts);
    this.#handOver = new HandOver(ledger, config.restMsMax);
    this.#later = later;
    this.#desk = new FrontDesk(this.#parts, moment.now);
    this.#tickHook = new TickHook(this.#parts, this.#desk);
    this.#time = new RoomTime(Math.max(fold.at, options.warm?.at ?? 0), moment);
    this.#ring = new RecordRing({
      recordsMax: config.ringRecordsMax,
      bytesMax: config.ringBytesMax,
    });
    for (const record of records) this.#ring.push(record, encode(record).length);
    const quietMs = fold.created ? config.snapshotQuietMs * (1 + random.next()) : 0;
    this.#snapshots = new Snapshots(this.#parts, options.replayed, moment.now + quietMs);
    if (!fold.created) {
      const { entry, outcome } = creation(world, ledger.decided.document);
      this.#parts.record(entry, outcome);
    }
    if (fold.attempt) this.#commands.deadLetter(fold.attempt);
    // Under an earlier owner, and somebody who did not know wanted it: the tail says so again.
    if (fold.closed) this.#parts.record({ type: "close" });
    if (options.warm) this.#greet(options.warm.watchers, records.at(-1), moment);
  }

  /**
   * Gateways that watched the last owner have everything but the record that names this one: with
   * it they go on where they were, and nobody has to ask for anything.
   */
  #greet(watchers: readonly ProcessId[], named: RoomRecord | undefined, moment: Moment): void {
    const { outlet } = this.#parts;
    for (const gateway of watchers) outlet.heard(gateway, moment.now);
    if (named) outlet.broadcast({ type: "record", record: named });
    this.#membership.confirmAll();
    outlet.broadcast(this.#tickMessage(moment, new Uint8Array(0)));
  }

  /**
   * A resent command is on its way alone, or the room comes to rest before it is handed over:
   * everything else that would be journaled waits.
   */
  get alone(): boolean {
    return this.#commands.alone || this.#handOver.resting;
  }

  /** No other author's code runs: were it to crash, the resent command would get the blame. */
  get attempting(): boolean {
    return this.#commands.attempting;
  }

  get sessions(): number {
    return this.#parts.ledger.acked.here;
  }

  get index(): number {
    return this.#parts.ledger.acked.index;
  }

  decide(message: RoomMessage, moment: Moment): RoomEffect[] {
    this.#take(message, this.#timed(moment));
    return this.#drain();
  }

  /** To be called when the turn's messages are decided: starts the next append. */
  flush(moment: Moment): RoomEffect[] {
    this.#flush(this.#timed(moment));
    return this.#drain();
  }

  /** With the room's own time in place of the wall clock's. */
  #timed = (moment: Moment): Moment => ({ now: moment.now, wallNow: this.#time.read(moment) });

  #drain(): RoomEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #take(message: RoomMessage, moment: Moment): void {
    switch (message.type) {
      case "gateway":
        if (this.#admits(message.from, message.message))
          this.#fromGateway(message.from, message.message, moment);
        return;
      case "appended":
        return this.#register(this.#parts.ledger.outcome(message.nonce, message.outcome), moment);
      case "readAfter":
        return this.#register(this.#parts.ledger.after(message.nonce, message.stored), moment);
      case "tick":
        return this.#onTick(moment, message.tickHz);
      case "laterFailed":
        return this.#later.ended();
      case "later":
        this.#later.ended();
        return this.#commands.internal(message.command, message.body, this.#at(moment));
      case "operate": {
        const { request, name, body } = message;
        const answer = (status: string, data: unknown): void =>
          void this.#effects.push({ type: "operated", request, status, data });
        const seen = this.#desk.read(name, { now: moment.now, at: this.#at(moment) });
        if (seen !== undefined) return answer("ok", seen);
        if (this.alone) return answer("busy", null);
        return this.#commands.operate(name, body, this.#at(moment), answer);
      }
      case "stored":
        return this.#parts.ledger.name(message.name, message.sequence);
      case "storeFailed":
        return this.#snapshots.done();
      case "prepareHandOver":
        return this.#handOver.prepare();
      case "handOver":
        if (!this.alone) this.#tickHook.leave(moment.now, this.#at(moment));
        return this.#handOver.begin(message, moment.now);
      case "close":
        return this.#close();
    }
  }

  /** Every receiver fences by the sender's ownership epoch. */
  #admits(from: ProcessId, message: ToRoom): boolean {
    const order = epochCompare(message.epoch, this.epoch);
    if (order === 0) return true;
    this.#effects.push({ type: "count", what: "stale_message" });
    if (order > 0) this.#effects.push({ type: "verify" });
    else this.#parts.outlet.send(from, { type: "stale" });
    return false;
  }

  #fromGateway(from: ProcessId, message: ToRoom, moment: Moment): void {
    const at = this.#at(moment);
    const { outlet } = this.#parts;
    switch (message.type) {
      case "watch": {
        const newcomer = outlet.heard(from, moment.now);
        outlet.catchUp(from, message.index, this.#ring, () => this.#source());
        // After a takeover people wait for a sign of life, which need not wait for the next tick.
        if (newcomer) this.#welcome(from, moment);
        return;
      }
      case "attach": {
        const newcomer = outlet.heard(from, moment.now);
        this.#membership.attach(from, message, at);
        // Its index tells the gateway what it lacks; its first watch comes as no newcomer's.
        if (newcomer) this.#welcome(from, moment);
        return;
      }
      case "away":
        return this.#membership.away(message, moment.now);
      case "leave":
        return this.#membership.leave(message, at);
      case "profile":
        return this.#membership.profile(message);
      case "askSeats":
        return this.#desk.seats(from, message, { now: moment.now, at: this.#at(moment) });
      case "command":
        return this.#commands.command(from, message, at);
      case "signal":
        return this.#movement.signal(from, message);
      case "poses":
        return this.#movement.poses(from, message.rows);
      case "fetch": {
        const { request, after } = message;
        const records = after === this.index ? [] : (this.#ring.after(after) ?? null);
        return outlet.send(from, { type: "records", request, records });
      }
    }
  }

  #onTick(moment: Moment, tickHz: number): void {
    const { config, outlet, presence } = this.#parts;
    this.#movement.ticked();
    this.#handOver.expire(moment.now);
    this.#tick = (this.#tick + 1) >>> 0;
    if (!this.alone) {
      this.#membership.sweep(outlet.dropSilent(moment.now, config.gatewaySilentMs), moment);
      this.#tickHook.run(moment.now, this.#at(moment));
      if (this.#snapshots.overgrown) this.#snapshots.takeIfDue(moment.now);
    }
    if (!outlet.watched) return;
    outlet.broadcast(this.#tickMessage(moment, presence.tickRows(tickHz)));
  }

  #tickMessage(moment: Moment, rows: Uint8Array): Extract<Outgoing, { type: "tick" }> {
    const { index } = this.#parts.ledger.acked;
    return { type: "tick", tick: this.#tick, at: this.#at(moment), index, rows };
  }

  /** A gateway that begins to watch gets a tick at once, and hears what no record tells. */
  #welcome(gateway: ProcessId, moment: Moment): void {
    const { outlet, spotlights } = this.#parts;
    outlet.send(gateway, this.#tickMessage(moment, new Uint8Array(0)));
    spotlights.tell(gateway, this.#at(moment));
  }

  #close(): void {
    if (!this.#parts.ledger.decided.closed) this.#parts.record({ type: "close" });
  }

  #end(): void {
    this.#membership.endAll("room_closed", "the room was closed");
    this.#effects.push({ type: "closed" });
  }

  #register(effect: RegisterEffect | undefined, moment: Moment): void {
    if (!effect) return;
    const nonce = this.#nonceInFlight;
    switch (effect.type) {
      case "append":
      case "repeat": {
        const { type, expected, data } = effect;
        this.#effects.push({ type, nonce, expected, data });
        return;
      }
      case "readAfter":
        this.#effects.push({ type: "readAfter", nonce, sequence: effect.sequence });
        return;
      case "fenced":
        this.#effects.push({ type: "fenced" });
        return;
      case "settled":
        this.#settled(effect.record, effect.sequence, moment);
    }
  }

  /** A record is durable: fold it, tell the gateways, then everyone whom an entry concerns. */
  #settled(record: Parameters<typeof publicRecord>[1], sequence: number, moment: Moment): void {
    const { ledger, outlet, presence } = this.#parts;
    if (record.type === "owner") return this.#handedOver({ record, sequence }, moment);
    const told = publicRecord(ledger.acked, record);
    const settled = ledger.settle(record, sequence);
    this.#handOver.settled({ record, sequence });
    const before = settled.entries.map(({ entry, written }) => {
      const moves = entry.type === "attach" || entry.type === "leave";
      const row = moves ? ledger.acked.sessions.get(entry.session) : undefined;
      ledger.acked.apply(entry, record.index, written);
      return row;
    });
    for (const [at, { entry, settled: done }] of settled.entries.entries()) {
      if (entry.type === "attach") this.#membership.settledAttach(entry, before[at], moment.now);
      if (entry.type === "leave") this.#membership.settledLeave(entry, before[at]);
      done?.(record.index);
    }
    const joined = told.joined.map((member) => ({
      ...member,
      profile: presence.profile(member.slot) ?? null,
    }));
    const full = { ...told, joined };
    this.#ring.push(full, settled.bytes + 64);
    outlet.broadcast({ type: "record", record: full });
    this.#parts.spotlights.release(this.#at(moment));
    this.#membership.confirmAll();
    this.#commands.confirmAll();
    if (settled.entries.some(({ entry }) => entry.type === "close")) return this.#end();
    if (record.type === "named") {
      this.#effects.push({ type: "trim", sequence: record.sequence, index: record.snapshotIndex });
      this.#snapshots.named(record.index - record.snapshotIndex);
    }
    this.#snapshots.recorded(settled.bytes);
    this.#commands.proceed(this.#at(moment));
    if (!this.alone) this.#snapshots.takeIfDue(moment.now);
    this.#flush(moment);
  }

  #flush(moment: Moment): void {
    const still = !this.#commands.alone && this.#later.idle;
    const started =
      this.#parts.ledger.flush(moment.wallNow) ?? this.#handOver.flush(moment.wallNow, still);
    if (!started) return;
    this.#nonceInFlight = started.nonce;
    this.#register(started.effect, moment);
  }

  #handedOver(claim: PlacedRecord & { readonly record: RecordOf<"owner"> }, moment: Moment): void {
    const { ledger, outlet, presence } = this.#parts;
    const { owner: target } = claim.record;
    outlet.broadcast({ type: "moved", owner: target });
    const at = this.#at(moment);
    const image = presence.image(moment.now, ledger.acked);
    const warm = { at, ...image, watchers: outlet.watchers };
    const { since } = this.#handOver;
    this.#effects.push({ type: "handedOver", target, claim, warm, since });
  }

  #source() {
    const { world, ledger, presence } = this.#parts;
    return { world, fold: ledger.acked, presence };
  }

  #at = (moment: Moment): number => Math.max(moment.wallNow, this.#parts.ledger.acked.at);
}
