import {
  type Client,
  type ConnectOptions,
  connect,
  type JoinOptions,
  type Room,
  type SavedSession,
} from "../../src/client/client.ts";
import type { Transport, TransportHandlers, TransportSocket } from "../../src/client/transport.ts";
import { type Epoch, epochAt } from "../../src/kernel/epoch.ts";
import { personId, sessionId } from "../../src/kernel/ids.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import {
  type ClientMessage,
  type ClientRecord,
  clientToGateway,
  type GatewayMessage,
  gatewayToClient,
  type Member,
  type Profile,
} from "../../src/protocol/client-messages.ts";
import { decodePose, encodeFrame, POSE_KIND } from "../../src/protocol/frame.ts";
import { type Pose, packRow, ROW_WORDS } from "../../src/protocol/pose-row.ts";

type OfType<T extends ClientMessage["type"]> = Extract<ClientMessage, { type: T }>;

interface FrameRow {
  readonly slot: number;
  readonly generation?: number;
  readonly pose: Pose;
}

function wordsOf(rows: readonly FrameRow[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(rows.length * ROW_WORDS);
  rows.forEach((row, i) => {
    packRow(words, i * ROW_WORDS, row.slot, row.generation ?? 0, row.pose);
  });
  return words;
}

/** One socket of a client, seen from the gateway. Everything passes through the codec. */
export class FakeSocket implements TransportSocket {
  readonly url: string;
  readonly subprotocol: string;
  readonly poses: { channel: number; counter: number; row: Uint32Array }[] = [];
  readonly received: ClientMessage[] = [];
  /** Messages in each payload, to see what travelled together. */
  readonly payloads: number[] = [];
  bufferedBytes = 0;
  /** How the client closed it. */
  closedByClient: { code: number | undefined; reason: string | undefined } | undefined;
  readonly #handlers: TransportHandlers;
  readonly #script: (socket: FakeSocket, message: ClientMessage) => void;
  #over = false;

  constructor(
    url: string,
    subprotocol: string,
    handlers: TransportHandlers,
    script: (socket: FakeSocket, message: ClientMessage) => void,
  ) {
    this.url = url;
    this.subprotocol = subprotocol;
    this.#handlers = handlers;
    this.#script = script;
  }

  get over(): boolean {
    return this.#over;
  }

  send(data: Uint8Array): void {
    if (this.#over) return;
    if (data[0] === POSE_KIND) {
      const pose = decodePose(data);
      if (!pose) throw new Error("a malformed pose");
      this.poses.push(pose);
      return;
    }
    const messages = clientToGateway.decode(data, 64);
    if (!messages.ok) throw new Error(`a client sent what is ${messages.error}`);
    this.payloads.push(messages.value.length);
    for (const message of messages.value) {
      this.received.push(message);
      this.#script(this, message);
    }
  }

  close(code?: number, reason?: string): void {
    if (this.#over) return;
    this.#over = true;
    this.closedByClient = { code, reason };
  }

  opened(): void {
    if (!this.#over) this.#handlers.open();
  }

  tell(...messages: readonly GatewayMessage[]): void {
    for (const message of messages) this.raw(gatewayToClient.encode(message));
  }

  raw(data: Uint8Array): void {
    if (!this.#over) this.#handlers.message(data);
  }

  /** The gateway, or the network, ends the socket. */
  drop(code = 1006, reason = ""): void {
    if (this.#over) return;
    this.#over = true;
    this.#handlers.close(code, reason);
  }

  frame(frame: {
    channel?: number;
    tick: number;
    at: number;
    epoch?: Epoch;
    index: number;
    rows?: readonly FrameRow[];
    /** For this client alone. */
    tail?: readonly FrameRow[];
    messages?: readonly GatewayMessage[];
  }): void {
    const { channel = 0, tick, at, epoch = EPOCH, index, rows = [], tail = [] } = frame;
    const own = { type: "rows", rows: new Uint8Array(wordsOf(tail).buffer) } as const;
    const messages = [...(tail.length > 0 ? [own] : []), ...(frame.messages ?? [])];
    const run = messages.map((message) => gatewayToClient.encode(message));
    const head = { channel, tick, at, epoch, index };
    this.raw(encodeFrame(head, wordsOf(rows), rows.length, run));
  }

  all<T extends ClientMessage["type"]>(type: T): OfType<T>[] {
    return this.received.filter((message): message is OfType<T> => message.type === type);
  }

  last<T extends ClientMessage["type"]>(type: T): OfType<T> {
    const found = this.all(type).at(-1);
    if (!found) throw new Error(`no ${type} among ${this.received.map((m) => m.type)}`);
    return found;
  }

  /** What of one type came since it was asked last, and forgets everything else. */
  take<T extends ClientMessage["type"]>(type: T): OfType<T>[] {
    const found = this.all(type);
    this.received.length = 0;
    return found;
  }
}

export interface FakeBehaviour {
  /** Sockets of these urls never open. */
  unreachable?: readonly string[];
  /** Whether a hello is welcomed, and a ping answered. */
  welcomes?: boolean;
  pongs?: boolean;
  pingMs?: number;
  serverNow?: () => number;
  script?: (socket: FakeSocket, message: ClientMessage) => void;
}

/** Gateways as far as a client can tell, written out message by message by the test. */
export class FakeGateways implements Transport {
  readonly sockets: FakeSocket[] = [];
  behaviour: FakeBehaviour;

  constructor(behaviour: FakeBehaviour = {}) {
    this.behaviour = behaviour;
  }

  get last(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("no socket was opened");
    return socket;
  }

  open(url: string, subprotocol: string, handlers: TransportHandlers): TransportSocket {
    const socket = new FakeSocket(url, subprotocol, handlers, (from, message) =>
      this.#react(from, message),
    );
    this.sockets.push(socket);
    queueMicrotask(() => {
      if (this.behaviour.unreachable?.includes(url)) socket.drop(1006, "unreachable");
      else socket.opened();
    });
    return socket;
  }

  #react(socket: FakeSocket, message: ClientMessage): void {
    const { welcomes = true, pongs = true, pingMs = 5_000, serverNow } = this.behaviour;
    const serverTime = serverNow?.() ?? 0;
    if (message.type === "hello" && welcomes) {
      const payloadBytesMax = 32 * 1024;
      socket.tell({
        type: "welcome",
        version: 1,
        gateway: "g",
        serverTime,
        pingMs,
        payloadBytesMax,
      });
    }
    if (message.type === "ping" && pongs)
      socket.tell({ type: "pong", clientTime: message.clientTime, serverTime });
    this.behaviour.script?.(socket, message);
  }
}

export const EPOCH = epochAt(1, 100);
export const LATER = epochAt(1, 200);
export const SESSION = sessionId("s".repeat(22));

export const member = (slot: number, generation = 0): Member => ({
  slot,
  generation,
  person: personId(`person-${slot}-${generation}`),
  role: "audience",
  profile: { name: `P${slot}`, color: 1, model: "capsule" },
});

export const at = (x: number, z = 0): Pose => ({
  x,
  y: 0,
  z,
  yaw: 0,
  pitch: 0,
  reach: [0, 0, 0],
  animation: 1,
});

export const joined = (
  over: Partial<Extract<GatewayMessage, { type: "joined" }>> = {},
): GatewayMessage => ({
  type: "joined",
  channel: 0,
  session: SESSION,
  token: "token-1",
  attach: 1,
  slot: 0,
  generation: 0,
  seq: 0,
  tickHz: 10,
  world: "plaza",
  replayed: false,
  room: null,
  ...over,
});

export const snapshot = (
  over: Partial<Extract<GatewayMessage, { type: "snapshot" }>> = {},
): GatewayMessage => ({
  type: "snapshot",
  channel: 0,
  epoch: EPOCH,
  index: 10,
  at: 0,
  state: { items: {}, count: 0 },
  members: [member(0)],
  rows: new Uint8Array(),
  ...over,
});

export const record = (
  index: number,
  over: Partial<ClientRecord> = {},
  epoch: Epoch = EPOCH,
  channel = 0,
): GatewayMessage => ({
  type: "record",
  channel,
  epoch,
  record: { index, at: index, joined: [], left: [], patches: [], events: [], ...over },
});

export const reply = (seq: number, index = 10, status = "ok", data: unknown = null) =>
  ({ type: "reply", channel: 0, seq, status, data, index }) as const;

/** Lets promises and what hangs on them run. */
export const settle = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => setImmediate(resolve));
};

export interface Harness {
  readonly clock: ManualClock;
  readonly gateways: FakeGateways;
  readonly client: Client;
  readonly states: string[];
}

/** A connected client on virtual time. */
export async function connected(
  options: Partial<ConnectOptions> = {},
  behaviour: FakeBehaviour = {},
): Promise<Harness> {
  const clock = new ManualClock();
  const gateways = new FakeGateways(behaviour);
  const states: string[] = [];
  const client = await connect({
    urls: ["ws://a"],
    token: "jwt",
    agent: "test",
    clock,
    random: seededRandom(7),
    transport: gateways,
    onConnection: (state) => states.push(state),
    ...options,
  });
  return { clock, gateways, client, states };
}

export const PROFILE: Profile = { name: "Ada", color: 0xff8800, model: "capsule" };

export interface State {
  items: Record<string, unknown>;
  count: number;
}

/** A client with one room, joined and loaded at index 10. */
export async function inRoom(
  options: Partial<ConnectOptions> = {},
  join: Partial<JoinOptions> = {},
  behaviour: FakeBehaviour = {},
): Promise<Harness & { readonly room: Room<State>; readonly saved: SavedSession[] }> {
  const harness = await connected(options, behaviour);
  const saved: SavedSession[] = [];
  const onSession = (session: SavedSession): number => saved.push(session);
  const joining = harness.client.join<State>("plaza", { profile: PROFILE, onSession, ...join });
  const { attach, channel } = harness.gateways.last.last("join");
  harness.gateways.last.tell(joined({ attach, channel }), snapshot({ channel }));
  const room = await joining;
  return { ...harness, room, saved };
}
