import type { Seat } from "../src/protocol/client-messages.ts";
import type { Replica } from "./replica.ts";

interface Light {
  readonly slot: number;
  readonly generation: number;
  /** In room time. */
  until: number;
  /** By the world's word, rather than by a signal of their own. */
  readonly byWorld: boolean;
}

/**
 * Whom of one room everybody is to see at the full rate for a while, at most `max` at once. Of
 * those whom the world names the latest stay; who gives a signal only takes a place that is free,
 * so that a clapping crowd does not push a speaker out. Whether they sit there is asked when it
 * matters: the word may overtake the record of its member.
 */
export class Lights {
  readonly #max: number;
  #lights: Light[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  get empty(): boolean {
    return this.#lights.length === 0;
  }

  /** The world's word; a time that is over ends what it said before. */
  shine({ slot, generation }: Seat, until: number, at: number): void {
    this.#lights = this.#lights.filter((light) => light.slot !== slot && light.until > at);
    if (until <= at) return;
    if (this.#lights.length >= this.#max) this.#makeRoom();
    this.#lights.push({ slot, generation, until, byWorld: true });
  }

  spoke({ slot, generation }: Seat, until: number, at: number): void {
    this.#lights = this.#lights.filter((light) => light.until > at);
    const known = this.#lights.find((light) => light.slot === slot);
    if (known?.generation === generation) known.until = Math.max(known.until, until);
    else if (this.#lights.length < this.#max)
      this.#lights.push({ slot, generation, until, byWorld: false });
  }

  /** Slots of those in the light who are here now. */
  slots(replica: Replica): number[] {
    if (this.#lights.some(({ until }) => until <= replica.at))
      this.#lights = this.#lights.filter(({ until }) => until > replica.at);
    return this.#lights.filter((light) => replica.seats(light)).map(({ slot }) => slot);
  }

  /** Whoever gave a signal goes first, then whom the world named first. */
  #makeRoom(): void {
    const bySignal = this.#lights.findIndex(({ byWorld }) => !byWorld);
    this.#lights.splice(Math.max(bySignal, 0), 1);
  }
}
