import { execFileSync } from "node:child_process";
import { residentBytes } from "../../../src/load/cpu.ts";
import type { Crowd } from "../crowd/crowd.ts";
import type { Product } from "../crowd/product.ts";
import { say } from "../crowd/progress.ts";
import type { HeapFigures, Inspector } from "./inspector.ts";
import { type KernelUse, kernelUse, processTables, queuedBytes } from "./kernel-memory.ts";

/** Memory while so many people are connected and in a room. */
export interface Level {
  readonly users: number;
  readonly heap: HeapFigures;
  readonly kernel: KernelUse;
  readonly tables: number;
  readonly queued: number;
  /** Resident bytes of the other processes that serve them. */
  readonly others: Readonly<Record<string, number>>;
}

/** Of several looks the least counts: memory that a collection gave back comes back later. */
const LOOKS = 6;
const LOOK_S = 2;

export interface Watched {
  readonly product: Product;
  readonly crowd: Crowd;
  readonly inspector: Inspector;
}

/** Looks at the gateway, and at what stands behind it, a few times. */
export async function levelOf({ crowd, inspector, product }: Watched): Promise<Level> {
  const gateway = product.cluster.member("gateway-1");
  let least: HeapFigures | undefined;
  for (let look = 0; look < LOOKS; look++) {
    await crowd.settle(LOOK_S);
    const figures = await inspector.figures();
    if (!least || residentOf(figures) < residentOf(least)) least = figures;
  }
  const heap = least as HeapFigures;
  const sockets = execFileSync("ss", ["-tmnH", `sport = :${gateway.port}`], {
    encoding: "utf8",
    maxBuffer: 256 * 1024 * 1024,
  });
  say(`${crowd.users} people: ${mib(heap.rss)} resident, ${mib(heap.old)} of it old heap`);
  return {
    users: crowd.users,
    heap,
    kernel: kernelUse(),
    tables: processTables(gateway.pid),
    queued: queuedBytes(sockets),
    others: {
      node: residentBytes(product.cluster.member("node-1").pid) ?? 0,
      "nats-server": residentBytes(product.cluster.nats.servers[0]?.pid ?? 0) ?? 0,
    },
  };
}

/** Without the nursery, whose size is V8's and not a matter of connections. */
export const residentOf = ({ nursery, rss }: HeapFigures): number => rss - nursery;

const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
