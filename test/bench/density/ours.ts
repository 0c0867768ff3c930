import { fileURLToPath } from "node:url";
import { GATEWAY_DEFAULTS } from "../../../gateway/config.ts";
import { buildProduct } from "../../support/built-product.ts";
import { Cluster } from "../../support/cluster.ts";
import type { Contestant, Running } from "./contestant.ts";
import { roomName } from "./dialect-ours.ts";
import type { Work } from "./work.ts";

const WORLD = fileURLToPath(new URL("plain-world.ts", import.meta.url));

/** The product as operators run it: built, on default settings, each role a process of its own. */
export function ours(): Contestant {
  const built = buildProduct(WORLD);
  return {
    name: "ours",
    about: "roomcluster: 1 nats-server, 1 placement, 1 node, 1 gateway, default settings",
    dialect: fileURLToPath(new URL("dialect-ours.ts", import.meta.url)),
    sendsAll: ({ roomSize }) => roomSize <= GATEWAY_DEFAULTS.rowsFrameMax,
    start: (work) => start(work, built),
  };
}

async function start(work: Work, built: ReturnType<typeof buildProduct>): Promise<Running> {
  const cluster = await Cluster.start({ nats: 1, placements: 1, nodes: 1, gateways: 1, built });
  try {
    for (let room = 0; room < work.rooms; room++) await cluster.createRoom(roomName(room), "plain");
  } catch (error) {
    await cluster.close();
    throw error;
  }
  const { host, port } = cluster.member("gateway-1");
  return { host, port, close: () => cluster.close() };
}
