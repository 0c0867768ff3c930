import { writeFileSync } from "node:fs";
import os from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildProduct } from "../support/built-product.ts";
import { Crowd } from "./crowd/crowd.ts";
import { Product } from "./crowd/product.ts";
import { say } from "./crowd/progress.ts";
import { Inspector } from "./memory/inspector.ts";
import { slabsPerEnd } from "./memory/kernel-memory.ts";
import { type Level, levelOf, residentOf, type Watched } from "./memory/levels.ts";

/**
 * Memory per connection with its session, in the gateway and in the kernel for the gateway's end.
 * README.md here says how it is taken.
 */
const { values } = parseArgs({
  options: {
    /** Figures are of the second half of twice as many. */
    users: { type: "string", default: "8000" },
    "joins-per-second": { type: "string", default: "400" },
    json: { type: "string" },
  },
});
const ROOM_SIZE = 200;
const AIM_BYTES = 13 * 1024;
const rooms = Math.ceil(Number(values.users) / ROOM_SIZE);

const built = buildProduct(fileURLToPath(new URL("memory/still-world.ts", import.meta.url)));
const levels = await measured();
const [, half, full] = levels as [Level, Level, Level];
const more = full.users - half.users;
const perConnection = (of: (level: Level) => number): number =>
  Math.round((of(full) - of(half)) / more);
const slabs = half.slabs && full.slabs ? slabsPerEnd(half.slabs, full.slabs, more) : undefined;
const user = perConnection(({ heap }) => residentOf(heap));
const sockets = slabs && Math.round(Object.values(slabs).reduce((sum, bytes) => sum + bytes, 0));
const tables = perConnection(({ tables }) => tables);
const queued = perConnection(({ queued }) => queued);
const kernel = sockets === undefined ? null : sockets + tables + queued;
const total = kernel === null ? null : user + kernel;
const report = {
  users: levels.map(({ users }) => users),
  bytes_per_connection: { total, user, kernel },
  aim_bytes: AIM_BYTES,
  kept: total === null ? null : total <= AIM_BYTES,
  user: {
    heap: perConnection(({ heap }) => heap.old),
    buffers: perConnection(({ heap }) => heap.arrayBuffers),
    outside: perConnection(({ heap }) => heap.rss - heap.heap - heap.arrayBuffers),
    nursery_left_out: perConnection(({ heap }) => heap.nursery),
  },
  kernel: { slabs: slabs ?? null, tables, queued },
  others_per_person: {
    node: perConnection(({ others }) => others.node ?? 0),
    "nats-server": perConnection(({ others }) => others["nats-server"] ?? 0),
  },
  levels,
  machine: `${os.cpus().length} × ${os.cpus()[0]?.model}, Node ${process.version}`,
  kernel_release: os.release(),
  date: new Date().toISOString().slice(0, 10),
};
console.log(JSON.stringify(report, undefined, 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
process.exit(0);

async function measured(): Promise<Level[]> {
  const product = await Product.start({
    built,
    nodeOptions: { gateway: ["--inspect=127.0.0.1:0"] },
    nodes: 1,
    gateways: 1,
    rooms: 2 * rooms,
  });
  let crowd: Crowd | undefined;
  try {
    say(`creating ${2 * rooms} rooms`);
    await product.open(2 * rooms, "still");
    crowd = new Crowd({
      main: built.main,
      gateways: product.cluster.gateways,
      rooms: product.rooms,
      roomSize: ROOM_SIZE,
      onlookersPerRoom: 0,
      processes: 2,
      joinsPerSecond: Number(values["joins-per-second"]),
      mix: { movingShare: 0, movingMs: 100, standingMs: 5_000 },
      areaM: 8,
      seed: 1,
    });
    const inspector = await Inspector.open(product.cluster.member("gateway-1").output);
    const watched: Watched = { product, crowd, inspector };
    const levels = [await levelOf(watched)];
    for (const full of [rooms, 2 * rooms]) {
      await crowd.fill(full);
      levels.push(await levelOf(watched));
    }
    inspector.close();
    await crowd.stop();
    return levels;
  } catch (error) {
    crowd?.kill();
    throw error;
  } finally {
    await product.close();
  }
}
