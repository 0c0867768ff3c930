import path from "node:path";
import { pathToFileURL } from "node:url";
import { type NatsServers, startNatsServers } from "../../deploy/run-nats.ts";
import type { Environment } from "../config/load.ts";
import { backoffMs } from "../kernel/backoff.ts";
import { delay, holdingClock } from "../kernel/clock.ts";
import { systemRandom } from "../kernel/random.ts";
import { projectDir } from "./project.ts";

/** The NATS server of a cluster on this machine, kept running until `stop`. */
export interface ClusterNats {
  readonly url: string;
  /** NATS_URL and a password for every user. */
  readonly env: Readonly<Record<string, string>>;
  /** Undefined while it is being started again. */
  pid(): number | undefined;
  stop(): Promise<void>;
}

/** The roles have gone by then, and what they wrote is not wanted any more. */
const STOP_MS_MAX = 1_200;
const RESTART = { baseMs: 100, capMs: 5_000 };

/** Starts one server with fresh passwords. Answers a reason where it can not. */
export async function startClusterNats(
  env: Environment,
  storeDir: string,
  say: (line: string) => void,
): Promise<ClusterNats | { readonly reason: string }> {
  // Plain JavaScript that is not built: it also runs before anything is installed.
  const file = path.join(projectDir(), "deploy", "nats-server.mjs");
  const { provisionNatsServer } = (await import(
    pathToFileURL(file).href
  )) as typeof import("../../deploy/nats-server.mjs");
  const found = await provisionNatsServer({ log: say, env });
  if ("reason" in found) return found;
  let stopping = false;
  let nats: NatsServers;
  try {
    nats = await startNatsServers({
      bin: found.path,
      servers: 1,
      confDir: path.join(projectDir(), "deploy", "nats"),
      storeDir,
      onCrash: () => void restart(),
    });
  } catch (error) {
    return { reason: `nats-server ${found.version} does not start: ${(error as Error).message}` };
  }
  const server = nats.servers[0];
  let restarting = false;
  async function restart(): Promise<void> {
    if (restarting) return;
    restarting = true;
    for (let attempt = 0; !stopping; attempt += 1) {
      say(`the NATS server ended; it is started again (attempt ${attempt + 1})`);
      await delay(holdingClock, backoffMs(attempt, RESTART, systemRandom));
      const up =
        stopping ||
        (await server?.restart().then(
          () => true,
          () => false,
        ));
      if (up) break;
    }
    restarting = false;
  }
  return {
    url: nats.urls.join(","),
    env: nats.env,
    pid: () => (server?.running ? server.pid : undefined),
    stop: async () => {
      stopping = true;
      const late = holdingClock.after(STOP_MS_MAX, () => nats.killNow());
      await nats.close();
      late.cancel();
    },
  };
}
