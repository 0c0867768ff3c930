import os from "node:os";
import { describeConfig } from "../config/load.ts";
import type { Role, RoleConfigs } from "../config/role-config.ts";
import { type Clock, systemClock } from "../kernel/clock.ts";
import { type ProcessId, processId } from "../kernel/ids.ts";
import { type Random, randomHex, systemRandom } from "../kernel/random.ts";
import type { Result } from "../kernel/result.ts";
import { healthHandler } from "../observe/health.ts";
import { listenHttp } from "../observe/http.ts";
import { type HttpHandler, notFound } from "../observe/http-answers.ts";
import { createLog } from "../observe/log.ts";
import { createMetrics, type MetricsRegistry } from "../observe/metrics.ts";
import type { Observer } from "../observe/observer.ts";

/** What a role is handed by the process around it. */
export interface RoleRuntime {
  readonly self: ProcessId;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: Observer;
  readonly metrics: MetricsRegistry;
  readonly host: string;
  readonly pid: number;
  /** Where this process answers HTTP, for those that have to be told. */
  readonly httpUrl: string;
}

/** A role at work. */
export interface RunningRole {
  /** What it waits for before it can serve; empty when it is ready. */
  notReady(): readonly string[];
  /** Instead of health and metrics alone. */
  readonly handle?: HttpHandler;
  /** Clean: hands over what it holds. */
  stop(): Promise<void>;
}

export type StartRole<R extends Role> = (
  config: RoleConfigs[R],
  runtime: RoleRuntime,
) => Promise<Result<RunningRole, string>>;

/** What a supervised process tells its supervisor over IPC, once it serves. */
export interface ReadyMessage {
  readonly type: "ready";
  readonly id: ProcessId;
}

/** One exit code for each reason, so that a supervisor can tell them apart. */
export const EXIT = {
  stopped: 0,
  failed: 1,
  usage: 2,
  /** Of `restart`: nothing was done, or not all; something did not come back, or did not stay. */
  refused: 3,
  incomplete: 4,
  degraded: 5,
  /** And: a node ended with rooms that it had not handed over. */
  rooms_left: 6,
  crashed: 70,
  orphaned: 71,
  declaredDead: 72,
} as const;

/** An orphan has nobody left to wait for it: what it holds is taken over by others. */
const ORPHAN_STOP_MS = 2_500;
const READY_POLL_MS = 20;

/** Runs one role as this whole process: it ends by a signal, a crash, or the supervisor's death. */
export async function runRole<R extends Role>(
  config: RoleConfigs[R],
  start: StartRole<R>,
  options: { readonly supervised: boolean },
): Promise<void> {
  const self = processId(`${config.name}.${randomHex(systemRandom, 8)}`);
  const log = createLog({
    level: config.log.level,
    who: { role: config.role, process: self },
    clock: systemClock,
    pretty: process.stdout.isTTY === true,
  });
  crashOnBugs(log);
  log.info({ config: describeConfig(config) }, "This process starts.");
  // Under a supervisor it is the supervisor's to say, and it says it once.
  const level = options.supervised ? "info" : "warn";
  if (config.dev) log[level]({}, "Dev mode: anyone may act as anyone. Not for production.");

  const metrics = createMetrics({ processMetrics: true });
  const { version } = config;
  metrics.set("roomcluster_process_info", 1, { role: config.role, process: self, version });
  let running: RunningRole | undefined;
  // Before anything that takes time: a supervisor that dies meanwhile says so only once.
  stopOnSignals(log, () => running, config.stopMsMax, options.supervised);
  const health = healthHandler({ notReady: () => running?.notReady() ?? ["the start"] }, metrics);
  const handle: HttpHandler = (request) =>
    running?.handle?.(request) ?? health(request) ?? notFound();
  const observer = { log, metrics };
  const http = await listenHttp({ ...config.http, handle, observer, clock: systemClock });
  if (!http.ok) {
    const { host, port } = config.http;
    return fail(log, `http (${host}:${port}): ${http.error.replaceAll("_", " ")}`);
  }
  const shown = config.http.host.includes(":") ? `[${config.http.host}]` : config.http.host;
  const started = await start(config, {
    self,
    clock: systemClock,
    random: systemRandom,
    observer,
    metrics,
    host: os.hostname(),
    pid: process.pid,
    httpUrl: `http://${shown}:${http.value.port}`,
  });
  if (!started.ok) return fail(log, started.error);
  running = started.value;
  log.info({ http: http.value.port }, "This process has started.");
  if (options.supervised) tellWhenReady(running, self);
}

function fail(log: Observer["log"], reason: string): never {
  log.error({ reason }, "This process can not start.");
  process.exit(EXIT.failed);
}

/** A process whose state may be wrong must not go on: others take over what it held. */
export function crashOnBugs(log: Observer["log"]): void {
  process.on("uncaughtException", (error, origin) => {
    log.error({ error, origin }, "A bug: this process crashes.");
    process.exit(EXIT.crashed);
  });
}

/** Ends this process with `code` when it is done stopping, or as failed after `stopMsMax`. */
export function endWhen(
  stopped: Promise<void>,
  { clock, log }: { readonly clock: Pick<Clock, "after">; readonly log: Observer["log"] },
  stopMsMax: number,
  code: number,
): void {
  const late = clock.after(stopMsMax, () => {
    log.warn({ stopMsMax }, "Stopping took too long: this process ends as it is.");
    process.exit(EXIT.failed);
  });
  void stopped.then(() => {
    late.cancel();
    log.info({}, "This process has stopped.");
    process.exit(code);
  });
}

/** `running` is undefined during the start: nothing is to be handed over, so it ends at once. */
export function stopOnSignals(
  log: Observer["log"],
  running: () => Pick<RunningRole, "stop"> | undefined,
  stopMsMax: number,
  supervised: boolean,
): void {
  let stopping = false;
  const stop = (reason: string, msMax: number, code: number): void => {
    // Somebody who asks twice does not want to wait for a clean end.
    if (stopping) process.exit(EXIT.failed);
    stopping = true;
    log.info({ reason }, "This process stops.");
    const role = running();
    if (role === undefined) process.exit(code);
    endWhen(role.stop(), { clock: systemClock, log }, msMax, code);
  };
  process.on("SIGTERM", () => stop("SIGTERM", stopMsMax, EXIT.stopped));
  process.on("SIGINT", () => stop("SIGINT", stopMsMax, EXIT.stopped));
  if (supervised) {
    const orphaned = (): void => {
      if (!stopping) stop("the supervisor is gone", ORPHAN_STOP_MS, EXIT.orphaned);
    };
    process.on("disconnect", orphaned);
    if (!process.connected) orphaned();
  }
}

export function tellWhenReady(role: Pick<RunningRole, "notReady">, id: ProcessId): void {
  const poll = systemClock.every(READY_POLL_MS, () => {
    if (role.notReady().length > 0) return;
    poll.cancel();
    const message: ReadyMessage = { type: "ready", id };
    process.send?.(message);
  });
}
