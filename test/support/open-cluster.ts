import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { provisionNatsServer } from "../../deploy/nats-server.mjs";
import { type NatsServers, startNatsServers } from "../../deploy/run-nats.ts";

const conf = (name: string): string => `
server_name: ${name}
listen: $ROOMCLUSTER_NATS_LISTEN
http: $ROOMCLUSTER_NATS_HTTP
cluster {
  name: open
  listen: $ROOMCLUSTER_NATS_CLUSTER_LISTEN
  authorization { user: route, password: $ROOMCLUSTER_NATS_ROUTE_PASSWORD }
  routes: [$ROOMCLUSTER_NATS_ROUTE_1, $ROOMCLUSTER_NATS_ROUTE_2, $ROOMCLUSTER_NATS_ROUTE_3]
  no_advertise: true
}
`;

/** Three servers on which everyone may say and hear everything: for a bus in a cluster. */
export async function startOpenCluster(): Promise<
  Pick<NatsServers, "servers"> & { close(): Promise<void> }
> {
  const found = await provisionNatsServer({ log: (line) => console.error(line) });
  if ("reason" in found) throw new Error(found.reason);
  const folder = await mkdtemp(path.join(os.tmpdir(), "roomcluster-open-cluster-"));
  for (const name of ["n1", "n2", "n3"])
    await writeFile(path.join(folder, `${name}.conf`), conf(name));
  const options = { bin: found.path, servers: 3, confDir: folder, storeDir: folder } as const;
  const { servers } = await startNatsServers(options);
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.kill()));
    await rm(folder, { recursive: true, force: true });
  };
  return { servers, close };
}
