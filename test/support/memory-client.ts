import type { Auth } from "../../gateway/auth.ts";
import { GATEWAY_DEFAULTS, type GatewayConfig } from "../../gateway/config.ts";
import type { ClientSocket } from "../../gateway/connection.ts";
import { GatewayCore } from "../../gateway/core.ts";
import type { SocketHandler } from "../../gateway/server.ts";
import { personId } from "../../src/kernel/ids.ts";
import { err, ok } from "../../src/kernel/result.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import {
  type ClientMessage,
  clientToGateway,
  type GatewayMessage,
  ROLE,
} from "../../src/protocol/client-messages.ts";
import { encode } from "../../src/protocol/msgpack.ts";
import { messagesOf } from "./gateway-rig.ts";
import { PROFILE, type RoomHarness } from "./room-harness.ts";
import { unframe } from "./unframe.ts";

/** Tokens are what they stand for, in plain text: `<person>`, or `<person> <role> <room> …`. */
export const TRUSTING: Auth = {
  verifyPerson: async (token) => {
    const [name = "", role = "audience", ...rooms] = token.split(" ");
    return ok({
      person: personId(name),
      tenant: "demo",
      name,
      role: ROLE(role) ?? "audience",
      rooms: rooms.length > 0 ? rooms : undefined,
    });
  },
  verifySession: async (token) => (token.startsWith("{") ? ok(JSON.parse(token)) : err("invalid")),
  signSession: (claims) => JSON.stringify(claims),
  signPerson: () => undefined,
};

/** A gateway without its listener, beside the nodes of a harness. */
export function gatewayOn(
  harness: RoomHarness,
  over: Partial<GatewayConfig> = {},
  url = "ws://gw",
): GatewayCore {
  const self = harness.process("gw");
  const core = new GatewayCore({
    self,
    controlBus: harness.control.open("gw"),
    dataBus: harness.data.open("gw"),
    journal: harness.stores.open().journal,
    clock: harness.clock,
    random: harness.random,
    observer: silentObserver,
    config: { ...GATEWAY_DEFAULTS, ...over },
    auth: TRUSTING,
    utilisation: () => 0,
  });
  core.start({ url, socketsMax: 100 });
  return core;
}

/** A client's end of a socket that goes straight into a gateway. It says hello by itself. */
export class MemoryClient implements ClientSocket {
  readonly pendingBytes = 0;
  readonly #counts = new Map<GatewayMessage["type"], number>();
  readonly #handler: SocketHandler;
  #open = true;

  constructor(core: GatewayCore, person: string) {
    this.#handler = core.accept(this, "welcome");
    this.send({ type: "hello", versionMin: 1, versionMax: 1, token: person, agent: "test" });
  }

  get open(): boolean {
    return this.#open;
  }

  /** How many messages of a type came. */
  count(type: GatewayMessage["type"]): number {
    return this.#counts.get(type) ?? 0;
  }

  /** What came, for failures. */
  describe(): string {
    return JSON.stringify(Object.fromEntries(this.#counts));
  }

  write(frame: Buffer): void {
    for (const { type } of unframe(frame).flatMap(messagesOf))
      this.#counts.set(type, this.count(type) + 1);
  }

  close(): void {
    queueMicrotask(() => this.drop());
  }

  terminate(): void {
    this.drop();
  }

  /** The connection is lost, without a word. */
  drop(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#handler.closed();
  }

  send(message: ClientMessage): void {
    this.#handler.receive(clientToGateway.encode(message));
  }

  /** `session`: what it is resumed with, by its second socket. */
  join(room: string, beside: string | null = null, channel = 0, session?: string): void {
    this.send({
      type: "join",
      channel,
      room,
      attach: session === undefined ? 1 : 2,
      session: session ?? null,
      cursor: null,
      profile: PROFILE,
      transfer: null,
      beside,
    });
  }

  leave(): void {
    this.send({ type: "leave", channel: 0, transfer: null });
  }

  command(seq: number, name: string, body: unknown): void {
    const rest = { body: encode(body), resent: false, traceparent: null };
    this.send({ type: "command", channel: 0, seq, name, ...rest });
  }
}
