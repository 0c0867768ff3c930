import type { Clock, Timer } from "../kernel/clock.ts";
import type { Epoch } from "../kernel/epoch.ts";
import { COMMAND_BODY_BYTES_MAX, type GatewayMessage } from "../protocol/client-messages.ts";
import { encode } from "../protocol/msgpack.ts";
import { checkCommand } from "./arguments.ts";
import { CommandLog, type OutgoingCommand } from "./command-log.ts";
import { CommandLost, CommandRefused, type EndCode } from "./errors.ts";
import type { ClientLimits } from "./limits.ts";
import type { Pace } from "./pace.ts";

interface Ticket {
  readonly resolve: (data: unknown) => void;
  readonly reject: (error: CommandRefused | CommandLost) => void;
}

/** A reply whose record has not been applied yet. */
interface Unseen {
  readonly index: number;
  readonly untilMs: number;
  readonly settle: () => void;
}

type Reply = Extract<GatewayMessage, { type: "reply" }>;

/** Runs the command log: sends what is due, keeps its timer, settles the promises. */
export class Commands {
  readonly #clock: Clock;
  readonly #limits: ClientLimits;
  readonly #log: CommandLog<Ticket>;
  readonly #send: (commands: readonly OutgoingCommand[]) => void;
  #unseen: Unseen[] = [];
  #shownIndex = 0;
  #timer: Timer | undefined;
  #ended: EndCode | undefined;
  #rest: { readonly untilMs: number; readonly rested: (all: boolean) => void } | undefined;

  constructor(
    clock: Clock,
    limits: ClientLimits,
    pace: Pace,
    send: (commands: readonly OutgoingCommand[]) => void,
  ) {
    this.#clock = clock;
    this.#limits = limits;
    this.#log = new CommandLog(limits, pace);
    this.#send = send;
  }

  /** Commands without a reply. */
  get pending(): number {
    return this.#log.pending;
  }

  run(name: string, body: unknown, traceparent: string | null): Promise<unknown> {
    return new Promise((resolve, reject) => {
      checkCommand(name);
      if (this.#ended !== undefined) return reject(new CommandLost(this.#ended, false));
      const encoded = encode(body);
      if (encoded.length > COMMAND_BODY_BYTES_MAX)
        return reject(new CommandRefused("too_large", null));
      const command = { name, body: encoded, traceparent };
      if (this.#log.submit(command, { resolve, reject }) === "full")
        return reject(new CommandRefused("queue_full", null));
      this.#pump();
    });
  }

  joined(seq: number): void {
    this.#log.joined(seq, this.#clock.now());
    this.#pump();
  }

  detached(): void {
    this.#log.detached();
    this.#pump();
  }

  suspended(): void {
    this.#log.suspended();
    this.#pump();
  }

  /** The owner was heard, under this epoch. */
  heard(epoch: Epoch): void {
    this.#log.heard();
    this.#log.epochSeen(epoch, this.#clock.now());
    this.#pump();
  }

  expect(seq: number): void {
    this.#log.expect(seq, this.#clock.now());
    this.#pump();
  }

  busy(seq: number, retryAfterMs: number): void {
    this.#log.busy(seq, retryAfterMs, this.#clock.now());
    this.#pump();
  }

  rateLimited(): void {
    this.#log.blocked(this.#clock.now() + this.#limits.rateLimitedMs);
    this.#pump();
  }

  reply({ seq, status, data, index }: Reply): void {
    const ticket = this.#log.reply(seq);
    if (ticket === undefined) return;
    const settle = (): void =>
      status === "ok" ? ticket.resolve(data) : ticket.reject(new CommandRefused(status, data));
    const untilMs = this.#clock.now() + this.#limits.visibleMsMax;
    if (index <= this.#shownIndex) settle();
    else this.#unseen.push({ index, untilMs, settle });
    this.#pump();
  }

  /** The replica has everything up to `index`. */
  shown(index: number): void {
    this.#shownIndex = index;
    if (this.#unseen.length > 0) this.#settleUnseen((unseen) => unseen.index <= index);
  }

  /**
   * Sends nothing new until it is told to go on. `rested` hears when all that was sent has its
   * reply, or that it has not in time.
   */
  rest(msMax: number, rested: (all: boolean) => void): void {
    this.#log.resting = true;
    this.#rest = { untilMs: this.#clock.now() + msMax, rested };
    this.#pump();
  }

  goOn(): void {
    this.#log.resting = false;
    this.#rest = undefined;
    this.#pump();
  }

  /** Another room's session from here on; what was sent to the one before has its reply. */
  renewed(): void {
    this.#settleUnseen(() => true);
    this.#shownIndex = 0;
    this.#log.detached();
    this.goOn();
  }

  end(code: EndCode): void {
    this.#ended = code;
    this.#rest = undefined;
    this.#timer?.cancel();
    // These have an outcome, only their record is missing: a durable effect is not called lost.
    this.#settleUnseen(() => true);
    for (const { ticket, sent } of this.#log.drain()) ticket.reject(new CommandLost(code, sent));
  }

  #settleUnseen(ready: (unseen: Unseen) => boolean): void {
    const settled = this.#unseen.filter(ready);
    if (settled.length === 0) return;
    this.#unseen = this.#unseen.filter((unseen) => !settled.includes(unseen));
    for (const { settle } of settled) settle();
  }

  /** Sends what is due and comes back when the next is. */
  #pump(): void {
    if (this.#ended !== undefined) return;
    const now = this.#clock.now();
    const due = this.#log.take(now);
    if (due.length > 0) this.#send(due);
    this.#settleUnseen((unseen) => unseen.untilMs <= now);
    const all = this.#log.unanswered === 0;
    if (this.#rest && (all || now >= this.#rest.untilMs)) {
      const { rested } = this.#rest;
      this.#rest = undefined;
      rested(all);
    }
    this.#timer?.cancel();
    let nextMs = this.#log.nextDueMs(now) ?? Number.POSITIVE_INFINITY;
    if (this.#rest) nextMs = Math.min(nextMs, this.#rest.untilMs);
    for (const unseen of this.#unseen) nextMs = Math.min(nextMs, unseen.untilMs);
    if (nextMs === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.after(Math.max(0, nextMs - now), () => this.#pump());
  }
}
