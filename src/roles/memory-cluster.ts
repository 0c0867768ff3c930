import os from "node:os";
import { Node } from "../../actors/node.ts";
import type { World } from "../../actors/room/define-room.ts";
import { type Gateway, startGateway } from "../../gateway/gateway.ts";
import type { Bus } from "../bus/bus.ts";
import { MemoryNetwork } from "../bus/memory-bus.ts";
import { CONTROL_TOKEN, DEV_KEYS } from "../config/keys.ts";
import { parseFile } from "../config/load.ts";
import type { FileConfig } from "../config/schema.ts";
import { readStaticFiles } from "../control/static-files.ts";
import type { StoreAccess } from "../journal/memory-stores.ts";
import { MemoryStores } from "../journal/memory-stores.ts";
import { assert } from "../kernel/assert.ts";
import { holdingClock } from "../kernel/clock.ts";
import { processId } from "../kernel/ids.ts";
import { loopUtilisation } from "../kernel/loop-utilisation.ts";
import { randomHex, systemRandom } from "../kernel/random.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { type Liveness, startInlineLiveness } from "../membership/liveness.ts";
import { listenHttp } from "../observe/http.ts";
import { createLog } from "../observe/log.ts";
import { createMetrics } from "../observe/metrics.ts";
import { startPlacement } from "../placement/service.ts";
import { startBots } from "./bots.ts";
import { audienceOf, DEMO_EVENT, DEMO_ROOM, pageOrigins } from "./cluster-plan.ts";
import { buildPage } from "./demo-page.ts";
import { openDemo } from "./demo-room.ts";
import { gatewayKeys, gatewayLimits } from "./gateway.ts";
import { type LocalCluster, type LocalClusterOptions, showPage } from "./local-cluster.ts";
import { nodeFacts, nodeLimits, nodeLoad } from "./node.ts";
import { controlPort, operatorHandler, placementLimits } from "./placement.ts";
import { type ClusterPorts, clusterPorts } from "./ports.ts";
import type { RoleRuntime } from "./process.ts";
import { packageVersion } from "./project.ts";
import { makeWorkDir } from "./work-dir.ts";
import { loadWorlds, worldModules } from "./worlds.ts";

/** One role's place in the process: what it would have for itself otherwise. */
interface Seat extends RoleRuntime {
  readonly controlBus: Bus;
  readonly dataBus: Bus;
  readonly stores: StoreAccess;
}

/**
 * Every role in this one process, over a bus and stores in memory: for trying things out where
 * there is no nats-server, and for tests. Nothing outlives the process.
 */
export async function startMemoryCluster(
  options: LocalClusterOptions,
  registerStop: (stop: () => Promise<void>) => void,
): Promise<Result<LocalCluster, string>> {
  const { flags, env, say } = options;
  const ports = await clusterPorts(flags.port, flags.gateways);
  if (!ports.ok) return ports;
  const worlds = await loadWorlds(worldModules(flags.worlds));
  if (!worlds.ok) return worlds;
  const work = await makeWorkDir();
  const built = await buildPage(work.path);
  if (!built.ok) say(`There is no demo page: ${built.error}`);
  const cluster = new MemoryCluster(options, ports.value, worlds.value);
  const stop = async (): Promise<void> => {
    await cluster.stop();
    await work.remove();
  };
  registerStop(stop);
  const control = `http://127.0.0.1:${ports.value.control}`;
  const started = await cluster.start(work.path);
  const where = { control, gateways: cluster.gateways, token: env[CONTROL_TOKEN.variable] };
  const opened = started.ok ? await openDemo(where) : started;
  if (!opened.ok) {
    await stop();
    return err(opened.error);
  }
  cluster.letBotsIn();
  const show = built.ok ? showPage(control) : null;
  const { gateways } = cluster;
  const processes = () => cluster.processes();
  const demo = built.ok ? `${control}/` : null;
  return ok({ control, demo, show, gateways, nats: null, processes, stop });
}

class MemoryCluster {
  readonly #options: LocalClusterOptions;
  readonly #ports: ClusterPorts;
  readonly #worlds: readonly World[];
  readonly #file: FileConfig;
  readonly #version = packageVersion();
  readonly #control = new MemoryNetwork(holdingClock, systemRandom);
  readonly #data = new MemoryNetwork(holdingClock, systemRandom);
  readonly #stores = new MemoryStores(holdingClock, systemRandom);
  readonly #seats: { readonly role: "placement" | "node" | "gateway"; readonly seat: Seat }[] = [];
  readonly #gateways: Gateway[] = [];
  /** In the order started; stopped in the other one. */
  readonly #ends: (() => Promise<void> | void)[] = [];

  constructor(options: LocalClusterOptions, ports: ClusterPorts, worlds: readonly World[]) {
    this.#options = options;
    this.#ports = ports;
    this.#worlds = worlds;
    const origins = JSON.stringify([...pageOrigins(ports.control), ...options.flags.origins]);
    const file = parseFile({}, ["gateway.drainMs=1000", `gateway.origins=${origins}`]);
    assert(file.ok, "the defaults and origins that were checked are a configuration");
    this.#file = file.value;
  }

  get gateways(): string[] {
    return this.#gateways.map((gateway) => gateway.url);
  }

  processes(): { role: "placement" | "node" | "gateway"; id: string; pid: number }[] {
    return this.#seats.map(({ role, seat }) => ({ role, id: seat.self, pid: seat.pid }));
  }

  async start(page: string): Promise<Result<void, string>> {
    const { nodes, gateways } = this.#options.flags;
    const listening = await this.#startPlacement(page);
    if (!listening.ok) return listening;
    for (let i = 1; i <= nodes; i += 1) this.#startNode(`node-${i}`);
    for (let i = 1; i <= gateways; i += 1) await this.#startGateway(i);
    return ok(undefined);
  }

  letBotsIn(): void {
    const { bots } = this.#options.flags;
    if (bots === 0) return;
    const show = { event: DEMO_EVENT, audience: audienceOf(bots) };
    const options = { gateways: this.gateways, room: DEMO_ROOM, bots, show };
    const log = this.#logOf("bots", "bots");
    const running = startBots(options, log, holdingClock, (reason) =>
      log.warn({ reason }, "Bots do not come in."),
    );
    this.#ends.push(() => running.stop());
  }

  async stop(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end();
  }

  #logOf(role: string, self: string) {
    return createLog({
      level: this.#options.flags.quiet ? "warn" : "info",
      who: { role, process: self },
      clock: holdingClock,
      pretty: false,
      write: (line) => this.#options.onLine(self, line.trimEnd()),
    });
  }

  #seat(role: "placement" | "node" | "gateway", name: string): Seat {
    const self = processId(`${name}.${randomHex(systemRandom, 8)}`);
    // What belongs to the process as a whole is shown by the one whose metrics are served.
    const metrics = createMetrics({ processMetrics: role === "placement" });
    const observer = { log: this.#logOf(role, self), metrics };
    const seat: Seat = {
      self,
      clock: holdingClock,
      random: systemRandom,
      observer,
      metrics,
      host: os.hostname(),
      pid: process.pid,
      httpUrl: `http://127.0.0.1:${this.#ports.control}`,
      controlBus: this.#control.open(self, { observer, label: "control" }),
      dataBus: this.#data.open(self, { observer, label: "data" }),
      stores: this.#stores.open(),
    };
    this.#seats.push({ role, seat });
    return seat;
  }

  async #startPlacement(page: string): Promise<Result<void, string>> {
    const seat = this.#seat("placement", "placement-1");
    const { index, journal } = seat.stores;
    const placement = startPlacement({
      ...seat,
      url: seat.httpUrl,
      control: seat.controlBus,
      sys: undefined,
      index,
      journal,
      config: placementLimits(this.#file),
    });
    this.#ends.push(() => placement.close());
    const controlToken = this.#options.env[CONTROL_TOKEN.variable];
    const handle = operatorHandler({ dev: true, controlToken }, seat, {
      port: controlPort(placement, index, seat.clock),
      notReady: () => [],
      files: await readStaticFiles(page),
    });
    const port = this.#ports.control;
    const { observer, clock } = seat;
    const http = await listenHttp({ host: "127.0.0.1", port, handle, observer, clock });
    if (!http.ok) return err(`The control API can not listen on port ${port}: ${http.error}.`);
    this.#ends.push(() => http.value.close());
    return ok(undefined);
  }

  #startNode(name: string): void {
    const seat = this.#seat("node", name);
    let liveness: Liveness | undefined;
    const close = async (): Promise<void> => {
      const silent = liveness?.close();
      node.close();
      await silent;
    };
    const node = new Node(
      {
        ...seat,
        ...seat.stores,
        turn: (room) => (room === undefined ? liveness?.leave() : liveness?.enter(room)),
        utilisation: loopUtilisation(),
        // The others in this process did nothing wrong.
        declaredDead: () => void close(),
      },
      this.#worlds,
      nodeLimits(this.#file),
    );
    liveness = startInlineLiveness({
      facts: nodeFacts({ ...this.#file, version: this.#version }, seat, this.#worlds),
      clock: seat.clock,
      control: seat.controlBus,
      data: seat.dataBus,
      measure: nodeLoad(node, seat.clock),
    });
    this.#ends.push(close);
  }

  async #startGateway(number: number): Promise<void> {
    const seat = this.#seat("gateway", `gateway-${number}`);
    const port = this.#ports.gateways[number - 1] ?? 0;
    const gateway = await startGateway({
      ...seat,
      journal: seat.stores.journal,
      utilisation: loopUtilisation(),
      config: {
        ...gatewayLimits({ ...this.#file, version: this.#version, dev: true }, seat.host),
        port,
      },
      keys: gatewayKeys({
        people: { jwtSecret: DEV_KEYS.jwtSecret },
        sessionSecret: DEV_KEYS.sessionSecret,
      }),
    });
    this.#gateways.push(gateway);
    this.#ends.push(() => gateway.close());
  }
}
