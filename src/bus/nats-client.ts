import {
  DebugEvents,
  Events,
  type Msg,
  headers as makeHeaders,
  type NatsConnection,
  type Status,
} from "nats";
import { assert } from "../kernel/assert.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import { type Random, randomHex } from "../kernel/random.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { Observer } from "../observe/observer.ts";
import type { BusError, Subscription } from "./bus.ts";
import { PAYLOAD_BYTES_MAX } from "./limits.ts";
import type { NatsLimits, NatsRuntime, NatsTarget } from "./nats-options.ts";
import { NatsOutbox } from "./nats-outbox.ts";

/** One message as the adapters see it. Everything in it is valid during the call only. */
export interface NatsMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply: string | undefined;
  /** The status line of its headers; 0 where it has none. */
  readonly status: number;
  header(name: string): string | undefined;
}

export interface RequestOptions {
  /** For `collect`: how long it may take from one answer to the next. */
  readonly timeoutMs: number;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Pending {
  readonly subject: string;
  /** True where this was the last answer. */
  readonly receive: (message: NatsMessage) => boolean;
  readonly finish: (outcome: Result<void, BusError>) => void;
  timer: Timer;
}

/**
 * One connection of this process, with what both the Bus and the JetStream adapters need: callback
 * subscriptions, requests whose failures are values, and a word on every loss and return.
 */
export class NatsClient {
  #connected = true;
  #closing = false;
  #tokens = 0;
  #leaving: Timer | undefined;
  readonly #pending = new Map<string, Pending>();
  readonly #listeners = new Set<(connected: boolean) => void>();
  readonly #connection: NatsConnection;
  readonly #outbox: NatsOutbox;
  readonly #target: NatsTarget;
  readonly #limits: NatsLimits;
  readonly #inbox: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: Observer;

  constructor(
    connection: NatsConnection,
    target: NatsTarget,
    runtime: NatsRuntime,
    limits: NatsLimits,
  ) {
    this.#connection = connection;
    this.#outbox = new NatsOutbox(connection, runtime.clock, (subject, error) => {
      this.#drop();
      const fields = { bus: this.label, subject, reason: String(error) };
      if (error !== undefined) this.observer.log.error(fields, "a message cannot be sent");
    });
    this.#target = target;
    this.#limits = limits;
    this.clock = runtime.clock;
    this.random = runtime.random;
    this.observer = runtime.observer;
    this.#inbox = `${target.inboxPrefix}.${randomHex(runtime.random, 8)}`;
    this.#listen(`${this.#inbox}.*`, (message) => this.#answer(message));
    void this.#follow();
  }

  get label(): string {
    return this.#target.label;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Host and port of the server this connection leads to. */
  get server(): string {
    return this.#connection.getServer();
  }

  /** What cannot be sent is lost and counted. Bytes must not change afterwards. */
  publish(subject: string, data: Uint8Array): void {
    // Without a connection the library would keep it, and lose it at the next dial without a word.
    if (!this.#fits(subject, data.length) || !this.#connected) this.#drop();
    else this.#outbox.push(subject, data, {});
  }

  subscribe(
    subject: string,
    receive: (message: NatsMessage) => void,
    queue?: string,
  ): Subscription {
    return this.#listen(subject, (message) => receive(new Received(message)), queue);
  }

  /** The answer's bytes are the caller's own. */
  async request(
    subject: string,
    data: Uint8Array,
    options: RequestOptions,
  ): Promise<Result<NatsMessage, BusError>> {
    let answer: NatsMessage | undefined;
    const outcome = await this.collect(subject, data, options, (message) => {
      const bytes = new Uint8Array(message.data);
      const header = message.header.bind(message);
      const { reply, status } = message;
      answer = { subject: message.subject, data: bytes, reply, status, header };
      return true;
    });
    if (!outcome.ok) return outcome;
    assert(answer !== undefined, "an answered request has an answer");
    return ok(answer);
  }

  /** One request, several answers, until `receive` says that it was the last. */
  collect(
    subject: string,
    data: Uint8Array,
    options: RequestOptions,
    receive: (message: NatsMessage) => boolean,
  ): Promise<Result<void, BusError>> {
    // What cannot be said was heard by nobody.
    if (!this.#fits(subject, data.length, bytesOf(options.headers)))
      return Promise.resolve(err("no_responders"));
    if (!this.#connected) return Promise.resolve(err("disconnected"));
    if (this.#pending.size >= this.#limits.requestsMax) return Promise.resolve(err("timeout"));
    const token = (this.#tokens++).toString(36);
    return new Promise((resolve) => {
      const arm = (): Timer => this.clock.after(options.timeoutMs, () => finish(err("timeout")));
      const finish = (outcome: Result<void, BusError>): void => {
        pending.timer.cancel();
        this.#pending.delete(token);
        resolve(outcome);
      };
      const pending: Pending = {
        subject,
        receive: (message) => {
          pending.timer.cancel();
          if (receive(message)) return true;
          pending.timer = arm();
          return false;
        },
        finish,
        timer: arm(),
      };
      this.#pending.set(token, pending);
      const reply = `${this.#inbox}.${token}`;
      const headers = options.headers && toHeaders(options.headers);
      this.#outbox.push(subject, data, headers ? { reply, headers } : { reply });
    });
  }

  onConnection(listener: (connected: boolean) => void): Subscription {
    this.#listeners.add(listener);
    return { close: () => void this.#listeners.delete(listener) };
  }

  /** Leaves this server at once, whatever it still has to take or to give. */
  redial(): void {
    if (!this.#connected || this.#closing) return;
    const { observer, label: bus, server } = this;
    observer.log.warn({ bus, server }, "leaves a NATS server that carries nothing");
    void this.#connection.reconnect();
    sever(this.#connection);
    // The library tells of it later, and what is published until then would be lost uncounted.
    this.#lost();
  }

  /** Resolves also where the connection was lost meanwhile: what was sent is then gone. */
  async flush(): Promise<void> {
    if (!this.#connected) return;
    this.#outbox.flush();
    const flushed = this.#connection.flush().catch(() => undefined);
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => {
      timer = this.clock.after(this.#limits.flushMsMax, resolve);
    });
    await Promise.race([flushed, late]);
    timer?.cancel();
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    await this.flush();
    this.#closing = true;
    this.#leaving?.cancel();
    await this.#connection.close().catch(() => undefined);
    this.#lost();
    this.#listeners.clear();
  }

  /** A server may be configured to take less than we may send. */
  #fits(subject: string, bytes: number, headerBytes = 0): boolean {
    assert(bytes <= PAYLOAD_BYTES_MAX, () => `${bytes} bytes on ${subject} are too many`);
    const bytesMax = this.#connection.info?.max_payload ?? PAYLOAD_BYTES_MAX;
    if (bytes + headerBytes <= bytesMax) return true;
    const { observer, label: bus } = this;
    const fields = { bus, subject, bytes: bytes + headerBytes, bytesMax };
    observer.log.error(fields, "the NATS server takes no message of this size");
    return false;
  }

  #drop(): void {
    this.observer.metrics.add("roomcluster_bus_dropped_total", 1, { bus: this.label });
  }

  #listen(subject: string, receive: (message: Msg) => void, queue?: string): Subscription {
    // Otherwise it would hear what was published before it.
    this.#outbox.flush();
    const subscription = this.#connection.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        if (error) {
          const { observer } = this;
          observer.log.error({ subject, reason: error.message }, "may not hear a subject");
          return;
        }
        try {
          receive(message);
        } catch (bug) {
          // The client would swallow it and never read from its socket again.
          queueMicrotask(() => {
            throw bug;
          });
        }
      },
    });
    return {
      close: () => {
        if (!subscription.isClosed()) subscription.unsubscribe();
      },
    };
  }

  #answer(message: Msg): void {
    const pending = this.#pending.get(message.subject.slice(this.#inbox.length + 1));
    if (!pending) return;
    const received = new Received(message);
    if (received.status === 503 && message.data.length === 0) pending.finish(err("no_responders"));
    else if (pending.receive(received)) pending.finish(ok(undefined));
  }

  async #follow(): Promise<void> {
    for await (const status of this.#connection.status()) this.#hear(status);
    if (this.#closing) return;
    this.observer.log.error({ bus: this.label }, "the NATS client gave its connection up");
    this.#lost();
  }

  #hear(status: Status): void {
    const { log } = this.observer;
    const bus = this.label;
    switch (status.type) {
      case Events.Disconnect:
        if (this.#connected) log.warn({ bus, server: status.data }, "lost the NATS server");
        this.#lost();
        return;
      case Events.Reconnect:
        log.info({ bus, server: status.data }, "found a NATS server again");
        this.#connected = true;
        this.#tell(true);
        return;
      case Events.LDM:
        // The client itself does nothing about it and would be cut off at the end.
        this.#leaving ??= this.clock.after(this.random.next() * this.#limits.leaveMsMax, () => {
          this.#leaving = undefined;
          void this.#connection.reconnect();
        });
        return;
      case Events.Error:
        this.#refused(status);
        return;
      case DebugEvents.StaleConnection:
        log.warn({ bus }, "the NATS server stopped answering");
        sever(this.#connection);
        return;
      default:
        return;
    }
  }

  #refused(status: Status): void {
    const { permissionContext } = status;
    const fields = { bus: this.label, reason: status.data, ...permissionContext };
    this.observer.log.error(fields, "the NATS server refused something");
    if (permissionContext?.operation !== "publish") return;
    // What may not be said was heard by nobody.
    for (const pending of [...this.#pending.values()])
      if (pending.subject === permissionContext.subject) pending.finish(err("no_responders"));
  }

  #lost(): void {
    if (!this.#connected) return;
    this.#connected = false;
    this.#outbox.drop();
    for (const pending of [...this.#pending.values()]) pending.finish(err("disconnected"));
    this.#tell(false);
  }

  #tell(connected: boolean): void {
    for (const listener of [...this.#listeners]) listener(connected);
  }
}

/**
 * Before it leaves a server the library waits until its socket has taken everything, which a frozen
 * one with a full socket never does, and it offers no other way (2.29.3; BU27 tells if it moves).
 */
function sever(connection: NatsConnection): void {
  const inside = connection as { protocol?: { transport?: { socket?: { destroy(): unknown } } } };
  inside.protocol?.transport?.socket?.destroy();
}

/** A view on the client's message: headers are parsed only when asked for. */
class Received implements NatsMessage {
  readonly #message: Msg;

  constructor(message: Msg) {
    this.#message = message;
  }

  get subject(): string {
    return this.#message.subject;
  }

  get data(): Uint8Array {
    return this.#message.data;
  }

  get reply(): string | undefined {
    return this.#message.reply || undefined;
  }

  get status(): number {
    return this.#message.headers?.code ?? 0;
  }

  header(name: string): string | undefined {
    return this.#message.headers?.get(name) || undefined;
  }
}

function toHeaders(fields: Readonly<Record<string, string>>) {
  const headers = makeHeaders();
  for (const [name, value] of Object.entries(fields)) headers.set(name, value);
  return headers;
}

/** What headers add to a message: `NATS/1.0`, a line each, and an empty line. */
function bytesOf(fields: Readonly<Record<string, string>> | undefined): number {
  if (!fields) return 0;
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.byteLength(`NATS/1.0\r\n${lines.join("")}\r\n`);
}
