import type { Clock, Timer } from "../kernel/clock.ts";
import {
  CHANNELS_MAX,
  type ClientMessage,
  COMMANDS_IN_FLIGHT_MAX,
  clientToGateway,
  type GatewayMessage,
  gatewayToClient,
  MESSAGES_PER_PAYLOAD_MAX,
  SUBPROTOCOL,
  VERSION_MAX,
  VERSION_MIN,
} from "../protocol/client-messages.ts";
import { CLOSE } from "../protocol/close-codes.ts";
import { decodeFrame, FRAME_KIND, type Frame } from "../protocol/frame.ts";
import { PingFilter } from "./clock-sync.ts";
import type { ClientLimits } from "./limits.ts";
import {
  CLOSED_ABNORMALLY,
  CLOSED_NORMALLY,
  type Transport,
  type TransportSocket,
} from "./transport.ts";

/** Whoever listens to one channel of a connection. */
export interface ChannelOwner {
  readonly receive: (connection: Connection, channel: number, message: GatewayMessage) => void;
  readonly frame: (connection: Connection, channel: number, frame: Frame) => void;
  /** The tick last drawn, for the ping's echo; undefined before the first. */
  readonly lastTick: () => number | undefined;
}

export interface ConnectionHandlers {
  readonly opened: (connection: Connection) => void;
  readonly retryAfter: (connection: Connection, afterMs: number) => void;
  readonly servedAt: (connection: Connection, url: string, afterMs: number) => void;
  /** Exactly once and last. */
  readonly closed: (connection: Connection, code: number, reason: string) => void;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly token: string;
  readonly agent: string;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly limits: ClientLimits;
  readonly handlers: ConnectionHandlers;
}

/** Marks a channel that this side has left, but of which the gateway may still speak. */
const FADING = Symbol("fading");
/** A gateway's wish for pings is obeyed within these. */
const PING_MS_MIN = 250;
const PING_MS_MAX = 60_000;

/** One socket to one gateway, from hello to close. It is never reused. */
export class Connection {
  readonly url: string;
  readonly pings = new PingFilter();
  readonly #options: ConnectionOptions;
  readonly #channels = new Map<number, ChannelOwner | typeof FADING>();
  readonly #socket: TransportSocket;
  #phase: "opening" | "open" | "closed" = "opening";
  #deadline: Timer;
  #pingTimer: Timer | undefined;
  /** Pings since anything was received. */
  #unanswered = 0;
  #payloadBytesMax = 0;

  constructor(options: ConnectionOptions) {
    this.url = options.url;
    this.#options = options;
    this.#deadline = options.clock.after(options.limits.handshakeMsMax, () =>
      this.#fail(CLOSED_ABNORMALLY, "no welcome in time"),
    );
    this.#socket = options.transport.open(options.url, SUBPROTOCOL, {
      open: () => this.#hello(),
      message: (data) => this.#receive(data),
      close: (code, reason) => this.#finish(code, reason),
    });
  }

  get open(): boolean {
    return this.#phase === "open";
  }

  /** Nothing speaks for a room here any more. */
  get unused(): boolean {
    for (const owner of this.#channels.values()) if (owner !== FADING) return false;
    return true;
  }

  /** Takes a free channel for `owner`; undefined where all are taken. */
  claim(owner: ChannelOwner): number | undefined {
    for (let channel = 0; channel < CHANNELS_MAX; channel++) {
      if (this.#channels.has(channel)) continue;
      this.#channels.set(channel, owner);
      return channel;
    }
    return undefined;
  }

  /** Gives a channel back. It is claimed again only once the gateway says that it is over. */
  release(channel: number, how: "now" | "when_left"): void {
    if (how === "now") this.#channels.delete(channel);
    else this.#channels.set(channel, FADING);
  }

  /**
   * Messages that stand together travel together, as far as a payload may be long. A gateway takes
   * at least as many in one as there may be commands in flight.
   */
  send(...messages: readonly ClientMessage[]): void {
    if (this.#phase !== "open") return;
    let run: Uint8Array[] = [];
    let bytes = 0;
    for (const message of messages) {
      const encoded = clientToGateway.encode(message);
      const full = run.length === COMMANDS_IN_FLIGHT_MAX;
      if (full || bytes + encoded.length > this.#payloadBytesMax) {
        this.#sendRun(run, bytes);
        run = [];
        bytes = 0;
      }
      run.push(encoded);
      bytes += encoded.length;
    }
    this.#sendRun(run, bytes);
  }

  /** True where so much waits to be sent that volatile things are better dropped. */
  get congested(): boolean {
    return this.#socket.bufferedBytes > this.#options.limits.bufferedBytesMax;
  }

  /** A payload that is already encoded. */
  sendRaw(payload: Uint8Array): void {
    if (this.#phase === "open") this.#socket.send(payload);
  }

  close(code: number = CLOSED_NORMALLY, reason = ""): void {
    this.#fail(code, reason);
  }

  #sendRun(run: readonly Uint8Array[], bytes: number): void {
    if (run.length === 0) return;
    const payload = new Uint8Array(bytes);
    let at = 0;
    for (const part of run) {
      payload.set(part, at);
      at += part.length;
    }
    this.#socket.send(payload);
  }

  #hello(): void {
    if (this.#phase !== "opening") return;
    const { token, agent } = this.#options;
    const hello = { versionMin: VERSION_MIN, versionMax: VERSION_MAX, token, agent };
    this.#socket.send(clientToGateway.encode({ type: "hello", ...hello }));
  }

  #receive(data: Uint8Array): void {
    if (this.#phase === "closed") return;
    this.#unanswered = 0;
    if (data[0] === FRAME_KIND) {
      const frame = decodeFrame(data);
      if (!frame.ok || this.#phase !== "open") return this.#fail(CLOSE.internal.code, "malformed");
      this.#dispatch(frame.value.messages);
      const owner = this.#channels.get(frame.value.channel);
      if (owner !== undefined && owner !== FADING)
        owner.frame(this, frame.value.channel, frame.value);
      return;
    }
    const messages = gatewayToClient.decode(data, MESSAGES_PER_PAYLOAD_MAX);
    if (!messages.ok || data.length === 0) return this.#fail(CLOSE.internal.code, "malformed");
    this.#dispatch(messages.value);
  }

  #dispatch(messages: readonly GatewayMessage[]): void {
    for (const message of messages) {
      // A listener may have closed this connection over the message before.
      if (this.#phase === "closed") return;
      this.#handle(message);
    }
  }

  #handle(message: GatewayMessage): void {
    const now = this.#options.clock.now();
    switch (message.type) {
      case "welcome":
        return this.#welcome(message);
      case "pong":
        return this.pings.note(message.clientTime, message.serverTime, now);
      case "retryAfter":
        return this.#options.handlers.retryAfter(this, message.afterMs);
      case "servedAt":
        return this.#options.handlers.servedAt(this, message.url, message.afterMs);
      case "rows":
        // Only a frame says of which tick they are (PR58).
        return;
      case "error":
        if (message.channel !== null) break;
        for (const [channel, owner] of this.#channels)
          if (owner !== FADING) owner.receive(this, channel, message);
        return;
    }
    const channel = message.channel as number;
    const owner = this.#channels.get(channel);
    if (owner === FADING) {
      if (message.type === "left" || message.type === "refused") this.#channels.delete(channel);
    } else owner?.receive(this, channel, message);
  }

  #welcome(welcome: Extract<GatewayMessage, { type: "welcome" }>): void {
    if (this.#phase !== "opening") return;
    if (welcome.version < VERSION_MIN || welcome.version > VERSION_MAX)
      return this.#fail(CLOSE.unsupportedVersion.code, CLOSE.unsupportedVersion.reason);
    this.#phase = "open";
    this.#deadline.cancel();
    this.#payloadBytesMax = welcome.payloadBytesMax;
    const pingMs = Math.min(Math.max(welcome.pingMs, PING_MS_MIN), PING_MS_MAX);
    this.#pingTimer = this.#options.clock.every(pingMs, () => this.#ping(), 0);
    this.#options.handlers.opened(this);
  }

  #ping(): void {
    if (this.#unanswered >= this.#options.limits.missedPongsMax)
      return this.#fail(CLOSED_ABNORMALLY, "no pong");
    this.#unanswered++;
    const echoes: { channel: number; tick: number }[] = [];
    for (const [channel, owner] of this.#channels) {
      const tick = owner === FADING ? undefined : owner.lastTick();
      if (tick !== undefined) echoes.push({ channel, tick });
    }
    this.send({ type: "ping", clientTime: this.#options.clock.now(), echoes });
  }

  /** Ends it from this side. The close handshake of a dead link takes minutes: nobody waits. */
  #fail(code: number, reason: string): void {
    if (this.#phase === "closed") return;
    // Applications may only send 1000 and 3000 to 4999.
    this.#socket.close(code === CLOSED_ABNORMALLY ? CLOSE.internal.code : code, reason);
    this.#finish(code, reason);
  }

  #finish(code: number, reason: string): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#deadline.cancel();
    this.#pingTimer?.cancel();
    this.#options.handlers.closed(this, code, reason);
  }
}
