import type { ClientSocket } from "../../gateway/connection.ts";
import type { SocketHandler } from "../../gateway/server.ts";
import { copyOf } from "../../src/bus/memory-copy.ts";
import {
  CLOSED_ABNORMALLY,
  type TransportHandlers,
  type TransportSocket,
} from "../../src/client/transport.ts";
import type { Random } from "../../src/kernel/random.ts";
import { unframe } from "../support/unframe.ts";
import type { SimGateway } from "./sim-gateway.ts";
import type { Strand } from "./strand.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** One client's way to all gateways. */
export interface Access {
  readonly strand: Strand;
  /** Nothing arrives at either end, and neither end is told. */
  cut: boolean;
  latencyMsMin: number;
  latencyMsMax: number;
}

export interface SocketOptions {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly access: Access;
  readonly gateway: SimGateway;
  readonly client: TransportHandlers;
  readonly ended: (socket: SimSocket) => void;
}

type End = "client" | "server";

/** Both ends of one WebSocket between a client and a gateway. */
export class SimSocket {
  readonly gateway: SimGateway;
  readonly clientEnd: TransportSocket;
  readonly #serverEnd: ClientSocket;
  readonly #options: SocketOptions;
  #server: SocketHandler | undefined;
  #state: "opening" | "open" | "closed" = "opening";
  /** Written by the gateway and not yet taken. */
  #pending = 0;
  readonly #due = { client: 0, server: 0 };

  constructor(options: SocketOptions) {
    this.gateway = options.gateway;
    this.#options = options;
    this.clientEnd = {
      send: (data) => {
        const copy = copyOf(data);
        if (this.#state === "open") this.#to("server", () => this.#server?.receive(copy));
      },
      close: (code = 1000, reason = "") => this.#close("client", code, reason),
      bufferedBytes: 0,
    };
    this.#serverEnd = this.#makeServerEnd();
    this.#dial();
  }

  /** The connection breaks: the process at one end is gone, or a machine in between forgot it. */
  reset(): void {
    if (this.#state === "closed") return;
    this.#finish();
    this.#to("client", () => this.#options.client.close(CLOSED_ABNORMALLY, "reset"));
    this.#to("server", () => this.#server?.closed());
  }

  #makeServerEnd(): ClientSocket {
    const socket = this;
    return {
      get pendingBytes() {
        return socket.#pending;
      },
      get open() {
        return socket.#state === "open";
      },
      write: (frame) => this.#write(frame),
      close: (code, reason) => this.#close("server", code, reason),
      terminate: () => this.#close("server", CLOSED_ABNORMALLY, "terminated"),
    };
  }

  /** Where nobody listens the machine itself says so, at once. */
  #dial(): void {
    const { access, time } = this.#options;
    time.in(access.latencyMsMax, () => {
      if (access.cut) return;
      if (this.gateway.process.up) this.#to("server", () => this.#accept());
      else this.reset();
    });
  }

  #accept(): void {
    const { core } = this.gateway;
    if (this.#state === "closed") return;
    if (core.draining) return this.reset();
    this.#state = "open";
    this.#server = core.accept(this.#serverEnd, "welcome");
    this.#to("client", () => this.#options.client.open());
  }

  #write(frame: Buffer): void {
    if (this.#state !== "open") return;
    this.#pending += frame.length;
    this.#to("client", () => {
      this.#pending -= frame.length;
      for (const payload of unframe(frame)) this.#options.client.message(payload);
    });
  }

  /** The end that closes always hears that it is closed; the other one if anything arrives. */
  #close(by: End, code: number, reason: string): void {
    if (this.#state === "closed") return;
    this.#finish();
    const told = {
      client: () => this.#options.client.close(code, reason),
      server: () => this.#server?.closed(),
    };
    const { access, time } = this.#options;
    time.in(0, () =>
      (by === "client" ? access.strand : this.gateway.process.main).arrive(told[by]),
    );
    const other = by === "client" ? "server" : "client";
    this.#to(other, told[other]);
  }

  #finish(): void {
    this.#state = "closed";
    this.#options.ended(this);
  }

  /** In order; what is on its way while the link is cut is lost. */
  #to(end: End, happen: () => void): void {
    const { access, time, random } = this.#options;
    const { latencyMsMin, latencyMsMax } = access;
    const way = latencyMsMin + random.next() * (latencyMsMax - latencyMsMin);
    const due = Math.max(this.#due[end], time.now + way);
    this.#due[end] = due;
    const strand = end === "client" ? access.strand : this.gateway.process.main;
    time.at(due, () => {
      if (!access.cut) strand.arrive(happen);
    });
  }
}
