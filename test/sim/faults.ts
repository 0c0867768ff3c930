import type { AppendFault, StoreFaults } from "../../src/journal/store-faults.ts";
import { between, type Fault, harm, lasting, one, type Scene, victim } from "./fault-scene.ts";
import type { SimClient } from "./sim-client.ts";
import { HEALTHY_LINKS, STORE_LATENCY, STREAMS } from "./sim-nats.ts";
import type { SimPerson } from "./sim-person.ts";
import type { SimRole } from "./sim-process.ts";

function crash(role: SimRole, backMs: readonly [number, number]): Fault {
  return (scene) => {
    const process = victim(scene, role);
    if (!process) return undefined;
    const downMs = between(scene.random, ...backMs);
    harm(scene, process, downMs);
    scene.fleet.crash(process, downMs);
    return downMs;
  };
}

function halt(role: SimRole, how: "freeze" | "stall", forMs: readonly [number, number]): Fault {
  return (scene) => {
    const process = victim(scene, role);
    if (!process) return undefined;
    const ms = lasting(scene, ...forMs);
    harm(scene, process, ms);
    process[how]();
    scene.fleet.time.in(ms, () => process.resume());
    return ms;
  };
}

function cutOff(
  role: SimRole,
  direction: "both_ways" | "one_way",
  forMs: readonly [number, number],
): Fault {
  return (scene) => {
    const process = victim(scene, role);
    if (!process) return undefined;
    const ms = lasting(scene, ...forMs);
    harm(scene, process, ms + 1_000);
    const undo = scene.fleet.nats.cutOff(process.self, direction);
    scene.fleet.time.in(ms, undo);
    return ms;
  };
}

/** Something befalls the writes of all processes, at these rates. */
function writes(fault: AppendFault, rate: number): Fault {
  const name = (
    { ack_lost: "ackLostRate", lost: "lostRate", late: "lateRate", refused: "refusedRate" } as const
  )[fault];
  return (scene) =>
    stores(scene, [2_000, 6_000], { [name]: rate, lateMsMax: 4_000 }, { [name]: 0 });
}

/** The stores' ways of all processes change, and change back. What overlaps ends with the first. */
function stores(
  scene: Scene,
  forMs: readonly [number, number],
  faulty: Partial<StoreFaults>,
  healthy: Partial<StoreFaults>,
): number {
  const { fleet, disturbances } = scene;
  const ms = lasting(scene, ...forMs);
  const lines = fleet.processes.map(({ connections }) => connections.stores.faults);
  disturbances.add("nats", fleet.time.now + ms);
  for (const line of lines) Object.assign(line, faulty);
  fleet.time.in(ms, () => {
    for (const line of lines) Object.assign(line, healthy);
  });
  return ms;
}

/** Something befalls the messages of both planes. */
function links(
  change: Partial<Record<"dropRate" | "duplicateRate" | "delayMsMax", number>>,
): Fault {
  return (scene) => {
    const { fleet, disturbances } = scene;
    const ms = lasting(scene, 1_000, 4_000);
    disturbances.add("nats", fleet.time.now + ms);
    for (const { faults } of [fleet.nats.control, fleet.nats.data]) {
      Object.assign(faults.everywhere, change);
      fleet.time.in(ms, () => Object.assign(faults.everywhere, HEALTHY_LINKS));
    }
    return ms;
  };
}

type ClientAct = (scene: Scene, client: SimClient) => number | undefined;

function client(act: ClientAct): Fault {
  return (scene) => {
    const chosen = one(
      scene.random,
      scene.fleet.clients.filter(({ room }) => room !== undefined),
    );
    if (!chosen) return undefined;
    const ms = act(scene, chosen);
    if (ms === undefined) return undefined;
    scene.disturbances.add(chosen, scene.fleet.time.now + ms);
    return ms;
  };
}

/** Befalls somebody in a room or at the event. */
function anybody(act: (scene: Scene, person: SimPerson<unknown>) => number): Fault {
  return (scene) => {
    const { clients, visitors } = scene.fleet;
    const there = [
      ...clients.filter(({ room }) => room !== undefined),
      ...visitors.filter(({ rooms }) => rooms.length > 0),
    ];
    const chosen: SimPerson<unknown> | undefined = one<SimPerson<unknown>>(scene.random, there);
    if (!chosen) return undefined;
    const ms = act(scene, chosen);
    scene.disturbances.add(chosen, scene.fleet.time.now + ms);
    return ms;
  };
}

const nodeRestart = crash("node", [0, 50]);

const nodeDrain: Fault = ({ fleet, random, disturbances }) => {
  const node = one(
    random,
    fleet.nodes.filter(({ process }) => process.up && !process.frozen),
  );
  // One at a time, as a rolling restart does.
  if (!node || fleet.nodes.some(({ node: { draining } }) => draining)) return undefined;
  disturbances.add(node.process, fleet.time.now + 10_000);
  node.drain();
  return 10_000;
};

/**
 * A room whose tail is an owner record then seems owned in the new generation, until placement
 * takes it for an orphan; and seats that came back with it are held for another while.
 */
const LAST_RESTORE_MS = 28_000;

/** Everything that is done to a cluster here. A run in which one never struck proves nothing. */
export const FAULTS = {
  nodeCrash: crash("node", [300, 3_000]),
  nodeRestart,
  gatewayCrash: crash("gateway", [300, 3_000]),
  placementCrash: crash("placement", [100, 3_000]),
  nodePause: halt("node", "freeze", [100, 8_000]),
  nodeLongPause: halt("node", "freeze", [8_000, 30_000]),
  nodeStall: halt("node", "stall", [100, 6_000]),
  gatewayPause: halt("gateway", "freeze", [100, 4_000]),
  zonePause: (scene) => {
    const zone = between(scene.random, 0, 1) < 0.5 ? 0 : 1;
    const ms = lasting(scene, 8_000, 14_000);
    // A third of four nodes and more at once: for a while it might as well be the bus.
    const there = scene.fleet.nodes.filter(({ zone: its, process }) => its === zone && process.up);
    for (const { process } of there) {
      harm(scene, process, ms);
      process.freeze();
      scene.fleet.time.in(ms, () => process.resume());
    }
    return there.length > 0 ? ms : undefined;
  },
  placementPause: halt("placement", "freeze", [100, 6_000]),
  nodeCut: cutOff("node", "both_ways", [200, 8_000]),
  nodeCutOneWay: cutOff("node", "one_way", [200, 8_000]),
  gatewayCut: cutOff("gateway", "both_ways", [200, 5_000]),
  placementCut: cutOff("placement", "both_ways", [200, 6_000]),

  serverSplit: ({ fleet, random, disturbances }) => {
    const ms = between(random, 300, 4_000);
    disturbances.add("nats", fleet.time.now + ms);
    fleet.time.in(ms, fleet.nats.split());
    return ms;
  },
  serverLoss: ({ fleet, random, disturbances }) => {
    const ms = between(random, 500, 5_000);
    disturbances.add("nats", fleet.time.now + 9_500);
    fleet.nats.loseServer(ms);
    return 9_500;
  },
  leaderLoss: ({ fleet, disturbances }) => {
    disturbances.add("nats", fleet.time.now + 9_500);
    fleet.nats.loseLeader();
    return 9_500;
  },
  reconnect: (scene) => {
    const process = one(
      scene.random,
      scene.fleet.processes.filter(({ up }) => up),
    );
    if (!process) return undefined;
    harm(scene, process, 1_000);
    scene.fleet.nats.reconnect(process.self);
    return 1_000;
  },
  advisoryLate: advisories("late"),
  advisoryLost: advisories("lost"),
  advisoryFalse: (scene) => {
    const process = victim(scene, "node");
    if (!process) return undefined;
    scene.fleet.nats.advise(process.self);
    return 0;
  },

  /** The journals are lost, and come back as they were a while before; what came since is gone. */
  restore: ({ fleet, random, disturbances }) => {
    const { stores } = fleet.nats;
    // Of what one brought back another backup has to be made first.
    if (fleet.restoring || fleet.time.now > LAST_RESTORE_MS) return undefined;
    fleet.restoring = true;
    const backup = stores.backup();
    const sinceMs = random.next() < 0.3 ? 0 : between(random, 100, 5_000);
    const downMs = between(random, 200, 2_000);
    const ms = sinceMs + downMs;
    const journals = STREAMS.filter((stream) => stream.startsWith("JRN"));
    fleet.time.in(sinceMs, () => {
      for (const stream of journals) stores.frozen.add(stream);
      disturbances.add("nats", fleet.time.now + downMs + 8_000);
    });
    fleet.time.in(ms, () => {
      fleet.restore(backup);
      for (const stream of journals) stores.frozen.delete(stream);
    });
    return ms + 8_000;
  },
  slowStores: (scene) =>
    stores(scene, [2_000, 6_000], { latencyMsMin: 10, latencyMsMax: 250 }, STORE_LATENCY),
  ackLost: writes("ack_lost", 0.3),
  writeLost: writes("lost", 0.3),
  writeLate: writes("late", 0.3),
  staleReads: (scene) => stores(scene, [5_000, 15_000], { staleRate: 0.7 }, { staleRate: 0 }),
  watchLag: (scene) =>
    stores(
      scene,
      [4_000, 12_000],
      { watchLagMsMin: 500, watchLagMsMax: 4_000, watchDuplicateRate: 0.4 },
      { watchLagMsMin: 0, watchLagMsMax: 0, watchDuplicateRate: 0 },
    ),
  watchSilent: (scene) =>
    stores(scene, [4_000, 15_000], { watchSilent: true }, { watchSilent: false }),

  loss: links({ dropRate: 0.15 }),
  duplicates: links({ duplicateRate: 0.2 }),
  delays: links({ delayMsMax: 250 }),
  interestLag: ({ fleet, random }) => {
    const ms = between(random, 4_000, 12_000);
    for (const { faults } of [fleet.nats.control, fleet.nats.data]) {
      faults.interestLagMsMax = 400;
      fleet.time.in(ms, () => {
        faults.interestLagMsMax = 0;
      });
    }
    return ms;
  },

  nodeDrain,
  gatewayDrain: ({ fleet, random, disturbances }) => {
    const up = fleet.gateways.filter(({ process, core }) => process.up && !core.draining);
    const gateway = up.length > 1 ? one(random, up) : undefined;
    if (!gateway) return undefined;
    disturbances.add(gateway.process, fleet.time.now + 8_000);
    gateway.drain();
    return 8_000;
  },
  versionSkew: (scene) => {
    scene.fleet.version = 2;
    return nodeDrain(scene) ?? nodeRestart(scene);
  },

  poison: client((_scene, chosen) => {
    chosen.act("explode", null);
    return 4_000;
  }),
  /** A room crashes while its append is on its way: the next claim meets what it left behind. */
  crashInFlight: client((scene, chosen) => {
    const { fleet } = scene;
    stores(scene, [1_000, 2_000], { latencyMsMin: 20, latencyMsMax: 120 }, STORE_LATENCY);
    chosen.act("add", { key: "hot", n: 1 });
    fleet.time.in(15, () => chosen.act("explode", null));
    return 4_000;
  }),
  hang: client((scene, chosen) => {
    const { hungRooms } = scene.fleet;
    // Each kills two nodes, and a room that killed three is in quarantine for good.
    if (hungRooms.has(chosen.roomName)) return undefined;
    hungRooms.add(chosen.roomName);
    chosen.act("hang", null);
    // Whoever runs it dies of it, twice at most.
    for (const { process } of scene.fleet.nodes) harm(scene, process, 12_000);
    return 12_000;
  }),
  hotRoom: client(({ fleet, disturbances }, chosen) => {
    const there = fleet.clients.filter(({ roomName }) => roomName === chosen.roomName);
    for (const each of there) {
      disturbances.add(each, fleet.time.now + 5_000);
      // Whose order their answers tell, however many there are at once.
      for (let i = 0; i < 40; i++) each.act("add", { key: "hot", n: 1 });
    }
    return 5_000;
  }),
  massJoin: ({ fleet, random, disturbances }) => {
    const room = one(random, fleet.rooms);
    if (!room) return undefined;
    const come = (count: number, forMs: number): void => {
      for (let i = 0; i < count; i++) {
        const guest = fleet.join(`guest-${fleet.clients.length}`, room);
        disturbances.add(guest, Number.POSITIVE_INFINITY);
        // Half of them say good-bye; the seats of the others are held for a while.
        const polite = i % 2 === 0;
        fleet.time.in(forMs, () => {
          if (polite) guest.leave();
          fleet.time.in(500, () => guest.stop());
        });
      }
    };
    come(12, 4_000);
    // Others are given the seats that are free by then.
    fleet.time.in(5_000, () => come(6, 3_000));
    return 8_500;
  },
  clockRate: ({ fleet, random }) => {
    const process = one(
      random,
      fleet.processes.filter(({ up }) => up),
    );
    const rate = 0.9 + 0.2 * random.next();
    process?.main.setRate(rate);
    process?.liveness.setRate(rate);
    return process ? 0 : undefined;
  },
  wallJump: ({ fleet, random }) => {
    const process = one(
      random,
      fleet.processes.filter(({ up }) => up),
    );
    process?.main.jumpWall(between(random, -60_000, 60_000));
    return process ? 0 : undefined;
  },

  clientCut: anybody(({ fleet, random }, { access }) => {
    const ms = between(random, 500, 12_000);
    access.cut = true;
    fleet.time.in(ms, () => {
      access.cut = false;
    });
    return ms + 6_000;
  }),
  clientReset: anybody((_scene, { sockets }) => {
    for (const socket of [...sockets]) socket.reset();
    return 1_000;
  }),
  clientPause: anybody(({ fleet, random }, { access }) => {
    const ms = between(random, 500, 12_000);
    access.strand.freeze();
    fleet.time.in(ms, () => access.strand.resume());
    return ms + 1_000;
  }),
  duplicateTab: client(({ fleet }, chosen) => {
    const twin = fleet.join(chosen.name, chosen.roomName, chosen.saved);
    fleet.time.in(5_000, () => twin.stop());
    return 30_000;
  }),
  /** The leave of a first tab comes when its person is in by a second one, which stays. */
  lateLeave: client((scene, chosen) => {
    const { fleet } = scene;
    const [socket] = chosen.sockets;
    if (socket) {
      const { process } = socket.gateway;
      harm(scene, process, 1_000);
      process.freeze();
      fleet.time.in(1_000, () => process.resume());
    }
    fleet.join(chosen.name, chosen.roomName, chosen.saved);
    chosen.leave();
    return 30_000;
  }),
} as const satisfies Record<string, Fault>;

export type FaultKind = keyof typeof FAULTS;
export const FAULT_KINDS = Object.keys(FAULTS) as FaultKind[];

function advisories(how: "late" | "lost"): Fault {
  return ({ fleet, random }) => {
    const ms = between(random, 5_000, 15_000);
    fleet.nats.advisories = how;
    fleet.time.in(ms, () => {
      fleet.nats.advisories = "prompt";
    });
    return ms;
  };
}
