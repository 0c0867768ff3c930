import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { provisionNatsServer } from "../../deploy/nats-server.mjs";
import {
  NATS_USERS,
  type NatsLogin,
  type NatsServer,
  type NatsUser,
  startNatsServers,
} from "../../deploy/run-nats.ts";

export type { NatsLogin, NatsServer, NatsUser };

export interface TestNats {
  /** Of every server, in order; a client should get all of them. */
  readonly urls: string[];
  /** The same, comma separated, as NATS_URL has it. */
  readonly url: string;
  readonly servers: readonly NatsServer[];
  readonly credentials: Readonly<Record<NatsUser, NatsLogin>> & {
    /** What a role's process needs in its environment: NATS_URL and the passwords. */
    readonly env: Readonly<Record<string, string>>;
  };
  /** Kills the servers and removes their stores. */
  close(): Promise<void>;
}

const CONF_DIR = fileURLToPath(new URL("../../deploy/nats", import.meta.url));
const live = new Set<() => void>();
process.on("exit", () => {
  for (const killNow of live) killNow();
});

/**
 * True when the run was told to do without a nats-server; then suites that need one are skipped.
 */
export const withoutNats = process.env.ROOMCLUSTER_TEST_WITHOUT_NATS === "1";

/**
 * Runs the very files of deploy/nats on free ports of 127.0.0.1 and waits until all serve. Three
 * servers take 0.3 s, one takes 0.1 s. Everything is gone after close(), and also when the
 * test process just exits or is killed.
 */
export async function startNats(options: {
  readonly servers: 1 | 3;
  readonly syncInterval?: string;
}): Promise<TestNats> {
  const found = await provisionNatsServer({ log: (line) => console.error(line) });
  if ("reason" in found) throw new Error(found.reason);
  const storeDir = await mkdtemp(path.join(os.tmpdir(), "roomcluster-test-nats-"));
  let nats: Awaited<ReturnType<typeof startNatsServers>>;
  try {
    const { servers, syncInterval = "2m" } = options;
    nats = await startNatsServers({
      bin: found.path,
      servers,
      confDir: CONF_DIR,
      storeDir,
      syncInterval,
    });
  } catch (error) {
    await rm(storeDir, { recursive: true, force: true });
    throw error;
  }
  const atExit = () => {
    nats.killNow();
    rmSync(storeDir, { recursive: true, force: true });
  };
  live.add(atExit);
  const logins = Object.fromEntries(NATS_USERS.map((user) => [user, nats.login(user)]));
  return {
    urls: [...nats.urls],
    url: nats.urls.join(","),
    servers: nats.servers,
    credentials: { ...(logins as Record<NatsUser, NatsLogin>), env: nats.env },
    close: async () => {
      live.delete(atExit);
      await Promise.all(nats.servers.map((server) => server.kill()));
      await rm(storeDir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
