import type { SessionId } from "../../src/kernel/ids.ts";
import type { Profile } from "../../src/protocol/client-messages.ts";
import {
  AWAY_FLAG,
  bytesOfRows,
  type Pose,
  packRow,
  ROW_WORDS,
  rowGeneration,
  rowSlot,
  rowsFromBytes,
  unpackRow,
} from "../../src/protocol/pose-row.ts";
import type { WarmState } from "../../src/protocol/warm-state.ts";
import type { RoomFold } from "./fold.ts";

export type PresenceImage = Pick<WarmState, "rows" | "profiles" | "away">;

/** Most ticks of a quiet room. */
const NO_ROWS = new Uint8Array(0);

/**
 * What is known of members beside the journal: where they are, how they look, whether their socket
 * is there. Lost with the owner and told again by the gateways. Rows lie in one array by slot.
 */
export class Presence {
  #rows = new Uint32Array(64 * ROW_WORDS);
  /** 0: no row yet, 1: has a row, 2: has moved since the last tick. */
  #marks = new Uint8Array(64);
  #refresh = 0;
  readonly #profiles = new Map<number, Profile>();
  readonly #awaySince = new Map<SessionId, number>();

  /**
   * Takes a row as it is, but for the away flag, which only `setHere` takes off: a row may have
   * been on its way when the socket went. The caller has checked whose it is.
   */
  setRow(words: Uint32Array, at: number): void {
    const slot = rowSlot(words, at);
    this.#grow(slot);
    const away = this.#isShownAway(slot, rowGeneration(words, at));
    this.#rows.set(words.subarray(at, at + ROW_WORDS), slot * ROW_WORDS);
    this.#flag(slot, away);
    this.#marks[slot] = 2;
  }

  setPose(slot: number, generation: number, pose: Pose): void {
    this.#grow(slot);
    const away = this.#isShownAway(slot, generation);
    packRow(this.#rows, slot * ROW_WORDS, slot, generation, pose);
    this.#flag(slot, away);
    this.#marks[slot] = 2;
  }

  /** The last pose of whoever sits at `slot` in this generation. */
  pose(slot: number, generation: number): Pose | undefined {
    return this.hasRow(slot, generation) ? unpackRow(this.#rows, slot * ROW_WORDS) : undefined;
  }

  hasRow(slot: number, generation: number): boolean {
    return !!this.#marks[slot] && rowGeneration(this.#rows, slot * ROW_WORDS) === generation;
  }

  profile(slot: number): Profile | undefined {
    return this.#profiles.get(slot);
  }

  setProfile(slot: number, profile: Profile): void {
    this.#profiles.set(slot, profile);
  }

  /** The seat is free: nothing of who sat there remains. */
  clear(slot: number, session: SessionId): void {
    if (slot < this.#marks.length) this.#marks[slot] = 0;
    this.#profiles.delete(slot);
    this.#awaySince.delete(session);
  }

  setHere(session: SessionId, slot: number): void {
    this.#awaySince.delete(session);
    this.#show(slot, false);
  }

  /** Keeps the earlier moment where the person is away already. */
  setAway(session: SessionId, slot: number, now: number, shown: boolean): void {
    if (!this.#awaySince.has(session)) this.#awaySince.set(session, now);
    if (shown) this.#show(slot, true);
  }

  /** For the next owner: all rows, looks, and how long people have been away. */
  image(now: number, { slots, sessions }: RoomFold): PresenceImage {
    const profiles: PresenceImage["profiles"][number][] = [];
    for (const [slot, profile] of this.#profiles) {
      const session = slots[slot];
      const row = session && sessions.get(session);
      if (row) profiles.push({ slot, generation: row.generation, profile });
    }
    const away = [...this.#awaySince].map(([session, since]) => {
      return { session, forMs: Math.round(now - since) };
    });
    return { rows: this.allRows(), profiles, away };
  }

  /** As the last owner had it; the first tick tells all of it. */
  restore({ rows, profiles, away }: PresenceImage, now: number): void {
    const words = rowsFromBytes(rows) ?? new Uint32Array(0);
    for (let at = 0; at < words.length; at += ROW_WORDS) {
      const slot = rowSlot(words, at);
      this.#grow(slot);
      this.#rows.set(words.subarray(at, at + ROW_WORDS), slot * ROW_WORDS);
      this.#marks[slot] = 2;
    }
    for (const { slot, profile } of profiles) this.#profiles.set(slot, profile);
    for (const { session, forMs } of away) this.#awaySince.set(session, now - forMs);
  }

  isAway(session: SessionId): boolean {
    return this.#awaySince.has(session);
  }

  /** Sessions that have been away for that long. */
  awayFor(now: number, ms: number): SessionId[] {
    const away: SessionId[] = [];
    for (const [session, since] of this.#awaySince) if (now - since >= ms) away.push(session);
    return away;
  }

  /**
   * The rows of one tick, of so many a second now: everyone who moved, and in rotation as many of
   * the others as it takes to repeat everyone within a second.
   */
  tickRows(tickHz: number): Uint8Array {
    const slots = this.#marks.length;
    const told: number[] = [];
    const share = Math.ceil(slots / Math.max(1, Math.floor(tickHz)));
    const from = this.#refresh;
    this.#refresh = (from + share) % slots;
    for (let slot = 0; slot < slots; slot++) {
      const mark = this.#marks[slot];
      if (mark === 0) continue;
      const inTurn = (slot - from + slots) % slots < share;
      if (mark !== 2 && !inTurn) continue;
      this.#marks[slot] = 1;
      told.push(slot);
    }
    return this.#rowsOf(told);
  }

  /** Every row there is, for a gateway that starts. */
  allRows(): Uint8Array {
    const slots: number[] = [];
    for (let slot = 0; slot < this.#marks.length; slot++) if (this.#marks[slot]) slots.push(slot);
    return this.#rowsOf(slots);
  }

  #rowsOf(slots: readonly number[]): Uint8Array {
    if (slots.length === 0) return NO_ROWS;
    const words = new Uint32Array(slots.length * ROW_WORDS);
    for (const [i, slot] of slots.entries()) {
      const at = slot * ROW_WORDS;
      words.set(this.#rows.subarray(at, at + ROW_WORDS), i * ROW_WORDS);
    }
    return bytesOfRows(words, slots.length);
  }

  #show(slot: number, away: boolean): void {
    if (!this.#marks[slot] || this.#isFlagged(slot) === away) return;
    this.#flag(slot, away);
    this.#marks[slot] = 2;
  }

  #isShownAway(slot: number, generation: number): boolean {
    return this.hasRow(slot, generation) && this.#isFlagged(slot);
  }

  #isFlagged(slot: number): boolean {
    return (((this.#rows[slot * ROW_WORDS] as number) >>> 24) & AWAY_FLAG) !== 0;
  }

  #flag(slot: number, away: boolean): void {
    const at = slot * ROW_WORDS;
    const word = this.#rows[at] as number;
    this.#rows[at] = away ? word | (AWAY_FLAG << 24) : word & ~(AWAY_FLAG << 24);
  }

  #grow(slot: number): void {
    if (slot < this.#marks.length) return;
    const slots = Math.max(slot + 1, this.#marks.length * 2);
    const rows = new Uint32Array(slots * ROW_WORDS);
    rows.set(this.#rows);
    this.#rows = rows;
    const marks = new Uint8Array(slots);
    marks.set(this.#marks);
    this.#marks = marks;
  }
}
