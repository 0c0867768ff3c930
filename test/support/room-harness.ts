import { NODE_DEFAULTS, Node, type NodeConfig } from "../../actors/node.ts";
import type { World } from "../../actors/room/define-room.ts";
import type { Bus } from "../../src/bus/bus.ts";
import { InLinks, OutLink } from "../../src/bus/link.ts";
import { MemoryNetwork } from "../../src/bus/memory-bus.ts";
import { MemoryStores, type StoreAccess } from "../../src/journal/memory-stores.ts";
import { EPOCH_NONE, type Epoch } from "../../src/kernel/epoch.ts";
import {
  type ProcessId,
  personId,
  processId,
  type RoomId,
  roomId,
  type SessionId,
  sessionId,
} from "../../src/kernel/ids.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { type MetricName, silentObserver } from "../../src/observe/observer.ts";
import { control } from "../../src/protocol/control-messages.ts";
import { decodeRecord, type JournalRecord } from "../../src/protocol/journal-record.ts";
import { encode } from "../../src/protocol/msgpack.ts";
import {
  type FromRoom,
  gatewayToRoom,
  roomToGateway,
  type ToRoom,
} from "../../src/protocol/room-messages.ts";
import { gatewayInbox, nodeControl, nodeInbox } from "../../src/protocol/subjects.ts";

export const ROOM = roomId("demo/hall");
export const PROFILE = { name: "Ada", color: 1, model: "capsule" };

/** Snapshots are not put off after a takeover: tests want them at once. */
const PROMPT = { ...NODE_DEFAULTS, room: { ...NODE_DEFAULTS.room, snapshotQuietMs: 0 } };

export interface HostedNode {
  readonly id: ProcessId;
  readonly node: Node;
  readonly stores: StoreAccess;
  readonly counts: Map<string, number>;
}

export interface StartedNode extends HostedNode {
  /** Closes the node and its connections. */
  readonly end: () => void;
}

/** Nodes on virtual time, with scripted gateways in front. One seed decides everything. */
export class RoomHarness {
  readonly clock = new ManualClock();
  readonly random;
  readonly stores: MemoryStores;
  readonly control: MemoryNetwork;
  readonly data: MemoryNetwork;
  readonly placement: Bus;
  /** Nodes that said that a drain is over. */
  readonly drained: ProcessId[] = [];
  /** Of the loops of all nodes. */
  utilisation = 0;
  #processes = 0;

  constructor(seed = 1) {
    this.random = seededRandom(seed);
    this.stores = new MemoryStores(this.clock, this.random);
    this.control = new MemoryNetwork(this.clock, this.random);
    this.data = new MemoryNetwork(this.clock, this.random);
    this.placement = this.control.open("placement");
  }

  process(name: string): ProcessId {
    return processId(`${name}.${(++this.#processes).toString(16).padStart(16, "0")}`);
  }

  node(name: string, worlds: readonly World[], config: Partial<NodeConfig> = {}): StartedNode {
    const id = this.process(name);
    const stores = this.stores.open();
    const counts = new Map<string, number>();
    const add = (metric: MetricName, by = 1, labels: object = {}): void => {
      const key = [metric, ...Object.values(labels)].join(" ");
      counts.set(key, (counts.get(key) ?? 0) + by);
    };
    const observer = { ...silentObserver, metrics: { ...silentObserver.metrics, add } };
    const ports = {
      self: id,
      clock: this.clock,
      random: this.random,
      observer,
      controlBus: this.control.open(name),
      dataBus: this.data.open(name),
      journal: stores.journal,
      snapshots: stores.snapshots,
      index: stores.index,
      utilisation: () => this.utilisation,
      turn: () => {},
      drained: () => void this.drained.push(id),
    };
    const node = new Node(ports, worlds, { ...PROMPT, ...config });
    const end = (): void => {
      node.close();
      void ports.controlBus.close();
      void ports.dataBus.close();
    };
    return { id, node, stores, counts, end };
  }

  gateway(name: string): ScriptedGateway {
    return new ScriptedGateway(this, this.process(name), this.data.open(name));
  }

  /** What placement says for an operator. */
  drain(target: HostedNode, deadlineMs: number): void {
    this.placement.publish(nodeControl(target.id), control.encode({ type: "drain", deadlineMs }));
  }

  /** What a placement says; the target decides whether it obeys. */
  propose(
    target: HostedNode,
    world: World,
    replaces: Epoch = EPOCH_NONE,
    room: RoomId = ROOM,
  ): void {
    const proposals = [
      { room, world: world.name, replaces, reason: "new" as const, crashedOn: [] },
    ];
    this.placement.publish(nodeControl(target.id), control.encode({ type: "propose", proposals }));
  }

  /** What placement says at last to an incarnation that beats although it is held dead. */
  declareDead(process: ProcessId, to: HostedNode): void {
    this.placement.publish(nodeControl(to.id), control.encode({ type: "declaredDead", process }));
  }

  /** What placement tells the owner of a room that an operator closed. */
  closeRoom(target: HostedNode, room: RoomId = ROOM): void {
    const close = control.encode({ type: "closeRoom", room, epoch: EPOCH_NONE });
    this.placement.publish(nodeControl(target.id), close);
  }

  /** The room's journal as it stands, decoded. */
  journal(room: RoomId = ROOM): JournalRecord[] {
    const log = this.stores.logs.get(room)?.records ?? [];
    return log.map(({ data }) => decodeRecord(data) as JournalRecord);
  }

  run(ms: number): Promise<void> {
    return this.clock.run(ms);
  }
}

type Unaddressed<M> = M extends ToRoom ? Omit<M, "room" | "epoch"> : never;

/** One gateway process that does what the test tells it. */
export class ScriptedGateway {
  readonly id: ProcessId;
  readonly received: FromRoom[] = [];
  room: RoomId = ROOM;
  epoch: Epoch = EPOCH_NONE;
  #target: ProcessId | undefined;
  #link: OutLink | undefined;
  readonly #harness: RoomHarness;
  readonly #bus: Bus;
  readonly #links = new InLinks();
  readonly #people: string[] = [];

  constructor(harness: RoomHarness, id: ProcessId, bus: Bus) {
    this.#harness = harness;
    this.id = id;
    this.#bus = bus;
    bus.subscribe(gatewayInbox(id), ({ data }) => {
      for (const value of this.#links.receive(data)?.messages ?? []) {
        const message = roomToGateway.fromArray(value);
        if (message) this.received.push(message);
      }
    });
  }

  route(target: HostedNode, epoch: Epoch): void {
    this.epoch = epoch;
    if (this.#target === target.id) return;
    this.#target = target.id;
    const options = { self: this.id, subject: nodeInbox(target.id), flushMs: 0 };
    this.#link = new OutLink(this.#bus, this.#harness.clock, options);
  }

  send(message: Unaddressed<ToRoom>, epoch: Epoch = this.epoch): void {
    this.#link?.send(gatewayToRoom.encode({ ...message, room: this.room, epoch } as ToRoom));
    this.#link?.flush();
  }

  attach(name: string, attach = 1, options: { socket?: number; resumed?: boolean } = {}): Speaker {
    // No two people are on one socket.
    if (!this.#people.includes(name)) this.#people.push(name);
    const socket = options.socket ?? this.#people.indexOf(name) * 1_000 + attach;
    const speaker = new Speaker(this, name, attach, `${this.id}#${socket}`);
    speaker.attach(options.resumed ?? false);
    return speaker;
  }

  of<T extends FromRoom["type"]>(type: T): Extract<FromRoom, { type: T }>[] {
    return this.received.filter((m): m is Extract<FromRoom, { type: T }> => m.type === type);
  }
}

export const sessionOf = (name: string): SessionId => sessionId(name.padEnd(22, "_"));

/** One socket of one session. */
export class Speaker {
  readonly session: SessionId;
  readonly #gateway: ScriptedGateway;
  readonly #name: string;
  readonly attachNumber: number;
  readonly connection: string;

  constructor(gateway: ScriptedGateway, name: string, attach: number, connection: string) {
    this.#gateway = gateway;
    this.#name = name;
    this.session = sessionOf(name);
    this.attachNumber = attach;
    this.connection = connection;
  }

  get #identity() {
    return { session: this.session, attach: this.attachNumber, connection: this.connection };
  }

  attach(resumed: boolean, row: Uint8Array | null = null): void {
    const person = personId(this.#name);
    const message = { person, role: "audience", profile: PROFILE, resumed, row } as const;
    this.#gateway.send({ type: "attach", ...this.#identity, ...message });
  }

  command(seq: number, name: string, body: unknown = null, resent = false): void {
    const message = { seq, name, body: encode(body), resent, traceparent: null, silenced: null };
    this.#gateway.send({ type: "command", ...this.#identity, ...message });
  }

  away(): void {
    this.#gateway.send({ type: "away", ...this.#identity });
  }

  leave(reason = "left"): void {
    this.#gateway.send({ type: "leave", ...this.#identity, reason });
  }

  replies() {
    return this.#gateway.of("reply").filter(({ session }) => session === this.session);
  }
}
