import type { Clock } from "../kernel/clock.ts";
import type { Random } from "../kernel/random.ts";
import type { Bus, Subscription } from "./bus.ts";
import {
  type ConnectionLoss,
  Endpoint,
  type EndpointOptions,
  type Medium,
} from "./memory-endpoint.ts";
import { RouteTable } from "./memory-routes.ts";
import type { MemoryServers } from "./memory-servers.ts";
import { NetworkFaults } from "./network-faults.ts";

/**
 * What a NATS account is between processes, inside one: tests, simulation, and where no nats-server
 * can be had. Delivery is asynchronous and in order per (publisher, subscriber): in a microtask
 * where the link has no delay, so that virtual time need not move; else by a timer of the clock.
 */
export class MemoryNetwork implements Medium {
  readonly faults: NetworkFaults;
  readonly clock: Clock;
  /** Without servers there is nothing between the endpoints that could be lost by itself. */
  readonly servers: MemoryServers | undefined;
  /** For endpoints only. */
  readonly routes: RouteTable<Endpoint>;
  readonly #listeners = new Set<(loss: ConnectionLoss) => void>();

  constructor(clock: Clock, random: Random, servers?: MemoryServers) {
    this.clock = clock;
    this.faults = new NetworkFaults(random);
    this.servers = servers;
    this.routes = new RouteTable(clock, random, this.faults);
  }

  /** `name` is what the faults call this endpoint; a process may open several under one name. */
  open(name: string, options: EndpointOptions = {}): Bus {
    return new Endpoint(name, this, { clock: this.clock, ...options });
  }

  /** Hears of every connection's end at the moment its server does: what advisories tell. */
  onLoss(listener: (loss: ConnectionLoss) => void): Subscription {
    this.#listeners.add(listener);
    return { close: () => void this.#listeners.delete(listener) };
  }

  /** For endpoints only. */
  tellLoss(loss: ConnectionLoss): void {
    for (const listener of [...this.#listeners]) listener(loss);
  }
}
