import type { ProcessId } from "../../src/kernel/ids.ts";
import type { Answered } from "./event-world.ts";
import type { Accuse } from "./violation.ts";

/** What was counted is written down so often, and some ticks later it is durable. */
const WRITE_MS_MAX = 8_000;

/** One gateway's door: what it said that it has counted. */
interface Door {
  readonly process: ProcessId;
  claps: number;
  /** When it said that first, and to which desk. */
  atMs: number;
  desk: object;
}

/** What a desk that is open no more may have left unwritten. */
interface Closed {
  readonly atMs: number;
  /** Its owner was alive and named the next one. */
  readonly handedOver: boolean;
}

/** EV6: the sums are those of the doors, and the doors' are those of the people. */
export class CountsChecker {
  readonly #accuse: Accuse;
  readonly #now: () => number;
  readonly #doors = new Map<string, Door>();
  /** By gateway: claps that certainly came to it. */
  readonly #sure = new Map<ProcessId, number>();
  readonly #closed = new Map<object, Closed>();
  readonly #desks: { readonly desk: object; readonly owner: ProcessId }[] = [];
  readonly #totals = new Map<object, number>();
  claps = 0;

  constructor(now: () => number, accuse: Accuse) {
    this.#now = now;
    this.#accuse = accuse;
  }

  clapped(): void {
    this.claps++;
  }

  /** A clap that nothing can have kept from its gateway. */
  sure(gateway: ProcessId): void {
    this.#sure.set(gateway, (this.#sure.get(gateway) ?? 0) + 1);
  }

  answered({ desk, owner, from, question, answer }: Answered): void {
    if (!this.#desks.some((known) => known.desk === desk)) this.#desks.push({ desk, owner });
    const key = `${from}#${question.door}`;
    const claps = question.reactions[0] ?? 0;
    const door = this.#doors.get(key);
    if (!door || claps > door.claps)
      this.#doors.set(key, { process: from, claps, atMs: this.#now(), desk });
    const total = answer.reactions[0] ?? 0;
    if (total > this.claps)
      this.#accuse("counts", `${owner} counts ${total} claps, of ${this.claps} (EV6)`);
    if (total < (this.#totals.get(desk) ?? 0))
      this.#accuse("counts", `${owner} counts ${total} claps, after ${this.#totals.get(desk)}`);
    this.#totals.set(desk, total);
  }

  /** The stage has another owner. */
  owned(before: ProcessId | undefined, handedOver: boolean): void {
    for (const { desk, owner } of this.#desks)
      if (owner === before && !this.#closed.has(desk))
        this.#closed.set(desk, { atMs: this.#now(), handedOver });
  }

  /**
   * After the rest. `written`: what the journal has of each door. `up`: whether that gateway is
   * there. `restored`: what had been written may be gone with the journal.
   */
  settled(
    owner: ProcessId | undefined,
    written: Readonly<Record<string, readonly number[]>>,
    up: (gateway: ProcessId) => boolean,
    restored: boolean,
  ): void {
    const current = this.#desks.findLast((known) => known.owner === owner);
    const total = current && this.#totals.get(current.desk);
    if (!current || total === undefined) return;
    let least = 0;
    let most = 0;
    for (const [key, door] of this.#doors) {
      most += door.claps;
      least += this.#lost(door, current.desk, up, restored)
        ? Math.min(door.claps, written[key]?.[0] ?? 0)
        : door.claps;
    }
    if (total > most) this.#accuse("counts", `${total} claps, and doors told of ${most} (EV6)`);
    if (total < least)
      this.#accuse(
        "counts",
        `${total} claps, and doors that live or were heard had ${least} (EV6)`,
      );
    for (const [gateway, sure] of this.#sure) {
      if (!up(gateway)) continue;
      let told = 0;
      for (const { claps, process } of this.#doors.values()) if (process === gateway) told += claps;
      if (told < sure) this.#accuse("counts", `${gateway} told of ${told} claps, of ${sure}`);
    }
  }

  /** Where the gateway died, and then the owner whom it had told before that was written down. */
  #lost(
    { atMs, desk, process }: Door,
    current: object,
    up: (gateway: ProcessId) => boolean,
    restored: boolean,
  ): boolean {
    if (desk === current || up(process)) return false;
    const closed = this.#closed.get(desk);
    if (restored || !closed) return true;
    return !closed.handedOver && closed.atMs - atMs < WRITE_MS_MAX;
  }
}
