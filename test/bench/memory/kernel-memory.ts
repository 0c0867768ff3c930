import { existsSync, readFileSync } from "node:fs";

/**
 * What the kernel keeps for one end of a TCP connection of a process that waits with epoll(7): one
 * object each, by the name of its slab cache.
 */
const OBJECTS_OF_AN_END = [
  "TCP",
  "sock_inode_cache",
  "filp",
  "dentry",
  "lsm_inode_cache",
  "lsm_file_cache",
  "eventpoll_epi",
  "eventpoll_pwq",
  "ep_head",
] as const;
/** Nothing but sockets is in it, so it tells whether what came are those of the benchmark. */
const SOCKETS_ONLY = "TCP";
const PAGE_BYTES = 4_096;
const SLABS = "/sys/kernel/slab";

/**
 * Bytes of one end by cache, each object's part of what is left over in its pages included. A cache
 * that shares its pages with another is a link to it. Undefined where the kernel does not tell.
 */
export function bytesOfAnEnd(folder = SLABS): Readonly<Record<string, number>> | undefined {
  if (!existsSync(`${folder}/${SOCKETS_ONLY}/objs_per_slab`)) return undefined;
  const read = (cache: string, file: string): number =>
    Number(readFileSync(`${folder}/${cache}/${file}`, "utf8"));
  return Object.fromEntries(
    OBJECTS_OF_AN_END.filter((cache) => existsSync(`${folder}/${cache}`)).map((cache) => {
      const slab = PAGE_BYTES * 2 ** read(cache, "order");
      return [cache, slab / read(cache, "objs_per_slab")];
    }),
  );
}

/** What the kernel has in use on the whole machine. */
export interface KernelUse {
  /** Undefined where slabinfo(5) is not for us to read. */
  readonly sockets: number | undefined;
  readonly slabBytes: number;
}

export function kernelUse(): KernelUse {
  const kib = /^Slab:\s+(\d+) kB/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
  return { sockets: socketsIn(slabinfo()), slabBytes: Number(kib ?? 0) * 1_024 };
}

function slabinfo(): string {
  try {
    return readFileSync("/proc/slabinfo", "utf8");
  } catch {
    return "";
  }
}

export function socketsIn(text: string): number | undefined {
  const active = new RegExp(`^${SOCKETS_ONLY} +(\\d+)`, "m").exec(text)?.[1];
  return active === undefined ? undefined : Number(active);
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
  for (const [, received, queued] of listed.matchAll(/skmem:\(r(\d+),\S*?,w(\d+)/g))
    bytes += Number(received) + Number(queued);
  return bytes;
}
