import type { Auth, Person } from "../../gateway/auth.ts";
import { GATEWAY_DEFAULTS, type GatewayConfig } from "../../gateway/config.ts";
import type { ClientSocket } from "../../gateway/connection.ts";
import { GatewayCore } from "../../gateway/core.ts";
import type { SocketHandler } from "../../gateway/server.ts";
import type { Standing } from "../../gateway/standing.ts";
import type { Bus } from "../../src/bus/bus.ts";
import { MemoryNetwork } from "../../src/bus/memory-bus.ts";
import { EPOCH_NONE } from "../../src/kernel/epoch.ts";
import { type ProcessId, personId, processId, roomId } from "../../src/kernel/ids.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { err, ok } from "../../src/kernel/result.ts";
import type { Labels, MetricName, Observer } from "../../src/observe/observer.ts";
import {
  type ClientMessage,
  clientToGateway,
  type GatewayMessage,
  gatewayToClient,
  MESSAGES_PER_PAYLOAD_MAX,
  type Role,
} from "../../src/protocol/client-messages.ts";
import { control, decodeControl } from "../../src/protocol/control-messages.ts";
import { decodeFrame, encodePose, FRAME_KIND, type Frame } from "../../src/protocol/frame.ts";
import { PLACE_REQUEST } from "../../src/protocol/subjects.ts";
import { FakeJournal, FakeRoom } from "./fake-room.ts";
import { unframe } from "./unframe.ts";

export const GATEWAY = processId("gw1.00000000000000aa");
export const NODE = processId("node1.00000000000000b1");
export const NODE2 = processId("node2.00000000000000b2");
export const ROOM = roomId("acme/hall");
export const PROFILE = { name: "Ann", color: 1, model: "m" };

type Located = Extract<ReturnType<typeof decodeControl>, { type: "located" }>["status"];

/** One gateway without its listener, on virtual time and a memory bus, and one scripted room. */
export class GatewayRig {
  readonly clock = new ManualClock();
  readonly network = new MemoryNetwork(this.clock, seededRandom(7));
  readonly journal = new FakeJournal();
  readonly counts = new Map<string, number>();
  readonly gauges = new Map<MetricName, number>();
  readonly config: GatewayConfig;
  readonly core: GatewayCore;
  readonly control: Bus;
  readonly data: Bus;
  readonly room: FakeRoom;
  /** What placement says of any room; undefined: it does not answer. */
  located: Located | undefined = "placed";
  locates = 0;
  /** While set, tokens take as long to verify. */
  verifying: Promise<void> | undefined;
  /** Of the gateway's loop. */
  utilisation = 0;
  /** How often it said that a drain by message is over. */
  drained = 0;

  constructor(over: Partial<GatewayConfig> = {}) {
    this.config = { ...GATEWAY_DEFAULTS, ...over };
    this.control = this.network.open("placement");
    this.data = this.network.open("node1");
    const epoch = this.journal.claim(ROOM, NODE, 1);
    this.room = this.node(NODE, epoch);
    this.control.subscribe(PLACE_REQUEST, ({ data, respond }) => {
      if (decodeControl(data)?.type !== "locate" || !this.located) return;
      this.locates++;
      const status = this.located;
      respond(
        control.encode({
          type: "located",
          status,
          epoch: EPOCH_NONE,
          owner: null,
          retryAfterMs: 0,
        }),
      );
    });
    this.core = new GatewayCore({
      self: GATEWAY,
      drained: () => this.drained++,
      controlBus: this.network.open("gw1"),
      dataBus: this.network.open("gw1"),
      journal: this.journal,
      clock: this.clock,
      random: seededRandom(3),
      observer: this.#observer(),
      config: this.config,
      auth: this.#auth(),
      utilisation: () => this.utilisation,
    });
    this.core.start({ url: "ws://gw1", socketsMax: 100 });
  }

  node(node: ProcessId, epoch: FakeRoom["epoch"]): FakeRoom {
    const bus = node === NODE ? this.data : this.network.open("node2");
    return new FakeRoom({ bus, clock: this.clock, node, room: ROOM, epoch });
  }

  /** Gives the room to a second node, in the journal only. */
  takeOver(sequence = 9, generation = 1): FakeRoom {
    const next = this.node(NODE2, this.journal.claim(ROOM, NODE2, sequence, generation));
    next.records.splice(0, 1, ...this.room.records);
    next.members = [...this.room.members];
    for (const [session, seat] of this.room.seats) next.seats.set(session, seat);
    return next;
  }

  count(name: MetricName, labels: Labels = {}): number {
    return this.counts.get(`${name}${JSON.stringify(labels)}`) ?? 0;
  }

  run(ms: number): Promise<void> {
    return this.clock.run(ms, 5);
  }

  /** Everything that follows at this very moment. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 8; turn++) await new Promise<void>((done) => setImmediate(done));
  }

  connect(): FakeClient {
    return new FakeClient(this);
  }

  /** A client past its welcome. */
  async welcomed(person = "ann", role: Role = "audience"): Promise<FakeClient> {
    const client = this.connect();
    client.hello(`${person}/${role}`);
    await this.settle();
    return client;
  }

  /** A client that is in the room and has its snapshot. */
  async joined(person = "ann", role: Role = "audience", channel = 0): Promise<FakeClient> {
    const client = await this.welcomed(person, role);
    client.join({ channel });
    await this.run(20);
    return client;
  }

  #auth(): Auth {
    const read = (token: string): Person | undefined => {
      const [person, role, rooms] = token.split("/");
      if (!person || !role) return undefined;
      const opens = rooms?.split(",");
      return {
        person: personId(person),
        tenant: "acme",
        name: person,
        role: role as Role,
        rooms: opens,
      };
    };
    return {
      verifyPerson: async (token) => {
        await this.verifying;
        const person = read(token);
        return person ? ok(person) : err("invalid");
      },
      verifySession: async (token) => {
        await this.verifying;
        return token.startsWith("{") ? ok(JSON.parse(token)) : err("expired");
      },
      signSession: (claims) => JSON.stringify(claims),
      signPerson: () => undefined,
    };
  }

  #observer(): Observer {
    const add = (name: MetricName, by = 1, labels: Labels = {}): void => {
      const key = `${name}${JSON.stringify(labels)}`;
      this.counts.set(key, (this.counts.get(key) ?? 0) + by);
    };
    const set = (name: MetricName, value: number): void => void this.gauges.set(name, value);
    const quiet = (): void => undefined;
    return {
      log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
      metrics: { add, set, observe: quiet },
    };
  }
}

/** A client's end of a socket: it keeps the buffers it was written, whole and as messages. */
export class FakeClient implements ClientSocket {
  /** Each write, the very object. */
  readonly writes: Buffer[] = [];
  closedWith: { readonly code: number; readonly reason: string } | undefined;
  terminated = false;
  /** Set above the bound to look like a client that does not read. */
  pendingBytes = 0;
  #gone = false;
  readonly #handler: SocketHandler;

  constructor(rig: GatewayRig, standing: Standing = "welcome") {
    this.#handler = rig.core.accept(this, standing);
  }

  get open(): boolean {
    return this.closedWith === undefined && !this.#gone;
  }

  write(frame: Buffer): void {
    this.writes.push(frame);
  }

  close(code: number, reason: string): void {
    this.closedWith = { code, reason };
  }

  terminate(): void {
    this.terminated = true;
    this.drop();
  }

  /** The connection is lost, without a word. */
  drop(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#handler.closed();
  }

  send(...messages: readonly ClientMessage[]): void {
    this.raw(Buffer.concat(messages.map((message) => clientToGateway.encode(message))));
  }

  raw(data: Uint8Array): void {
    this.#handler.receive(data);
  }

  transportPing(): boolean {
    return this.#handler.pinged();
  }

  text(): void {
    this.#handler.fault("malformed");
  }

  hello(token: string, versionMin = 1, versionMax = 1): void {
    this.send({ type: "hello", versionMin, versionMax, token, agent: "test" });
  }

  join(over: Partial<Extract<ClientMessage, { type: "join" }>> = {}): void {
    this.send({
      type: "join",
      channel: 0,
      room: "hall",
      attach: 1,
      session: null,
      cursor: null,
      profile: PROFILE,
      transfer: null,
      beside: null,
      ...over,
    });
  }

  command(seq: number, channel = 0): void {
    const body = Uint8Array.of(0xc0);
    this.send({
      type: "command",
      channel,
      seq,
      name: "do",
      body,
      resent: false,
      traceparent: null,
    });
  }

  pose(row: Uint32Array, channel = 0): void {
    this.raw(encodePose(channel, 1, row));
  }

  /** WebSocket payloads, in order. */
  get payloads(): Uint8Array[] {
    return this.writes.flatMap((buffer) => unframe(buffer));
  }

  get frames(): Frame[] {
    return this.payloads.filter((data) => data[0] === FRAME_KIND).map(frameOf);
  }

  /** All messages, those that rode frames among them. */
  get messages(): GatewayMessage[] {
    return this.payloads.flatMap((data) => messagesOf(data));
  }

  got<T extends GatewayMessage["type"]>(type: T): Extract<GatewayMessage, { type: T }>[] {
    return this.messages.filter(
      (message): message is Extract<GatewayMessage, { type: T }> => message.type === type,
    );
  }

  /** Types of messages, in order, with `frame` where one came. */
  get story(): string[] {
    return this.payloads.flatMap((data) => {
      const types = messagesOf(data).map(({ type }) => type);
      return data[0] === FRAME_KIND ? ["frame", ...types] : types;
    });
  }
}

const frameOf = (data: Uint8Array): Frame => {
  const frame = decodeFrame(data);
  if (!frame.ok) throw new Error(`no frame: ${frame.error}`);
  return frame.value;
};

export function messagesOf(data: Uint8Array): readonly GatewayMessage[] {
  if (data[0] === FRAME_KIND) return frameOf(data).messages;
  const messages = gatewayToClient.decode(data, MESSAGES_PER_PAYLOAD_MAX);
  if (!messages.ok) throw new Error(`no messages: ${messages.error}`);
  return messages.value;
}
