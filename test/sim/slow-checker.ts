import type { EventPublic } from "../../src/protocol/event-public.ts";
import { ENFORCED_MS, LOOK_MS } from "./moderation-checker.ts";
import type { SimVisitor } from "./sim-visitor.ts";
import type { Accuse } from "./violation.ts";

interface Slowed {
  readonly everyMs: number;
  /** Undisturbed for so long. */
  readonly calmMs: number;
}

interface Heard {
  /** The gateway that let it through: another one has not heard of it. */
  readonly door: string;
  readonly atMs: number;
}

/**
 * GW68 and EV7: in slow mode a gateway hears everybody of the audience once in that time. It goes
 * by the stage's room time, which a new owner's clock may have moved on: half of it is asked for.
 */
export class SlowChecker {
  readonly #accuse: Accuse;
  readonly #slowed = new Map<SimVisitor, Slowed>();
  readonly #heard = new Map<SimVisitor, Heard>();
  /** How often somebody was told to wait. */
  refused = 0;

  constructor(accuse: Accuse) {
    this.#accuse = accuse;
  }

  /** Every `LOOK_MS`. */
  look(event: EventPublic, visitor: SimVisitor, isCalm: boolean): void {
    const { everyMs, calmMs } = this.#slowed.get(visitor) ?? { everyMs: 0, calmMs: 0 };
    const goesOn = isCalm && event.slowMs > 0 && event.slowMs === everyMs;
    this.#slowed.set(visitor, { everyMs: event.slowMs, calmMs: goesOn ? calmMs + LOOK_MS : 0 });
  }

  /** Says something; what is answered is told to the function that is given back. */
  said(visitor: SimVisitor, atMs: number): (status: string | undefined) => void {
    const { calmMs, everyMs } = this.#slowed.get(visitor) ?? { everyMs: 0, calmMs: 0 };
    const door = doorOf(visitor);
    return (status) => {
      if (status === "slow_mode") this.refused++;
      if (status !== "ok" || door === undefined) return;
      const before = this.#heard.get(visitor);
      this.#heard.set(visitor, { door, atMs });
      if (before?.door !== door) return;
      // Calm since before the first of them, so the door has not forgotten it.
      const sinceMs = Math.abs(atMs - before.atMs);
      if (sinceMs < everyMs / 2 && calmMs >= ENFORCED_MS + sinceMs)
        this.#accuse("moderation", `${visitor.name} is slowed, and heard twice (GW68)`);
    };
  }
}

/** The gateway that somebody is at, where that is plain. */
function doorOf({ sockets }: SimVisitor): string | undefined {
  const [socket, other] = sockets;
  return other ? undefined : socket?.gateway.process.self;
}
