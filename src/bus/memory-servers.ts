import { type Random, randomBelow } from "../kernel/random.ts";
import type { Subscription } from "./bus.ts";

/** A connection to one of the servers. */
export interface Guest {
  readonly server: string | undefined;
  /** Its server is gone. */
  serverLost(): void;
}

/**
 * The servers of a cluster, shared by its memory networks (on NATS: accounts): which are up, which
 * of them hear each other, and who is connected to which.
 */
export class MemoryServers {
  readonly names: readonly string[];
  /** How often each fault has struck. */
  readonly fired = {
    killed: 0,
    /** Connections that lost their server. */
    sentAway: 0,
    /** Messages between servers that could not pass. */
    cut: 0,
  };
  readonly #random: Random;
  readonly #down = new Set<string>();
  /** `from to` of directions in which nothing passes. */
  readonly #cuts = new Set<string>();
  readonly #guests = new Set<Guest>();
  readonly #listeners = new Set<(server: string, up: boolean) => void>();

  constructor(names: readonly string[], random: Random) {
    this.names = names;
    this.#random = random;
  }

  isUp(server: string): boolean {
    return !this.#down.has(server);
  }

  /** Everyone on it loses the connection and what was on its way through it. */
  kill(server: string): void {
    if (!this.isUp(server)) return;
    this.#down.add(server);
    this.fired.killed++;
    for (const guest of [...this.#guests])
      if (guest.server === server) {
        this.fired.sentAway++;
        guest.serverLost();
      }
    for (const listener of [...this.#listeners]) listener(server, false);
  }

  /** Who went to another server stays there. */
  restart(server: string): void {
    if (!this.#down.delete(server)) return;
    for (const listener of [...this.#listeners]) listener(server, true);
  }

  /** `one_way`: nothing of `from` reaches `to`. Interest stays as it was known. */
  cut(from: string, to: string, direction: "both_ways" | "one_way" = "both_ways"): void {
    this.#cuts.add(`${from} ${to}`);
    if (direction === "both_ways") this.#cuts.add(`${to} ${from}`);
  }

  /** Ends cuts; who is down stays so. */
  heal(): void {
    this.#cuts.clear();
  }

  /** Hears every `kill` and `restart`. */
  onChange(listener: (server: string, up: boolean) => void): Subscription {
    this.#listeners.add(listener);
    return { close: () => void this.#listeners.delete(listener) };
  }

  /** Who is connected to it. */
  guestsOf(server: string): readonly Guest[] {
    return [...this.#guests].filter((guest) => guest.server === server);
  }

  /** For endpoints: a server to connect to; undefined while all are down. */
  find(): string | undefined {
    const up = this.names.filter((name) => this.isUp(name));
    return up[randomBelow(this.#random, up.length)];
  }

  /** For endpoints. */
  admit(guest: Guest): Subscription {
    this.#guests.add(guest);
    return { close: () => void this.#guests.delete(guest) };
  }

  /** For the network: whether a message gets from one server to another. */
  passes(from: string | undefined, to: string | undefined): boolean {
    if (this.#cuts.size === 0 || !this.#cuts.has(`${from} ${to}`)) return true;
    this.fired.cut++;
    return false;
  }
}
