import path from "node:path";
import { CONTROL_TOKEN } from "../config/keys.ts";
import type { Environment } from "../config/load.ts";
import { holdingClock } from "../kernel/clock.ts";
import { systemRandom } from "../kernel/random.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { type ChildSpec, type ChildView, Supervisor } from "./children.ts";
import { type ClusterNats, startClusterNats } from "./cluster-nats.ts";
import { type ClusterFlags, planRoles } from "./cluster-plan.ts";
import { buildPage } from "./demo-page.ts";
import { openDemoRoom } from "./demo-room.ts";
import { clusterPorts } from "./ports.ts";
import { mainFile } from "./project.ts";
import { makeWorkDir } from "./work-dir.ts";

export interface ProcessView {
  readonly role: ChildView["role"] | "nats";
  readonly id: string;
  readonly pid: number;
}

/** A cluster that serves its demo room, however it runs. */
export interface LocalCluster {
  readonly control: string;
  /** The page; null where it could not be built. */
  readonly demo: string | null;
  readonly gateways: readonly string[];
  /** Null where there is no NATS. */
  readonly nats: string | null;
  processes(): ProcessView[];
  stop(): Promise<void>;
}

export interface LocalClusterOptions {
  readonly flags: ClusterFlags;
  readonly env: Environment;
  /** For people: what takes time, and what went wrong. */
  readonly say: (line: string) => void;
  /** What processes write. */
  readonly onLine: (name: string, line: string) => void;
}

/**
 * Every role in processes of its own on this machine. Answers a sentence where it does not come up;
 * everything that was started is then stopped again. `registerStop` is told how to stop what runs
 * so far, so that Ctrl-C works during the start too.
 */
export async function startLocalCluster(
  options: LocalClusterOptions,
  registerStop: (stop: () => Promise<void>) => void,
): Promise<Result<LocalCluster, string>> {
  const { flags, env, say } = options;
  const ports = await clusterPorts(flags.port, flags.gateways);
  if (!ports.ok) return ports;
  const supervisor = new Supervisor({
    main: mainFile(),
    clock: holdingClock,
    random: systemRandom,
    onLine: (spec, line) => options.onLine(spec.name, line),
    onExit: (spec, pid, how) => say(`${spec.name} (pid ${pid}) ended: ${how}; it is started again`),
  });
  const work = await makeWorkDir();
  const page = path.join(work.path, "page");
  let nats: ClusterNats | undefined;
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= supervisor
      .stop()
      .then(() => nats?.stop())
      .then(() => work.remove());
    return stopped;
  };
  registerStop(stop);
  const gaveUp = async (reason: string): Promise<Result<never, string>> => {
    await stop();
    return err(reason);
  };

  const building = buildPage(page);
  if (env.NATS_URL === undefined) {
    const started = await startClusterNats(env, path.join(work.path, "store"), say);
    if ("reason" in started) return gaveUp(started.reason);
    nats = started;
    // Somebody may have pressed Ctrl-C meanwhile.
    if (stopped !== undefined) {
      await nats.stop();
      return gaveUp("stopped");
    }
  }
  const built = await building;
  if (!built.ok) say(`There is no demo page: ${built.error}`);
  const plan = {
    flags,
    ports: ports.value,
    nats: nats?.env ?? env,
    page: built.ok ? page : undefined,
    env,
  };
  const specs = planRoles(plan, systemRandom);
  const failures = await Promise.all(specs.map((spec) => supervisor.start(spec)));
  const failure = failures.find((one) => one !== undefined);
  if (failure !== undefined) return gaveUp(failure);

  const control = `http://127.0.0.1:${ports.value.control}`;
  const gateways = ports.value.gateways.map((port) => `ws://127.0.0.1:${port}`);
  const opened = await openDemoRoom({ control, gateways, token: env[CONTROL_TOKEN.variable] });
  if (!opened.ok) return gaveUp(opened.error);
  if (flags.bots > 0) {
    const bots = await supervisor.start(botsSpec(flags.bots, gateways, env));
    if (bots !== undefined) return gaveUp(bots);
  }
  return ok({
    control,
    demo: built.ok ? `${control}/` : null,
    gateways,
    nats: nats?.url ?? env.NATS_URL ?? null,
    processes: () => [...natsView(nats), ...supervisor.list()],
    stop,
  });
}

function natsView(nats: ClusterNats | undefined): ProcessView[] {
  const pid = nats?.pid();
  return pid === undefined ? [] : [{ role: "nats", id: "nats", pid }];
}

const botsSpec = (count: number, gateways: readonly string[], env: Environment): ChildSpec => ({
  role: "bots",
  name: "bots",
  args: [
    "bots",
    "--supervised",
    "--bots",
    String(count),
    ...gateways.flatMap((url) => ["--gateway", url]),
  ],
  env,
});
