import { NODE_DEFAULTS, Node } from "../../actors/node.ts";
import { rehearse } from "../../actors/rehearsal.ts";
import type { World } from "../../actors/room/define-room.ts";
import { NatsBus } from "../bus/nats-bus.ts";
import type { NodeConfig } from "../config/role-config.ts";
import { NatsIndexStore } from "../journal/nats-index-store.ts";
import { openNatsJournal } from "../journal/nats-journal.ts";
import { NatsSnapshotStore } from "../journal/nats-snapshot-store.ts";
import { waitForStreams } from "../journal/nats-streams.ts";
import type { Clock } from "../kernel/clock.ts";
import { loopUtilisation } from "../kernel/loop-utilisation.ts";
import { err, ok } from "../kernel/result.ts";
import { type Liveness, startLiveness } from "../membership/liveness.ts";
import type { NodeFacts } from "../membership/liveness-beats.ts";
import type { NodeLoad } from "../membership/liveness-cell.ts";
import { openConnection, targetOf } from "./connections.ts";
import { EXIT, endWhen, type RoleRuntime, type StartRole } from "./process.ts";
import { loadWorlds } from "./worlds.ts";

/** Hosts rooms. */
export const startNodeRole: StartRole<"node"> = async (config, runtime) => {
  const worlds = await loadWorlds(config.node.worlds);
  if (!worlds.ok) return worlds;
  const control = await openConnection(config, config.control, "control", runtime);
  if (!control.ok) return control;
  const data = await openConnection(config, config.data, "data", runtime);
  if (!data.ok) return data;
  const streams = await waitForStreams(control.value, "all");
  const journal = await openNatsJournal(control.value);
  if (!streams.ok || !journal.ok) {
    return err("The streams are not there: a placement process makes them. Is one running?");
  }
  const controlBus = new NatsBus(control.value);
  const dataBus = new NatsBus(data.value);
  let liveness: Liveness | undefined;
  const ending = { clock: runtime.clock, log: runtime.observer.log };
  const node = new Node(
    {
      ...runtime,
      controlBus,
      dataBus,
      journal: journal.value,
      snapshots: new NatsSnapshotStore(control.value),
      index: new NatsIndexStore(control.value),
      utilisation: loopUtilisation(),
      turn: (room) => (room === undefined ? liveness?.leave() : liveness?.enter(room)),
      declaredDead: () => process.exit(EXIT.declaredDead),
      drained: () => endWhen(close(), ending, config.stopMsMax, EXIT.stopped),
    },
    worlds.value,
    nodeLimits(config),
  );
  let closing: Promise<void> | undefined;
  function close(): Promise<void> {
    closing ??= closed();
    return closing;
  }
  async function closed(): Promise<void> {
    const silent = liveness?.close();
    node.close();
    await silent;
    await Promise.all([controlBus.close(), dataBus.close()]);
  }
  await rehearse(runtime.clock, runtime.random);
  // From the first beat on placement sends rooms, so the node listens before it.
  const speaking = await startLiveness({
    facts: nodeFacts(config, runtime, worlds.value),
    clock: runtime.clock,
    control: controlBus,
    data: dataBus,
    measure: nodeLoad(node, runtime.clock),
    target: targetOf(config.nats, config.control),
  });
  if (!speaking.ok) return err(`The liveness thread can not reach NATS: ${speaking.error.detail}.`);
  liveness = speaking.value;
  return ok({
    notReady: () => [
      ...(controlBus.connected ? [] : ["the control bus"]),
      ...(dataBus.connected ? [] : ["the data bus"]),
    ],
    stop: async () => {
      await node.drain(config.node.drainMs);
      await close();
    },
  });
};

/** What the operator's knobs say, over the part's own defaults. */
export function nodeLimits({ node }: Pick<NodeConfig, "node">): typeof NODE_DEFAULTS {
  const { seatHoldMs, sessionKeepMs, snapshotRecords, stateBytesMax } = node;
  const room = { ...NODE_DEFAULTS.room, seatHoldMs, sessionKeepMs, snapshotRecords, stateBytesMax };
  return { ...NODE_DEFAULTS, room };
}

export function nodeFacts(
  config: Pick<NodeConfig, "node" | "zone" | "version">,
  { self, host, pid }: Pick<RoleRuntime, "self" | "host" | "pid">,
  worlds: readonly World[],
): NodeFacts {
  const { capacity, pricePerHour } = config.node;
  const hosted = worlds.map(({ name, version }) => ({ world: name, stateVersion: version }));
  const { zone, version } = config;
  const arch = process.arch;
  return { process: self, capacity, arch, zone, version, pricePerHour, host, pid, worlds: hosted };
}

const EGRESS_WINDOW_MS = 1_000;

/** What a node measures of itself: its counters, and their change over the last second. */
export function nodeLoad(node: Pick<Node, "stats">, clock: Pick<Clock, "now">): () => NodeLoad {
  let since = { at: clock.now(), bytes: 0 };
  let egressBytesPerS = 0;
  return () => {
    const { rooms, sessions, egressBytes, draining, stretch } = node.stats();
    const spanMs = clock.now() - since.at;
    if (spanMs >= EGRESS_WINDOW_MS) {
      egressBytesPerS = Math.round(((egressBytes - since.bytes) * 1000) / spanMs);
      since = { at: clock.now(), bytes: egressBytes };
    }
    return { rooms, sessions, egressBytesPerS, draining, stretch };
  };
}
