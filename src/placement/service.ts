import type { Bus, BusMessage, Subscription } from "../bus/bus.ts";
import type { IndexStore } from "../journal/index-store.ts";
import type { Journal } from "../journal/journal.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import type { ProcessId, RoomId, WorldName } from "../kernel/ids.ts";
import type { Random } from "../kernel/random.ts";
import type { Result } from "../kernel/result.ts";
import { disconnectOf } from "../membership/advisory.ts";
import { ClusterView } from "../membership/view.ts";
import type { Observer } from "../observe/observer.ts";
import { type ControlMessage, control, decodeControl } from "../protocol/control-messages.ts";
import * as subjects from "../protocol/subjects.ts";
import { autoCreateBy } from "./auto-create.ts";
import { CLOSED_LIMITS, type ClosedLimits } from "./closed-entries.ts";
import { CostGauges } from "./cost.ts";
import { type DrainRequest, requestDrain } from "./drain-requests.ts";
import { type ClosedEvent, closeEvent } from "./event-closing.ts";
import { Events } from "./events.ts";
import { NodeWatch } from "./node-watch.ts";
import {
  type Changed,
  type ChangeError,
  type Created,
  OperatorChanges,
} from "./operator-changes.ts";
import { type OrderError, type Ordered, Orders } from "./orders.ts";
import { PlannedMoves } from "./planned-moves.ts";
import { Planner } from "./planner.ts";
import {
  type Located,
  type PlannerConfig,
  type PlannerEffect,
  type PlannerMessage,
  plannerDefaults,
} from "./planner-types.ts";
import { REBALANCE_LIMITS, type RebalanceLimits } from "./rebalancer.ts";
import { RoomTable } from "./room-table.ts";
import { hostedVersion } from "./score.ts";
import { type PlacementSnapshot, snapshotOf } from "./snapshot.ts";
import { StoreWork } from "./store-work.ts";

export interface PlacementConfig {
  readonly planner: PlannerConfig;
  readonly rebalancer: RebalanceLimits;
  readonly tickMs: number;
  /** A tick so much later than due means that this process did not run. */
  readonly pauseMs: number;
  readonly beatMs: number;
  readonly probeMs: number;
  /** The whole index is read this often, give or take a fifth. */
  readonly rereadMs: number;
  readonly closed: ClosedLimits;
  /** Worlds of rooms that nobody made, by pattern of their name: see auto-create.ts. */
  readonly autoCreate: Readonly<Record<string, string>>;
}

export const placementDefaults: PlacementConfig = {
  planner: plannerDefaults,
  rebalancer: REBALANCE_LIMITS,
  tickMs: 50,
  pauseMs: 500,
  beatMs: 500,
  probeMs: 100,
  rereadMs: 5_000,
  closed: CLOSED_LIMITS,
  autoCreate: {},
};

export interface PlacementParts {
  readonly self: ProcessId;
  /** Of its operator API. */
  readonly url: string;
  readonly host: string;
  readonly pid: number;
  readonly control: Bus;
  /** The system account's; undefined: deaths show by silence only. */
  readonly sys: Bus | undefined;
  readonly index: IndexStore;
  readonly journal: Pick<Journal, "readTail">;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: Observer;
  readonly config?: PlacementConfig;
  /** An operator asked this replica to end. Left out: it goes on. */
  readonly drained?: () => void;
}

export interface Placement {
  readonly events: Events;
  /** What this replica believes now. */
  snapshot(): PlacementSnapshot;
  /** Whether some node hosts rooms of this world. */
  hosts(world: WorldName): boolean;
  /** `created` is false where the room was there, perhaps of another world. */
  createRoom(room: RoomId, world: WorldName, immovable?: boolean): Promise<Created>;
  /** Its owner tells the members and ends the journal. */
  closeRoom(room: RoomId): Promise<Changed>;
  /** Whether it may be moved for load. A closed room is left as it is. */
  markRoom(room: RoomId, immovable: boolean): Promise<Changed>;
  /** Gives the room's owner an operator's command, and waits until it is durable. */
  operate(room: RoomId, name: string, body: unknown): Promise<Result<Ordered, OrderError>>;
  /** Closes shards and stage. */
  closeEvent(stage: RoomId): Promise<Result<ClosedEvent | undefined, ChangeError>>;
  /** Answers which immovable rooms will move; undefined where that incarnation is not there. */
  drain(request: DrainRequest): readonly RoomId[] | undefined;
  /** Takes no question any more, and resolves when all that were asked are answered. */
  leave(): Promise<void>;
  close(): void;
}

export const startPlacement = (parts: PlacementParts): Placement => new PlacementService(parts);

/** Runs what membership and the planner decide: buses, stores and timers in, effects out. */
class PlacementService implements Placement {
  readonly events: Events;
  readonly #parts: PlacementParts;
  readonly #config: PlacementConfig;
  readonly #view = new ClusterView();
  readonly #rooms = new RoomTable();
  readonly #watch: NodeWatch;
  readonly #planner: Planner;
  readonly #moves: PlannedMoves;
  readonly #stores: StoreWork;
  readonly #orders: Orders;
  readonly #changes: OperatorChanges;
  readonly #cost: CostGauges;
  readonly #subscriptions: Subscription[];
  readonly #questions: Subscription;
  readonly #timers: Timer[];
  readonly #asks = new Map<number, (located: Located) => void>();
  #lastAsk = 0;
  #allAnswered = (): void => undefined;
  #beats = 0;
  #tickedAt: number;
  #closed = false;

  constructor(parts: PlacementParts) {
    this.#parts = parts;
    this.events = new Events(this.#rooms, this.#view);
    this.#config = parts.config ?? placementDefaults;
    const { self, control: bus, sys, clock, index, observer } = parts;
    const { tickMs, beatMs, autoCreate } = this.#config;
    this.#tickedAt = clock.now();
    this.#cost = new CostGauges(observer.metrics);
    this.#watch = new NodeWatch({
      ...parts,
      view: this.#view,
      probeMs: this.#config.probeMs,
      noticePause: () => this.#noticePause(),
      cutOff: (since) => this.#pause("cut_off", since),
      tell: (message) => this.#decide(message),
    });
    this.#planner = new Planner(
      {
        self,
        view: this.#view,
        rooms: this.#rooms,
        stateOf: this.#watch.state,
        autoCreate: autoCreateBy(autoCreate),
        config: this.#config.planner,
      },
      clock.now(),
    );
    this.#moves = new PlannedMoves(
      { ...parts, view: this.#view, rooms: this.#rooms },
      this.#config.planner,
      this.#config.rebalancer,
    );
    this.#stores = new StoreWork(
      { ...parts, isFirst: () => this.#view.rank(self) === 0 },
      (message) => this.#decide(message),
      this.#config,
    );
    this.#orders = new Orders({
      ...parts,
      locate: (room) => new Promise((told) => this.#ask(room, told)),
      readTail: (room) => this.#stores.readTail(room),
    });
    this.#changes = new OperatorChanges(parts, (entry) => this.#decide({ type: "entry", entry }));
    const hear = (message: BusMessage): void => this.#hear(message);
    this.#questions = bus.subscribe(subjects.PLACE_REQUEST, hear, { queue: subjects.PLACE_QUEUE });
    this.#subscriptions = [
      bus.subscribe(subjects.ALL_NODE_BEATS, hear),
      bus.subscribe(subjects.ALL_GATEWAY_BEATS, hear),
      bus.subscribe(subjects.ALL_PLACEMENT_BEATS, hear),
      bus.subscribe(subjects.ALL_ROUTES, hear),
      bus.subscribe(subjects.placementControl(self), hear),
      this.#questions,
      bus.onConnection((connected) => this.#onConnection(connected)),
      index.watch((entry) => this.#decide({ type: "entry", entry })),
    ];
    if (sys)
      this.#subscriptions.push(sys.subscribe(subjects.DISCONNECTS, (m) => this.#onAdvisory(m)));
    this.#timers = [
      clock.every(tickMs, () => this.#tick()),
      clock.every(beatMs, () => this.#beat(), 0),
    ];
    this.#stores.reread();
  }

  snapshot(): PlacementSnapshot {
    return snapshotOf(this.#view, this.#rooms);
  }

  createRoom(room: RoomId, world: WorldName, immovable = false): Promise<Created> {
    return this.#changes.create(room, world, immovable);
  }

  async closeRoom(room: RoomId): Promise<Changed> {
    const stored = await this.#changes.change({ kind: "close", room });
    if (!stored.ok || !stored.value) return stored;
    // The line may know a newer owner than the entry.
    const { owner, epoch } = this.#rooms.get(room) ?? stored.value;
    if (owner !== undefined && !this.#closed)
      this.#apply({ type: "closeRoom", node: owner, room, epoch });
    return stored;
  }

  hosts(world: WorldName): boolean {
    for (const node of this.#view.nodes.values())
      if (hostedVersion(node, world) !== undefined) return true;
    return false;
  }

  markRoom(room: RoomId, immovable: boolean): Promise<Changed> {
    return this.#changes.change({ kind: "mark", room, immovable });
  }

  operate(room: RoomId, name: string, body: unknown): Promise<Result<Ordered, OrderError>> {
    return this.#orders.give(room, name, body);
  }

  closeEvent(stage: RoomId): Promise<Result<ClosedEvent | undefined, ChangeError>> {
    return closeEvent(stage, this.#parts.index, (room) => this.closeRoom(room));
  }

  drain(request: DrainRequest): readonly RoomId[] | undefined {
    const { control: bus } = this.#parts;
    return requestDrain(request, { view: this.#view, rooms: this.#rooms, control: bus });
  }

  async leave(): Promise<void> {
    this.#questions.close();
    const answered = new Promise<void>((resolve) => {
      this.#allAnswered = resolve;
    });
    if (this.#asks.size === 0) this.#allAnswered();
    await Promise.all([this.#changes.settled(), this.#orders.settled(), answered]);
  }

  close(): void {
    this.#closed = true;
    for (const subscription of this.#subscriptions) subscription.close();
    for (const timer of this.#timers) timer.cancel();
    this.#stores.close();
    this.#moves.close();
    this.#watch.close();
  }

  #hear({ data, respond }: BusMessage): void {
    this.#noticePause();
    const message = decodeControl(data);
    if (!message || !this.#accept(message, respond))
      this.#parts.observer.metrics.add("roomcluster_placement_malformed_total");
  }

  /** False where the message is none that placement understands. */
  #accept(message: ControlMessage, respond: (data: Uint8Array) => void): boolean {
    const now = this.#parts.clock.now();
    switch (message.type) {
      case "nodeBeat":
        return this.#watch.beat(message, now);
      case "gatewayBeat":
        return this.#view.observeGateway(message, now) !== "full";
      case "placementBeat":
        return this.#view.observePlacement(message, now) !== "full";
      case "drain":
        this.#parts.drained?.();
        return true;
      case "route":
        this.#decide({ type: "route", route: message });
        return true;
      case "locate": {
        const told = (located: Located): void =>
          respond(control.encode({ type: "located", ...located }));
        this.#ask(message.room, told);
        return true;
      }
      default:
        return false;
    }
  }

  #ask(room: RoomId, told: (located: Located) => void): void {
    const ask = ++this.#lastAsk;
    this.#asks.set(ask, told);
    this.#decide({ type: "locate", ask, room });
  }

  #onAdvisory({ data }: BusMessage): void {
    this.#noticePause();
    const process = disconnectOf(data);
    if (process !== undefined) this.#watch.disconnected(process, this.#parts.clock.now());
  }

  #onConnection(connected: boolean): void {
    if (connected) this.#pause("bus");
  }

  #tick(): void {
    this.#noticePause();
    const { clock, observer } = this.#parts;
    const now = clock.now();
    this.#tickedAt = now;
    // Who hears nothing judges nobody; on reconnection everything starts anew.
    if (!this.#parts.control.connected) return;
    this.#view.tick(now);
    this.#watch.tick(now);
    this.#decide({ type: "tick", wallNow: clock.wallNow() });
    this.#moves.tick(now, this.#planner.underWay);
    observer.metrics.set("roomcluster_placement_unsettled", this.#planner.unsettled);
  }

  /** Any event may be the first after the process did not run: a late timer, or an answer. */
  #noticePause(): void {
    const { tickMs, pauseMs } = this.#config;
    if (this.#parts.clock.now() - this.#tickedAt > tickMs + pauseMs) this.#pause("loop");
  }

  #pause(cause: "loop" | "bus" | "cut_off", since = this.#tickedAt): void {
    const { clock, observer } = this.#parts;
    const now = clock.now();
    const pausedMs = now - since;
    this.#tickedAt = now;
    observer.metrics.add("roomcluster_placement_pauses_total", 1, { cause });
    observer.log.warn({ cause, pausedMs }, "paused: forgetting samples and decisions");
    this.#view.observerPaused(now);
    this.#watch.observerPaused(now);
    this.#moves.paused(now);
    this.#decide({ type: "paused" });
  }

  #beat(): void {
    const { self: process, url, host, pid, control: bus } = this.#parts;
    const sequence = ++this.#beats;
    const beat = control.encode({ type: "placementBeat", process, sequence, url, host, pid });
    bus.publish(subjects.placementBeat(process), beat);
    const counts = { alive: 0, suspect: 0, stalled: 0 };
    for (const { state } of this.#view.nodes.values()) counts[state]++;
    for (const [state, count] of Object.entries(counts))
      this.#parts.observer.metrics.set("roomcluster_nodes", count, { state });
    this.#moves.report();
    this.#cost.set([...this.#view.nodes.values()].map((node) => node.beat));
  }

  #decide(message: PlannerMessage): void {
    if (this.#closed) return;
    for (const effect of this.#planner.decide(message, this.#parts.clock.now()))
      this.#apply(effect);
  }

  #apply(effect: PlannerEffect): void {
    const { control: bus, observer } = this.#parts;
    switch (effect.type) {
      case "propose": {
        const { node, proposals } = effect;
        bus.publish(subjects.nodeControl(node), control.encode({ type: "propose", proposals }));
        for (const { reason } of proposals)
          observer.metrics.add("roomcluster_placement_proposed_total", 1, { reason });
        return;
      }
      case "answer": {
        const { status } = effect.located;
        this.#asks.get(effect.ask)?.(effect.located);
        this.#asks.delete(effect.ask);
        if (this.#asks.size === 0) this.#allAnswered();
        observer.metrics.add("roomcluster_placement_answers_total", 1, { status });
        return;
      }
      case "lookUp":
        this.#stores.lookUp(effect.room, effect.create);
        return;
      case "readTail":
        this.#stores.readTail(effect.room);
        return;
      case "closeRoom": {
        const { node, room, epoch } = effect;
        bus.publish(subjects.nodeControl(node), control.encode({ type: "closeRoom", room, epoch }));
        return;
      }
      case "reread":
        this.#stores.reread();
        return;
      case "changeIndex":
        this.#stores.change(effect.change);
        return;
    }
  }
}
