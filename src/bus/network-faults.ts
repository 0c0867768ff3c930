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

const CUT: LinkFaults = { ...NO_FAULTS, cut: true };

/** The servers' patience with a process that takes nothing. */
export interface PendingLimits {
  /** What the sockets between a server and a process hold: it is read even after a disconnect. */
  socketBytes: number;
  /** More than this waiting for one process, and the server disconnects it. */
  bytesMax: number;
  /** As long as this with nothing taken from a full socket, and the server disconnects it. */
  writeMsMax: number;
}

/**
 * How often each fault has struck: a run that declares a fault which never fired proves nothing.
 */
export interface FaultsFired {
  delayed: number;
  dropped: number;
  duplicated: number;
  cut: number;
  /** On its way to or from an endpoint whose connection ended. */
  lostByDisconnect: number;
  /** Published by an endpoint that knew it had no connection. */
  unsent: number;
  overflowed: number;
  /** Not heard by a subscription that the publisher's server did not know yet. */
  interestLate: number;
  /** Sent to a subscription that was gone, so that a request got no `no_responders`. */
  interestStale: number;
  /** Endpoints that were disconnected because they took nothing. */
  slowConsumers: number;
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
  /**
   * Until other servers know of a subscription, or that it is gone, a time from this range passes.
   * Without servers of its own in the network, every endpoint counts as on another one.
   */
  interestLagMsMin = 0;
  interestLagMsMax = 0;
  /** How long an endpoint that lost its server is on the way to the next one. */
  redialMsMin = 0;
  redialMsMax = 0;
  /** As deploy/nats/common.conf has them. */
  readonly pending: PendingLimits = {
    socketBytes: 1024 * 1024,
    bytesMax: 16 * 1024 * 1024,
    writeMsMax: 2_000,
  };
  readonly fired: FaultsFired = {
    delayed: 0,
    dropped: 0,
    duplicated: 0,
    cut: 0,
    lostByDisconnect: 0,
    unsent: 0,
    overflowed: 0,
    interestLate: 0,
    interestStale: 0,
    slowConsumers: 0,
  };
  /** Counts changes of which faults a link has; what they are may change without. */
  #version = 0;
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
      this.#version++;
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

  /** Back to links without faults; who is disconnected stays so. */
  heal(): void {
    this.#links.clear();
    this.#version++;
    Object.assign(this.everywhere, NO_FAULTS);
  }

  mute(endpoint: string, muted: boolean): void {
    if (muted) this.#muted.add(endpoint);
    else this.#muted.delete(endpoint);
    this.#version++;
  }

  deafen(endpoint: string, deaf: boolean): void {
    if (deaf) this.#deaf.add(endpoint);
    else this.#deaf.delete(endpoint);
    this.#version++;
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

  get version(): number {
    return this.#version;
  }

  /** For the network: whether nothing passes between an endpoint and its own server. */
  isCutOff(endpoint: string): boolean {
    return this.#muted.has(endpoint) || this.#deaf.has(endpoint);
  }

  /** For the network: what holds for a link until `version` changes. */
  linkNow(from: string, to: string): LinkFaults {
    if (this.#muted.has(from) || this.#deaf.has(to)) return CUT;
    return this.#links.get(`${from}\n${to}`) ?? this.everywhere;
  }

  /** For the network: how long the next message on this link takes; undefined where it is lost. */
  journeyMs(link: LinkFaults): number | undefined {
    if (link.cut) {
      this.fired.cut++;
      return undefined;
    }
    if (this.#strikes(link.dropRate)) {
      this.fired.dropped++;
      return undefined;
    }
    return this.delayMs(link);
  }

  /** For the network: whether a message that arrives does so twice. */
  repeats(link: LinkFaults): boolean {
    const strikes = this.#strikes(link.duplicateRate);
    if (strikes) this.fired.duplicated++;
    return strikes;
  }

  delayMs(link: LinkFaults): number {
    if (link.delayMsMax <= 0) return 0;
    this.fired.delayed++;
    return this.#between(link.delayMsMin, link.delayMsMax);
  }

  interestLagMs(): number {
    return this.#between(this.interestLagMsMin, this.interestLagMsMax);
  }

  redialMs(): number {
    return this.#between(this.redialMsMin, this.redialMsMax);
  }

  /** Draws nothing where there is nothing to draw, so that a fault that is off shifts no other. */
  #between(min: number, max: number): number {
    return max <= 0 ? 0 : min + this.#random.next() * (max - min);
  }

  #strikes(rate: number): boolean {
    return rate > 0 && this.#random.next() < rate;
  }
}
