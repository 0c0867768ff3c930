import { NODE_DEFAULTS, Node } from "../../actors/node.ts";
import type { World } from "../../actors/room/define-room.ts";
import { type Liveness, startInlineLiveness } from "../../src/membership/liveness.ts";
import { livenessDefaults } from "../../src/membership/liveness-beats.ts";
import { eventWorlds } from "./event-world.ts";
import { type Hang, registerWorld } from "./register-world.ts";
import { SimProcess, type Surroundings } from "./sim-process.ts";

/** A seat is let go well before the minute is over. */
const SEAT_HOLD_MS = 10_000;
export const PENDING_ENTRIES_MAX = 32;
/** So little that it fills up while a command runs alone. */
const MAILBOX = { controlMax: 64, durableMax: 16, durableBytesMax: 16 * 1024, volatileMax: 16 };
/** Small, so that a minute sees snapshots, trims and rings that are full. */
const ROOM = {
  ...NODE_DEFAULTS.room,
  snapshotRecords: 24,
  snapshotRecordsMin: 8,
  ringRecordsMax: 12,
  seatHoldMs: SEAT_HOLD_MS,
  sessionKeepMs: 120_000,
  mailbox: MAILBOX,
  pendingEntriesMax: PENDING_ENTRIES_MAX,
  // Twice the period of its ticks.
  tickMsMax: 1_000,
};
/**
 * The loop shows that it turns a little less often: nothing of it takes less than a second. Its
 * thread looks with every beat then, and never between two.
 */
const LIVENESS = { ...livenessDefaults, tickMs: 250 };
/** Slower than a definition may ask for: frames are most of what a seed costs. */
const TICK_HZ = 2;
/** What the last room's people may take to go when a node drains. */
export const DRAIN_MS = 8_000;

/** A node as its role puts it together, over the simulated ports. */
export class SimNode {
  readonly process: SimProcess;
  readonly node: Node;
  readonly version: number;
  readonly zone: 0 | 1;

  constructor(name: string, version: number, surroundings: Surroundings) {
    const process = new SimProcess("node", name, surroundings);
    const { self, main, liveness: thread, random, observer, connections } = process;
    const { clock } = main;
    const { control: controlBus, data: dataBus, stores } = connections;
    this.process = process;
    this.version = version;
    this.zone = Number(name.slice(-1)) % 2 === 0 ? 0 : 1;
    let speaking: Liveness | undefined;
    let hung = false;
    // An endless loop: nothing of this turn comes out, and the liveness thread sees whose it is.
    const hang: Hang = () => {
      hung = true;
      process.stall();
      for (const bus of [controlBus, dataBus]) void bus.close();
      stores.faults.unreachable = true;
      throw new Error("this turn never ends");
    };
    const { event } = surroundings;
    const worlds: World[] = [
      { ...registerWorld(version, hang), tickHz: TICK_HZ },
      ...(event ? eventWorlds(self, event.shape, event.answered) : []),
    ];
    this.node = new Node(
      {
        self,
        controlBus,
        dataBus,
        ...stores,
        clock,
        random,
        observer,
        utilisation: () => process.utilisation(),
        turn: (room) => {
          if (room !== undefined) speaking?.enter(room);
          else if (!hung) speaking?.leave();
        },
        declaredDead: () => process.exit("declared dead"),
        drained: () => process.exit("drained"),
      },
      worlds,
      { ...NODE_DEFAULTS, room: ROOM },
    );
    speaking = startInlineLiveness(
      {
        facts: {
          process: self,
          capacity: 1,
          arch: this.zone === 0 ? "arm64" : "x64",
          zone: `z${this.zone}`,
          version: `${version}`,
          pricePerHour: 0,
          host: name,
          pid: 1,
          worlds: worlds.map(({ name: world, version: its }) => ({ world, stateVersion: its })),
        },
        clock,
        control: controlBus,
        data: dataBus,
        measure: () => ({ ...this.node.stats(), egressBytesPerS: 0 }),
        utilisation: () => 0.1,
        config: LIVENESS,
      },
      {
        clock: thread.clock,
        bus: process.connectLiveness(),
        overdue: () => process.exit("its main loop or a connection did not answer"),
      },
    );
  }

  /** SIGTERM. */
  drain(): void {
    void this.node.drain(DRAIN_MS).then(() => this.process.exit("drained"));
  }
}
