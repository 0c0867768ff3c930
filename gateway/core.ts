import type { Bus, BusMessage } from "../src/bus/bus.ts";
import { InLinks } from "../src/bus/link.ts";
import type { Journal } from "../src/journal/journal.ts";
import { assert } from "../src/kernel/assert.ts";
import type { Clock } from "../src/kernel/clock.ts";
import type { ProcessId, RoomId } from "../src/kernel/ids.ts";
import { type LoopLoad, OverloadWatch } from "../src/kernel/overload.ts";
import { Phases } from "../src/kernel/phase.ts";
import type { Random } from "../src/kernel/random.ts";
import type { Observer } from "../src/observe/observer.ts";
import { control, decodeControl } from "../src/protocol/control-messages.ts";
import { shardOf } from "../src/protocol/event-names.ts";
import { roomToGateway } from "../src/protocol/room-messages.ts";
import { ALL_ROUTES, gatewayBeat, gatewayControl, gatewayInbox } from "../src/protocol/subjects.ts";
import { AttachWindow } from "./attach-window.ts";
import type { Auth } from "./auth.ts";
import type { GatewayConfig } from "./config.ts";
import { type ClientSocket, Connection, type ConnectionDeps } from "./connection.ts";
import { Allowances } from "./connection-limits.ts";
import { Drain } from "./drain.ts";
import { EventDoor } from "./event-door.ts";
import { HeldRoom } from "./held-room.ts";
import { join } from "./join.ts";
import type { SocketHandler } from "./server.ts";
import type { Standing } from "./standing.ts";
import { Uplinks } from "./uplinks.ts";

export interface CoreDeps {
  readonly self: ProcessId;
  readonly controlBus: Bus;
  readonly dataBus: Bus;
  readonly journal: Pick<Journal, "readTail">;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: Observer;
  readonly config: GatewayConfig;
  readonly auth: Auth;
  /** Share of the last second or so that this process's loop spent running. */
  readonly utilisation: () => number;
  /** An operator asked for a drain, and it is over. Left out: the gateway goes on, empty. */
  readonly drained?: () => void;
}

export interface GatewayStats {
  readonly sockets: number;
  readonly socketsMax: number;
  readonly sessions: number;
  readonly rooms: number;
  /** Node incarnations with a link. */
  readonly links: number;
  readonly draining: boolean;
  /** How much longer than their rooms' ticks frames are apart; 1: not at all. */
  readonly stretch: number;
}

/** In which every connection is looked at once. */
const ROUND_MS = 1_000;

/**
 * A gateway without its listener: sockets are handed in. The server does so with real ones, and a
 * simulation with its own.
 */
export class GatewayCore {
  #url = "";
  #numbers = 0;
  #beats = 0;
  #drain: Drain | undefined;
  #sweptAt = 0;
  readonly #connections = new Set<Connection>();
  /** Which connections were not looked at yet in this second, and what waits in the others. */
  #round = this.#connections.values();
  #roundAt = 0;
  #queuedBytes = 0;
  #linksSweptAt: number;
  #socketsMax = 0;
  readonly #dirty = new Set<Connection>();
  readonly #rooms = new Map<RoomId, HeldRoom>();
  /** By stage. */
  readonly #doors = new Map<RoomId, EventDoor>();
  #doorNumber = 0;
  readonly #uplinks: Uplinks;
  readonly #links = new InLinks();
  readonly #overload: OverloadWatch;
  readonly #phases: Phases;
  readonly #attaches: AttachWindow;
  readonly #ends: (() => void)[] = [];
  readonly #deps: CoreDeps;
  readonly #shared: ConnectionDeps;

  constructor(deps: CoreDeps) {
    const { auth, clock, config, dataBus, observer, self } = deps;
    this.#deps = deps;
    this.#shared = {
      clock,
      observer,
      config,
      allowances: new Allowances(config),
      auth,
      gateway: self,
      join: (from, person, message) => void join(this.#joins, from, person, message),
      dirty: (waiting) => this.#dirty.add(waiting),
      closed: (gone) => {
        this.#connections.delete(gone);
        this.#dirty.delete(gone);
      },
    };
    this.#attaches = new AttachWindow(config.attachesMax);
    this.#uplinks = new Uplinks(dataBus, clock, { self, flushMs: config.linkMs });
    this.#linksSweptAt = clock.now();
    const stretched = (stretch: number, load: LoopLoad): void => this.#stretched(stretch, load);
    this.#overload = new OverloadWatch(clock, deps.utilisation, stretched, config.overload);
    this.#ends.push(() => this.#overload.close());
    this.#phases = new Phases(deps.random.next());
    deps.observer.metrics.set("roomcluster_stretch", this.#overload.stretch);
  }

  /** Beats and serves from here on. `url` is what clients dial. */
  start(options: { readonly url: string; readonly socketsMax: number }): void {
    const { clock, config, controlBus, dataBus, self } = this.#deps;
    this.#url = options.url;
    this.#sweptAt = clock.now();
    this.#socketsMax = options.socketsMax;
    const subscriptions = [
      dataBus.subscribe(gatewayInbox(self), (message) => this.#batch(message)),
      controlBus.subscribe(ALL_ROUTES, (message) => this.#routes(message)),
      controlBus.subscribe(gatewayControl(self), (message) => this.#control(message)),
      dataBus.onConnection((connected) => {
        if (connected) for (const room of this.#rooms.values()) room.lost(null);
      }),
    ];
    for (const subscription of subscriptions) this.#ends.push(() => subscription.close());
    for (const timer of [
      clock.every(config.flushMs, () => this.#sweep()),
      clock.every(config.beatMs, () => this.#beat(), 0),
    ])
      this.#ends.push(() => timer.cancel());
  }

  get draining(): boolean {
    return this.#drain !== undefined;
  }

  stats(): GatewayStats {
    let sessions = 0;
    for (const room of this.#rooms.values()) sessions += room.attendance.size;
    return {
      sockets: this.#connections.size,
      socketsMax: this.#socketsMax,
      sessions,
      rooms: this.#rooms.size,
      links: this.#uplinks.size,
      draining: this.draining,
      stretch: this.#overload.stretch,
    };
  }

  /** Sends every client elsewhere over `drainMs`; resolves when no connection is left. */
  drain(msMax = Number.POSITIVE_INFINITY): Promise<void> {
    const { clock, config, random } = this.#deps;
    const drainMs = Math.min(config.drainMs, msMax);
    const options = { ...config, clock, random, drainMs, connections: this.#connections };
    this.#drain ??= new Drain(options);
    return this.#drain.done;
  }

  /** At once. The buses stay open: they are the caller's. */
  close(): void {
    this.#drain?.cancel();
    for (const end of this.#ends) end();
    this.#ends.length = 0;
    for (const connection of [...this.#connections]) connection.close("goingAway");
    for (const door of this.#doors.values()) door.close();
    this.#doors.clear();
    for (const room of this.#rooms.values()) room.release();
    this.#rooms.clear();
    this.#uplinks.close();
  }

  /** A socket that was upgraded. */
  accept(socket: ClientSocket, standing: Standing): SocketHandler {
    const { config, random } = this.#deps;
    const retryMs = standing === "welcome" ? undefined : config.retrySpreadMs * random.next();
    const connection = new Connection(socket, this.#shared, retryMs);
    this.#connections.add(connection);
    if (standing === "overloaded" && retryMs !== undefined) connection.turnAway(retryMs);
    return connection;
  }

  get #joins() {
    const { auth, clock, config, random, self } = this.#deps;
    return {
      auth,
      random,
      config,
      now: () => clock.now(),
      wallNow: () => clock.wallNow(),
      nextConnection: () => `${self}#${++this.#numbers}`,
      hold: (room: RoomId) => this.#hold(room),
      door: (stage: RoomId) => this.#door(stage),
      doorIfAny: (stage: RoomId) => this.#doors.get(stage),
    };
  }

  #hold(id: RoomId): HeldRoom | undefined {
    const held = this.#rooms.get(id);
    if (held) return held;
    if (this.#rooms.size >= this.#deps.config.roomsMax) return undefined;
    const stage = shardOf(id)?.stage ?? id;
    const room = new HeldRoom(id, {
      ...this.#deps,
      pace: { stretch: () => this.#overload.stretch, phase: () => this.#phases.take() },
      reacted: (name) => this.#doors.get(stage)?.react(name),
      uplink: (node) => this.#uplinks.to(node),
      attaches: this.#attaches,
    });
    this.#rooms.set(id, room);
    return room;
  }

  #door(id: RoomId): EventDoor | undefined {
    assert(shardOf(id) === undefined, "a shard has no door");
    const known = this.#doors.get(id);
    const stage = known ? undefined : this.#hold(id);
    if (!stage) return known;
    const { clock, config } = this.#deps;
    const shard = (room: RoomId): HeldRoom | undefined => this.#rooms.get(room);
    const stretch = (): number => this.#overload.stretch;
    const door = new EventDoor({
      clock,
      config,
      stage,
      shard,
      stretch,
      number: ++this.#doorNumber,
      expect: (room, ms) => this.#hold(room)?.expect(ms),
      url: () => this.#url,
    });
    this.#doors.set(id, door);
    return door;
  }

  #stretched(stretch: number, load: LoopLoad): void {
    const { log, metrics } = this.#deps.observer;
    metrics.set("roomcluster_stretch", stretch);
    if (stretch === 1) log.info(load, "This gateway has time again: every tick makes frames.");
    else log.warn({ ...load, stretch }, "This gateway is behind: it makes fewer frames.");
  }

  #batch(message: BusMessage): void {
    // The bytes are gone after this call, and records hold views into them.
    const batch = this.#links.receive(new Uint8Array(message.data));
    if (!batch) return this.#dropped("batch");
    if (batch.gap) for (const room of this.#rooms.values()) room.lost(batch.from);
    for (const value of batch.messages) {
      const said = roomToGateway.fromArray(value);
      const room = said && this.#rooms.get(said.room);
      if (room) room.receive(batch.from, said);
      else this.#dropped(said ? "unknown_room" : "malformed");
    }
  }

  #routes(message: BusMessage): void {
    const said = decodeControl(message.data);
    if (said?.type !== "route") return;
    for (const { room, epoch } of said.routes) this.#rooms.get(room)?.announced(epoch);
  }

  #control(message: BusMessage): void {
    const said = decodeControl(message.data);
    if (said?.type !== "drain" || this.draining) return;
    // Older placements leave it all to the gateway, by a deadline of 0.
    void this.drain(said.deadlineMs || undefined).then(() => this.#deps.drained?.());
  }

  #sweep(): void {
    const { clock, config, observer } = this.#deps;
    const now = clock.now();
    for (const [id, door] of this.#doors) {
      if (door.sweep(now)) continue;
      door.close();
      this.#doors.delete(id);
    }
    const sinceMs = now - this.#sweptAt;
    const lateMs = sinceMs - config.flushMs;
    this.#sweptAt = now;
    for (const [id, room] of this.#rooms) {
      if (room.sweep(now, lateMs > config.flushMs ? lateMs : 0)) continue;
      room.release();
      this.#rooms.delete(id);
    }
    for (const connection of this.#dirty) if (connection.flush()) this.#dirty.delete(connection);
    this.#sweepConnections(now, sinceMs / ROUND_MS);
    if (now - this.#roundAt < ROUND_MS) return;
    this.#roundAt = now;
    this.#sweepConnections(now, 1);
    this.#round = this.#connections.values();
    const queuedBytes = this.#queuedBytes;
    this.#queuedBytes = 0;
    if (now - this.#linksSweptAt >= config.linkIdleMs) this.#sweepLinks(now);
    const { sockets, sessions, rooms, links } = this.stats();
    observer.metrics.set("roomcluster_gateway_queued_bytes", queuedBytes);
    observer.metrics.set("roomcluster_gateway_sockets", sockets);
    observer.metrics.set("roomcluster_gateway_sessions", sessions);
    observer.metrics.set("roomcluster_gateway_rooms", rooms);
    observer.metrics.set("roomcluster_gateway_links", links);
  }

  /**
   * A share of them at a time: while thousands are looked at in one go every frame waits. Those who
   * come and go meanwhile do so in the set that is gone through.
   */
  #sweepConnections(now: number, share: number): void {
    for (let left = Math.ceil(this.#connections.size * share); left > 0; left--) {
      const { done, value: connection } = this.#round.next();
      if (done) return;
      connection.sweep(now);
      this.#queuedBytes += connection.queuedBytes;
    }
  }

  /** Node incarnations come and go, and none returns. */
  #sweepLinks(now: number): void {
    this.#linksSweptAt = now;
    const owners = new Set([...this.#rooms.values()].map(({ route }) => route.owner));
    this.#uplinks.sweep(owners);
    this.#links.sweep(owners);
    this.#attaches.sweep(owners);
  }

  #beat(): void {
    const { config, controlBus, self } = this.#deps;
    const { sessions, socketsMax, draining, stretch } = this.stats();
    const { hostName: host, version, zone } = config;
    const beat = control.encode({
      type: "gatewayBeat",
      process: self,
      sequence: ++this.#beats,
      url: this.#url,
      sessions,
      sessionsMax: socketsMax,
      draining,
      zone,
      version,
      host,
      pid: process.pid,
      stretch,
    });
    controlBus.publish(gatewayBeat(self), beat);
  }

  #dropped(why: string): void {
    this.#deps.observer.metrics.add("roomcluster_gateway_dropped_total", 1, { why });
  }
}
