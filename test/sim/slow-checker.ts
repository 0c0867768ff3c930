import { easeAt } from "../../src/protocol/event-ladder.ts";
import type { EventPublic } from "../../src/protocol/event-public.ts";
import { ENFORCED_MS, LOOK_MS } from "./moderation-checker.ts";
import type { SimVisitor } from "./sim-visitor.ts";
import type { Accuse } from "./violation.ts";

/** By what slow mode goes: the stage's room time, which is its owner's wall clock. */
export interface StageClock {
  readonly owner: string | undefined;
  readonly aheadMs: number;
}

/** How it is for somebody, and since when with nothing in the way of it. */
interface Pace {
  /** 0: as they like. */
  readonly everyMs: number;
  readonly calmMs: number;
}

interface Heard {
  /** Where it was said: another gateway has not heard of it. */
  readonly door: string;
  readonly atMs: number;
  readonly clock: StageClock;
}

const AS_THEY_LIKE: Pace = { everyMs: 0, calmMs: 0 };
/** Clocks that run at rates of their own come apart by less between two things that one says. */
const APART_MS_MAX = 1_000;

/** GW68 and EV7: in slow mode a gateway hears everybody of the audience once in that time. */
export class SlowChecker {
  readonly #accuse: Accuse;
  readonly #clock: () => StageClock;
  readonly #paces = new Map<SimVisitor, Pace>();
  readonly #heard = new Map<SimVisitor, Heard>();
  /** How often somebody was told to wait. */
  refused = 0;

  constructor(clock: () => StageClock, accuse: Accuse) {
    this.#clock = clock;
    this.#accuse = accuse;
  }

  /** Every `LOOK_MS`. */
  look(event: EventPublic | undefined, visitor: SimVisitor, isCalm: boolean): void {
    const { everyMs, calmMs } = this.#paces.get(visitor) ?? AS_THEY_LIKE;
    const now = event ? Math.max(event.slowMs, easeAt(event.ladder.step).slowMs) : 0;
    const goesOn = event !== undefined && isCalm && now === everyMs;
    this.#paces.set(visitor, { everyMs: now, calmMs: goesOn ? calmMs + LOOK_MS : 0 });
  }

  /** Says something; what is answered is told to the function that is given back. */
  said(visitor: SimVisitor, now: () => number): (status: string | undefined) => void {
    const { calmMs, everyMs } = this.#paces.get(visitor) ?? AS_THEY_LIKE;
    const said = { door: doorOf(visitor), atMs: now(), clock: this.#clock() };
    return (status) => {
      if (status === "slow_mode") this.refused++;
      // What took longer may have been sent again, to whoever was there by then.
      if (now() - said.atMs > ENFORCED_MS || doorOf(visitor) !== said.door) return;
      if (status === "slow_mode" && everyMs === 0 && calmMs >= ENFORCED_MS)
        this.#accuse("moderation", `${visitor.name} may talk, and is told to wait (EV7)`);
      const { door } = said;
      if (status !== "ok" || door === undefined) return;
      const before = this.#heard.get(visitor);
      this.#heard.set(visitor, { ...said, door });
      if (before?.door !== door || !isSame(before.clock, said.clock)) return;
      // Calm since before the first of them, so the door has not forgotten it.
      const sinceMs = Math.abs(said.atMs - before.atMs);
      if (sinceMs < everyMs / 2 && calmMs >= ENFORCED_MS + sinceMs)
        this.#accuse("moderation", `${visitor.name} is slowed, and heard twice (GW68)`);
    };
  }
}

const isSame = (a: StageClock, b: StageClock): boolean =>
  a.owner === b.owner && Math.abs(a.aheadMs - b.aheadMs) < APART_MS_MAX;

/** The gateway that somebody is at, where that is plain. */
function doorOf({ sockets }: SimVisitor): string | undefined {
  const [socket, other] = sockets;
  return other ? undefined : socket?.gateway.process.self;
}
