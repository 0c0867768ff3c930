import { backoffMs } from "../../src/kernel/backoff.ts";
import { delay, type Timer } from "../../src/kernel/clock.ts";
import { type Epoch, epochGeneration } from "../../src/kernel/epoch.ts";
import type { ProcessId, RoomId } from "../../src/kernel/ids.ts";
import { randomBelow } from "../../src/kernel/random.ts";
import { roomToGateway, type ToRoom } from "../../src/protocol/room-messages.ts";
import { MAILBOX_DEFAULTS, Mailbox } from "../mailbox.ts";
import { afterCrash, RESTART_DEFAULTS } from "../supervisor.ts";
import { adopt, claimRoom, type Owned, type RoomStart } from "./claim.ts";
import { RoomCore } from "./core.ts";
import type { World } from "./define-room.ts";
import type { RoomEffect, RoomMessage } from "./effects.ts";
import type { NextOwner } from "./hand-over.ts";
import { readStanding, recoverRoom } from "./journal-reader.ts";
import {
  createLifecycle,
  type EndReason,
  LIFECYCLE_DEFAULTS,
  type Lifecycle,
  type Stage,
} from "./lifecycle.ts";
import type { Recovered } from "./recovery.ts";
import { LANES, type RoomHost } from "./room-host.ts";
import { tally } from "./tally.ts";

interface Letter {
  readonly from: ProcessId;
  readonly message: ToRoom;
}

const TURN_MESSAGES_MAX = 64;
const TURN_MS_MAX = 8;
const VERIFY_MS = 5_000;
const LOWER_TAILS_MAX = 3;
const RETRY = { baseMs: 50, capMs: 500 };

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
  #start: RoomStart;
  #core: RoomCore | undefined;
  #claimed: Owned | undefined;
  #recovered: Recovered | undefined;
  #timers: Timer[] = [];
  #pumping: Timer | undefined;
  #crashes: readonly number[] = [];
  /** Rises with every stage: an answer for an older one comes too late. */
  #turn = 0;
  #verifying = false;
  #started = false;
  #lowerTails = 0;

  constructor(host: RoomHost, room: RoomId, world: World, start: RoomStart) {
    this.room = room;
    this.world = world;
    this.#host = host;
    this.#start = start;
    this.#mailbox = new Mailbox(MAILBOX_DEFAULTS, ({ message }) =>
      message.type === "command" ? message.body.length + 256 : 256,
    );
    const steps = {
      claim: () => this.#guard(this.#claim(++this.#turn)),
      recover: () => this.#guard(this.#recover(++this.#turn)),
      activate: () => {
        try {
          this.#activate(++this.#turn);
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
      const letter = this.#mailbox.take(!this.#core.alone);
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
    const wasAlone = core.alone;
    this.#host.turn(this.room);
    let effects: RoomEffect[] = [];
    try {
      effects = run(core);
    } catch (error) {
      return this.#crashed(error);
    } finally {
      this.#host.turn(undefined);
    }
    for (const effect of effects) {
      if (this.#core !== core) return;
      this.#run(effect);
    }
    if (wasAlone && !core.alone && this.#mailbox.length > 0)
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
    this.#lifecycle.send({ type: "CRASHED", retryAfterMs });
  }

  #run(effect: RoomEffect): void {
    switch (effect.type) {
      case "send":
        return this.#host.send(effect.gateway, effect.data);
      case "append":
      case "repeat":
        return this.#guard(this.#append(this.#turn, effect));
      case "readAfter":
        return this.#guard(this.#readAfter(this.#turn, effect));
      case "store":
        return this.#guard(this.#store(this.#turn, effect.snapshot));
      case "trim":
        return this.#guard(this.#trim(effect.sequence, effect.index));
      case "later":
        return this.#guard(this.#later(this.#turn, effect.command, effect.work));
      case "verify":
        return this.#guard(this.#verify(this.#turn));
      case "fenced":
        return this.#fenced("append");
      case "closed":
        return this.#lifecycle.send({ type: "CLOSED" });
      case "handedOver":
        this.#host.handedOver(this, effect);
        return this.#lifecycle.send({ type: "HANDED_OVER" });
      case "count":
      case "snapshotTooLarge":
        return tally(this.#host.observer, this.room, effect);
    }
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

  #activate(turn: number): void {
    const { clock, config, random, self } = this.#host;
    const claimed = this.#claimed;
    const recovered = this.#recovered;
    if (!claimed || !recovered) return;
    this.#recovered = undefined;
    this.#core = new RoomCore({
      room: this.room,
      self,
      epoch: claimed.epoch,
      world: this.world,
      config,
      random,
      fold: recovered.fold,
      register: claimed.register,
      records: recovered.told,
      moment: this.#moment(),
    });
    const periodMs = 1000 / this.world.tickHz;
    const tick = clock.every(
      periodMs,
      () => this.#decide({ type: "tick" }),
      random.next() * periodMs,
    );
    const firstMs = VERIFY_MS - randomBelow(random, 1_000);
    const verify = clock.every(VERIFY_MS, () => this.#guard(this.#verify(turn)), firstMs);
    this.#timers = [tick, verify];
    this.#host.activated(this);
    this.#flush();
  }

  #deactivate(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
    this.#pumping?.cancel();
    this.#pumping = undefined;
    this.#core = undefined;
    this.#mailbox.clear();
  }

  async #append(
    turn: number,
    effect: Extract<RoomEffect, { type: "append" | "repeat" }>,
  ): Promise<void> {
    const { journal, clock, random } = this.#host;
    if (effect.type === "repeat") await delay(clock, 50 + backoffMs(1, RETRY, random));
    const epoch = this.#core?.epoch;
    if (turn !== this.#turn || epoch === undefined) return;
    // A restored journal has other records at these sequences: there the expected one says nothing.
    if (journal.generation !== epochGeneration(epoch)) return this.#fenced("append");
    const began = clock.now();
    const outcome = await journal.append(this.room, effect.expected, effect.data);
    if (turn !== this.#turn) return;
    if (outcome.kind === "accepted")
      this.#host.observer.metrics.observe("roomcluster_append_ms", clock.now() - began);
    this.#decide({ type: "appended", nonce: effect.nonce, outcome });
  }

  async #readAfter(
    turn: number,
    effect: Extract<RoomEffect, { type: "readAfter" }>,
  ): Promise<void> {
    const { journal, clock, random } = this.#host;
    for (let attempt = 0; turn === this.#turn; attempt++) {
      const stored = await journal.readAfter(this.room, effect.sequence);
      if (turn !== this.#turn) return;
      if (stored.ok)
        return this.#decide({ type: "readAfter", nonce: effect.nonce, stored: stored.value });
      await delay(clock, backoffMs(attempt, RETRY, random));
    }
  }

  async #store(
    turn: number,
    snapshot: Extract<RoomEffect, { type: "store" }>["snapshot"],
  ): Promise<void> {
    const { name, sequence, data } = snapshot;
    const stored = await this.#host.snapshots.put(this.room, name, data);
    if (turn !== this.#turn) return;
    this.#decide(stored.ok ? { type: "stored", name, sequence } : { type: "storeFailed" });
  }

  async #trim(sequence: number, index: number): Promise<void> {
    const trimmed = await this.#host.journal.trim(this.room, sequence);
    if (trimmed.ok) await this.#host.snapshots.removeBelow(this.room, index);
  }

  async #later(turn: number, command: string, work: () => Promise<unknown>): Promise<void> {
    let body: unknown;
    try {
      body = await work();
    } catch (error) {
      this.#host.observer.log.warn({ room: this.room, command, err: error }, "slow work failed");
      if (turn === this.#turn) this.#decide({ type: "laterFailed" });
      return;
    }
    if (turn === this.#turn) this.#decide({ type: "later", command, body });
  }

  /** Asks the leader whether this node still owns the room. */
  async #verify(turn: number): Promise<void> {
    const core = this.#core;
    if (!core || this.#verifying) return;
    this.#verifying = true;
    const standing = await readStanding(this.#host.journal, this.room, core.epoch);
    this.#verifying = false;
    if (turn !== this.#turn || core !== this.#core || standing === "unavailable") return;
    // A lower epoch is an old leader that answers during a change of leaders, or a journal that was
    // lost; only if it goes on is it the latter.
    this.#lowerTails = standing === "unknown_to_tail" ? this.#lowerTails + 1 : 0;
    if (standing === "replaced" || this.#lowerTails === LOWER_TAILS_MAX) this.#fenced("verify");
  }

  /** Ports answer with values; whatever is thrown below is a bug, and the room's own. */
  #guard(work: Promise<void>): void {
    work.catch((error) => this.#crashed(error));
  }

  #moment = () => ({ now: this.#host.clock.now(), wallNow: this.#host.clock.wallNow() });
}
