import { type Clock, holdingClock, type Timer } from "../kernel/clock.ts";
import { type Random, systemRandom } from "../kernel/random.ts";
import { CHANNELS_MAX } from "../protocol/client-messages.ts";
import { CLOSE, mayReconnect } from "../protocol/close-codes.ts";
import { checkConnect, checkJoin } from "./arguments.ts";
import { browserTransport } from "./browser-transport.ts";
import { Connection } from "./connection.ts";
import { DialPlan } from "./dial-plan.ts";
import { Emitter } from "./emitter.ts";
import { ConnectFailed, type EndCode, type Unjoinable } from "./errors.ts";
import { type ClientLimits, clientDefaults } from "./limits.ts";
import type { Membership } from "./membership.ts";
import { loadNodeTransport } from "./node-transport.ts";
import { Pace } from "./pace.ts";
import { Room } from "./room.ts";
import type { RoomHost } from "./room-host.ts";
import type { JoinOptions } from "./room-options.ts";
import { CLOSED_ABNORMALLY, CLOSED_NORMALLY, type Transport } from "./transport.ts";

export type { Member, Profile, Role, Seat } from "../protocol/client-messages.ts";
export type { Patch } from "../protocol/patches.ts";
export type { Pose } from "../protocol/pose-row.ts";
export type { PoseOfMember } from "./avatars.ts";
export { CommandLost, CommandRefused, ConnectFailed, type EndCode, JoinRefused } from "./errors.ts";
export type { ClientLimits } from "./limits.ts";
export type { Quality, QualityLevel } from "./link-quality.ts";
export type { SavedSession } from "./membership.ts";
export type { Room } from "./room.ts";
export type {
  FrameHeadline,
  RoomEvents,
  RoomStats,
  Signal,
  WorldEvent,
} from "./room-events.ts";
export type { JoinOptions, Me } from "./room-options.ts";
export type { Transport, TransportHandlers, TransportSocket } from "./transport.ts";

export interface ConnectOptions {
  /** Gateways, or who to ask for them before each attempt. */
  readonly urls: readonly string[] | (() => Promise<readonly string[]>);
  /** The person's token, or who to ask for one before each attempt. */
  readonly token: string | ((url: string) => Promise<string>);
  /** Names the program in the gateway's logs, up to 128 characters. */
  readonly agent: string;
  /** Sees the states from the first attempt on, which `on` comes too late for. */
  readonly onConnection?: ((...args: ClientEvents["connection"]) => void) | undefined;
  readonly transport?: Transport | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly limits?: Partial<ClientLimits> | undefined;
}

export type ConnectionState = "connecting" | "open" | "reconnecting" | "closed";

export interface ConnectionDetail {
  /** The gateway in question; null before one was chosen. */
  readonly url: string | null;
  /** Failures in a row. */
  readonly attempt: number;
  /** Until the next attempt; null where none is planned. */
  readonly delayMs: number | null;
  /** Why the last socket closed; null where none did. */
  readonly code: number | null;
  readonly reason: string;
}

export interface ClientEvents {
  readonly connection: readonly [state: ConnectionState, detail: ConnectionDetail];
}

/** Connects to one of the gateways; rejects with `ConnectFailed` if none welcomes us in time. */
export async function connect(options: ConnectOptions): Promise<Client> {
  checkConnect(options);
  const transport = options.transport ?? (await platformTransport());
  const client = new Client({ ...options, transport });
  await client.opened;
  return client;
}

const platformTransport = async (): Promise<Transport> =>
  typeof WebSocket === "undefined" ? loadNodeTransport() : browserTransport;

const TOO_MANY_ROOMS: Unjoinable = { code: "too_many_rooms", message: "as many as a socket has" };

interface Dial {
  connection: Connection | undefined;
  /** While the current socket serves, nothing is lost where it fails. */
  readonly optional: boolean;
}

/** One person's link to the cluster, over whichever gateway serves it, and the rooms on it. */
export class Client {
  /** Settles with the first welcome, or with `ConnectFailed`. */
  readonly opened: Promise<void>;
  readonly #options: ConnectOptions & { readonly transport: Transport };
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: ClientLimits;
  readonly #plan: DialPlan;
  readonly #events = new Emitter<ClientEvents>();
  readonly #memberships = new Set<Membership>();
  readonly #host: RoomHost;
  #state: ConnectionState = "connecting";
  #current: Connection | undefined;
  /** The gateway that said it was going, until every room has moved to the current one. */
  #retiring: Connection | undefined;
  /** The current one, where its gateway has said that it goes. */
  #leaving: Connection | undefined;
  #dial: Dial | undefined;
  #dialTimer: Timer | undefined;
  /** Before another gateway is dialed that serves this client's shard anyway. */
  #preferTimer: Timer | undefined;
  #stableTimer: Timer | undefined;
  #retireTimer: Timer | undefined;
  readonly #connectTimer: Timer;
  #lastClose: { code: number; reason: string } | undefined;
  /** Why nothing can be joined any more. */
  #end: Unjoinable | undefined;
  #settleOpened: (failure: ConnectFailed | undefined) => void = () => {};

  constructor(options: ConnectOptions & { readonly transport: Transport }) {
    this.#options = options;
    this.#clock = options.clock ?? holdingClock;
    this.#random = options.random ?? systemRandom;
    this.#limits = { ...clientDefaults, ...options.limits };
    this.#plan = new DialPlan(this.#limits.backoff, this.#random);
    this.#host = this.#makeHost();
    if (options.onConnection) this.#events.on("connection", options.onConnection);
    this.opened = new Promise((resolve, reject) => {
      this.#settleOpened = (failure) => (failure ? reject(failure) : resolve());
    });
    this.#connectTimer = this.#clock.after(this.#limits.connectMsMax, () => {
      const { code, reason } = this.#lastClose ?? { code: CLOSED_ABNORMALLY, reason: "" };
      this.#finish("disconnected", code, reason || "no gateway answered in time");
    });
    this.#tell("connecting", null, null);
    this.#dialNow();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The gateway's clock in ms since 1970; undefined before the first pong. */
  serverTime(): number | undefined {
    const offsetMs = this.#current?.pings.offsetMs;
    return offsetMs === undefined ? undefined : this.#clock.now() + offsetMs;
  }

  on<K extends keyof ClientEvents>(
    name: K,
    listener: (...args: ClientEvents[K]) => void,
  ): () => void {
    return this.#events.on(name, listener);
  }

  /** Joins a room; answers once its state is here. Rejects with `JoinRefused`. */
  async join<State = unknown>(room: string, options: JoinOptions): Promise<Room<State>> {
    checkJoin(room, options);
    return Room.open<State>(this.#host, room, options, null);
  }

  /** Closes the socket. Seats are held for a while: a saved session can still be resumed. */
  close(): void {
    this.#finish("closed", CLOSED_NORMALLY, "");
  }

  #makeHost(): RoomHost {
    return {
      clock: this.#clock,
      random: this.#random,
      limits: this.#limits,
      commandPace: new Pace(this.#limits.commandsPerSecond, this.#limits.commandsBurst),
      signalPace: new Pace(this.#limits.signalsPerSecond, this.#limits.signalsBurst),
      connection: () => (this.#current?.open ? this.#current : undefined),
      register: (membership) => {
        if (this.#end !== undefined) return this.#end;
        if (this.#memberships.size >= CHANNELS_MAX) return TOO_MANY_ROOMS;
        this.#memberships.add(membership);
        return undefined;
      },
      moved: (membership) => {
        if (membership.ended) this.#memberships.delete(membership);
        if (this.#retiring?.unused) this.#retiring.close();
      },
      rtt: () => {
        const pings = this.#current?.pings;
        return { rttMs: pings?.rttMs ?? 0, wayMs: (pings?.rttMsMin ?? 0) / 2 };
      },
      travel: async (from, room, options, transfer) => {
        checkJoin(room, options);
        // In first, so that a refusal strands nobody; but a ninth room has no channel.
        const full = this.#memberships.size >= CHANNELS_MAX;
        if (full) await from.leave(transfer);
        const next = await Room.open<never>(this.#host, room, options, transfer);
        if (!full) await from.leave(transfer);
        return next;
      },
    };
  }

  #dialNow(optional = false): void {
    const dial: Dial = { connection: undefined, optional };
    this.#dial = dial;
    this.#dialTimer?.cancel();
    this.#dialTimer = undefined;
    this.#preferTimer?.cancel();
    this.#preferTimer = undefined;
    this.#open(dial).catch((error: unknown) => {
      // The application's own functions for urls and tokens may fail like any gateway.
      if (this.#dial === dial) this.#dialFailed(CLOSED_ABNORMALLY, String(error));
    });
  }

  async #open(dial: Dial): Promise<void> {
    const { urls, token, agent, transport } = this.#options;
    const known = typeof urls === "function" ? await urls() : urls;
    if (this.#dial !== dial) return;
    const url = this.#plan.next(known);
    if (url === undefined) return this.#dialFailed(CLOSED_ABNORMALLY, "no gateway known");
    const credentials = typeof token === "function" ? await token(url) : token;
    if (this.#dial !== dial) return;
    dial.connection = new Connection({
      url,
      token: credentials,
      agent,
      transport,
      clock: this.#clock,
      limits: this.#limits,
      handlers: {
        opened: (connection) => this.#opened(connection),
        retryAfter: (connection, afterMs) => this.#retryAfter(connection, afterMs),
        servedAt: (connection, servedAt, afterMs) => this.#servedAt(connection, servedAt, afterMs),
        closed: (connection, code, reason) => this.#closed(connection, code, reason),
      },
    });
  }

  #opened(connection: Connection): void {
    this.#dial = undefined;
    this.#retire(this.#current);
    this.#current = connection;
    this.#plan.notBefore(0);
    this.#connectTimer.cancel();
    this.#stableTimer?.cancel();
    this.#stableTimer = this.#clock.after(this.#limits.stableMs, () => this.#plan.held());
    this.#tell("open", connection.url, null);
    this.#settleOpened(undefined);
    for (const membership of [...this.#memberships]) {
      if (this.#current !== connection) return;
      membership.attachTo(connection);
    }
    if (this.#retiring?.unused) this.#retiring.close();
  }

  /** Make before break: the old socket serves each room until the new one does. */
  #retire(before: Connection | undefined): void {
    this.#retiring?.close();
    this.#retiring = before;
    this.#retireTimer?.cancel();
    if (before)
      this.#retireTimer = this.#clock.after(this.#limits.retireMsMax, () => before.close());
  }

  #retryAfter(connection: Connection, afterMs: number): void {
    const waitMs = Math.min(afterMs, this.#limits.retryAfterMsMax);
    this.#plan.notBefore(this.#clock.now() + waitMs);
    if (connection !== this.#current) return;
    // Its socket still works: go elsewhere now, and leave it only when the other one serves.
    this.#leaving = connection;
    if (this.#dial === undefined) this.#dialLater();
  }

  /** Another gateway serves this client's shard anyway: there is no hurry, and no need. */
  #servedAt(connection: Connection, url: string, afterMs: number): void {
    const busy = [this.#dial, this.#dialTimer, this.#preferTimer].some((one) => one !== undefined);
    if (connection !== this.#current || connection.url === url || busy) return;
    const waitMs = Math.min(afterMs, this.#limits.retryAfterMsMax);
    this.#preferTimer = this.#clock.after(waitMs, () => {
      this.#plan.prefer(url);
      this.#dialNow(true);
    });
  }

  #closed(connection: Connection, code: number, reason: string): void {
    this.#lastClose = { code, reason };
    const dialed = this.#dial?.connection === connection;
    if (connection === this.#retiring) {
      this.#retiring = undefined;
      this.#retireTimer?.cancel();
    }
    // A gateway may close a socket over a session that this very client attached anew.
    const own =
      code === CLOSE.superseded.code && this.#some((held) => !held.wasSupersededOn(connection));
    for (const membership of [...this.#memberships]) membership.connectionClosed(connection);
    if (dialed) return this.#dialFailed(code, reason);
    if (connection !== this.#current) return;
    this.#current = undefined;
    this.#stableTimer?.cancel();
    if (!mayReconnect(code) && !own) return this.#finish(endCodeOf(code), code, reason);
    if (this.#dial === undefined && this.#dialTimer === undefined) this.#dialLater();
    else this.#tell("reconnecting", connection.url, null);
  }

  #dialFailed(code: number, reason: string): void {
    const optional = this.#dial?.optional === true && this.#leaving !== this.#current;
    this.#dial = undefined;
    if (optional && this.#current) return;
    this.#lastClose = { code, reason };
    // While another socket still serves, even a final answer can wait until that one has closed.
    if (!mayReconnect(code) && !this.#current) return this.#finish(endCodeOf(code), code, reason);
    this.#dialLater();
  }

  #dialLater(): void {
    if (this.#state === "closed") return;
    const delayMs = this.#plan.delayMs(this.#clock.now());
    this.#dialTimer?.cancel();
    this.#preferTimer?.cancel();
    this.#preferTimer = undefined;
    this.#dialTimer = this.#clock.after(delayMs, () => this.#dialNow());
    if (this.#current) return;
    const first = this.#state === "connecting";
    this.#tell(first ? "connecting" : "reconnecting", null, delayMs);
  }

  #some(test: (membership: Membership) => boolean): boolean {
    for (const membership of this.#memberships) if (test(membership)) return true;
    return false;
  }

  /** Ends everything, for good. */
  #finish(code: EndCode, closeCode: number, reason: string): void {
    if (this.#state === "closed") return;
    const { url } = this.#current ?? { url: null };
    const timers = [this.#dialTimer, this.#preferTimer, this.#stableTimer, this.#retireTimer];
    for (const timer of timers) timer?.cancel();
    this.#connectTimer.cancel();
    const connections = [this.#current, this.#retiring, this.#dial?.connection];
    this.#current = undefined;
    this.#retiring = undefined;
    this.#dial = undefined;
    this.#lastClose = { code: closeCode, reason };
    this.#end = { code, message: reason || "this client was closed" };
    this.#tell("closed", url, null);
    for (const connection of connections) connection?.close();
    for (const membership of [...this.#memberships]) membership.end(code, reason);
    this.#settleOpened(new ConnectFailed(closeCode, reason));
  }

  #tell(state: ConnectionState, url: string | null, delayMs: number | null): void {
    this.#state = state;
    const { code = null, reason = "" } = state === "open" ? {} : (this.#lastClose ?? {});
    const attempt = this.#plan.attempt;
    this.#events.emit("connection", state, { url, attempt, delayMs, code, reason });
  }
}

function endCodeOf(closeCode: number): EndCode {
  if (closeCode === CLOSE.superseded.code) return "superseded";
  return closeCode === CLOSE.kicked.code ? "kicked" : "disconnected";
}
