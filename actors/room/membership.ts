import type { PersonId, ProcessId, SessionId } from "../../src/kernel/ids.ts";
import type { MembershipCode } from "../../src/protocol/close-codes.ts";
import type { EntryOf } from "../../src/protocol/journal-record.ts";
import { rowsFromBytes } from "../../src/protocol/pose-row.ts";
import type { ToRoom } from "../../src/protocol/room-messages.ts";
import type { WarmState } from "../../src/protocol/warm-state.ts";
import type { Moment, RoomParts } from "./effects.ts";
import { gatewayOf, type SessionRow } from "./fold.ts";
import { whoOf } from "./hooks.ts";
import { LATER_FULL } from "./later-work.ts";
import { STATE_FULL } from "./state-size.ts";

type MessageOf<T extends ToRoom["type"]> = Extract<ToRoom, { type: T }>;
type Attach = MessageOf<"attach">;
const FORGET_EVERY_MS = 5_000;
const FORGET_MAX = 256;
const ORIGIN = { x: 0, y: 0, z: 0, yaw: 0, pitch: 0, reach: [0, 0, 0], animation: 0 } as const;

/** What is journaled is read back as `<process>#<number>`: text from outside may be anything. */
const isSocketOf = (gateway: ProcessId, connection: string): boolean =>
  connection.startsWith(`${gateway}#`) && /^\d{1,16}$/.test(connection.slice(gateway.length + 1));

/**
 * Who is in the room and by which socket they speak. An attach or a leave is journaled before it
 * takes effect; a lower attach number, or an equal one of another socket, never does.
 */
export class Membership {
  readonly #parts: RoomParts;
  /** What attaches on their way brought that is not journaled, by connection. */
  readonly #brought = new Map<string, { attach: Attach; gone: boolean }>();
  #confirm: SessionId[] = [];

  constructor(parts: RoomParts, moment: Moment, warm: WarmState | undefined) {
    this.#parts = parts;
    if (warm) parts.presence.restore(warm, moment.now);
    const watchers = new Set(warm?.watchers);
    for (const [session, row] of parts.ledger.acked.sessions) {
      if (!row.here || parts.presence.isAway(session)) continue;
      // The last owner heard them until it handed the room over: their gateways need not ask.
      if (watchers.has(gatewayOf(row.connection))) this.#confirm.push(session);
      // After a takeover nobody is attached yet; whoever does not come back loses the seat.
      else parts.presence.setAway(session, row.slot, moment.now, false);
    }
  }

  attach(from: ProcessId, message: Attach, at: number): void {
    const { decided, acked } = this.#parts.ledger;
    const { session, attach, connection } = message;
    if (!isSocketOf(from, connection)) return;
    const row = decided.sessions.get(session);
    if (row && (attach < row.attach || (attach === row.attach && connection !== row.connection)))
      return this.#supersede(message, row.attach);
    if (row && attach === row.attach) {
      if (!row.here) return this.#refuse(message, "session_expired");
      if (acked.sessions.get(session)?.connection !== connection) return;
      this.#bring(message);
      this.#confirmed(session);
      return;
    }
    const code = this.#refusal(message, row);
    if (code) return this.#refuse(message, code);
    this.#admit(message, row, at);
  }

  #refusal(message: Attach, row: SessionRow | undefined): MembershipCode | undefined {
    const { config, ledger, world } = this.#parts;
    const { decided } = ledger;
    if (decided.closed) return "room_closed";
    if (!row && message.resumed) return "session_expired";
    if (row && row.person !== message.person) return "wrong_room";
    if (!row?.here && decided.here >= world.capacity) return "room_full";
    if (!row?.here && this.#seatsOf(message.person) >= config.seatsPerPersonMax) return "room_full";
    if (ledger.full) return "room_unavailable";
    return undefined;
  }

  #seatsOf(person: PersonId): number {
    let seats = 0;
    for (const row of this.#parts.ledger.decided.sessions.values())
      if (row.here && row.person === person) seats++;
    return seats;
  }

  #admit(message: Attach, row: SessionRow | undefined, at: number): void {
    const { ledger, world } = this.#parts;
    const { session, attach, connection, person, role } = message;
    const seat = row?.here
      ? { slot: row.slot, generation: row.generation }
      : { slot: ledger.decided.freeSlot(), generation: ledger.decided.admissions & 0xff };
    const { onJoin } = world.definition;
    const who = { session, person, role, slot: seat.slot };
    const joins = !row?.here && onJoin ? onJoin : undefined;
    const outcome = joins && this.#parts.hook(at, (room) => joins(room, who));
    if (outcome?.readable === false) return this.#refuse(message, "wrong_room");
    if (outcome?.value === LATER_FULL || outcome?.value === STATE_FULL)
      return this.#refuse(message, "room_unavailable");
    const { patches, events } = outcome ?? { patches: [], events: [] };
    this.#brought.set(connection, { attach: message, gone: false });
    this.#parts.record(
      { type: "attach", session, attach, connection, person, role, ...seat, patches, events },
      outcome,
    );
  }

  /**
   * The attach is durable: the seat gets its row and profile, an older socket is told. `before` is
   * the session's row without it.
   */
  settledAttach(entry: EntryOf<"attach">, before: SessionRow | undefined, now: number): void {
    const { ledger, outlet, presence } = this.#parts;
    const { session, attach, connection } = entry;
    const brought = this.#brought.get(connection);
    this.#brought.delete(connection);
    if (before?.here && before.connection !== connection) {
      const lost = { session, attach, connection: before.connection };
      outlet.send(gatewayOf(before.connection), { type: "superseded", ...lost });
    }
    const row = ledger.acked.sessions.get(session);
    if (!row || row.connection !== connection) return;
    outlet.heard(gatewayOf(connection), now);
    if (brought) this.#bring(brought.attach);
    if (brought?.gone && row.here) presence.setAway(session, row.slot, now, true);
    this.#confirm.push(session);
  }

  /** `before` had the seat that is free now; by the end of the record they may sit elsewhere. */
  settledLeave({ session }: EntryOf<"leave">, before: SessionRow | undefined): void {
    if (before?.here) this.#parts.presence.clear(before.slot, session);
  }

  /** After the record went out, so that a gateway knows the member it is told about. */
  confirmAll(): void {
    const sessions = this.#confirm;
    this.#confirm = [];
    for (const session of sessions) this.#confirmed(session);
  }

  away(message: MessageOf<"away">, now: number): void {
    const row = this.#current(message);
    if (!row) return;
    // Where the attach itself is not durable yet, the socket is gone by the time it is.
    const brought = this.#brought.get(message.connection);
    if (brought) brought.gone = true;
    else this.#parts.presence.setAway(message.session, row.slot, now, true);
  }

  leave(message: MessageOf<"leave">, at: number): void {
    const row = this.#current(message);
    if (row) this.#leaves(message.session, row, message.reason, at);
  }

  profile(message: MessageOf<"profile">): void {
    const { session, connection, profile } = message;
    if (!this.#current(message)) return;
    // Where the attach itself is not durable yet, it brings the new profile when it is.
    const brought = this.#brought.get(connection);
    if (brought) brought.attach = { ...brought.attach, profile };
    const row = this.#parts.ledger.acked.sessions.get(session);
    if (row?.here && row.connection === connection) this.#tellProfile(row, profile);
  }

  /** Gateways that fell silent, people away too long, sessions that can not come back. */
  sweep(silent: readonly ProcessId[], moment: Moment): void {
    const { ledger, presence, config } = this.#parts;
    const { acked, decided } = ledger;
    for (const gateway of silent)
      for (const [session, row] of acked.sessions)
        if (row.here && gatewayOf(row.connection) === gateway)
          presence.setAway(session, row.slot, moment.now, true);
    // Shown as such even where no gateway said so.
    for (const session of presence.awayFor(moment.now, config.awayShownMs)) {
      const row = acked.sessions.get(session);
      if (row?.here) presence.setAway(session, row.slot, moment.now, true);
    }
    for (const session of presence.awayFor(moment.now, config.seatHoldMs)) {
      const row = decided.sessions.get(session);
      if (!row?.here || acked.sessions.get(session)?.connection !== row.connection) continue;
      this.#leaves(session, row, "expired", Math.max(moment.wallNow, acked.at));
    }
    this.#forget(moment.wallNow);
  }

  #forgetFrom = 0;
  /**
   * Those who left long ago, and beyond a number of them the oldest. A few at a time: the table may
   * be long, a record stays small. Only what is durable knows when somebody left.
   */
  #forget(wallNow: number): void {
    if (wallNow - this.#forgetFrom < FORGET_EVERY_MS) return;
    this.#forgetFrom = wallNow;
    const { ledger, config } = this.#parts;
    const left = [...ledger.acked.sessions].filter(
      ([session, row]) => !row.here && ledger.decided.sessions.get(session)?.here === false,
    );
    const excess = left.length - config.sessionsLeftMax;
    if (excess > 0) left.sort(([, a], [, b]) => a.leftAt - b.leftAt);
    const over = left.filter(
      ([, row], at) => at < excess || wallNow - row.leftAt >= config.sessionKeepMs,
    );
    for (const [session] of over.slice(0, FORGET_MAX))
      this.#parts.record({ type: "forget", session });
  }

  endAll(code: MembershipCode, reason: string): void {
    for (const [session, row] of this.#parts.ledger.acked.sessions) {
      if (!row.here) continue;
      this.#parts.outlet.send(gatewayOf(row.connection), { type: "ended", session, code, reason });
    }
  }

  #leaves(session: SessionId, row: SessionRow, reason: string, at: number): void {
    const { world, outlet } = this.#parts;
    const { onLeave } = world.definition;
    const who = whoOf(session, row);
    const said = onLeave && this.#parts.hook(at, (room) => onLeave(room, who, reason));
    // Nobody stays because of what cannot be written.
    const outcome = said?.readable ? said : undefined;
    const { patches, events } = outcome ?? { patches: [], events: [] };
    const settled = (): void => {
      if (reason !== "expired") return;
      const ended = { code: "session_expired", reason: "the seat was held long enough" } as const;
      outlet.send(gatewayOf(row.connection), { type: "ended", session, ...ended });
    };
    const { attach } = row;
    this.#parts.record(
      { type: "leave", session, attach, reason, patches, events },
      outcome,
      settled,
    );
  }

  /** The row of a session, where this very socket is its newest one. */
  #current(message: { session: SessionId; attach: number; connection: string }) {
    const row = this.#parts.ledger.decided.sessions.get(message.session);
    if (!row?.here || row.attach !== message.attach) return undefined;
    return row.connection === message.connection ? row : undefined;
  }

  #bring({ session, profile, row: brought }: Attach): void {
    const { ledger, presence } = this.#parts;
    const row = ledger.acked.sessions.get(session);
    if (!row?.here) return;
    presence.setHere(session, row.slot);
    this.#tellProfile(row, profile);
    if (presence.hasRow(row.slot, row.generation)) return;
    const words = brought ? rowsFromBytes(brought) : undefined;
    // Their gateway may have had no row yet when the last owner died. Who has none is seen by
    // nobody, and whether they are away neither.
    if (!words?.length) return this.#spawn(session, row);
    words[0] = ((words[0] as number) & 0x7f000000) | (row.generation << 16) | row.slot;
    presence.setRow(words, 0);
  }

  #tellProfile(row: SessionRow, profile: Attach["profile"]): void {
    const { presence, outlet } = this.#parts;
    const known = presence.profile(row.slot);
    if (known && JSON.stringify(known) === JSON.stringify(profile)) return;
    presence.setProfile(row.slot, profile);
    outlet.broadcast({ type: "profile", slot: row.slot, generation: row.generation, profile });
  }

  #spawn(session: SessionId, row: SessionRow): void {
    const { world, presence, ledger } = this.#parts;
    const { spawn } = world.definition;
    let pose = ORIGIN as ReturnType<NonNullable<typeof spawn>>;
    if (spawn) {
      const placed = this.#parts.hook(ledger.acked.at, (room) => {
        pose = spawn(room, whoOf(session, row));
      });
      if (placed.patches.length > 0) throw new Error("spawn may not write");
    }
    presence.setPose(row.slot, row.generation, pose);
  }

  #confirmed(session: SessionId): void {
    const row = this.#parts.ledger.acked.sessions.get(session);
    if (!row) return;
    const { attach, connection, slot, generation, last } = row;
    this.#parts.outlet.send(gatewayOf(connection), {
      type: "attached",
      session,
      attach,
      connection,
      slot,
      generation,
      seq: last,
      index: this.#parts.ledger.acked.index,
    });
  }

  #supersede(message: Attach, current: number): void {
    const { session, connection } = message;
    this.#parts.outlet.send(gatewayOf(connection), {
      type: "superseded",
      session,
      attach: current,
      connection,
    });
  }

  #refuse(message: Attach, code: MembershipCode): void {
    const { session, attach, connection } = message;
    const retryAfterMs = code === "room_unavailable" ? this.#parts.config.busyRetryMs : null;
    this.#parts.outlet.send(gatewayOf(connection), {
      type: "refused",
      session,
      attach,
      connection,
      code,
      retryAfterMs,
    });
  }
}
