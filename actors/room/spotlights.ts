import type { ProcessId } from "../../src/kernel/ids.ts";
import type { Ledger } from "./ledger.ts";
import type { Outlet } from "./outlet.ts";
import type { RoomConfig } from "./room-config.ts";

/** What a hook asked for: that everybody sees every move of a member for so long. */
export interface Spotlight {
  readonly slot: number;
  /** 0 ends it. */
  readonly forMs: number;
}

/** Of a room whose journal does not answer: beyond it the oldest are forgotten. */
const WAITING_MAX = 256;

interface Light {
  readonly slot: number;
  readonly generation: number;
  /** In room time. */
  readonly until: number;
}

/**
 * Whom the world puts in the light. It is not journaled and ends with the ownership, but it is
 * decided on what may not be durable yet, so it waits for that. Bounded: of more than
 * `spotlightsMax` the latest stay, here as at the gateways.
 */
export class Spotlights {
  readonly #limits: Pick<RoomConfig, "spotlightsMax" | "spotlightMsMax">;
  readonly #ledger: Ledger;
  readonly #outlet: Outlet;
  /** With the number of decisions that have to be durable before it may leave; oldest first. */
  #waiting: (Spotlight & { readonly generation: number; readonly after: number })[] = [];
  #lights: Light[] = [];

  constructor(
    limits: Pick<RoomConfig, "spotlightsMax" | "spotlightMsMax">,
    ledger: Ledger,
    outlet: Outlet,
  ) {
    this.#limits = limits;
    this.#ledger = ledger;
    this.#outlet = outlet;
  }

  /** Asked for by the hook that was decided last; by now also who joined by it has a seat. */
  decided(asked: readonly Spotlight[]): void {
    const { decided, decisions: after } = this.#ledger;
    for (const { slot, forMs } of asked) {
      const session = decided.slots[slot];
      const row = session && decided.sessions.get(session);
      if (row) this.#waiting.push({ slot, forMs, generation: row.generation, after });
    }
    if (this.#waiting.length > WAITING_MAX) this.#waiting = this.#waiting.slice(-WAITING_MAX);
  }

  /** Tells gateways of those that rest on nothing any more that could be lost. */
  release(at: number): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if (next.after > this.#ledger.durable) return;
      this.#waiting.shift();
      this.#light(next, at);
    }
  }

  /** A gateway that begins to watch has heard of none. */
  tell(gateway: ProcessId, at: number): void {
    for (const light of this.#lights)
      if (light.until > at) this.#outlet.send(gateway, { type: "spotlight", ...light });
  }

  #light({ slot, generation, forMs }: Spotlight & Pick<Light, "generation">, at: number): void {
    const { spotlightsMax, spotlightMsMax } = this.#limits;
    const light = { slot, generation, until: at + Math.min(forMs, spotlightMsMax) };
    const others = this.#lights.filter((known) => known.slot !== slot && known.until > at);
    this.#lights = (forMs > 0 ? [...others, light] : others).slice(-spotlightsMax);
    this.#outlet.broadcast({ type: "spotlight", ...light });
  }
}
