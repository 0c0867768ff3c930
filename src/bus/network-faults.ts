import type { Random } from "../kernel/random.ts";
import type { Subscription } from "./bus.ts";

/** What happens on the way from one endpoint to another. May be changed at any time. */
export interface LinkFaults {
  /** Each message takes a time drawn from this range; none overtakes another. */
  delayMsMin: number;
  delayMsMax: number;
  /** Share of messages that are lost, 0 to 1. */
  dropRate: number;
  /** Share of messages that arrive twice, 0 to 1. */
  duplicateRate: number;
  /** Nothing passes. */
  cut: boolean;
}

const NO_FAULTS: LinkFaults = {
  delayMsMin: 0,
  delayMsMax: 0,
  dropRate: 0,
  duplicateRate: 0,
  cut: false,
};

/**
 * How often each fault has struck: a run that declares a fault which never fired proves nothing.
 */
export interface FaultsFired {
  delayed: number;
  dropped: number;
  duplicated: number;
  cut: number;
  lostByDisconnect: number;
  overflowed: number;
}

/**
 * The faults of one memory network, set while it runs:
 * - `everywhere` holds for every link that has none of its own;
 * - `link(from, to)` is one direction between two endpoints, and from then on has its own faults;
 * - `partition` cuts groups apart, both ways or one way; `heal` ends cuts, delays and losses;
 * - `mute` and `deafen` let nothing of an endpoint out, or nothing in, while its connection stands;
 * - `disconnect` takes an endpoint off the network as a lost NATS server does.
 */
export class NetworkFaults {
  readonly everywhere: LinkFaults = { ...NO_FAULTS };
  readonly fired: FaultsFired = {
    delayed: 0,
    dropped: 0,
    duplicated: 0,
    cut: 0,
    lostByDisconnect: 0,
    overflowed: 0,
  };
  readonly #links = new Map<string, LinkFaults>();
  readonly #disconnected = new Set<string>();
  readonly #muted = new Set<string>();
  readonly #deaf = new Set<string>();
  readonly #listeners = new Set<(endpoint: string, connected: boolean) => void>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  link(from: string, to: string): LinkFaults {
    const key = `${from}\n${to}`;
    let link = this.#links.get(key);
    if (!link) {
      link = { ...this.everywhere };
      this.#links.set(key, link);
    }
    return link;
  }

  /** `one_way`: nothing of `left` reaches `right`, but `left` still hears `right`. */
  partition(
    left: readonly string[],
    right: readonly string[],
    direction: "both_ways" | "one_way" = "both_ways",
  ): void {
    for (const a of left)
      for (const b of right) {
        this.link(a, b).cut = true;
        if (direction === "both_ways") this.link(b, a).cut = true;
      }
  }

  /** Back to a network without faults; who is disconnected stays so. */
  heal(): void {
    this.#links.clear();
    Object.assign(this.everywhere, NO_FAULTS);
  }

  mute(endpoint: string, muted: boolean): void {
    if (muted) this.#muted.add(endpoint);
    else this.#muted.delete(endpoint);
  }

  deafen(endpoint: string, deaf: boolean): void {
    if (deaf) this.#deaf.add(endpoint);
    else this.#deaf.delete(endpoint);
  }

  disconnect(endpoint: string): void {
    if (this.#disconnected.has(endpoint)) return;
    this.#disconnected.add(endpoint);
    for (const listener of [...this.#listeners]) listener(endpoint, false);
  }

  reconnect(endpoint: string): void {
    if (!this.#disconnected.delete(endpoint)) return;
    for (const listener of [...this.#listeners]) listener(endpoint, true);
  }

  isDisconnected(endpoint: string): boolean {
    return this.#disconnected.has(endpoint);
  }

  /** For the network: hears every `disconnect` and `reconnect`. */
  onConnection(listener: (endpoint: string, connected: boolean) => void): Subscription {
    this.#listeners.add(listener);
    return { close: () => void this.#listeners.delete(listener) };
  }

  /** For the network: one delay for each time that the next message on this link arrives. */
  journeys(from: string, to: string): number[] {
    const own = this.#links.size > 0 ? this.#links.get(`${from}\n${to}`) : undefined;
    const link = own ?? this.everywhere;
    if (link.cut || this.#muted.has(from) || this.#deaf.has(to)) {
      this.fired.cut++;
      return [];
    }
    if (this.#strikes(link.dropRate)) {
      this.fired.dropped++;
      return [];
    }
    const delays = [this.#delayOn(link)];
    if (this.#strikes(link.duplicateRate)) {
      this.fired.duplicated++;
      delays.push(this.#delayOn(link));
    }
    return delays;
  }

  #delayOn(link: LinkFaults): number {
    if (link.delayMsMax <= 0) return 0;
    this.fired.delayed++;
    return link.delayMsMin + this.#random.next() * (link.delayMsMax - link.delayMsMin);
  }

  #strikes(rate: number): boolean {
    return rate > 0 && this.#random.next() < rate;
  }
}
