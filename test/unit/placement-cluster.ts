import { expect } from "vitest";
import type { Bus } from "../../src/bus/bus.ts";
import { MemoryNetwork } from "../../src/bus/memory-bus.ts";
import { MemoryStores } from "../../src/journal/memory-stores.ts";
import { epochAt } from "../../src/kernel/epoch.ts";
import { type ProcessId, processId, type RoomId, roomId } from "../../src/kernel/ids.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { type Placement, placementDefaults, startPlacement } from "../../src/placement/service.ts";
import { control, decodeControl } from "../../src/protocol/control-messages.ts";
import { decodeRecord } from "../../src/protocol/journal-record.ts";
import {
  DISCONNECTS,
  livenessConnection,
  nodeBeat,
  PLACE_REQUEST,
} from "../../src/protocol/subjects.ts";
import { PLAZA, StubNode } from "./placement-stub-node.ts";

export const id = (name: string, n = 1): ProcessId =>
  processId(`${name}.${n.toString(16).padStart(16, "0")}`);
export const room = (n: number | string): RoomId => roomId(`t/room-${n}x`);

/** Placement replicas, nodes without rooms and stores in one process, on virtual time. */
export class Cluster {
  readonly clock = new ManualClock();
  readonly random = seededRandom(11);
  readonly controlNet = new MemoryNetwork(this.clock, this.random);
  readonly dataNet = new MemoryNetwork(this.clock, this.random);
  readonly sysNet = new MemoryNetwork(this.clock, this.random);
  readonly stores = new MemoryStores(this.clock, this.random);
  readonly nodes: StubNode[] = [];
  readonly placements: Placement[] = [];
  readonly proposedAt: number[] = [];
  readonly deathNotices: { readonly to: string; readonly of: ProcessId; readonly at: number }[] =
    [];
  readonly asker: Bus;
  /** A replica was told to end. */
  onDrained: (n: number) => void = () => undefined;
  readonly #server: Bus;

  constructor() {
    this.asker = this.controlNet.open("asker");
    this.#server = this.sysNet.open("nats-server");
    this.asker.subscribe("c.n.*.*.ctl", ({ subject, data }) => {
      const message = decodeControl(data);
      const at = this.clock.now();
      if (message?.type === "propose") this.proposedAt.push(at);
      if (message?.type === "declaredDead")
        this.deathNotices.push({ to: subject, of: message.process, at });
    });
  }

  place(n = 1): Placement {
    const self = id(`p${n}`);
    const access = this.stores.open();
    const placement = startPlacement({
      self,
      url: "http://127.0.0.1:1",
      host: "h",
      pid: 1,
      control: this.controlNet.open(self),
      sys: this.sysNet.open(self),
      index: access.index,
      journal: access.journal,
      clock: this.clock,
      random: this.random,
      observer: silentObserver,
      config: { ...placementDefaults, autoCreate: { "plaza-*": "plaza" } },
      drained: () => this.onDrained(n),
    });
    this.placements.push(placement);
    return placement;
  }

  node(name: string, n = 1, zone = "z1"): StubNode {
    const { clock, controlNet, dataNet, stores } = this;
    const process = id(name, n);
    const node = new StubNode({ process, clock, controlNet, dataNet, stores, zone });
    this.nodes.push(node);
    return node;
  }

  /** As the server does when a client's connection ends. */
  advise(node: StubNode, reason = "Client Closed"): void {
    const client = { acc: "CTRL", name: livenessConnection(node.process) };
    const data = new TextEncoder().encode(JSON.stringify({ client, reason }));
    this.#server.publish(DISCONNECTS, data);
  }

  /** As the liveness thread does when the main loop is stuck in the room's turn. */
  stall({ process }: StubNode, running: RoomId): void {
    const known = this.placements[0]?.snapshot().nodes.find(({ id }) => id === process);
    if (!known) throw new Error(`${process} is not there`);
    const { id: _, name: __, state: ___, ...beat } = known;
    // It says nothing else from now on: its own beats have lower numbers.
    const sequence = known.sequence + 1_000_000;
    const stuck = { ...beat, process, sequence, loopAgeMs: 4_000, running } as const;
    this.asker.publish(nodeBeat(process), control.encode({ type: "nodeBeat", ...stuck }));
  }

  run(byMs: number): Promise<void> {
    return this.clock.run(byMs, 5);
  }

  async locate(where: RoomId) {
    const asked = control.encode({ type: "locate", room: where });
    let answer: Awaited<ReturnType<Bus["request"]>> | undefined;
    void this.asker.request(PLACE_REQUEST, asked, 1_000).then((got) => {
      answer = got;
    });
    for (let i = 0; i < 400 && !answer; i++) await this.run(5);
    const located = answer?.ok ? decodeControl(answer.value) : undefined;
    return located?.type === "located" ? located : answer;
  }

  /** Who serves a room by its own belief; dead nodes believe nothing. */
  owners(where: RoomId): string[] {
    return this.nodes.filter((node) => node.rooms.has(where)).map((node) => node.name);
  }

  /** Makes `count` rooms and waits until each has its owner. */
  async fill(count: number): Promise<RoomId[]> {
    const rooms = Array.from({ length: count }, (_, i) => room(i));
    await this.run(600);
    for (const one of rooms) await this.placements[0]?.createRoom(one, PLAZA);
    await this.run(1_200);
    for (const one of rooms) expect(this.owners(one), this.dump()).toHaveLength(1);
    return rooms;
  }

  /** Who owns a room: the register's word, not anybody's belief. */
  async tailOwner(where: RoomId) {
    const tail = await this.stores.open().journal.readTail(where);
    const record = tail.ok && tail.value.record ? decodeRecord(tail.value.record) : undefined;
    if (!tail.ok || record?.type !== "owner") throw new Error(`no owner record of ${where}`);
    return { process: record.owner, epoch: epochAt(tail.value.generation, tail.value.sequence) };
  }

  dump(): string {
    return JSON.stringify({
      now: this.clock.now(),
      nodes: this.nodes.map(({ process, rooms, proposals }) => [
        process,
        [...rooms],
        proposals.length,
      ]),
      beliefs: this.placements.map((placement) => placement.snapshot()),
    });
  }

  close(): void {
    for (const placement of this.placements) placement.close();
    for (const node of this.nodes) node.kill();
  }
}

export function startCluster(placements: number, nodes: number): Cluster {
  const cluster = new Cluster();
  for (let i = 1; i <= placements; i++) cluster.place(i);
  for (let i = 1; i <= nodes; i++) cluster.node(`n${i}`);
  return cluster;
}
