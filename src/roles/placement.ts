import type { Bus } from "../bus/bus.ts";
import { NatsBus } from "../bus/nats-bus.ts";
import type { PlacementConfig } from "../config/role-config.ts";
import { controlHandler, type DevTools } from "../control/api.ts";
import { killLocalNode } from "../control/kill.ts";
import type { ControlPort } from "../control/port.ts";
import { readStaticFiles, type StaticFiles } from "../control/static-files.ts";
import type { IndexStore } from "../journal/index-store.ts";
import { NatsIndexStore } from "../journal/nats-index-store.ts";
import { openNatsJournal } from "../journal/nats-journal.ts";
import { provisionStreams } from "../journal/nats-provision.ts";
import type { Clock } from "../kernel/clock.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { healthHandler } from "../observe/health.ts";
import type { HttpHandler } from "../observe/http-answers.ts";
import {
  type Placement,
  type PlacementConfig as PlacementLimits,
  placementDefaults,
  startPlacement,
} from "../placement/service.ts";
import { DEMO_ROOM } from "./cluster-plan.ts";
import { openConnection } from "./connections.ts";
import { DEV_TOKEN_PATH } from "./demo-room.ts";
import { EXIT, endWhen, type RoleRuntime, type StartRole } from "./process.ts";

/** Decides where rooms live, and answers operators. `page`: folder of the demo page (dev mode). */
export const startPlacementRole =
  ({ page }: { readonly page: string | undefined }): StartRole<"placement"> =>
  async (config, runtime) => {
    const files = await pageFiles(page);
    if (!files.ok) return files;
    const control = await openConnection(config, config.control, "control", runtime);
    if (!control.ok) return control;
    const opened = await openSys(config, runtime);
    if (!opened.ok) return opened;
    const sys = opened.value;
    const { replicas } = config.placement;
    const streams = await provisionStreams(control.value, { replicas });
    if (!streams.ok) {
      const { stream, detail } = streams.error;
      return err(`JetStream does not serve (${stream}: ${detail}).`);
    }
    const journal = await openNatsJournal(control.value);
    if (!journal.ok) return err("JetStream does not serve: the journals can not be read.");
    const bus = new NatsBus(control.value);
    const index = new NatsIndexStore(control.value);
    const ending = { clock: runtime.clock, log: runtime.observer.log };
    const placement = startPlacement({
      ...runtime,
      drained: () => endWhen(close(), ending, config.stopMsMax, EXIT.stopped),
      url: config.placement.publicUrl ?? runtime.httpUrl,
      control: bus,
      sys,
      index,
      journal: journal.value,
      config: placementLimits(config),
    });
    let closing: Promise<void> | undefined;
    function close(): Promise<void> {
      closing ??= closed();
      return closing;
    }
    async function closed(): Promise<void> {
      await placement.leave();
      placement.close();
      await Promise.all([bus.close(), sys?.close()]);
    }
    const notReady = (): string[] => (bus.connected ? [] : ["the control bus"]);
    return ok({
      notReady,
      handle: operatorHandler(config, runtime, {
        port: controlPort(placement, index, runtime.clock),
        notReady,
        files: files.value,
      }),
      stop: close,
    });
  };

async function pageFiles(page: string | undefined): Promise<Result<StaticFiles, string>> {
  if (page === undefined) return ok(new Map());
  try {
    return ok(await readStaticFiles(page));
  } catch (error) {
    return err(`--page ${page} can not be read: ${(error as Error).message}`);
  }
}

async function openSys(
  config: PlacementConfig,
  runtime: RoleRuntime,
): Promise<Result<Bus | undefined, string>> {
  if (config.sys === undefined) return ok(undefined);
  const sys = await openConnection(config, config.sys, "sys", runtime);
  return sys.ok ? ok(new NatsBus(sys.value)) : sys;
}

/** What the operator's knobs say, over the part's own defaults. */
export function placementLimits({
  placement,
}: Pick<PlacementConfig, "placement">): PlacementLimits {
  const { roomsMax, closedEntryKeepMs, autoCreate, rebalance } = placement;
  const planner = { ...placementDefaults.planner, roomsMax };
  const rebalancer = { ...placementDefaults.rebalancer, ...rebalance };
  const closed = { ...placementDefaults.closed, keepMs: closedEntryKeepMs };
  return { ...placementDefaults, planner, rebalancer, closed, autoCreate };
}

/** Placement's beliefs and deeds, and single rooms from the index, which is nearer to the truth. */
export function controlPort(
  placement: Placement,
  index: Pick<IndexStore, "read">,
  clock: Pick<Clock, "wallNow">,
): ControlPort {
  return {
    wallNow: () => clock.wallNow(),
    view: () => {
      const { nodes, gateways, placements, ended } = placement.snapshot();
      return { nodes, gateways, placements, ended };
    },
    rooms: () => placement.snapshot().rooms,
    hosts: (world) => placement.hosts(world),
    room: (room) => index.read(room),
    createRoom: (room, world, immovable) => placement.createRoom(room, world, immovable),
    markRoom: (room, immovable) => placement.markRoom(room, immovable),
    drain: (request) => placement.drain(request),
    closeRoom: (room) => placement.closeRoom(room),
    events: placement.events,
    operate: (room, name, body) => placement.operate(room, name, body),
    closeEvent: (stage) => placement.closeEvent(stage),
  };
}

/** The operator API of one placement replica, with the demo in dev mode. */
export function operatorHandler(
  config: Pick<PlacementConfig, "dev" | "controlToken">,
  runtime: Pick<RoleRuntime, "metrics">,
  parts: {
    readonly port: ControlPort;
    readonly notReady: () => readonly string[];
    readonly files: StaticFiles;
  },
): HttpHandler {
  const { metrics } = runtime;
  const devTools: DevTools = {
    kill: killLocalNode,
    files: parts.files,
    demoRoom: DEMO_ROOM,
    tokenUrl: () => DEV_TOKEN_PATH,
  };
  return controlHandler({
    port: parts.port,
    access: { token: config.controlToken, dev: config.dev },
    health: healthHandler({ notReady: parts.notReady }, metrics),
    devTools: config.dev ? devTools : undefined,
  });
}
