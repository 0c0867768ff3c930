import type { Timer } from "../../src/kernel/clock.ts";
import type { Epoch } from "../../src/kernel/epoch.ts";
import type { ProcessId, RoomId } from "../../src/kernel/ids.ts";
import { randomBelow } from "../../src/kernel/random.ts";
import { roomToGateway, type ToRoom } from "../../src/protocol/room-messages.ts";
import type { EncodedLetter } from "../../src/protocol/warm-state.ts";
import { Mailbox } from "../mailbox.ts";
import { afterCrash, RESTART_DEFAULTS } from "../supervisor.ts";
import { adopt, claimRoom, type Owned, type RoomStart } from "./claim.ts";
import { RoomCore } from "./core.ts";
import type { World } from "./define-room.ts";
import type { RoomEffect, RoomMessage } from "./effects.ts";
import type { NextOwner } from "./hand-over.ts";
import { recoverRoom } from "./journal-reader.ts";
import { type Asker, JournalWork } from "./journal-work.ts";
import { encodeLetters, fits, type Letter, readdressed } from "./letters.ts";
import {
  createLifecycle,
  type EndReason,
  LIFECYCLE_DEFAULTS,
  type Lifecycle,
  type Stage,
} from "./lifecycle.ts";
import { type Operated, Orders } from "./orders.ts";
import type { Recovered } from "./recovery.ts";
import { inTurn, LANES, type RoomHost } from "./room-host.ts";
import { tally } from "./tally.ts";
import { Ticker } from "./ticker.ts";
import { Verification } from "./verification.ts";

const TURN_MESSAGES_MAX = 64;
const TURN_MS_MAX = 8;
const VERIFY_MS = 5_000;

/**
 * Drives one room on this node: stages, timers, stores. Everything it decides itself is when to
 * ask again; what to do is decided by `RoomCore`, `claimRoom` and `planRecovery`. After every wait
 * it checks that the ownership it waited for is still the current one (`turn`).
 */
export class RoomRuntime {
  readonly room: RoomId;
  readonly world: World;
  readonly #host: RoomHost;
  readonly #lifecycle: Lifecycle;
  readonly #mailbox: Mailbox<Letter>;
  readonly #journal: JournalWork;
  #start: RoomStart;
  #core: RoomCore | undefined;
  #claimed: Owned | undefined;
  #recovered: Recovered | undefined;
  #verification: Verification | undefined;
  /** Forwarded by the last owner before the room served here. */
  #early: EncodedLetter[] = [];
  #timers: Timer[] = [];
  #pumping: Timer | undefined;
  #crashes: readonly number[] = [];
  /** Rises with every stage: an answer for an older one comes too late. */
  #turn = 0;
  readonly #orders = new Orders();
  #started = false;

  constructor(host: RoomHost, room: RoomId, world: World, start: RoomStart) {
    this.room = room;
    this.world = world;
    this.#host = host;
    this.#start = start;
    this.#journal = new JournalWork(host, room);
    this.#mailbox = new Mailbox(host.config.mailbox, ({ message }) =>
      message.type === "command" ? message.body.length + 256 : 256,
    );
    const steps = {
      claim: () => this.#guard(this.#claim(++this.#turn)),
      recover: () => this.#guard(this.#recover(++this.#turn)),
      activate: () => {
        try {
          this.#turn++;
          this.#activate();
        } catch (error) {
          this.#crashed(error);
        }
      },
      deactivate: () => this.#deactivate(),
      ended: (reason: EndReason) => {
        this.#turn++;
        this.#host.ended(this, reason);
      },
    };
    const failed = (error: unknown): void => {
      host.observer.log.error({ room, err: error }, "a lifecycle step threw");
      this.#turn++;
      this.#deactivate();
      host.ended(this, "gave_up");
    };
    this.#lifecycle = createLifecycle(steps, LIFECYCLE_DEFAULTS, host.clock, failed);
  }

  get stage(): Stage {
    return this.#lifecycle.stage;
  }

  /** The ownership this room serves under; undefined while it does not serve. */
  get epoch(): Epoch | undefined {
    return this.#core?.epoch;
  }

  /** The latest ownership that was claimed here, also where it does not serve any more. */
  get claimed(): Epoch | undefined {
    return this.#claimed?.epoch;
  }

  get sessions(): number {
    return this.#core?.sessions ?? 0;
  }

  get fullness(): number {
    return this.#mailbox.fullness;
  }

  start(): void {
    this.#started = true;
    this.#lifecycle.start();
  }

  stop(): void {
    if (!this.#started) return this.#host.ended(this, "stopped");
    if (this.stage !== "ended") this.#lifecycle.send({ type: "STOP" });
  }

  close(): void {
    this.#decide({ type: "close" });
  }

  /** An operator's command; undefined where this ownership did not live to answer it. */
  operate(name: string, body: unknown): Promise<Operated | undefined> {
    if (!this.#core) return Promise.resolve(undefined);
    const { request, answered } = this.#orders.open();
    this.#decide({ type: "operate", request, name, body });
    return answered;
  }

  /** Another node begins to read the room, so as to own it next. */
  prepareHandOver(): void {
    this.#decide({ type: "prepareHandOver" });
  }

  /** Hands the room over, if it comes to rest. */
  handOver(next: NextOwner): void {
    this.#decide({ type: "handOver", ...next });
  }

  /** Queues a message; what is not ours to serve yet is dropped, the sender comes again. */
  receive(from: ProcessId, message: ToRoom): void {
    const core = this.#core;
    if (!core) return;
    const lane = LANES[message.type];
    if (this.#mailbox.push(lane, { from, message }) === "full")
      this.#full(from, message, core.epoch);
    this.#pumping ??= this.#host.clock.after(0, () => this.#pump());
  }

  /** What came to the last owner, who named this one as the next. */
  forwarded(epoch: Epoch, letters: readonly EncodedLetter[]): void {
    const claim = this.#claimed?.claim;
    if (this.#core && claim) {
      if (claim.record.epoch !== epoch || claim.record.by === this.#host.self) return;
      for (const { from, message } of readdressed(letters, claim, this.#core.epoch))
        this.receive(from, message);
    } else if (this.#start.kind === "adopt" && fits([...this.#early, ...letters]))
      this.#early.push(...letters);
  }

  /** Commands are told to come again; whatever else was lost is repeated by its gateway anyway. */
  #full(from: ProcessId, message: ToRoom, epoch: Epoch): void {
    const { observer, config, send } = this.#host;
    observer.metrics.add("roomcluster_mailbox_full_total", 1, { lane: LANES[message.type] });
    if (message.type !== "command") return;
    const { session, seq } = message;
    const retryAfterMs = config.busyRetryMs;
    const busy = { type: "busy", room: this.room, epoch, session, seq, retryAfterMs } as const;
    send(from, roomToGateway.encode(busy));
  }

  #pump(): void {
    this.#pumping = undefined;
    const began = this.#host.clock.now();
    for (let taken = 0; this.#core; taken++) {
      if (taken === TURN_MESSAGES_MAX || this.#host.clock.now() - began > TURN_MS_MAX) {
        this.#pumping = this.#host.clock.after(0, () => this.#pump());
        break;
      }
      // While a command runs alone the durable lane waits; its outcome starts the pump again.
      const { alone, attempting } = this.#core;
      const letter = this.#mailbox.take({ durable: !alone, volatile: !attempting });
      if (!letter) break;
      this.#decide({ type: "gateway", ...letter }, false);
    }
    this.#flush();
  }

  /** One decision of the core, and its effects. What the author's code throws is a crash. */
  #decide(message: RoomMessage, flush = true): void {
    this.#turnOf((core) => core.decide(message, this.#moment()));
    if (flush) this.#flush();
  }

  #flush(): void {
    this.#turnOf((core) => core.flush(this.#moment()));
  }

  #turnOf(run: (core: RoomCore) => RoomEffect[]): void {
    const core = this.#core;
    if (!core) return;
    const { alone, attempting } = core;
    let effects: RoomEffect[] = [];
    try {
      effects = inTurn(this.#host, this.room, () => run(core));
    } catch (error) {
      return this.#crashed(error);
    }
    for (const effect of effects) {
      if (this.#core !== core) return;
      this.#run(core.epoch, effect);
    }
    const freed = (alone && !core.alone) || (attempting && !core.attempting);
    if (freed && this.#mailbox.length > 0)
      this.#pumping ??= this.#host.clock.after(0, () => this.#pump());
  }

  #crashed(error: unknown): void {
    if (this.stage === "ended") return;
    const { clock, observer } = this.#host;
    const decision = afterCrash(this.#crashes, clock.now(), RESTART_DEFAULTS);
    observer.metrics.add("roomcluster_room_crashes_total", 1, { world: this.world.name });
    observer.log.error({ room: this.room, err: error, decision: decision.kind }, "a room crashed");
    // A restart is a new ownership, also of a room that was handed over.
    if (this.#claimed) this.#start = { kind: "claim", replaces: this.#claimed.epoch };
    if (decision.kind === "restart") this.#crashes = decision.crashes;
    const retryAfterMs = decision.kind === "restart" ? decision.afterMs : undefined;
    this.#host.crashed(this);
    this.#lifecycle.send({ type: "CRASHED", retryAfterMs });
  }

  #run(epoch: Epoch, effect: RoomEffect): void {
    switch (effect.type) {
      case "send":
        return this.#host.send(effect.gateway, effect.data);
      case "append":
      case "repeat":
        return this.#guard(this.#journal.append(this.#asker(epoch), effect));
      case "readAfter":
        return this.#guard(this.#journal.readAfter(this.#asker(epoch), effect));
      case "store":
        return this.#guard(this.#journal.store(this.#asker(epoch), effect));
      case "trim":
        return this.#guard(this.#journal.trim(this.#asker(epoch), effect));
      case "later":
        return this.#guard(this.#later(this.#turn, effect.command, effect.work));
      case "verify":
        return this.#verify();
      case "fenced":
        return this.#fenced("append");
      case "closed":
        return this.#lifecycle.send({ type: "CLOSED" });
      case "operated":
        return this.#orders.settle(effect.request, effect);
      case "handedOver": {
        const letters = encodeLetters(this.#mailbox.takeDurable());
        this.#host.handedOver(this, { ...effect, letters });
        return this.#lifecycle.send({ type: "HANDED_OVER" });
      }
      case "count":
      case "snapshotTooLarge":
      case "journalTooLong":
        return tally(this.#host.observer, this.room, effect);
    }
  }

  /** What this turn asks of the stores comes back to this turn, or to nobody. */
  #asker(epoch: Epoch, where: "append" | "verify" = "append"): Asker {
    const turn = this.#turn;
    return {
      epoch,
      current: () => turn === this.#turn,
      decide: (message) => this.#decide(message),
      fenced: () => this.#fenced(where),
    };
  }

  #verify(): void {
    if (this.#verification) this.#guard(this.#verification.ask());
  }

  #fenced(where: "append" | "verify"): void {
    this.#host.observer.metrics.add("roomcluster_fenced_total", 1, { where });
    this.#lifecycle.send({ type: "FENCED" });
  }

  async #claim(turn: number): Promise<void> {
    this.#claimed = undefined;
    const wanted = (): boolean => turn === this.#turn;
    if (this.#start.kind === "adopt") {
      this.#claimed = adopt(this.#start);
      return this.#lifecycle.send({ type: "CLAIMED" });
    }
    const { replaces } = this.#start;
    const outcome = await claimRoom(this.#host, this.room, this.world, replaces, wanted);
    if (!wanted() || outcome.kind === "abandoned") return;
    if (outcome.kind === "refused") {
      this.#host.observer.log.info({ room: this.room, why: outcome.why }, "claim refused");
      return this.#lifecycle.send({ type: "REFUSED" });
    }
    this.#claimed = outcome;
    this.#lifecycle.send({ type: "CLAIMED" });
  }

  async #recover(turn: number): Promise<void> {
    const claimed = this.#claimed;
    if (!claimed) return;
    const wanted = (): boolean => turn === this.#turn;
    const recovered = await recoverRoom(this.#host, this.room, this.world, claimed, wanted);
    if (!wanted() || recovered === "abandoned") return;
    if (recovered === "replaced") return this.#fenced("verify");
    if (recovered === "broken") return this.#lifecycle.send({ type: "BROKEN" });
    this.#recovered = recovered;
    this.#lifecycle.send({ type: "RECOVERED" });
  }

  #activate(): void {
    const { clock, config, journal, random, self } = this.#host;
    const claimed = this.#claimed;
    const recovered = this.#recovered;
    if (!claimed || !recovered) return;
    this.#recovered = undefined;
    const { epoch, register } = claimed;
    const { fold, told: records, replayed } = recovered;
    const { room, world } = this;
    const moment = this.#moment();
    const { claim, warm } = claimed;
    const known = { fold, register, records, replayed, moment, warm };
    const options = { room, self, epoch, world, config, random, ...known };
    this.#core = inTurn(this.#host, room, () => new RoomCore(options));
    const asker = this.#asker(claimed.epoch, "verify");
    this.#verification = new Verification(journal, this.room, claimed.epoch, asker);
    const periods = { periodMs: 1000 / this.world.tickHz, periodMsMax: config.tickMsMax };
    const tick = new Ticker(clock, this.#host.pace, periods, (tickHz) =>
      this.#decide({ type: "tick", tickHz }),
    );
    const firstMs = VERIFY_MS - randomBelow(random, 1_000);
    const verify = clock.every(VERIFY_MS, () => this.#verify(), firstMs);
    this.#timers = [tick, verify];
    this.#host.activated(this);
    this.#flush();
    this.forwarded(claim.record.epoch, [...(warm?.letters ?? []), ...this.#early.splice(0)]);
  }

  #deactivate(): void {
    this.#orders.abandon();
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
    this.#pumping?.cancel();
    this.#pumping = undefined;
    this.#core = undefined;
    this.#verification = undefined;
    this.#mailbox.clear();
  }

  async #later(turn: number, command: string, work: () => Promise<unknown>): Promise<void> {
    let body: unknown;
    try {
      body = await inTurn(this.#host, this.room, work);
    } catch (error) {
      this.#host.observer.log.warn({ room: this.room, command, err: error }, "slow work failed");
      if (turn === this.#turn) this.#decide({ type: "laterFailed" });
      return;
    }
    if (turn === this.#turn) this.#decide({ type: "later", command, body });
  }

  /** Ports answer with values; what is thrown below is a bug, and its own turn crashes by it. */
  #guard(work: Promise<void>): void {
    const turn = this.#turn;
    work.catch((error) => {
      if (turn === this.#turn) return this.#crashed(error);
      const { room } = this;
      this.#host.observer.log.error(
        { room, err: error },
        "work of an ownership that is over threw",
      );
    });
  }

  #moment = () => ({ now: this.#host.clock.now(), wallNow: this.#host.clock.wallNow() });
}
