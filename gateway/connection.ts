import { unreachable } from "../src/kernel/assert.ts";
import type { Clock } from "../src/kernel/clock.ts";
import type { Observer } from "../src/observe/observer.ts";
import {
  type ClientMessage,
  clientToGateway,
  type GatewayMessage,
  gatewayToClient,
  isOnStage,
  VERSION_MAX,
  VERSION_MIN,
} from "../src/protocol/client-messages.ts";
import { CLOSE, type CloseName, type MembershipCode } from "../src/protocol/close-codes.ts";
import { POSE_KIND, poseChannel } from "../src/protocol/frame.ts";
import type { Auth, Person } from "./auth.ts";
import { type Channel, Channels } from "./channels.ts";
import type { GatewayConfig } from "./config.ts";
import { type Allowances, ConnectionLimits, type Limited } from "./connection-limits.ts";
import { Outbox } from "./outbox.ts";
import { preframe, runsOf } from "./preframe.ts";
import { Pulse } from "./pulse.ts";
import type { SessionLink } from "./session.ts";

const JOIN_RETRY_MS = 1_000;

/** The socket under a connection. */
export interface ClientSocket {
  /** Bytes written and not yet taken by the kernel. */
  readonly pendingBytes: number;
  /** True until either side starts to close. */
  readonly open: boolean;
  write(frame: Buffer): void;
  close(code: number, reason: string): void;
  /** At once, without a handshake. */
  terminate(): void;
}

type State =
  | { readonly kind: "awaiting_hello"; readonly since: number }
  | { readonly kind: "verifying"; readonly held: Uint8Array[] }
  | { readonly kind: "open"; readonly person: Person }
  | { readonly kind: "closing"; readonly since: number }
  | { readonly kind: "closed" };

export type JoinMessage = Extract<ClientMessage, { type: "join" }>;
type LeaveMessage = Extract<ClientMessage, { type: "leave" }>;

/** What all connections of a gateway share. */
export interface ConnectionDeps {
  readonly clock: Clock;
  readonly observer: Observer;
  readonly config: GatewayConfig;
  readonly allowances: Allowances;
  readonly auth: Pick<Auth, "verifyPerson">;
  readonly gateway: string;
  /** Takes the join on; the channel is reserved by `joining` until it is settled. */
  readonly join: (connection: Connection, person: Person, join: JoinMessage) => void;
  /** Something waits in the outbox. */
  readonly dirty: (connection: Connection) => void;
  readonly closed: (connection: Connection) => void;
}

/** One client's socket, from first byte to last. It sets no timers: `sweep` looks after it. */
export class Connection implements SessionLink {
  readonly outbox: Outbox;
  readonly channels = new Channels();
  readonly #deps: ConnectionDeps;
  readonly #limits: ConnectionLimits;
  readonly #socket: ClientSocket;
  #state: State;
  readonly #pulse: Pulse;
  readonly #retryMs: number | undefined;

  /** `retryMs`: when to come back, for whoever is neither a performer nor of the staff. */
  constructor(socket: ClientSocket, deps: ConnectionDeps, retryMs?: number) {
    const now = deps.clock.now();
    this.#deps = deps;
    this.#retryMs = retryMs;
    this.#socket = socket;
    this.#limits = new ConnectionLimits(deps.allowances, now);
    this.outbox = new Outbox(deps.config.tailBytesMax);
    this.#state = { kind: "awaiting_hello", since: now };
    this.#pulse = new Pulse(this.channels, deps.config, now);
  }

  get open(): boolean {
    return this.#state.kind === "open" && this.#socket.open;
  }

  /** True once its close was sent or seen. */
  get closing(): boolean {
    return this.#state.kind === "closing" || this.#state.kind === "closed";
  }

  get writable(): boolean {
    return this.open && this.#socket.pendingBytes <= this.#deps.config.pendingBytesMax;
  }

  /** What waits in this process until the client reads. */
  get queuedBytes(): number {
    return this.#socket.pendingBytes + this.outbox.bytes + this.channels.tailBytes;
  }

  write(frame: Buffer): void {
    this.#socket.write(frame);
  }

  tell(message: GatewayMessage): void {
    if (this.#state.kind !== "open") return;
    const now = this.#deps.clock.now();
    if (message.type === "refused" || message.type === "left")
      this.#count("roomcluster_gateway_refusals_total", "code", message.code);
    if (message.type === "error")
      this.#count("roomcluster_gateway_errors_total", "code", message.code);
    if (this.outbox.push(gatewayToClient.encode(message), now) === "overflow")
      return this.close("slowConsumer");
    this.#deps.dirty(this);
  }

  /** Sends what waits in the outbox. False while it still waits. */
  flush(): boolean {
    if (this.outbox.empty || !this.open) return true;
    if (!this.writable) return false;
    this.#socket.write(preframe(...runsOf(this.outbox.take())));
    return true;
  }

  refuse(channel: number, code: MembershipCode, message: string, retryAfterMs?: number): void {
    if (this.channels.get(channel)?.kind === "joining" && code !== "channel_taken")
      this.channels.free(channel);
    this.tell({ type: "refused", channel, code, message, retryAfterMs: retryAfterMs ?? null });
  }

  released(channel: number, code: MembershipCode): void {
    this.channels.free(channel);
    // It is attached through another socket now, and this one has nothing left to do.
    if (code === "superseded" && this.channels.empty) this.close("superseded");
  }

  /** A payload of the socket. */
  receive(data: Uint8Array): void {
    const now = this.#deps.clock.now();
    this.#pulse.heard(now);
    const state = this.#state;
    if (state.kind === "open" && data[0] === POSE_KIND) return this.#pose(data, now);
    if (this.closing) return;
    if (data.length > this.#deps.config.payloadBytesMax) return this.close("tooLarge");
    if (!this.#allowed("bytes", now, null, data.length)) return;
    if (state.kind === "verifying") {
      if (state.held.length >= this.#deps.config.payloadsWaitingMax)
        return this.close("outOfOrder");
      // Its bytes are gone after this call.
      state.held.push(new Uint8Array(data));
      return;
    }
    this.#take(data, now);
  }

  /** A payload within its limits. */
  #take(data: Uint8Array, now: number): void {
    if (this.closing) return;
    if (data[0] === POSE_KIND) return this.close("outOfOrder");
    const messages = clientToGateway.decode(data, this.#deps.config.messagesPayloadMax);
    if (!messages.ok) return this.close(messages.error === "too_large" ? "tooLarge" : "malformed");
    if (data.length === 0) return this.close("malformed");
    // Messages of a later version are skipped, but reading them is not free.
    if (messages.value.length === 0) return void this.#allowed("messages", now, null);
    for (const [at, message] of messages.value.entries()) {
      if (this.#state.kind === "verifying")
        return this.#hold(messages.value.slice(at), this.#state.held);
      if (this.closing) return;
      this.#message(message, now);
    }
  }

  /** The transport's own ping is no sign of life of a client, and counts as a message. */
  pinged(): boolean {
    const { clock, config } = this.#deps;
    if (this.closing) return false;
    // One who does not read gets no answers: they would pile up here.
    const taken = this.#allowed("messages", clock.now(), null);
    return taken && this.#socket.pendingBytes <= config.pendingBytesMax;
  }

  /** This side sends no pings of the transport, so each is one that nobody asked for. */
  ponged(): void {
    if (!this.closing) this.#allowed("messages", this.#deps.clock.now(), null);
  }

  /** The frame was no binary message of ours, or larger than one may be. */
  fault(why: "malformed" | "tooLarge"): void {
    this.close(why);
  }

  /** The gateway drains: go on elsewhere. Who was not welcomed yet is turned away. */
  sendAway(afterMs: number): void {
    if (this.open) {
      this.tell({ type: "retryAfter", afterMs: Math.round(afterMs) });
      return void this.flush();
    }
    this.#pushRetry(afterMs);
    this.close("goingAway");
  }

  /** Let in only to hear that there is no room: a browser is not shown the answer to an upgrade. */
  turnAway(afterMs: number): void {
    this.#pushRetry(afterMs);
    this.close("overloaded");
  }

  /** What even a socket without a welcome is told. */
  #pushRetry(afterMs: number): void {
    const message = gatewayToClient.encode({ type: "retryAfter", afterMs: Math.round(afterMs) });
    this.outbox.push(message, this.#deps.clock.now());
  }

  /** Deadlines. Called about once a second. */
  sweep(now: number): void {
    const { config } = this.#deps;
    const state = this.#state;
    if (state.kind === "closing") {
      if (now - state.since >= config.closeMsMax) this.#socket.terminate();
    } else if (state.kind === "awaiting_hello") {
      if (now - state.since >= config.helloMsMax) this.close("handshakeTimeout");
    } else if (!this.#pulse.sweep(now)) this.close("idle");
  }

  /** Closes with one of our codes, after what is waiting. Its sessions are away from here on. */
  close(why: CloseName): void {
    const socket = this.#socket;
    if (this.closing) return;
    this.#count("roomcluster_gateway_closes_total", "reason", why);
    if (!this.outbox.empty && socket.open) socket.write(preframe(...runsOf(this.outbox.take())));
    this.#state = { kind: "closing", since: this.#deps.clock.now() };
    socket.close(CLOSE[why].code, CLOSE[why].reason);
    this.#part();
  }

  /** The socket is gone. */
  closed(): void {
    if (this.#state.kind === "closed") return;
    if (this.#state.kind !== "closing")
      this.#count("roomcluster_gateway_closes_total", "reason", "client");
    this.#state = { kind: "closed" };
    this.#part();
    this.#deps.closed(this);
  }

  #part(): void {
    for (const channel of this.channels.values())
      if (channel.kind === "member") channel.room.attendance.part(channel.session, undefined);
    this.channels.clear();
  }

  /** What came in one payload behind the hello waits like a payload of its own. */
  #hold(messages: readonly ClientMessage[], held: Uint8Array[]): void {
    for (const message of messages) {
      if (held.length >= this.#deps.config.payloadsWaitingMax) return this.close("outOfOrder");
      held.push(clientToGateway.encode(message));
    }
  }

  #message(message: ClientMessage, now: number): void {
    const state = this.#state;
    if (message.type === "hello") {
      if (state.kind !== "awaiting_hello") return this.close("outOfOrder");
      void this.#hello(message);
      return;
    }
    if (state.kind !== "open") return this.close("outOfOrder");
    const channel = "channel" in message ? message.channel : null;
    if (!this.#allowed("messages", now, channel)) return;
    switch (message.type) {
      case "join":
        if (this.#allowed("joins", now, channel)) this.#deps.join(this, state.person, message);
        return;
      case "leave":
        return this.#leave(message);
      case "ping":
        return this.#ping(message);
      case "command": {
        const member = this.#member(message.channel);
        if (member && this.#allowed("commands", now, channel))
          member.room.attendance.command(member.session, message);
        return;
      }
      case "signal":
      case "profile":
      case "follow": {
        const member = this.#member(message.channel);
        if (member && this.#allowed("signals", now, channel))
          member.room.attendance.inPassing(member.session, message);
        return;
      }
      default:
        return unreachable(message);
    }
  }

  async #hello(hello: Extract<ClientMessage, { type: "hello" }>): Promise<void> {
    const version = Math.min(hello.versionMax, VERSION_MAX);
    if (version < Math.max(hello.versionMin, VERSION_MIN)) return this.close("unsupportedVersion");
    const held: Uint8Array[] = [];
    this.#state = { kind: "verifying", held };
    const person = await this.#deps.auth.verifyPerson(hello.token);
    if (this.#state.kind !== "verifying") return;
    if (!person.ok) return this.close(person.error === "unavailable" ? "internal" : "unauthorized");
    if (this.#retryMs !== undefined && !isOnStage(person.value.role))
      return this.turnAway(this.#retryMs);
    this.#state = { kind: "open", person: person.value };
    const { clock, config, gateway } = this.#deps;
    this.tell({
      type: "welcome",
      version,
      gateway,
      serverTime: clock.wallNow(),
      pingMs: config.pingMs,
      payloadBytesMax: config.payloadBytesMax,
    });
    this.flush();
    for (const data of held) this.#take(data, clock.now());
  }

  #leave(message: LeaveMessage): void {
    const { channel, transfer } = message;
    const held = this.channels.get(channel);
    if (!held) return this.#noSuchChannel(channel);
    this.channels.free(channel);
    const left = { type: "left", channel, code: "left", reason: "left", transfer } as const;
    if (held.kind === "joining") return this.tell(left);
    held.room.attendance.farewell(held.session, left);
    held.room.attendance.part(held.session, transfer === null ? "left" : "transfer");
  }

  #ping(message: Extract<ClientMessage, { type: "ping" }>): void {
    this.#pulse.echoed(message.echoes);
    const serverTime = this.#deps.clock.wallNow();
    this.tell({ type: "pong", clientTime: message.clientTime, serverTime });
  }

  /** Most of what clients send: nothing is made for it. */
  #pose(data: Uint8Array, now: number): void {
    const channel = poseChannel(data);
    if (channel === undefined) return this.close("malformed");
    const outcome = this.#limits.takePose(now, data.length);
    if (outcome !== "ok") return this.#refusePose(outcome);
    this.#pulse.posed();
    const held = this.channels.get(channel);
    if (held?.kind === "member") held.room.pose(held.session, data);
  }

  /** It is dropped without a word. */
  #refusePose(outcome: "over" | "flooding"): void {
    this.#count("roomcluster_gateway_rate_limited_total", "kind", "poses");
    if (outcome === "flooding") this.close("flooding");
  }

  #member(channel: number): Extract<Channel, { kind: "member" }> | undefined {
    const held = this.channels.get(channel);
    if (held?.kind === "member") return held;
    this.#noSuchChannel(channel);
    return undefined;
  }

  /** Not a fault: the membership may have ended while the message was on its way. */
  #noSuchChannel(channel: number): void {
    this.tell({ type: "error", channel, code: "not_joined", message: "nothing is joined there" });
  }

  #allowed(what: Limited, now: number, channel: number | null, count = 1): boolean {
    const outcome = this.#limits.take(what, now, count);
    if (outcome === "ok") return true;
    this.#count("roomcluster_gateway_rate_limited_total", "kind", what);
    const message = `too many ${what}`;
    const code = "rate_limited";
    if (outcome === "flooding") this.close("flooding");
    else if (what === "joins" && channel !== null)
      this.tell({ type: "refused", channel, code, message, retryAfterMs: JOIN_RETRY_MS });
    else if (what !== "poses") this.tell({ type: "error", channel, code, message });
    return false;
  }

  #count(
    name:
      | "roomcluster_gateway_errors_total"
      | "roomcluster_gateway_refusals_total"
      | "roomcluster_gateway_closes_total"
      | "roomcluster_gateway_rate_limited_total",
    label: string,
    value: string,
  ): void {
    this.#deps.observer.metrics.add(name, 1, { [label]: value });
  }
}
