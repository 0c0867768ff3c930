import { readFileSync } from "node:fs";

/**
 * What the kernel keeps for one end of a TCP connection of a process, an object each, by the name
 * of its slab cache (slabinfo(5)). Both ends of a connection over loopback have the same, so one of
 * them is half of what came.
 */
const CACHES = [
  "TCP",
  "sock_inode_cache",
  "filp",
  "dentry",
  "lsm_inode_cache",
  "eventpoll_epi",
  "eventpoll_pwq",
] as const;
/** Of ends that dial only: each of theirs has a port of its own, an accepted one has none. */
const DIALLING_ONLY = ["tcp_bind_bucket", "tcp_bind2_bucket"] as const;

export interface Slabs {
  /** Objects in use, by cache. */
  readonly objects: Readonly<Record<string, number>>;
  /** Of one object, its part of what is left over in its pages included. */
  readonly bytes: Readonly<Record<string, number>>;
}

const PAGE_BYTES = 4_096;

/** Undefined where this is not for us to read; it takes root. */
export function readSlabs(): Slabs | undefined {
  let text: string;
  try {
    text = readFileSync("/proc/slabinfo", "utf8");
  } catch {
    return undefined;
  }
  return slabsOf(text);
}

export function slabsOf(text: string): Slabs {
  const objects: Record<string, number> = {};
  const bytes: Record<string, number> = {};
  for (const line of text.split("\n")) {
    const [name = "", active, , , perSlab, pages] = line.split(/\s+/);
    if (!([...CACHES, ...DIALLING_ONLY] as readonly string[]).includes(name)) continue;
    objects[name] = Number(active);
    bytes[name] = (Number(pages) * PAGE_BYTES) / Number(perSlab);
  }
  return { objects, bytes };
}

/** What one end of each of so many more connections costs, by cache, in bytes. */
export function slabsPerEnd(
  before: Slabs,
  after: Slabs,
  connections: number,
): Readonly<Record<string, number>> {
  const costs = CACHES.flatMap((name) => {
    const objects = (after.objects[name] ?? 0) - (before.objects[name] ?? 0);
    const each = objects / connections / 2;
    return name in after.objects ? [[name, each * (after.bytes[name] ?? 0)] as const] : [];
  });
  return Object.fromEntries(costs);
}

/** What a process has of the kernel beside its sockets: page tables, and its table of files. */
export function processTables(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  // A pointer for each file, and three bits.
  return field("VmPTE") * 1_024 + field("FDSize") * 8 + (field("FDSize") * 3) / 8;
}

/** Bytes in the queues of sockets, as `ss -m` lists them; 0 where nobody says anything. */
export function queuedBytes(listed: string): number {
  let bytes = 0;
  for (const [, received, , queued] of listed.matchAll(/skmem:\(r(\d+),rb\d+,t(\d+),\S*?,w(\d+)/g))
    bytes += Number(received) + Number(queued);
  return bytes;
}
