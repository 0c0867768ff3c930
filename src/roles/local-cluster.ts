import path from "node:path";
import { CONTROL_TOKEN } from "../config/keys.ts";
import { type Environment, loadConfig } from "../config/load.ts";
import { holdingClock } from "../kernel/clock.ts";
import { systemRandom } from "../kernel/random.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { redact } from "../observe/redact.ts";
import { type ChildSpec, type ChildView, Supervisor } from "./children.ts";
import { type ClusterNats, startClusterNats } from "./cluster-nats.ts";
import {
  audienceOf,
  type ClusterFlags,
  type ClusterPlan,
  DEMO_EVENT,
  planRoles,
} from "./cluster-plan.ts";
import { buildPage } from "./demo-page.ts";
import { openDemo } from "./demo-room.ts";
import { anyAnswers, type ClusterPorts, clusterPorts } from "./ports.ts";
import { mainFile, packageVersion } from "./project.ts";
import { makeWorkDir, type WorkDir } from "./work-dir.ts";
import { loadWorlds, worldModules } from "./worlds.ts";

export interface ProcessView {
  readonly role: ChildView["role"] | "nats";
  readonly id: string;
  readonly pid: number;
}

/** A cluster that serves its demo, however it runs. */
export interface LocalCluster {
  readonly control: string;
  /** The page; null where it could not be built. */
  readonly demo: string | null;
  /** The page of the demo's event; null where there is no page, or the event is over. */
  readonly show: string | null;
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

const ANSWER_MS_MAX = 3_000;

/**
 * Every role in processes of its own on this machine. Answers a sentence where it does not come up;
 * everything that was started is then stopped again. `registerStop` is told how to stop what runs
 * so far, so that Ctrl-C works during the start too.
 */
export async function startLocalCluster(
  options: LocalClusterOptions,
  registerStop: (stop: () => Promise<void>) => void,
): Promise<Result<LocalCluster, string>> {
  const { flags, env } = options;
  const ports = await clusterPorts(flags.port, flags.gateways);
  if (!ports.ok) return ports;
  const problems = await problemsOf(options, ports.value);
  if (problems.length > 0) return err(problems.join("\n  "));
  // Roles would wait for it much longer, as they should where machines start in any order.
  const foreign = env.NATS_URL?.split(",");
  if (foreign !== undefined && !(await anyAnswers(foreign, ANSWER_MS_MAX)))
    return err(`NATS (NATS_URL: ${redact(foreign.join(", "))}) can not be reached.`);
  const cluster = new Processes(options, ports.value, await makeWorkDir());
  registerStop(() => cluster.stop());
  const started = await cluster.start();
  if (!started.ok) await cluster.stop();
  return started;
}

/** What every role would say for itself, and say again at each attempt to start it. */
async function problemsOf(
  { flags, env }: LocalClusterOptions,
  ports: ClusterPorts,
): Promise<readonly string[]> {
  const worlds = await loadWorlds(worldModules(flags.worlds));
  const nats = env.NATS_URL === undefined ? {} : env;
  const specs = planRoles({ flags, ports, nats, page: undefined, env }, systemRandom);
  const sentences = specs.flatMap((spec) => {
    if (spec.role === "bots") return [];
    const set = spec.args.filter((_, i) => spec.args[i - 1] === "--set");
    const source = { env: spec.env, file: {}, set, version: packageVersion() };
    const config = loadConfig(spec.role, source);
    return config.ok ? [] : config.error;
  });
  return [...new Set([...(worlds.ok ? [] : [worlds.error]), ...sentences])];
}

class Processes {
  readonly #options: LocalClusterOptions;
  readonly #ports: ClusterPorts;
  readonly #work: WorkDir;
  readonly #supervisor: Supervisor;
  #nats: ClusterNats | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: LocalClusterOptions, ports: ClusterPorts, work: WorkDir) {
    this.#options = options;
    this.#ports = ports;
    this.#work = work;
    const { say, onLine } = options;
    this.#supervisor = new Supervisor({
      main: mainFile(),
      clock: holdingClock,
      random: systemRandom,
      onLine: (spec, line) => onLine(spec.name, line),
      onExit: ({ name }, pid, how, again) =>
        say(`${name} (pid ${pid}) ended: ${how}${again ? "; it starts again" : ""}`),
    });
  }

  async start(): Promise<Result<LocalCluster, string>> {
    const { flags, env, say } = this.#options;
    const page = path.join(this.#work.path, "page");
    const building = buildPage(page);
    const nats = await this.#startNats();
    const built = await building;
    if (!built.ok) say(`There is no demo page: ${built.error}`);
    if (!nats.ok) return nats;
    const plan: ClusterPlan = {
      flags,
      ports: this.#ports,
      nats: nats.value,
      page: built.ok ? page : undefined,
      env,
    };
    const specs = planRoles(plan, systemRandom);
    say(`starting ${specs.length} processes; the cluster is ready in some seconds`);
    const failure = await firstFailure(specs.map((spec) => this.#supervisor.start(spec)));
    if (failure !== undefined) return err(failure);

    const control = `http://127.0.0.1:${this.#ports.control}`;
    const gateways = this.#ports.gateways.map((port) => `ws://127.0.0.1:${port}`);
    const opened = await openDemo({ control, gateways, token: env[CONTROL_TOKEN.variable] });
    if (!opened.ok) return opened;
    const { event } = opened.value;
    const bots = flags.bots > 0 ? botsSpec(flags.bots, event, gateways, env) : undefined;
    const lonely = bots && (await this.#supervisor.start(bots));
    if (lonely !== undefined) return err(lonely);
    return ok({
      control,
      demo: built.ok ? `${control}/` : null,
      show: built.ok && event ? showPage(control) : null,
      gateways,
      nats: nats.value.NATS_URL ?? null,
      processes: () => [...natsView(this.#nats), ...this.#supervisor.list()],
      stop: () => this.stop(),
    });
  }

  /** The roles first, because they still hand over; NATS after them. */
  stop(): Promise<void> {
    this.#stopped ??= this.#supervisor
      .stop()
      .then(() => this.#nats?.stop())
      .then(() => this.#work.remove());
    return this.#stopped;
  }

  /** What roles need to reach NATS: a server of this cluster's own, or the one that was named. */
  async #startNats(): Promise<Result<Environment, string>> {
    const { env, say } = this.#options;
    if (env.NATS_URL !== undefined) return ok(env);
    const nats = await startClusterNats(env, path.join(this.#work.path, "store"), say);
    if ("reason" in nats) return err(nats.reason);
    this.#nats = nats;
    if (this.#stopped === undefined) return ok(nats.env);
    // Somebody has pressed Ctrl-C meanwhile.
    await nats.stop();
    return err("everything is being stopped");
  }
}

/** Not all are waited for: roles wait for each other, and one that fails keeps others waiting. */
function firstFailure(starts: readonly Promise<string | undefined>[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    for (const start of starts) {
      void start.then((failure) => failure !== undefined && resolve(failure));
    }
    void Promise.all(starts).then(() => resolve(undefined));
  });
}

function natsView(nats: ClusterNats | undefined): ProcessView[] {
  const pid = nats?.pid();
  return pid === undefined ? [] : [{ role: "nats", id: "nats", pid }];
}

export const showPage = (control: string): string => `${control}/?event=${DEMO_EVENT}`;

const botsSpec = (
  count: number,
  event: boolean,
  gateways: readonly string[],
  env: Environment,
): ChildSpec => ({
  role: "bots",
  name: "bots",
  args: [
    ...["bots", "--supervised", "--bots", String(count)],
    ...(event ? ["--event", DEMO_EVENT, "--audience", String(audienceOf(count))] : []),
    ...gateways.flatMap((url) => ["--gateway", url]),
  ],
  env,
});
