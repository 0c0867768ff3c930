import { backoffMs } from "../../kernel/backoff.ts";
import type { Random } from "../../kernel/random.ts";

/** What a client needs to come back to its seat (PR14). */
export interface Resume {
  readonly session: string;
  /** Of the next join. */
  readonly attach: number;
}

/** Somebody who was cut off. */
export interface Absence {
  readonly n: number;
  readonly resume: Resume;
  readonly sinceMs: number;
  /** How often coming back has failed so far. */
  readonly tries: number;
}

/** As the SDK waits (PR37). */
const WAIT = { baseMs: 500, capMs: 15_000 };
const TRIES_MAX = 12;

/** Who was cut off, until the time comes to dial again. */
export class Absences {
  readonly #random: Random;
  #waiting: (Absence & { readonly dueMs: number })[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  get count(): number {
    return this.#waiting.length;
  }

  /** False where it was tried often enough. */
  put(absence: Absence, nowMs: number): boolean {
    if (absence.tries >= TRIES_MAX) return false;
    const dueMs = nowMs + backoffMs(absence.tries, WAIT, this.#random);
    this.#waiting.push({ ...absence, dueMs });
    return true;
  }

  takeDue(nowMs: number): readonly Absence[] {
    if (this.#waiting.length === 0) return [];
    const due = this.#waiting.filter(({ dueMs }) => dueMs <= nowMs);
    if (due.length > 0) this.#waiting = this.#waiting.filter(({ dueMs }) => dueMs > nowMs);
    return due;
  }
}
