import { mkdtemp, readdir, rm } from "node:fs/promises";
import os from "node:os";
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

const STORE_PREFIX = "roomcluster-store-";
const RESTART = { baseMs: 100, capMs: 5_000 };

/** Starts one server with fresh passwords and an empty store. Answers a reason where it can not. */
export async function startClusterNats(
  env: Environment,
  say: (line: string) => void,
): Promise<ClusterNats | { readonly reason: string }> {
  // Plain JavaScript that is not built: it also runs before anything is installed.
  const file = path.join(projectDir(), "deploy", "nats-server.mjs");
  const { provisionNatsServer } = (await import(
    pathToFileURL(file).href
  )) as typeof import("../../deploy/nats-server.mjs");
  const found = await provisionNatsServer({ log: say, env });
  if ("reason" in found) return found;
  await removeOldStores();
  const storeDir = await mkdtemp(path.join(os.tmpdir(), `${STORE_PREFIX}${process.pid}-`));
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
    await rm(storeDir, { recursive: true, force: true });
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
      await nats.close();
      await rm(storeDir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Stores of clusters that were killed before they could remove them. */
async function removeOldStores(): Promise<void> {
  for (const name of await readdir(os.tmpdir()).catch(() => [])) {
    const pid = Number(/^roomcluster-store-(\d+)-/.exec(name)?.[1]);
    if (!Number.isSafeInteger(pid) || isAlive(pid)) continue;
    // Somebody else's can not be removed, and need not be.
    await rm(path.join(os.tmpdir(), name), { recursive: true, force: true }).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
