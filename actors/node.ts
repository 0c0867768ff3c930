import type { Bus, BusMessage, Subscription } from "../src/bus/bus.ts";
import { InLinks, OutLink } from "../src/bus/link.ts";
import type { IndexStore } from "../src/journal/index-store.ts";
import type { Journal } from "../src/journal/journal.ts";
import type { SnapshotStore } from "../src/journal/snapshot-store.ts";
import type { Clock, Timer } from "../src/kernel/clock.ts";
import { epochCompare } from "../src/kernel/epoch.ts";
import type { ProcessId, RoomId, WorldName } from "../src/kernel/ids.ts";
import {
  type LoopLoad,
  OVERLOAD_DEFAULTS,
  type OverloadLimits,
  OverloadWatch,
} from "../src/kernel/overload.ts";
import { Phases } from "../src/kernel/phase.ts";
import type { Random } from "../src/kernel/random.ts";
import type { Observer } from "../src/observe/observer.ts";
import {
  type ControlOf,
  control,
  decodeControl,
  type Proposal,
} from "../src/protocol/control-messages.ts";
import { decode } from "../src/protocol/msgpack.ts";
import { gatewayToRoom, roomToGateway, type ToRoom } from "../src/protocol/room-messages.ts";
import { gatewayInbox, nodeControl, nodeInbox } from "../src/protocol/subjects.ts";
import { DeathCheck } from "./death-check.ts";
import { HandOvers } from "./hand-overs.ts";
import { IndexNotes } from "./index-notes.ts";
import { PauseWatch } from "./pause-watch.ts";
import type { RoomStart } from "./room/claim.ts";
import type { World } from "./room/define-room.ts";
import type { EndReason } from "./room/lifecycle.ts";
import { ROOM_DEFAULTS, type RoomConfig } from "./room/room-config.ts";
import type { HandedOver } from "./room/room-host.ts";
import { RoomRuntime } from "./room/runtime.ts";

import { RouteAnnouncer } from "./routes.ts";
import { Takeovers } from "./takeovers.ts";

export interface NodeConfig {
  /** Rooms this process may host; proposals beyond it are not obeyed. */
  readonly roomsMax: number;
  /** How long a message to a gateway may wait for others: less is faster, more is cheaper. */
  readonly flushMs: number;
  readonly room: RoomConfig;
  /** When rooms tick more rarely. */
  readonly overload: OverloadLimits;
}

export const NODE_DEFAULTS: NodeConfig = {
  roomsMax: 2_000,
  flushMs: 5,
  room: ROOM_DEFAULTS,
  overload: OVERLOAD_DEFAULTS,
};

export interface NodePorts {
  readonly self: ProcessId;
  readonly controlBus: Bus;
  readonly dataBus: Bus;
  readonly journal: Journal;
  readonly snapshots: SnapshotStore;
  readonly index: IndexStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: Observer;
  /** Share of the last second or so that this process's loop spent running. */
  readonly utilisation: () => number;
  /** Marks whose turn runs, for the liveness thread. */
  readonly turn: (room: RoomId | undefined) => void;
  /** Placement holds this incarnation dead for good. Left out: the node closes itself. */
  readonly declaredDead?: () => void;
  /** An operator asked for a drain, and it is over. Left out: the node goes on, without rooms. */
  readonly drained?: () => void;
}

export interface NodeStats {
  readonly rooms: number;
  readonly sessions: number;
  readonly egressBytes: number;
  readonly draining: boolean;
  /** How much longer than asked for its rooms' ticks are apart; 1: not at all. */
  readonly stretch: number;
}

const GATEWAY_IDLE_MS = 60_000;
const STALE_EVERY_MS = 100;
/** A process that hosts rooms: claims what placement proposes, and passes messages in and out. */
export class Node {
  readonly #ports: NodePorts;
  readonly #config: NodeConfig;
  readonly #worlds: ReadonlyMap<WorldName, World>;
  readonly #rooms = new Map<RoomId, RoomRuntime>();
  readonly #proposedAt = new Map<RoomId, number>();
  readonly #inLinks = new InLinks();
  readonly #outLinks = new Map<ProcessId, { readonly link: OutLink; usedAt: number }>();
  /**
   * The highest of the links that were closed. Were the first batch of a new link number 1, and
   * lost, its gateway would take all that follow for old ones.
   */
  #lastNumber = 0;
  readonly #toldStale = new Map<string, number>();
  readonly #deathCheck: DeathCheck;
  readonly #announcer: RouteAnnouncer;
  readonly #takeovers: Takeovers;
  readonly #handOvers: HandOvers;
  readonly #notes: IndexNotes;
  readonly #pauses: PauseWatch;
  readonly #overload: OverloadWatch;
  readonly #phases: Phases;
  readonly #subscriptions: Subscription[];
  readonly #sweep: Timer;
  #egressBytes = 0;
  #closed = false;
  #drain: Promise<void> | undefined;
  #emptied = (): void => undefined;

  constructor(ports: NodePorts, worlds: readonly World[], config: NodeConfig = NODE_DEFAULTS) {
    this.#ports = ports;
    this.#config = config;
    this.#worlds = new Map(worlds.map((world) => [world.name, world]));
    this.#deathCheck = new DeathCheck(ports.journal, ports.observer.log);
    this.#takeovers = new Takeovers(ports.clock);
    this.#handOvers = new HandOvers({
      ...ports,
      bus: ports.controlBus,
      room: (room) => this.#rooms.get(room),
      world: (name) => this.#worlds.get(name),
      roomLeft: () => !this.#closed && !this.draining && this.#rooms.size < config.roomsMax,
      adopt: (room, world, adoption) => this.#take(room, world, adoption),
      forwarded: () => this.#settleDrain(),
    });
    this.#notes = new IndexNotes(ports);
    this.#pauses = new PauseWatch(ports.clock);
    const stretched = (stretch: number, load: LoopLoad): void => this.#stretched(stretch, load);
    const { clock, utilisation } = ports;
    this.#overload = new OverloadWatch(clock, utilisation, stretched, config.overload);
    this.#phases = new Phases(ports.random.next());
    ports.observer.metrics.set("roomcluster_stretch", this.#overload.stretch);
    const sessionsIn = (room: RoomId): number => this.#rooms.get(room)?.sessions ?? 0;
    this.#announcer = new RouteAnnouncer(ports.controlBus, ports.clock, ports.self, sessionsIn);
    this.#subscriptions = [
      ports.dataBus.subscribe(nodeInbox(ports.self), (message) => this.#fromGateway(message)),
      ports.controlBus.subscribe(nodeControl(ports.self), (message) => this.#fromControl(message)),
    ];
    this.#sweep = ports.clock.every(GATEWAY_IDLE_MS / 4, () => this.#sweepLinks());
  }

  /** What the liveness thread reports. Serving rooms only. */
  stats(): NodeStats {
    let sessions = 0;
    for (const room of this.#rooms.values()) sessions += room.sessions;
    const { draining } = this;
    const { stretch } = this.#overload;
    return { rooms: this.#rooms.size, sessions, egressBytes: this.#egressBytes, draining, stretch };
  }

  /** How full the fullest lane of any room's mailbox is: 0 is empty, 1 is its limit. */
  get fullness(): number {
    let most = 0;
    for (const room of this.#rooms.values()) most = Math.max(most, room.fullness);
    return most;
  }

  get draining(): boolean {
    return this.#drain !== undefined;
  }

  /**
   * Takes no room any more. Placement, which learns of it by the beats, moves those that are here;
   * resolves when none is left, or after `drainMs`.
   */
  drain(drainMs: number): Promise<void> {
    this.#drain ??= new Promise((resolve) => {
      const late = this.#ports.clock.after(drainMs, resolve);
      this.#emptied = () => {
        late.cancel();
        resolve();
      };
    });
    this.#settleDrain();
    return this.#drain;
  }

  /** A drain is over when no room is left, and nothing for those that were is on its way here. */
  #settleDrain(): void {
    if (this.draining && this.#rooms.size === 0 && !this.#handOvers.forwards) this.#emptied();
  }

  /** Stops serving. Nothing is handed over: others claim, clients keep what is not acked. */
  close(): void {
    this.#closed = true;
    for (const subscription of this.#subscriptions) subscription.close();
    // What ends makes place for what waits: nothing of it may begin now.
    this.#takeovers.close();
    this.#notes.close();
    for (const room of [...this.#rooms.values()]) room.stop();
    for (const { link } of this.#outLinks.values()) {
      link.flush();
      link.close();
    }
    this.#announcer.close();
    this.#handOvers.close();
    this.#pauses.close();
    this.#overload.close();
    this.#sweep.cancel();
  }

  #stretched(stretch: number, load: LoopLoad): void {
    const { log, metrics } = this.#ports.observer;
    metrics.set("roomcluster_stretch", stretch);
    if (stretch === 1) log.info(load, "This node has time again: its rooms tick as they should.");
    else log.warn({ ...load, stretch }, "This node is behind: its rooms tick more rarely.");
  }

  #fromGateway({ data }: BusMessage): void {
    // The bytes are gone after this call, and letters hold views into them.
    const batch = this.#inLinks.receive(new Uint8Array(data));
    if (!batch) return;
    for (const value of batch.messages) {
      const message = gatewayToRoom.fromArray(value);
      if (!message) continue;
      const room = this.#rooms.get(message.room);
      if (room?.epoch !== undefined) room.receive(batch.from, message);
      else if (!room) this.#notHere(batch.from, message);
    }
  }

  /** The sender's route is old: it re-reads the tail. Told at a bounded rate. */
  #notHere(from: ProcessId, message: ToRoom): void {
    const { clock, observer } = this.#ports;
    const { room, epoch } = message;
    const owner = this.#handOvers.forward(from, message);
    const now = clock.now();
    const key = `${from} ${room}`;
    if (now - (this.#toldStale.get(key) ?? Number.NEGATIVE_INFINITY) < STALE_EVERY_MS) return;
    this.#toldStale.set(key, now);
    if (owner) return this.#send(from, roomToGateway.encode({ type: "moved", room, epoch, owner }));
    observer.metrics.add("roomcluster_fenced_total", 1, { where: "node" });
    this.#send(from, roomToGateway.encode({ type: "stale", room, epoch }));
  }

  #fromControl({ data, respond }: BusMessage): void {
    const message = decodeControl(data);
    if (message?.type === "propose")
      for (const proposal of message.proposals) this.#proposed(proposal);
    if (message?.type === "closeRoom") this.#rooms.get(message.room)?.close();
    if (message?.type === "migrate") void this.#migrate(message);
    if (message?.type === "operate") void this.#operate(message, respond);
    if (message?.type === "drain" && !this.draining)
      void this.drain(message.deadlineMs).then(() => this.#ports.drained?.());
    if (message?.type === "declaredDead" && message.process === this.#ports.self)
      void this.#declaredDead();
  }

  /** Where its rooms are others' already: it would never get another one. */
  async #declaredDead(): Promise<void> {
    if (!(await this.#deathCheck.confirms(this.#rooms.values())) || this.#closed) return;
    const { observer, declaredDead } = this.#ports;
    observer.log.error({}, "Placement holds this node dead: it ends, so that a new one can start.");
    if (declaredDead) declaredDead();
    else this.close();
  }

  async #migrate(message: ControlOf<"migrate">): Promise<void> {
    const outcome = await this.#handOvers.migrate(message);
    this.#ports.observer.metrics.add("roomcluster_migrations_total", 1, { outcome });
  }

  /** For an operator: the owner of exactly that epoch answers, once it is durable. */
  async #operate(message: ControlOf<"operate">, respond: BusMessage["respond"]): Promise<void> {
    const { room, epoch, name } = message;
    const body = decode(message.body);
    const runtime = this.#rooms.get(room);
    const owned = body.ok && runtime?.epoch === epoch;
    const operated = owned && (await runtime.operate(name, body.value));
    // Nobody may run again what was begun.
    const { status, data } = operated || { status: owned ? "ended" : "gone", data: null };
    if (!this.#closed) respond(control.encode({ type: "operated", room, status, data }));
  }

  #proposed(proposal: Proposal): void {
    const outcome = this.#obey(proposal);
    this.#ports.observer.metrics.add("roomcluster_proposals_total", 1, { outcome });
  }

  #obey({ room, world, replaces }: Proposal): string {
    if (this.#closed) return "closed";
    const hosted = this.#rooms.get(room);
    if (hosted) {
      const { epoch } = hosted;
      // An owner that is told of a newer epoch than its own lost the room without noticing yet.
      const own = epoch === undefined || epochCompare(epoch, replaces) >= 0;
      // Placement does not know who serves here.
      if (own && epoch !== undefined) this.#announcer.serve(room, epoch);
      if (own) return "hosted";
      hosted.stop();
    }
    if (this.draining) return "draining";
    // Safe to obey, since the tail decides; but by now the room may do well where it is.
    if (this.#pauses.readsBacklog) return "outdated";
    const type = this.#worlds.get(world);
    if (!type) return "unknown_world";
    if (this.#rooms.size >= this.#config.roomsMax) return "full";
    this.#take(room, type, { kind: "claim", replaces });
    return "claiming";
  }

  #take(room: RoomId, world: World, start: RoomStart): void {
    this.#proposedAt.set(room, this.#ports.clock.now());
    const runtime = new RoomRuntime(this.#hostOf(), room, world, start);
    this.#rooms.set(room, runtime);
    this.#takeovers.add(runtime);
  }

  #hostOf() {
    const { self, journal, snapshots, index, clock, random, observer, turn } = this.#ports;
    return {
      self,
      journal,
      snapshots,
      index,
      clock,
      random,
      observer,
      turn,
      config: this.#config.room,
      pace: { stretch: () => this.#overload.stretch, phase: () => this.#phases.take() },
      send: (gateway: ProcessId, data: Uint8Array) => this.#send(gateway, data),
      activated: (room: RoomRuntime) => this.#activated(room),
      crashed: ({ room }: RoomRuntime) => this.#announcer.withdraw(room),
      handedOver: (room: RoomRuntime, to: HandedOver) => this.#handOvers.handedOver(room, to),
      ended: (room: RoomRuntime, reason: EndReason) => this.#ended(room, reason),
    };
  }

  #activated(runtime: RoomRuntime): void {
    this.#takeovers.done(runtime);
    const { clock, observer } = this.#ports;
    const { room, epoch, world } = runtime;
    if (epoch === undefined) return;
    this.#announcer.serve(room, epoch);
    const proposedAt = this.#proposedAt.get(room);
    this.#proposedAt.delete(room);
    if (proposedAt !== undefined)
      observer.metrics.observe("roomcluster_takeover_ms", clock.now() - proposedAt);
    observer.metrics.set("roomcluster_rooms", this.#rooms.size);
    const current = (): boolean => this.#rooms.get(room) === runtime && runtime.epoch === epoch;
    this.#notes.serves({ room, world: world.name, epoch }, current);
  }

  #ended(runtime: RoomRuntime, reason: EndReason): void {
    this.#takeovers.done(runtime);
    const { room, world } = runtime;
    if (this.#rooms.get(room) !== runtime) return;
    const { observer } = this.#ports;
    this.#rooms.delete(room);
    this.#settleDrain();
    this.#proposedAt.delete(room);
    this.#announcer.withdraw(room);
    observer.metrics.set("roomcluster_rooms", this.#rooms.size);
    observer.log.info({ room, reason }, "room ended on this node");
    if (this.#closed) return;
    const { claimed: epoch } = runtime;
    if (epoch === undefined) return;
    const held = { room, world: world.name, epoch };
    this.#notes.ended(held, reason, () => !this.#rooms.has(room));
  }

  #send(gateway: ProcessId, data: Uint8Array): void {
    const { clock, dataBus, self } = this.#ports;
    let out = this.#outLinks.get(gateway);
    if (!out) {
      const subject = gatewayInbox(gateway);
      const { flushMs } = this.#config;
      const options = { self, subject, flushMs, after: this.#lastNumber };
      out = { link: new OutLink(dataBus, clock, options), usedAt: 0 };
      this.#outLinks.set(gateway, out);
    }
    out.usedAt = clock.now();
    this.#egressBytes += data.length;
    out.link.send(data);
  }

  #sweepLinks(): void {
    const now = this.#ports.clock.now();
    this.#toldStale.clear();
    for (const [gateway, out] of this.#outLinks) {
      if (now - out.usedAt < GATEWAY_IDLE_MS) continue;
      out.link.close();
      this.#lastNumber = Math.max(this.#lastNumber, out.link.sequence);
      this.#outLinks.delete(gateway);
    }
    this.#inLinks.sweep(this.#outLinks);
  }
}
