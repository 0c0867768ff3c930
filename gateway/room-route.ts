import type { Bus } from "../src/bus/bus.ts";
import type { Journal } from "../src/journal/journal.ts";
import { backoffMs } from "../src/kernel/backoff.ts";
import type { Clock } from "../src/kernel/clock.ts";
import { EPOCH_NONE, type Epoch, epochAt, epochCompare } from "../src/kernel/epoch.ts";
import type { ProcessId, RoomId } from "../src/kernel/ids.ts";
import type { Random } from "../src/kernel/random.ts";
import type { Observer } from "../src/observe/observer.ts";
import type { MembershipCode } from "../src/protocol/close-codes.ts";
import { control, decodeControl } from "../src/protocol/control-messages.ts";
import { decodeRecord } from "../src/protocol/journal-record.ts";
import { PLACE_REQUEST } from "../src/protocol/subjects.ts";
import type { GatewayConfig } from "./config.ts";

export interface RouteDeps {
  readonly journal: Pick<Journal, "readTail">;
  readonly controlBus: Pick<Bus, "request">;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: Observer;
  readonly config: GatewayConfig;
}

export interface RouteEvents {
  /** The floor rose; `owner` is whom the tail names. */
  readonly moved: (epoch: Epoch, owner: ProcessId) => void;
  /** The room takes nobody any more. */
  readonly gone: (code: MembershipCode) => void;
}

/** What a message's epoch is to the floor. */
export type Standing = "current" | "stale" | "ahead";

/**
 * Who owns one room, as the tail of its journal tells. Floor and route move by reading that tail
 * and by nothing else; everything heard elsewhere is a reason to read. It sets no timers: `sweep`
 * does what is due.
 */
export class RoomRoute {
  #floor: Epoch = EPOCH_NONE;
  #owner: ProcessId | undefined;
  #released = false;
  #reading = false;
  /** Something was heard while a read was in flight, which may have missed it. */
  #readAgain = false;
  #readDueAt: number | undefined;
  #readTries = 0;
  /** Reads in a row that showed nothing new, and the highest epoch that somebody spoke for. */
  #unchanged = 0;
  #claimed: Epoch = EPOCH_NONE;
  #seeking = false;
  #seekDueAt = 0;
  #seekTries = 0;
  #problem: MembershipCode = "room_unavailable";
  readonly #room: RoomId;
  readonly #deps: RouteDeps;
  readonly #events: RouteEvents;

  constructor(room: RoomId, deps: RouteDeps, events: RouteEvents) {
    this.#room = room;
    this.#deps = deps;
    this.#events = events;
  }

  get floor(): Epoch {
    return this.#floor;
  }

  get owner(): ProcessId | undefined {
    return this.#owner;
  }

  /** What to tell somebody who waited for a route in vain. */
  get problem(): MembershipCode {
    return this.#problem;
  }

  judge(epoch: Epoch): Standing {
    const order = epochCompare(epoch, this.#floor);
    return order === 0 ? "current" : order < 0 ? "stale" : "ahead";
  }

  /**
   * A reason to read the tail: somebody speaks for an epoch, the owner says that it `moved` the
   * room, or the room is nowhere to be found (`gone`).
   */
  heard(reason: Epoch | "moved" | "gone"): void {
    if (typeof reason === "number") {
      if (epochCompare(reason, this.#floor) <= 0) return;
      if (epochCompare(reason, this.#claimed) > 0) {
        this.#claimed = reason;
        this.#hurry();
      }
    } else if (reason === "moved") this.#hurry();
    // A claim that the tail did not bear out is not checked again at once, however often it comes.
    if (this.#reading || this.#readDueAt !== undefined) this.#readAgain = true;
    else void this.#read();
  }

  /** News is worth a look soon, however often there was none. */
  #hurry(): void {
    this.#unchanged = 0;
    if (this.#readDueAt === undefined) return;
    const { clock, config } = this.#deps;
    this.#readDueAt = Math.min(this.#readDueAt, clock.now() + config.rereadMsMin);
  }

  /** Does what is due. `needed`: there is no owner, or none that can be heard. */
  sweep(now: number, needed: boolean): void {
    if (this.#readDueAt !== undefined && now >= this.#readDueAt) {
      this.#readDueAt = undefined;
      if (this.#readAgain) void this.#read();
    }
    if (needed && !this.#seeking && now >= this.#seekDueAt) void this.#seek();
    if (!needed) this.#seekTries = 0;
  }

  release(): void {
    this.#released = true;
  }

  async #read(): Promise<void> {
    this.#reading = true;
    this.#readAgain = false;
    const tail = await this.#deps.journal.readTail(this.#room);
    this.#reading = false;
    if (this.#released) return;
    const { clock, config, observer, random } = this.#deps;
    if (!tail.ok) {
      observer.metrics.add("roomcluster_gateway_tail_reads_total", 1, { outcome: "unavailable" });
      const limits = { baseMs: config.seekMsMin, capMs: config.seekMsMax };
      this.#readAgain = true;
      this.#readDueAt = clock.now() + backoffMs(this.#readTries++, limits, random);
      return;
    }
    this.#readTries = 0;
    const record = tail.value.record && decodeRecord(tail.value.record);
    const owned = record && ownership(record, tail.value.generation, tail.value.sequence);
    const moved = owned !== undefined && epochCompare(owned.epoch, this.#floor) > 0;
    const outcome = moved ? "moved" : "same";
    observer.metrics.add("roomcluster_gateway_tail_reads_total", 1, { outcome });
    if (!moved) {
      const waitMs = Math.min(config.rereadMsMin * 2 ** this.#unchanged++, config.seekMsMax);
      this.#readDueAt = clock.now() + waitMs;
      return;
    }
    this.#unchanged = 0;
    this.#readDueAt = undefined;
    this.#floor = owned.epoch;
    this.#owner = owned.owner;
    this.#events.moved(owned.epoch, owned.owner);
    if (this.#readAgain && !this.#released) void this.#read();
  }

  async #seek(): Promise<void> {
    const { clock, config, controlBus, random } = this.#deps;
    this.#seeking = true;
    const request = control.encode({ type: "locate", room: this.#room });
    const answer = await controlBus.request(PLACE_REQUEST, request, config.locateMsMax);
    this.#seeking = false;
    if (this.#released) return;
    const limits = { baseMs: config.seekMsMin, capMs: config.seekMsMax };
    let waitMs = config.seekMsMin + backoffMs(this.#seekTries++, limits, random);
    const located = answer.ok ? decodeControl(answer.value) : undefined;
    if (located?.type === "located") waitMs = Math.max(waitMs, this.#located(located));
    else this.#problem = "room_unavailable";
    this.#seekDueAt = clock.now() + Math.min(waitMs, config.seekMsMax);
    // Whatever placement says, the tail decides; it may also know what placement does not.
    if (!this.#released) this.heard("gone");
  }

  #located(located: Extract<ReturnType<typeof decodeControl>, { type: "located" }>): number {
    switch (located.status) {
      case "closed":
        this.#events.gone("room_closed");
        return 0;
      case "quarantined":
        this.#events.gone("room_quarantined");
        return 0;
      case "unknown":
        // A placement process that has just started knows little; a room with a tail exists.
        if (this.#floor === EPOCH_NONE) this.#events.gone("room_unknown");
        return 0;
      case "no_capacity":
        this.#problem = "no_capacity";
        return located.retryAfterMs;
      case "placed":
      case "placing":
        this.#problem = "room_unavailable";
        return located.retryAfterMs;
    }
  }
}

/** An owner record opens its own sequence's epoch, for the process it names; others carry both. */
function ownership(
  record: NonNullable<ReturnType<typeof decodeRecord>>,
  generation: number,
  sequence: number,
): { readonly epoch: Epoch; readonly owner: ProcessId } {
  return record.type === "owner"
    ? { epoch: epochAt(generation, sequence), owner: record.owner }
    : { epoch: record.epoch, owner: record.by };
}
