import { fileURLToPath } from "node:url";
import { GATEWAY_DEFAULTS } from "../../../gateway/config.ts";
import { ROW_BYTES } from "../../../src/protocol/pose-row.ts";
import { buildProduct } from "../../support/built-product.ts";
import { Cluster } from "../../support/cluster.ts";
import type { Contestant, Running } from "./contestant.ts";
import { roomName } from "./dialect-ours.ts";
import { UPDATES_HZ, type Work } from "./work.ts";

const WORLD = fileURLToPath(new URL("plain-world.ts", import.meta.url));

/** The product as operators run it: built, on default settings, each role a process of its own. */
export function ours(): Contestant[] {
  const built = buildProduct(WORLD);
  const about = "roomcluster: 1 nats-server, 1 placement, 1 node, 1 gateway, default settings";
  const shared = {
    dialect: fileURLToPath(new URL("dialect-ours.ts", import.meta.url)),
    sendsAll: ({ roomSize }: Work) =>
      roomSize * ROW_BYTES * UPDATES_HZ < GATEWAY_DEFAULTS.frameBytesPerSecond,
  };
  return [
    { ...shared, name: "ours", about, start: (work) => start(work, built, []) },
    {
      ...shared,
      name: "ours_public",
      about: `${about} but gateway.fastSockets=false`,
      start: (work) => start(work, built, ["gateway.fastSockets=false"]),
    },
  ];
}

async function start(
  work: Work,
  built: ReturnType<typeof buildProduct>,
  gateway: readonly string[],
): Promise<Running> {
  const shape = { nats: 1, placements: 1, nodes: 1, gateways: 1 } as const;
  const cluster = await Cluster.start({ ...shape, built, set: { gateway } });
  try {
    for (let room = 0; room < work.rooms; room++) await cluster.createRoom(roomName(room), "plain");
  } catch (error) {
    await cluster.close();
    throw error;
  }
  const { host, port } = cluster.member("gateway-1");
  return { host, port, close: () => cluster.close() };
}
