import type { NatsClient } from "../../src/bus/nats-client.ts";
import { openNats } from "../../src/bus/nats-connection.ts";
import type { NatsRuntime } from "../../src/bus/nats-options.ts";
import { provisionStreams } from "../../src/journal/nats-provision.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { systemRandom } from "../../src/kernel/random.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { type NatsUser, startNats, type TestNats } from "./nats-servers.ts";

export interface StoreServers {
  readonly nats: TestNats;
  /** Connected as this role, with its rights and no more. */
  connect(user: NatsUser, runtime?: Partial<NatsRuntime>): Promise<NatsClient>;
  /** Closes every connection, then the servers. */
  close(): Promise<void>;
}

/** NATS servers with the streams provisioned by placement, as in production. */
export async function startStores(servers: 1 | 3): Promise<StoreServers> {
  const nats = await startNats({ servers });
  const clients: NatsClient[] = [];
  const connect: StoreServers["connect"] = async (user, runtime) => {
    const { password, inboxPrefix } = nats.credentials[user];
    const opened = await openNats(
      { servers: nats.urls, user, password, inboxPrefix, name: `test-${user}`, label: "control" },
      { clock: systemClock, random: systemRandom, observer: silentObserver, ...runtime },
    );
    if (!opened.ok) throw new Error(`${opened.error.code}: ${opened.error.detail}`);
    clients.push(opened.value);
    return opened.value;
  };
  const close = async (): Promise<void> => {
    await Promise.all(clients.map((client) => client.close()));
    await nats.close();
  };
  try {
    const made = await provisionStreams(await connect("placement"), { replicas: servers });
    if (!made.ok) throw new Error(`${made.error.stream}: ${made.error.detail}`);
  } catch (error) {
    await close();
    throw error;
  }
  return { nats, connect, close };
}
