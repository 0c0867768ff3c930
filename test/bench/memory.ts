import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { buildProduct } from "../support/built-product.ts";
import { toolFlags } from "../support/tool-flags.ts";
import { Crowd } from "./crowd/crowd.ts";
import { Product } from "./crowd/product.ts";
import { say } from "./crowd/progress.ts";
import { growthOf, readKinds } from "./memory/heap-kinds.ts";
import { Inspector } from "./memory/inspector.ts";
import { bytesOfAnEnd } from "./memory/kernel-memory.ts";
import { type Level, levelOf, residentOf, type Watched } from "./memory/levels.ts";

/**
 * Memory per connection with its session, in the gateway and in the kernel for the gateway's end.
 * README.md here says how it is taken.
 */
const values = toolFlags({
  /** Figures are of the second half of twice as many. */
  users: { type: "string", default: "4000", least: 1, whole: true },
  /** The same for a list of what is in the heap; 0 makes none. */
  kinds: { type: "string", default: "1000", least: 0, whole: true },
  "joins-per-second": { type: "string", default: "300", least: 1 },
  json: { type: "string" },
});
const ROOM_SIZE = 200;
const AIM_BYTES = 13 * 1024;
const KINDS_SHOWN = 40;
const built = buildProduct(fileURLToPath(new URL("memory/still-world.ts", import.meta.url)));

const kinds = Number(values.kinds) > 0 ? await heapKinds(roomsFor(values.kinds)) : [];
const [, half, full] = await levelsOf(roomsFor(values.users));
const report = {
  ...figuresOf(half, full),
  heap_kinds: kinds,
  levels: [half, full],
  machine: `${os.cpus().length} × ${os.cpus()[0]?.model}, Node ${process.version}`,
  kernel_release: os.release(),
  date: new Date().toISOString().slice(0, 10),
};
const { levels: _, ...short } = report;
console.log(JSON.stringify(short, undefined, 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
process.exit(0);

function roomsFor(users: string): number {
  return Math.ceil(Number(users) / ROOM_SIZE);
}

function figuresOf(from: Level, to: Level) {
  const more = to.users - from.users;
  const each = (of: (level: Level) => number): number => (of(to) - of(from)) / more;
  const bytes = (of: (level: Level) => number): number => Math.round(each(of));
  const user = bytes(({ heap }) => residentOf(heap));
  const socket = bytesOfAnEnd();
  const tables = bytes(({ tables }) => tables);
  const queued = bytes(({ queued }) => queued);
  const kernel = socket
    ? Math.round(Object.values(socket).reduce((sum, of) => sum + of, 0)) + tables + queued
    : null;
  const total = kernel === null ? null : user + kernel;
  return {
    users: [from.users, to.users],
    bytes_per_connection: { total, user, kernel },
    aim_bytes: AIM_BYTES,
    kept: total === null ? null : total <= AIM_BYTES,
    user: {
      heap: bytes(({ heap }) => heap.old),
      buffers: bytes(({ heap }) => heap.arrayBuffers),
      /** Native objects, and what the allocators keep between them. */
      else: user - bytes(({ heap }) => heap.old) - bytes(({ heap }) => heap.arrayBuffers),
      nursery_left_out: bytes(({ heap }) => heap.nursery),
    },
    kernel: {
      socket: socket ?? null,
      tables,
      queued,
      /** Of the whole machine, whatever else runs on it: to compare with. */
      sockets_that_came: Number(each(({ kernel }) => kernel.sockets ?? 0).toFixed(3)),
      half_of_slab_growth: bytes(({ kernel }) => kernel.slabBytes / 2),
    },
    others_per_person: {
      node: bytes(({ others }) => others.node ?? 0),
      "nats-server": bytes(({ others }) => others["nats-server"] ?? 0),
    },
  };
}

async function levelsOf(rooms: number): Promise<[Level, Level, Level]> {
  return withPeople(2 * rooms, async (watched) => {
    const empty = await levelOf(watched);
    await watched.crowd.fill(rooms);
    const half = await levelOf(watched);
    await watched.crowd.fill(2 * rooms);
    return [empty, half, await levelOf(watched)];
  });
}

/** What each connection brings into the heap, from two snapshots of it. */
async function heapKinds(rooms: number) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "roomcluster-heap-"));
  try {
    const files = ["half", "full"].map((name) => path.join(folder, `${name}.heapsnapshot`));
    // A gateway each, because one that wrote a snapshot was away from its clients for long.
    for (const [at, file] of files.entries()) {
      const full = (at + 1) * rooms;
      await withPeople(full, async ({ crowd, inspector }) => {
        await crowd.fill(full);
        // What a connection keeps for its first seconds only has gone by then.
        await crowd.settle(12);
        await inspector.figures();
        await inspector.snapshot(file);
      });
    }
    const [half, full] = files.map(readKinds) as [
      ReturnType<typeof readKinds>,
      ReturnType<typeof readKinds>,
    ];
    return growthOf(half, full, rooms * ROOM_SIZE)
      .slice(0, KINDS_SHOWN)
      .map(({ bytes, count, kind }) => ({
        kind,
        count: Number(count.toFixed(2)),
        bytes: Math.round(bytes),
      }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function withPeople<T>(rooms: number, work: (watched: Watched) => Promise<T>): Promise<T> {
  const product = await Product.start({
    built,
    nodeOptions: { gateway: ["--inspect=127.0.0.1:0"] },
    nodes: 1,
    gateways: 1,
    rooms,
  });
  let crowd: Crowd | undefined;
  try {
    say(`creating ${rooms} rooms`);
    await product.open(rooms, "still");
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
      judgesTime: false,
      seed: 1,
      say,
    });
    const inspector = await Inspector.open(product.cluster.member("gateway-1").output);
    const answer = await work({ product, crowd, inspector });
    inspector.close();
    await crowd.stop();
    return answer;
  } catch (error) {
    crowd?.kill();
    throw error;
  } finally {
    await product.close();
  }
}
