import { hash } from "node:crypto";
import type { ProcessId, SessionId } from "../../src/kernel/ids.ts";
import { COMMANDS_IN_FLIGHT_MAX } from "../../src/protocol/client-messages.ts";
import { decode, encode } from "../../src/protocol/msgpack.ts";
import type { ToRoom } from "../../src/protocol/room-messages.ts";
import { isRefusal, type Room, refuse, type Who } from "./define-room.ts";
import type { RoomParts } from "./effects.ts";
import { gatewayOf, type Reply } from "./fold.ts";
import { type HookOutcome, nothing, whoOf } from "./hooks.ts";

type CommandMessage = Extract<ToRoom, { type: "command" }>;

type Answer = (status: string, data: unknown) => void;

const NO_DIGEST = new Uint8Array(8);

/** A resent command goes alone, in two journal writes: one that says so, one with its outcome. */
interface Alone {
  readonly from: ProcessId;
  readonly message: CommandMessage;
  stage: "waiting" | "attempting" | "settling";
}

/** First 8 bytes of SHA-256 over name and body: tells a resend from another command. */
function digestOf(name: string, body: Uint8Array): Uint8Array {
  const digest = hash("sha256", Buffer.concat([Buffer.from(`${name}\0`), body]), "buffer");
  return new Uint8Array(digest.subarray(0, 8));
}

const answerOf = ({ value }: HookOutcome): readonly [status: string, data: unknown] =>
  isRefusal(value) ? [value.status, value.data] : ["ok", value ?? null];

/**
 * Exactly once: a session's commands are admitted in sequence, each outcome is journaled with its
 * reply, and a duplicate is answered from the journal.
 */
export class Commands {
  readonly #parts: RoomParts;
  #alone: Alone | undefined;
  /** Slow work that came back while a command runs alone. */
  #held: { readonly name: string; readonly body: unknown }[] = [];
  /** Outcomes of the record that has just settled. */
  #durable: { readonly session: SessionId; readonly seq: number }[] = [];

  constructor(parts: RoomParts) {
    this.#parts = parts;
  }

  get alone(): boolean {
    return this.#alone !== undefined;
  }

  /** It is journaled that the command runs: whatever crashes from here on counts as its doing. */
  get attempting(): boolean {
    return this.#alone !== undefined && this.#alone.stage !== "waiting";
  }

  command(from: ProcessId, message: CommandMessage, at: number): void {
    const { ledger, outlet, effects, config } = this.#parts;
    const { session, seq } = message;
    const row = ledger.decided.sessions.get(session);
    if (ledger.decided.closed) return;
    // A superseded or unknown socket can not speak for the person.
    if (!row?.here || row.attach !== message.attach || row.connection !== message.connection)
      return;
    if (seq <= row.last) return this.#duplicate(from, message);
    if (seq !== row.last + 1)
      return outlet.send(from, { type: "expect", session, seq: row.last + 1 });
    const acked = ledger.acked.sessions.get(session)?.last ?? 0;
    const overgrown = this.#parts.overgrown();
    if (overgrown) effects.push({ type: "count", what: "journal_full" });
    if (overgrown || ledger.full || this.#alone || seq > acked + COMMANDS_IN_FLIGHT_MAX) {
      effects.push({ type: "count", what: "busy" });
      return outlet.send(from, { type: "busy", session, seq, retryAfterMs: config.busyRetryMs });
    }
    if (!message.resent) return this.#run(message, at);
    this.#alone = { from, message, stage: "waiting" };
    this.proceed(at);
  }

  /** Moves a command that runs alone on, whenever the journal has come to rest. */
  proceed(at: number): void {
    const alone = this.#alone;
    const { ledger } = this.#parts;
    if (!alone || !ledger.idle) return;
    const { session, seq } = alone.message;
    if (alone.stage === "waiting") {
      alone.stage = "attempting";
      ledger.push({ type: "attempt", session, seq });
      return;
    }
    if (alone.stage === "attempting") {
      alone.stage = "settling";
      this.#run(alone.message, at);
      // Until its outcome is durable a crash would still be taken for its own.
      if (!ledger.idle) return;
    }
    this.#alone = undefined;
    const held = this.#held;
    this.#held = [];
    for (const { name, body } of held) this.internal(name, body, at);
  }

  /** At recovery: the command that was running when the last owner died gets an error instead. */
  deadLetter({ session, seq }: { readonly session: SessionId; readonly seq: number }): void {
    const { ledger, effects } = this.#parts;
    if (ledger.decided.sessions.get(session)?.last !== seq - 1) return;
    effects.push({ type: "count", what: "dead_letter" });
    const entry = { session, seq, digest: NO_DIGEST, status: "dead_letter", data: null } as const;
    const settled = (): void => void this.#durable.push({ session, seq });
    this.#parts.record({ type: "command", ...entry, patches: [], events: [] }, undefined, settled);
  }

  /** The room's own command: slow work that came back. */
  internal(name: string, body: unknown, at: number): void {
    // An attempt that does not stay the last entry would not be found by the next owner.
    if (this.#alone) return void this.#held.push({ name, body });
    const outcome = this.#execute(name, body, undefined, at);
    this.#parts.system(`later:${name}`.slice(0, 48), outcome, at);
  }

  /**
   * An operator's command: run like the room's own, and answered once it is durable. Where it has
   * to wait it is `busy`; nobody resends it but whoever asked.
   */
  operate(name: string, body: unknown, at: number, answer: Answer): void {
    const { ledger } = this.#parts;
    if (ledger.decided.closed) return answer("room_closed", null);
    if (this.#alone || ledger.full || this.#parts.overgrown()) return answer("busy", null);
    const outcome = this.#answerable(this.#execute(name, body, undefined, at));
    const { patches, events, value } = outcome;
    const [status, data] = answerOf(outcome);
    if (isRefusal(value)) return answer(status, data);
    const cause = `operator:${name}`.slice(0, 48);
    const settled = (): void => answer(status, data);
    this.#parts.record({ type: "system", cause, patches, events }, outcome, settled);
  }

  /** Replies of what has become durable, after the record itself went out. */
  confirmAll(): void {
    const durable = this.#durable;
    this.#durable = [];
    for (const { session, seq } of durable) {
      const reply = this.#replyTo(session, seq);
      if (reply) this.#answer(session, reply);
    }
  }

  #run(message: CommandMessage, at: number): void {
    const { session, seq, name, body, silenced } = message;
    const { ledger } = this.#parts;
    const row = ledger.decided.sessions.get(session);
    if (row?.last !== seq - 1 || row.connection !== message.connection) return;
    const value = decode(body);
    const who = whoOf(session, row);
    const outcome = this.#answerable(
      silenced !== null
        ? this.#refused(silenced)
        : value.ok
          ? this.#execute(name, value.value, who, at)
          : this.#refused("invalid_body"),
    );
    const { patches, events } = outcome;
    const [status, data] = answerOf(outcome);
    const digest = digestOf(name, body);
    const reply = { session, seq, digest, status, data };
    const settled = (): void => void this.#durable.push({ session, seq });
    this.#parts.record({ type: "command", ...reply, patches, events }, outcome, settled);
  }

  #execute(name: string, value: unknown, who: Who | undefined, at: number): HookOutcome {
    const { definition } = this.#parts.world;
    const command = Object.hasOwn(definition.commands, name)
      ? definition.commands[name]
      : undefined;
    if (!command) return this.#refused("unknown_command");
    const checked = command.body["~standard"].validate(value);
    if (checked instanceof Promise || checked.issues || !("value" in checked))
      return this.#refused("invalid_body");
    const body = checked.value;
    const run = (room: Room<object, object>): unknown =>
      (who && definition.onCommand?.(room, name, who)) || command.run(room, body, who);
    const outcome = this.#parts.hook(at, run);
    if (!outcome.readable) return this.#refused("invalid_body");
    return outcome;
  }

  /** Replies are kept, 32 for each session, and every snapshot holds all of them. */
  #answerable(outcome: HookOutcome): HookOutcome {
    const { config, effects } = this.#parts;
    const [, data] = answerOf(outcome);
    if (encode(data).length <= config.replyBytesMax) return outcome;
    effects.push({ type: "count", what: "reply_too_large" });
    return this.#refused("reply_too_large");
  }

  #refused(status: string): HookOutcome {
    return nothing(this.#parts.ledger.decided.document, refuse(status));
  }

  #duplicate(from: ProcessId, message: CommandMessage): void {
    const { outlet, effects, ledger } = this.#parts;
    const { session, seq } = message;
    effects.push({ type: "count", what: "duplicate" });
    const reply = this.#replyTo(session, seq);
    if (!reply) {
      // Pending: its own append will answer. Older than the kept replies: it was answered long ago.
      const last = ledger.acked.sessions.get(session)?.last ?? 0;
      if (seq <= last) outlet.send(from, { type: "expect", session, seq: last + 1 });
      return;
    }
    const digest = digestOf(message.name, message.body);
    const same = reply.status === "dead_letter" || Buffer.compare(reply.digest, digest) === 0;
    if (same) return this.#answer(session, reply);
    const { index } = reply;
    outlet.send(from, { type: "reply", session, seq, status: "body_mismatch", data: null, index });
  }

  #replyTo(session: SessionId, seq: number): Reply | undefined {
    const row = this.#parts.ledger.acked.sessions.get(session);
    return row?.replies.find((reply) => reply.seq === seq);
  }

  #answer(session: SessionId, { seq, status, data, index }: Reply): void {
    const row = this.#parts.ledger.acked.sessions.get(session);
    if (!row) return;
    const to = gatewayOf(row.connection);
    this.#parts.outlet.send(to, { type: "reply", session, seq, status, data, index });
  }
}
