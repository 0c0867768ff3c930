import { assert } from "../kernel/assert.ts";
import { BoundedQueue } from "../kernel/bounded-queue.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import { type Random, randomBelow } from "../kernel/random.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { type Observer, silentObserver } from "../observe/observer.ts";
import type { Bus, BusError, BusMessage, Subscription } from "./bus.ts";
import { PAYLOAD_BYTES_MAX } from "./limits.ts";
import { NetworkFaults } from "./network-faults.ts";
import { isPattern, subjectMatches } from "./subject-match.ts";

/** Messages on the way from one endpoint to another; more are lost, as at a slow consumer. */
const IN_FLIGHT_MAX = 65_536;

export interface EndpointOptions {
  readonly observer?: Observer;
  /** The `bus` label of its metrics. */
  readonly label?: string;
  /** Of the process that holds this end; default: the network's. */
  readonly clock?: Clock;
  /** The way into that process: a frozen one learns things later, a dead one never. */
  readonly arrive?: Arrive;
}

/** How something from outside reaches a process. */
export type Arrive = (happen: () => void) => void;

export const atOnce: Arrive = (happen) => happen();

interface Route {
  readonly pattern: string;
  readonly queue: string | undefined;
  readonly endpoint: Endpoint;
  readonly receive: (message: BusMessage) => void;
}

/**
 * What a NATS account is between processes, inside one: tests, simulation, and where no nats-server
 * can be had. Delivery is asynchronous and in order per (publisher, subscriber): in a microtask
 * where the link has no delay, so that virtual time need not move; else by a timer of the clock.
 */
export class MemoryNetwork {
  readonly faults: NetworkFaults;
  readonly clock: Clock;
  readonly #random: Random;
  readonly #exact = new Map<string, Set<Route>>();
  readonly #patterns = new Set<Route>();

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.#random = random;
    this.faults = new NetworkFaults(random);
  }

  /** `name` is what the faults call this endpoint; a process may open several under one name. */
  open(name: string, options: EndpointOptions = {}): Bus {
    return new Endpoint(name, this, { clock: this.clock, ...options });
  }

  /** For endpoints only. */
  add(route: Route): Subscription {
    const { pattern } = route;
    const exact = this.#exact.get(pattern) ?? new Set();
    const routes = isPattern(pattern) ? this.#patterns : exact;
    if (routes === exact) this.#exact.set(pattern, exact);
    routes.add(route);
    return {
      close: () => {
        routes.delete(route);
        if (exact.size === 0) this.#exact.delete(pattern);
      },
    };
  }

  /** For endpoints only: who hears this subject now, with one member picked of each queue group. */
  receivers(subject: string): Route[] {
    const plain: Route[] = [];
    const groups = new Map<string, Route[]>();
    const consider = (route: Route): void => {
      if (!route.endpoint.connected) return;
      if (route.queue === undefined) plain.push(route);
      else {
        const key = `${route.pattern} ${route.queue}`;
        const members = groups.get(key);
        if (members) members.push(route);
        else groups.set(key, [route]);
      }
    };
    for (const route of this.#exact.get(subject) ?? []) consider(route);
    for (const route of this.#patterns) if (subjectMatches(route.pattern, subject)) consider(route);
    for (const members of groups.values())
      plain.push(members[randomBelow(this.#random, members.length)] as Route);
    return plain;
  }
}

interface Pending {
  readonly finish: (outcome: Result<Uint8Array, BusError>) => void;
}

class Endpoint implements Bus {
  #closed = false;
  #connected = true;
  /** Counts connections: what was on its way to an older one is lost. */
  #connection = 0;
  #requests = 0;
  readonly #pipes = new Map<Endpoint, Pipe>();
  readonly #routes = new Set<Subscription>();
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(connected: boolean) => void>();
  readonly #faultWatch: Subscription;
  readonly #name: string;
  readonly #network: MemoryNetwork;
  readonly #clock: Clock;
  readonly #arrive: Arrive;
  readonly #observer: Observer;
  readonly #label: string;

  constructor(
    name: string,
    network: MemoryNetwork,
    options: EndpointOptions & { readonly clock: Clock },
  ) {
    this.#name = name;
    this.#network = network;
    this.#clock = options.clock;
    this.#arrive = options.arrive ?? atOnce;
    this.#observer = options.observer ?? silentObserver;
    this.#label = options.label ?? "memory";
    this.#connected = !network.faults.isDisconnected(name);
    this.#faultWatch = network.faults.onConnection((changed, connected) => {
      if (changed === name) this.#setConnected(connected);
    });
  }

  get connected(): boolean {
    return this.#connected;
  }

  publish(subject: string, data: Uint8Array): void {
    this.#send(subject, data, () => undefined);
  }

  subscribe(
    subject: string,
    receive: (message: BusMessage) => void,
    options?: { readonly queue?: string },
  ): Subscription {
    assert(!this.#closed, "a closed bus takes no subscription");
    const routes = this.#routes;
    const route = this.#network.add({
      pattern: subject,
      queue: options?.queue,
      endpoint: this,
      receive: (message) => {
        if (routes.has(subscription)) receive(message);
      },
    });
    const subscription: Subscription = {
      close: () => {
        route.close();
        routes.delete(subscription);
      },
    };
    routes.add(subscription);
    return subscription;
  }

  request(
    subject: string,
    data: Uint8Array,
    timeoutMs: number,
  ): Promise<Result<Uint8Array, BusError>> {
    if (!this.#connected) return Promise.resolve(err("disconnected"));
    const id = this.#requests++;
    return new Promise((resolve) => {
      const timer = this.#clock.after(timeoutMs, () => finish(err("timeout")));
      const finish = (outcome: Result<Uint8Array, BusError>): void => {
        timer.cancel();
        this.#pending.delete(id);
        resolve(outcome);
      };
      this.#pending.set(id, { finish });
      const heard = this.#send(subject, data, (responder, answer) =>
        responder.#transfer(this, answer, (bytes) => this.#pending.get(id)?.finish(ok(bytes))),
      );
      const unheard = (): void => this.#pending.get(id)?.finish(err("no_responders"));
      if (!heard) queueMicrotask(() => this.#arrive(unheard));
    });
  }

  onConnection(listener: (connected: boolean) => void): Subscription {
    this.#listeners.add(listener);
    return { close: () => void this.#listeners.delete(listener) };
  }

  /** There is one network only, so what comes next is the same one. */
  redial(): void {
    if (!this.#connected) return;
    this.#setConnected(false);
    queueMicrotask(() => this.#setConnected(!this.#network.faults.isDisconnected(this.#name)));
  }

  /** The network sees a message the moment it is published. */
  flush(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    for (const route of [...this.#routes]) route.close();
    this.#setConnected(false);
    this.#closed = true;
    this.#faultWatch.close();
    this.#listeners.clear();
    return Promise.resolve();
  }

  /** Whether anyone was there to hear it. */
  #send(
    subject: string,
    data: Uint8Array,
    respond: (responder: Endpoint, answer: Uint8Array) => void,
  ): boolean {
    assert(subject !== "" && !isPattern(subject), `cannot publish on ${JSON.stringify(subject)}`);
    if (!this.#connected) {
      this.#drop();
      return false;
    }
    const receivers = this.#network.receivers(subject);
    for (const route of receivers)
      this.#transfer(route.endpoint, data, (bytes) => {
        const answer = (answered: Uint8Array): void => respond(route.endpoint, answered);
        route.receive({ subject, data: bytes, respond: answer });
      });
    return receivers.length > 0;
  }

  #transfer(to: Endpoint, data: Uint8Array, deliver: (data: Uint8Array) => void): void {
    assert(data.length <= PAYLOAD_BYTES_MAX, `a message of ${data.length} bytes is too large`);
    if (!this.#connected) {
      this.#drop();
      return;
    }
    const { faults } = this.#network;
    const connection = to.#connection;
    for (const delayMs of faults.journeys(this.#name, to.#name)) {
      const copy = data.slice();
      this.#pipeTo(to).push(delayMs, () => {
        if (to.#connected && to.#connection === connection) to.#arrive(() => deliver(copy));
        else faults.fired.lostByDisconnect++;
      });
    }
  }

  #pipeTo(to: Endpoint): Pipe {
    let pipe = this.#pipes.get(to);
    if (!pipe) {
      pipe = new Pipe(this.#network.clock, () => this.#network.faults.fired.overflowed++);
      this.#pipes.set(to, pipe);
    }
    return pipe;
  }

  #drop(): void {
    this.#observer.metrics.add("roomcluster_bus_dropped_total", 1, { bus: this.#label });
  }

  #setConnected(connected: boolean): void {
    if (this.#closed || this.#connected === connected) return;
    this.#connected = connected;
    this.#connection++;
    this.#arrive(() => {
      if (!connected)
        for (const pending of [...this.#pending.values()]) pending.finish(err("disconnected"));
      for (const listener of [...this.#listeners]) listener(connected);
    });
  }
}

/** The way from one endpoint to another: nothing on it overtakes anything else. */
class Pipe {
  #due = 0;
  #timer: Timer | undefined;
  #draining = false;
  readonly #clock: Clock;
  readonly #overflow: () => void;
  readonly #queue = new BoundedQueue<{ due: number; deliver: () => void }>({
    itemsMax: IN_FLIGHT_MAX,
  });

  constructor(clock: Clock, overflow: () => void) {
    this.#clock = clock;
    this.#overflow = overflow;
  }

  push(delayMs: number, deliver: () => void): void {
    this.#due = Math.max(this.#due, this.#clock.now() + delayMs);
    if (this.#queue.push({ due: this.#due, deliver }) === "full") this.#overflow();
    else this.#arm();
  }

  #arm(): void {
    const head = this.#queue.peek();
    if (!head || this.#timer || this.#draining) return;
    const waitMs = head.due - this.#clock.now();
    if (waitMs <= 0) {
      this.#draining = true;
      queueMicrotask(() => this.#drain());
    } else
      this.#timer = this.#clock.after(waitMs, () => {
        this.#timer = undefined;
        this.#drain();
      });
  }

  /** What is pushed meanwhile waits for the next turn, so that no pair can talk for ever in one. */
  #drain(): void {
    this.#draining = true;
    const now = this.#clock.now();
    for (let left = this.#queue.length; left > 0; left--) {
      const head = this.#queue.peek();
      if (!head || head.due > now) break;
      this.#queue.shift();
      try {
        head.deliver();
      } catch (bug) {
        queueMicrotask(() => {
          throw bug;
        });
      }
    }
    this.#draining = false;
    this.#arm();
  }
}
