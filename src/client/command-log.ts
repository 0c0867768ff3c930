import { BoundedQueue, type PushOutcome } from "../kernel/bounded-queue.ts";
import type { Epoch } from "../kernel/epoch.ts";
import { COMMANDS_IN_FLIGHT_MAX } from "../protocol/client-messages.ts";
import type { ClientLimits } from "./limits.ts";
import type { Pace } from "./pace.ts";

export interface Command {
  readonly name: string;
  /** The encoded body. It is kept, because a resend carries the same bytes. */
  readonly body: Uint8Array;
  readonly traceparent: string | null;
}

export interface OutgoingCommand extends Command {
  readonly seq: number;
  readonly resent: boolean;
}

interface InFlight<Ticket> {
  seq: number;
  readonly command: Command;
  readonly ticket: Ticket;
  sent: boolean;
  sentAtMs: number;
  /** The epoch it was first sent to; undefined where that was not known then. */
  firstEpoch: Epoch | undefined;
  dueMs: number;
  waitMs: number;
}

type CommandLimits = Pick<
  ClientLimits,
  | "commandsQueuedMax"
  | "retryAfterMsMax"
  | "commandBytesPerToken"
  | "resendMs"
  | "resendMsMax"
  | "expectQuietMs"
>;

/**
 * The commands of one session that have no reply yet, and when each is to be sent (again). Only
 * decides: the room sends what `take` answers and asks again at `nextDueMs`.
 */
export class CommandLog<Ticket> {
  readonly #limits: CommandLimits;
  readonly #pace: Pace;
  readonly #queue: BoundedQueue<{ readonly command: Command; readonly ticket: Ticket }>;
  /** In order of seq: entries are only ever added with a higher one. */
  #inFlight: InFlight<Ticket>[] = [];
  #nextSeq = 1;
  #epoch: Epoch | undefined;
  #attached = false;
  #suspended = false;
  #blockedUntilMs = 0;
  /** Nothing new goes out. */
  resting = false;

  constructor(limits: CommandLimits, pace: Pace) {
    this.#limits = limits;
    this.#pace = pace;
    this.#queue = new BoundedQueue({ itemsMax: limits.commandsQueuedMax });
  }

  get pending(): number {
    return this.#inFlight.length + this.#queue.length;
  }

  /** Sent, and without a reply. */
  get unanswered(): number {
    return this.#inFlight.length;
  }

  submit(command: Command, ticket: Ticket): PushOutcome {
    return this.#queue.push({ command, ticket });
  }

  /** What is to be sent now, in order of seq. Counts as sent. */
  take(nowMs: number): OutgoingCommand[] {
    if (!this.#attached || this.#suspended || nowMs < this.#blockedUntilMs) return [];
    // Counted from the oldest without a reply: the room keeps so many outcomes of a session, and a
    // lost reply is told again only while its outcome is among them.
    const oldest = this.#inFlight[0]?.seq ?? this.#nextSeq;
    while (!this.resting && this.#nextSeq < oldest + COMMANDS_IN_FLIGHT_MAX) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      this.#admit(next.command, next.ticket, nowMs);
    }
    const outgoing: OutgoingCommand[] = [];
    for (const entry of this.#inFlight) {
      if (entry.dueMs > nowMs) continue;
      // In order: what comes after one that has to wait would only be answered by an `expect`.
      if (!this.#pace.take(this.#cost(entry.command), nowMs)) break;
      outgoing.push(this.#send(entry, nowMs));
    }
    return outgoing;
  }

  /** When `take` next has something, or undefined where only an answer can change that. */
  nextDueMs(nowMs: number): number | undefined {
    if (!this.#attached || this.#suspended) return undefined;
    if (this.pending === 0) return undefined;
    if (this.#blockedUntilMs > nowMs) return this.#blockedUntilMs;
    let firstMs = Number.POSITIVE_INFINITY;
    for (const { dueMs, command } of this.#inFlight) {
      // `take` has stopped at this one, so nothing behind it is to be waited for instead.
      if (dueMs <= nowMs) return this.#pace.readyMs(this.#cost(command), nowMs);
      firstMs = Math.min(firstMs, dueMs);
    }
    return firstMs;
  }

  /** The gateway counts more than it allows: a pause, then on as before. */
  blocked(untilMs: number): void {
    this.#blockedUntilMs = Math.max(this.#blockedUntilMs, untilMs);
    this.#dueFrom(0, untilMs);
  }

  /** The ticket of the command that this reply is for; undefined for a repeated reply. */
  reply(seq: number): Ticket | undefined {
    const at = this.#inFlight.findIndex((entry) => entry.seq === seq);
    return at < 0 ? undefined : this.#inFlight.splice(at, 1)[0]?.ticket;
  }

  /**
   * The room admits `seq` next: it and everything after it got lost. Each later command of a burst
   * is answered by such a message too, so one that names a command just sent is an echo.
   */
  expect(seq: number, nowMs: number): void {
    const wanted = this.#inFlight.find((entry) => entry.seq === seq);
    if (wanted === undefined || !wanted.sent) return;
    if (nowMs - wanted.sentAtMs < this.#limits.expectQuietMs) return;
    this.#dueFrom(seq, nowMs);
  }

  /** The room is full and has not taken `seq`; what follows it can only be taken after it. */
  busy(seq: number, retryAfterMs: number, nowMs: number): void {
    if (!this.#inFlight.some((entry) => entry.seq === seq)) return;
    const waitMs = Math.min(retryAfterMs, this.#limits.retryAfterMsMax);
    this.#blockedUntilMs = Math.max(this.#blockedUntilMs, nowMs + waitMs);
    this.#dueFrom(seq, this.#blockedUntilMs);
  }

  /** The room is served under `epoch`: a higher one than before has none of what is pending. */
  epochSeen(epoch: Epoch, nowMs: number): void {
    const before = this.#epoch;
    if (before !== undefined && epoch <= before) return;
    this.#epoch = epoch;
    this.#suspended = false;
    if (before !== undefined) this.#allDue(nowMs);
  }

  /**
   * Attached, for the first time or again; the room has outcomes up to `seq`. All pending commands
   * go again: those it has an outcome for are answered from the journal. Who owns the room now is
   * not known until a frame tells.
   */
  joined(seq: number, nowMs: number): void {
    this.#attached = true;
    this.#suspended = false;
    this.#epoch = undefined;
    this.#blockedUntilMs = 0;
    // A no-op, unless a journal restored from a backup has forgotten outcomes: then the room admits
    // seq + 1, and as it has no outcome for any later one, renumbering cannot apply one twice.
    this.#nextSeq = seq + 1;
    for (const entry of this.#inFlight) if (entry.seq > seq) entry.seq = this.#nextSeq++;
    this.#allDue(nowMs);
  }

  detached(): void {
    this.#attached = false;
  }

  /** While a room has no reachable owner, sending again is noise. */
  suspended(): void {
    this.#suspended = true;
  }

  /** The owner was heard again. */
  heard(): void {
    this.#suspended = false;
  }

  /** Everything without a reply, taken out for good. */
  drain(): { readonly ticket: Ticket; readonly sent: boolean }[] {
    const rest = this.#inFlight.map(({ ticket, sent }) => ({ ticket, sent }));
    this.#inFlight = [];
    for (let next = this.#queue.shift(); next; next = this.#queue.shift())
      rest.push({ ticket: next.ticket, sent: false });
    return rest;
  }

  #cost(command: Command): number {
    return Math.max(1, command.body.length / this.#limits.commandBytesPerToken);
  }

  #admit(command: Command, ticket: Ticket, nowMs: number): void {
    this.#inFlight.push({
      seq: this.#nextSeq++,
      command,
      ticket,
      sent: false,
      sentAtMs: 0,
      firstEpoch: undefined,
      dueMs: nowMs,
      waitMs: this.#limits.resendMs,
    });
  }

  #send(entry: InFlight<Ticket>, nowMs: number): OutgoingCommand {
    // The mark says that an earlier owner may have died of this command: the new one then journals
    // an attempt first and runs it alone. The owner that got it a second ago is alive and did not
    // die of it, so a resend to the same epoch carries no mark.
    const sameOwner = this.#epoch !== undefined && entry.firstEpoch === this.#epoch;
    const resent = entry.sent && !sameOwner;
    if (!entry.sent) entry.firstEpoch = this.#epoch;
    entry.sent = true;
    entry.sentAtMs = nowMs;
    entry.dueMs = nowMs + entry.waitMs;
    entry.waitMs = Math.min(entry.waitMs * 2, this.#limits.resendMsMax);
    return { ...entry.command, seq: entry.seq, resent };
  }

  #allDue(nowMs: number): void {
    for (const entry of this.#inFlight) {
      entry.dueMs = nowMs;
      entry.waitMs = this.#limits.resendMs;
    }
  }

  #dueFrom(seq: number, dueMs: number): void {
    for (const entry of this.#inFlight) {
      if (entry.seq < seq) continue;
      entry.dueMs = dueMs;
      entry.waitMs = this.#limits.resendMs;
    }
  }
}
