import { Cluster, type Member, type RoleName, type Site } from "../support/cluster.ts";
import type { NatsServer, TestNats } from "../support/nats-servers.ts";
import { waitUntil } from "../support/wait-until.ts";
import { type Links, LinkThread } from "./links.ts";
import { Namespaces, type Zone } from "./namespaces.ts";

export interface FleetShape {
  readonly nats: 1 | 3;
  readonly placements: number;
  readonly nodes: number;
  readonly gateways: number;
  readonly rooms: number;
  readonly built?: { readonly main: string; readonly worlds: string };
  readonly onOutput?: (name: string, text: string) => void;
}

const ASK_MS_MAX = 1_500;
const PATIENCE = { timeoutMs: 30_000, pollMs: 50 };
/** Who lives in namespaces where the machine has them: two nodes in one, a gateway in another. */
const ZONED: readonly (readonly RoleName[])[] = [["node", "node"], ["gateway"]];

/**
 * The cluster under test, with a proxy in every link to NATS and in those of half the clients, and
 * with some of its processes in namespaces.
 */
export class Fleet {
  readonly cluster: Cluster;
  readonly rooms: readonly string[];
  /** Why there are no namespaces; undefined where there are. */
  readonly unzoned: string | undefined;
  readonly #thread: LinkThread;
  readonly #links: ReadonlyMap<string, Links>;
  readonly #clients = new Map<string, Links>();
  readonly #zones: ReadonlyMap<string, Zone>;
  readonly #namespaces: Namespaces | undefined;
  readonly #counters = new Map<string, number>();

  private constructor(parts: {
    readonly cluster: Cluster;
    readonly rooms: readonly string[];
    readonly unzoned: string | undefined;
    readonly thread: LinkThread;
    readonly links: ReadonlyMap<string, Links>;
    readonly zones: ReadonlyMap<string, Zone>;
    readonly namespaces: Namespaces | undefined;
  }) {
    this.cluster = parts.cluster;
    this.rooms = parts.rooms;
    this.unzoned = parts.unzoned;
    this.#thread = parts.thread;
    this.#links = parts.links;
    this.#zones = parts.zones;
    this.#namespaces = parts.namespaces;
  }

  static async start(shape: FleetShape, zoned: boolean): Promise<Fleet> {
    const opened = zoned ? Namespaces.open(ZONED.length) : { refused: "not asked for" };
    const namespaces = opened instanceof Namespaces ? opened : undefined;
    const zones = namespaces ? zonesOf(namespaces, shape) : new Map<string, Zone>();
    const thread = new LinkThread();
    const links = new Map<string, Links>();
    const rooms = Array.from({ length: shape.rooms }, (_, i) => `hall-${i + 1}`);
    try {
      const site = (name: string, nats: TestNats): Promise<Site> =>
        siteOf({ name, nats, zones, thread, links });
      const cluster = await Cluster.start({ ...shape, site });
      const unzoned = "refused" in opened ? opened.refused : undefined;
      const fleet = new Fleet({ cluster, rooms, unzoned, thread, links, zones, namespaces });
      await fleet.#linkClients();
      await Promise.all(rooms.map((room) => cluster.createRoom(room)));
      return fleet;
    } catch (error) {
      await thread.close();
      namespaces?.close();
      throw error;
    }
  }

  async #linkClients(): Promise<void> {
    for (const { name, host, port } of this.members("gateway"))
      this.#clients.set(name, await this.#thread.open([{ host, port }]));
  }

  /** Where clients dial that are to be cut off, slowed and broken. */
  get urls(): string[] {
    return [...this.#clients.values()].flatMap((links) => links.urls("ws"));
  }

  /** Where others dial: a proxy costs processor time, which no cluster of its own would miss. */
  get directUrls(): string[] {
    return this.members("gateway").map(({ host, port }) => `ws://${host}:${port}`);
  }

  get pids(): number[] {
    const { members, nats } = this.cluster;
    const servers = nats.servers.flatMap((server) => (server.running ? [server.pid] : []));
    return [...members.map(({ pid }) => pid), ...servers];
  }

  members(role: RoleName): Member[] {
    const all = this.cluster.members.filter((member) => member.role === role);
    return all.sort((a, b) => a.name.localeCompare(b.name));
  }

  /** To NATS, of one process. */
  links(name: string): Links {
    return found(this.#links.get(name), name);
  }

  /** Of every process to NATS. */
  get allLinks(): Links[] {
    return [...this.#links.values()];
  }

  /** Between a gateway and its clients. */
  clients(gateway: string): Links {
    return found(this.#clients.get(gateway), gateway);
  }

  /** Those who live in a namespace of their own, by namespace. */
  zonesOf(role: RoleName): { readonly zone: Zone; readonly names: readonly string[] }[] {
    const byZone = new Map<Zone, string[]>();
    for (const [name, zone] of this.#zones)
      if (name.startsWith(role)) byZone.set(zone, [...(byZone.get(zone) ?? []), name]);
    return [...byZone].map(([zone, names]) => ({ zone, names }));
  }

  get namespaces(): Namespaces {
    return found(this.#namespaces, "namespaces");
  }

  /** From whichever placement replica answers. */
  async ask<T>(path: string, init: RequestInit = {}): Promise<T> {
    let last: unknown = new Error("no placement replica");
    for (const { host, port } of this.members("placement"))
      try {
        const signal = AbortSignal.timeout(ASK_MS_MAX);
        const response = await fetch(`http://${host}:${port}${path}`, { ...init, signal });
        if (response.ok) return (await response.json()) as T;
        last = new Error(`${path}: ${response.status} ${await response.text()}`);
      } catch (error) {
        last = error;
      }
    throw last;
  }

  /** The name of each room's owner, as the index has it, as soon as somebody tells. */
  async owners(): Promise<ReadonlyMap<string, string>> {
    let owners: ReadonlyMap<string, string> | undefined;
    const told = async (): Promise<boolean> => {
      owners = await this.#readOwners().catch(() => undefined);
      return owners !== undefined;
    };
    const dump = (): string => this.cluster.dump();
    await waitUntil("placement tells who owns the rooms", told, { ...PATIENCE, dump });
    return owners ?? new Map();
  }

  async #readOwners(): Promise<ReadonlyMap<string, string>> {
    const owned = await Promise.all(
      this.rooms.map(async (room) => {
        const { owner } = await this.ask<{ owner: string | null }>(`/v1/rooms/demo/${room}`);
        return [room, owner?.split(".")[0] ?? ""] as const;
      }),
    );
    return new Map(owned);
  }

  /** Gateways that hold sockets: after one died, all its people are at the others. */
  async gatewaysInUse(): Promise<ReadonlySet<string>> {
    const counts = await Promise.all(
      this.members("gateway").map(async ({ name }) => {
        const page = await this.#metrics(name).catch(() => "");
        return [name, Number(/^roomcluster_gateway_sockets (\d+)/m.exec(page)?.[1] ?? 0)] as const;
      }),
    );
    return new Set(counts.flatMap(([name, sockets]) => (sockets > 0 ? [name] : [])));
  }

  async standsBy(name: string): Promise<void> {
    await waitUntil(
      `${name} stands by`,
      async () => {
        const view = await this.ask<{ nodes: { id: string; state: string }[] }>("/v1/nodes").catch(
          () => ({ nodes: [] }),
        );
        const { id } = this.cluster.member(name);
        return view.nodes.some((node) => node.id === id && node.state === "alive");
      },
      { ...PATIENCE, dump: () => this.cluster.dump() },
    );
  }

  /** The server that leads most journals: its death holds most rooms up. */
  async natsLeader(): Promise<NatsServer> {
    const { servers } = this.cluster.nats;
    const leads = new Map(servers.map(({ name }) => [name, 0]));
    for (const { ports } of servers)
      try {
        const url = `http://127.0.0.1:${ports.http}/jsz?accounts=true&streams=true&config=false`;
        const jsz = (await (
          await fetch(url, { signal: AbortSignal.timeout(ASK_MS_MAX) })
        ).json()) as Jsz;
        for (const { stream_detail = [] } of jsz.account_details ?? [])
          for (const { cluster } of stream_detail) {
            const leader = cluster?.leader ?? "";
            leads.set(leader, (leads.get(leader) ?? 0) + 1);
          }
        break;
      } catch {
        // The next one knows as well.
      }
    const most = [...servers].sort((a, b) => (leads.get(b.name) ?? 0) - (leads.get(a.name) ?? 0));
    return found(most[0], "a NATS server");
  }

  /**
   * Reads counters of every process that answers. Counters die with their process, so what was last
   * read of each incarnation is kept.
   */
  async scrape(): Promise<void> {
    await Promise.all(
      this.cluster.members.map(async ({ id, name, child }) => {
        if (id === "" || child.exitCode !== null || child.signalCode !== null) return;
        try {
          this.#note(id, await this.#metrics(name));
        } catch {
          // It is dead, frozen or cut off, and read again later if it lives.
        }
      }),
    );
  }

  async #metrics(name: string): Promise<string> {
    const url = await this.cluster.metricsUrl(name);
    return (await fetch(url, { signal: AbortSignal.timeout(ASK_MS_MAX) })).text();
  }

  #note(id: string, text: string): void {
    const sums = new Map<string, number>();
    for (const [, name = "", where = "", value] of text.matchAll(FENCED)) {
      const key = `${id} ${name} ${where}`;
      sums.set(key, (sums.get(key) ?? 0) + Number(value));
    }
    for (const [key, value] of sums) this.#counters.set(key, value);
  }

  /** Refusals of messages and writes of owners that were no more, by where they were refused. */
  fenced(): Record<string, number> {
    const sums: Record<string, number> = {};
    for (const [key, value] of this.#counters) {
      const where = key.split(" ").slice(2).join(" ");
      sums[where] = (sums[where] ?? 0) + value;
    }
    return sums;
  }

  async close(): Promise<void> {
    this.#namespaces?.close();
    await this.cluster.close();
    await this.#thread.close();
  }
}

interface Jsz {
  readonly account_details?: readonly {
    readonly stream_detail?: readonly { readonly cluster?: { readonly leader?: string } }[];
  }[];
}

const FENCED = /^(roomcluster_fenced_total)\{[^}]*where="([^"]*)"[^}]*\} (\d+)/gm;

function zonesOf(namespaces: Namespaces, shape: FleetShape): Map<string, Zone> {
  const counts: Record<RoleName, number> = {
    placement: shape.placements,
    node: shape.nodes,
    gateway: shape.gateways,
  };
  const zones = new Map<string, Zone>();
  // The last of each role, so that somebody is always left outside.
  for (const [i, roles] of ZONED.entries())
    for (const role of roles) {
      const zone = namespaces.zones[i];
      if (zone && counts[role] > 1) zones.set(`${role}-${counts[role]--}`, zone);
    }
  return zones;
}

async function siteOf(parts: {
  readonly name: string;
  readonly nats: TestNats;
  readonly zones: ReadonlyMap<string, Zone>;
  readonly thread: LinkThread;
  readonly links: Map<string, Links>;
}): Promise<Site> {
  const { links, name, nats, thread, zones } = parts;
  const zone = zones.get(name);
  let own = links.get(name);
  if (own === undefined) {
    const targets = nats.servers.map(({ ports }) => ({ host: "127.0.0.1", port: ports.client }));
    own = await thread.open(targets, zone?.hostAddress);
    links.set(name, own);
  }
  const host = zone?.address ?? "127.0.0.1";
  return { natsUrl: own.urls("nats").join(","), command: zone?.command ?? [], host };
}

function found<T>(thing: T | undefined, name: string): T {
  if (thing === undefined) throw new Error(`there is no ${name} here`);
  return thing;
}
