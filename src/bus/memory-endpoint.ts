import { assert } from "../kernel/assert.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { type Observer, silentObserver } from "../observe/observer.ts";
import type { Bus, BusError, BusMessage, Subscription } from "./bus.ts";
import { PAYLOAD_BYTES_MAX } from "./limits.ts";
import { Backlog } from "./memory-backlog.ts";
import { copyOf } from "./memory-copy.ts";
import { Pipe } from "./memory-pipe.ts";
import type { Peer, Route, RouteTable } from "./memory-routes.ts";
import type { Guest, MemoryServers } from "./memory-servers.ts";
import type { LinkFaults, NetworkFaults } from "./network-faults.ts";

/** What a message takes in a server's buffer beside subject and data. */
const PROTOCOL_BYTES = 16;
/** How long a process that found no server waits before it tries them all again. */
const REDIAL_MS = 250;

/** How something from outside reaches a process. */
export type Arrive = (happen: () => void) => void;

export const atOnce: Arrive = (happen) => happen();

export interface EndpointOptions {
  readonly observer?: Observer;
  /** The `bus` label of its metrics. */
  readonly label?: string;
  /** Of the process that holds this end; default: the network's. */
  readonly clock?: Clock;
  /** The way into that process: a frozen one learns things later, a dead one never. */
  readonly arrive?: Arrive;
}

/**
 * Why a connection ended, as its server sees it. `server`: that one is gone itself and says nothing
 * of it to anyone.
 */
export type LossReason = "closed" | "left" | "slow_consumer" | "disconnected" | "server";

export interface ConnectionLoss {
  readonly name: string;
  readonly label: string;
  readonly reason: LossReason;
}

/** The network, as its endpoints need it. */
export interface Medium {
  readonly clock: Clock;
  readonly faults: NetworkFaults;
  readonly servers: MemoryServers | undefined;
  readonly routes: RouteTable<Endpoint>;
  tellLoss(loss: ConnectionLoss): void;
}

/** Where the answer to a request goes. */
interface Reply {
  readonly requester: Endpoint;
  readonly id: number;
}

interface Contents {
  readonly subject: string;
  readonly data: Uint8Array;
  /** Undefined: it is an answer, and `reply` names the question. */
  readonly route: Route<Endpoint> | undefined;
  readonly reply: Reply | undefined;
}

/** A message on its way to one receiver. */
interface Parcel extends Contents {
  due: number;
  readonly sentAt: number;
  /** From here on its sender's server does not matter any more. */
  readonly passedAt: number;
  readonly fromConnection: number;
  readonly toConnection: number;
  readonly from: Endpoint;
}

interface Way {
  readonly pipe: Pipe<Parcel>;
  link: LinkFaults;
  /** Of the faults, when `link` was looked up. */
  version: number;
}

const unanswerable = (): void => undefined;

/**
 * One connection. What its server knows (`open`) and what its process knows (`connected`) differ
 * while the process is frozen.
 */
export class Endpoint implements Bus, Peer, Guest {
  #closed = false;
  #open = false;
  #connected = false;
  #server: string | undefined;
  /** Counts connections: what was on its way to an older one is lost. */
  #connection = 0;
  /** When the last server went away with what it held. */
  #cutAt = Number.NEGATIVE_INFINITY;
  #heardAt = Number.NEGATIVE_INFINITY;
  #goneUntil = Number.NEGATIVE_INFINITY;
  #requests = 0;
  #redialTimer: Timer | undefined;
  readonly #backlog: Backlog;
  readonly #ways = new WeakMap<Endpoint, Way>();
  readonly #subscriptions = new Set<Subscription>();
  readonly #pending = new Map<number, (outcome: Result<Uint8Array, BusError>) => void>();
  readonly #listeners = new Set<(connected: boolean) => void>();
  readonly #watches: Subscription[] = [];
  readonly #name: string;
  readonly #network: Medium;
  readonly #clock: Clock;
  readonly #arrive: Arrive;
  readonly #observer: Observer;
  readonly #label: string;

  constructor(name: string, network: Medium, options: EndpointOptions & { readonly clock: Clock }) {
    this.#name = name;
    this.#network = network;
    this.#clock = options.clock;
    this.#arrive = options.arrive ?? atOnce;
    this.#observer = options.observer ?? silentObserver;
    this.#label = options.label ?? "memory";
    const { clock, faults, servers } = network;
    this.#backlog = new Backlog(clock, faults.pending, () => {
      faults.fired.slowConsumers++;
      this.#lose("slow_consumer");
    });
    this.#watches.push(
      faults.onConnection((changed, connected) => {
        if (changed !== name) return;
        if (connected) this.#arrive(() => this.#dial());
        else this.#lose("disconnected");
      }),
    );
    if (servers) this.#watches.push(servers.admit(this));
    this.#dial();
  }

  get connected(): boolean {
    return this.#connected;
  }

  get open(): boolean {
    return this.#open;
  }

  get server(): string | undefined {
    return this.#server;
  }

  get heardAt(): number {
    return this.#heardAt;
  }

  get goneUntil(): number {
    return this.#goneUntil;
  }

  serverLost(): void {
    this.#lose("server");
  }

  publish(subject: string, data: Uint8Array): void {
    this.#send(subject, data, undefined);
  }

  subscribe(
    subject: string,
    receive: (message: BusMessage) => void,
    options?: { readonly queue?: string },
  ): Subscription {
    assert(!this.#closed, "a closed bus takes no subscription");
    const { routes } = this.#network;
    const route = routes.add({ pattern: subject, queue: options?.queue, peer: this, receive });
    const subscription: Subscription = {
      close: () => {
        routes.remove(route);
        this.#subscriptions.delete(subscription);
      },
    };
    this.#subscriptions.add(subscription);
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
      this.#pending.set(id, finish);
      if (this.#send(subject, data, { requester: this, id })) return;
      const unheard = (): void => this.#arrive(() => this.#pending.get(id)?.(err("no_responders")));
      const { clock, faults } = this.#network;
      if (faults.isCutOff(this.#name)) return;
      // There to its server and back.
      const waitMs = faults.delayMs(faults.everywhere) + faults.delayMs(faults.everywhere);
      if (waitMs > 0) clock.after(waitMs, unheard);
      else queueMicrotask(unheard);
    });
  }

  onConnection(listener: (connected: boolean) => void): Subscription {
    this.#listeners.add(listener);
    return { close: () => void this.#listeners.delete(listener) };
  }

  redial(): void {
    if (!this.#connected) return;
    this.#end("left");
    this.#hearLoss();
  }

  /** The network sees a message the moment it is published. */
  flush(): Promise<void> {
    return Promise.resolve();
  }

  /** May be called for a dead process: nothing of this happens inside of it. */
  close(): Promise<void> {
    this.#closed = true;
    for (const subscription of [...this.#subscriptions]) subscription.close();
    for (const watch of this.#watches) watch.close();
    this.#redialTimer?.cancel();
    this.#end("closed");
    this.#arrive(() => {
      this.#hearLoss();
      this.#listeners.clear();
    });
    return Promise.resolve();
  }

  /** Whether its server thinks that anyone is there to hear it. */
  #send(subject: string, data: Uint8Array, reply: Reply | undefined): boolean {
    if (!this.#canSend(data)) return true;
    const { routes, interest } = this.#network.routes.hear(subject, this);
    for (const route of routes) this.#transfer(route.peer, { subject, data, route, reply });
    return interest;
  }

  #canSend(data: Uint8Array): boolean {
    assert(data.length <= PAYLOAD_BYTES_MAX, () => `${data.length} bytes are too many`);
    if (this.#connected && this.#open) return true;
    const { fired } = this.#network.faults;
    if (this.#connected) fired.lostByDisconnect++;
    else {
      fired.unsent++;
      this.#observer.metrics.add("roomcluster_bus_dropped_total", 1, { bus: this.#label });
    }
    return false;
  }

  #transfer(to: Endpoint, what: Contents): void {
    const { faults, servers } = this.#network;
    const way = this.#wayTo(to);
    if (servers && !servers.passes(this.#server, to.#server)) return;
    const { link } = way;
    const delayMs = faults.journeyMs(link);
    if (delayMs === undefined) return;
    this.#push(way, to, delayMs, what);
    if (faults.repeats(link)) this.#push(way, to, faults.delayMs(link), what);
  }

  #push(way: Way, to: Endpoint, delayMs: number, what: Contents): void {
    const sentAt = this.#network.clock.now();
    const pushed = way.pipe.push({
      due: sentAt + delayMs,
      sentAt,
      passedAt: sentAt + delayMs / 2,
      fromConnection: this.#connection,
      toConnection: to.#connection,
      from: this,
      subject: what.subject,
      // Neither the sender's later writing nor another receiver's is seen in it.
      data: copyOf(what.data),
      route: what.route,
      reply: what.reply,
    });
    if (pushed === "full") this.#network.faults.fired.overflowed++;
  }

  #wayTo(to: Endpoint): Way {
    const { faults, clock } = this.#network;
    let way = this.#ways.get(to);
    if (!way) {
      const pipe = new Pipe<Parcel>(clock, (parcel) => to.#accept(parcel));
      way = { pipe, link: faults.everywhere, version: -1 };
      this.#ways.set(to, way);
    }
    if (way.version !== faults.version) {
      way.link = faults.linkNow(this.#name, to.#name);
      way.version = faults.version;
    }
    return way;
  }

  /** A parcel at the end of its way: lost with a connection, or the process's to take. */
  #accept(parcel: Parcel): void {
    const { fired } = this.#network.faults;
    if (parcel.from.#tookAlong(parcel) || this.#connection !== parcel.toConnection) {
      fired.lostByDisconnect++;
      return;
    }
    if (this.#arrive === atOnce) return this.#take(parcel);
    const bytes = parcel.data.length + parcel.subject.length + PROTOCOL_BYTES;
    const inSocket = this.#backlog.add(bytes);
    this.#arrive(() => {
      if (this.#connection === parcel.toConnection) this.#backlog.take(bytes);
      else if (!inSocket) {
        fired.lostByDisconnect++;
        return;
      }
      this.#take(parcel);
    });
    if (!inSocket) this.#backlog.check();
  }

  /** Whether the parcel was still with the sender or its server when that one went away. */
  #tookAlong({ fromConnection, sentAt, passedAt }: Parcel): boolean {
    if (this.#connection === fromConnection) return false;
    return this.#cutAt >= sentAt && this.#cutAt < passedAt;
  }

  #take(parcel: Parcel): void {
    const { route, reply, subject, data } = parcel;
    if (!route) this.#pending.get(reply?.id ?? -1)?.(ok(data));
    else if (route.open) {
      const respond = reply
        ? (answer: Uint8Array): void => this.#answer(subject, reply, answer)
        : unanswerable;
      route.receive({ subject, data, respond });
    }
  }

  #answer(subject: string, reply: Reply, data: Uint8Array): void {
    if (!this.#canSend(data)) return;
    this.#transfer(reply.requester, { subject, data, route: undefined, reply });
  }

  /** Runs in the process: it knows that it has no connection. */
  #dial(): void {
    if (this.#closed || this.#open || this.#network.faults.isDisconnected(this.#name)) return;
    const { servers, routes } = this.#network;
    this.#server = servers?.find();
    if (servers && this.#server === undefined) {
      this.#dialLater(REDIAL_MS);
      return;
    }
    this.#open = true;
    this.#connected = true;
    this.#heardAt = routes.knownAt();
    for (const listener of [...this.#listeners]) listener(true);
  }

  #dialLater(waitMs: number): void {
    this.#redialTimer?.cancel();
    this.#redialTimer = undefined;
    if (waitMs > 0) this.#redialTimer = this.#clock.after(waitMs, () => this.#dial());
    else queueMicrotask(() => this.#arrive(() => this.#dial()));
  }

  /** Something took its connection; the process hears of it when it can. */
  #lose(reason: LossReason): void {
    if (!this.#open) return;
    if (reason === "disconnected" || reason === "server") this.#cutAt = this.#network.clock.now();
    this.#end(reason);
    this.#arrive(() => this.#hearLoss());
  }

  #end(reason: LossReason): void {
    if (!this.#open) return;
    this.#open = false;
    this.#connection++;
    this.#goneUntil = this.#network.routes.knownAt();
    this.#backlog.clear();
    this.#network.tellLoss({ name: this.#name, label: this.#label, reason });
  }

  #hearLoss(): void {
    // It may have dialled anew of its own accord before it heard of this.
    if (!this.#connected || this.#open) return;
    this.#connected = false;
    for (const finish of [...this.#pending.values()]) finish(err("disconnected"));
    for (const listener of [...this.#listeners]) listener(false);
    if (!this.#closed) this.#dialLater(this.#network.faults.redialMs());
  }
}
