import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { provisionNatsServer } from "../../deploy/nats-server.mjs";
import { type NatsServer, startNatsServers } from "../../deploy/run-nats.ts";

/**
 * One server on which everyone may say and hear everything: for the contract of the bus itself,
 * whose subjects are of no role.
 */
export async function startOpenNats(
  maxPayload = "1MB",
): Promise<{ server: NatsServer; close(): Promise<void> }> {
  const found = await provisionNatsServer({ log: (line) => console.error(line) });
  if ("reason" in found) throw new Error(found.reason);
  const folder = await mkdtemp(path.join(os.tmpdir(), "roomcluster-open-nats-"));
  const lines = ["server_name: single", "listen: $ROOMCLUSTER_NATS_LISTEN"];
  lines.push(`max_payload: ${maxPayload}`);
  await writeFile(
    path.join(folder, "single.conf"),
    [...lines, "http: $ROOMCLUSTER_NATS_HTTP", ""].join("\n"),
  );
  const options = { bin: found.path, servers: 1, confDir: folder, storeDir: folder } as const;
  const nats = await startNatsServers(options);
  return {
    server: nats.servers[0] as NatsServer,
    close: async () => {
      await Promise.all(nats.servers.map((server) => server.kill()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
