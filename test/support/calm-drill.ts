import { readFileSync } from "node:fs";
import { openNats } from "../../src/bus/nats-connection.ts";
import type { Journal } from "../../src/journal/journal.ts";
import { openNatsJournal } from "../../src/journal/nats-journal.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { EPOCH_NONE, type Epoch, epochAt } from "../../src/kernel/epoch.ts";
import { roomId } from "../../src/kernel/ids.ts";
import { systemRandom } from "../../src/kernel/random.ts";
import { tokensIn } from "../../src/load/ledger-script.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { decodeRecord } from "../../src/protocol/journal-record.ts";
import { Cluster, type ClusterShape, type Member } from "./cluster.ts";
import { Crew, type Sailor } from "./crew.ts";
import { waitUntil } from "./wait-until.ts";

/** What must not end anybody's ownership. */
export const DISTURBANCES = ["nats_server", "stalled_loop", "placement"] as const;
export type Disturbance = (typeof DISTURBANCES)[number];

/** What one disturbance did that it should not have. */
export interface Harm {
  /** Rooms that were claimed although no node had died. */
  readonly failovers: readonly string[];
  /** Nodes that a replica took for suspect, stalled or dead, with its reason, or that ended. */
  readonly suspensions: readonly string[];
  readonly socketsClosed: number;
  /** Rooms that were handed over: no harm, but their epochs changed as well. */
  readonly moved: number;
  /** Times that a replica threw its samples away. */
  readonly pauses: number;
  /** How long until everybody's commands were answered again. */
  readonly calmAgainMs: number;
  /** How long a node's main thread was ready to run and had no processor, at the worst one. */
  readonly cpuWaitMsMax: number;
}

export interface DrillShape extends Pick<ClusterShape, "built" | "onOutput"> {
  readonly nodes: number;
  readonly rooms: number;
  readonly clients: number;
}

const STALL_MS = 2_000;
/** A bus that froze with its stream's leader serves again after 4 to 9 s, or twice that. */
const CALM_MS_MAX = 60_000;
const WORK_MS = 500;
/** Replicas' metrics by which they tell that they distrust somebody, or themselves. */
const TRANSITION =
  /^roomcluster_node_transitions_total\{to="(suspect|stalled|dead)",reason="(\w+)"/;
const PAUSE = /^roomcluster_placement_pauses_total/;

/** A real cluster at work, in which things are disturbed that should disturb nobody. */
export class CalmDrill {
  readonly cluster: Cluster;
  readonly crew: Crew;
  readonly rooms: readonly string[];
  readonly #nodes: number;
  readonly #journal: Journal;
  readonly #closeJournal: () => Promise<void>;
  /** Tokens of earlier verdicts. */
  readonly #told = new Set<string>();
  #times = 0;

  private constructor(cluster: Cluster, shape: DrillShape, opened: OpenJournal) {
    this.cluster = cluster;
    this.crew = new Crew(cluster);
    this.rooms = Array.from({ length: shape.rooms }, (_, i) => `hall-${i}`);
    this.#nodes = shape.nodes;
    this.#journal = opened.journal;
    this.#closeJournal = opened.close;
  }

  static async start(shape: DrillShape): Promise<CalmDrill> {
    const { nodes, rooms: _, clients, ...rest } = shape;
    const cluster = await Cluster.start({ nats: 3, placements: 2, nodes, gateways: 2, ...rest });
    try {
      const drill = new CalmDrill(cluster, shape, await openJournal(cluster));
      const { rooms, crew } = drill;
      await Promise.all(rooms.map((room) => cluster.createRoom(room)));
      for (let i = 0; i < clients; i++) await crew.join(`p${i}`, rooms[i % rooms.length] as string);
      crew.work(WORK_MS);
      await drill.#calm();
      return drill;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.crew.close();
    await this.#closeJournal();
    await this.cluster.close();
  }

  /** Disturbs once, waits until all is calm again, and says what came of it. */
  async disturb(kind: Disturbance): Promise<Harm> {
    const number = this.#times++;
    const epochs = await this.#epochs();
    const closes = this.#socketsClosed();
    const said = await this.#said();
    const waited = this.#cpuWaits();
    const began = performance.now();
    if (kind === "nats_server") await this.#killNatsServer(number % 3);
    else if (kind === "stalled_loop") await this.#stall(`node-${1 + (number % this.#nodes)}`);
    else await this.#killPlacement(`placement-${1 + (number % 2)}`, said);
    const ended = await this.#calm();
    const calmAgainMs = performance.now() - began;
    const cpuWaits = [...this.#cpuWaits()].map(([pid, ms]) => ms - (waited.get(pid) ?? 0));
    const now = await this.#said();
    const changed = [...(await this.#epochs())].filter(([room, at]) => at !== epochs.get(room));
    const claimed = await Promise.all(changed.map(([room, at]) => this.#wasClaimed(room, at)));
    return {
      failovers: changed.filter((_, i) => claimed[i]).map(([room, at]) => `${room} at ${at}`),
      suspensions: [...risen(said.suspensions, now.suspensions), ...ended],
      socketsClosed: this.#socketsClosed() - closes,
      moved: claimed.filter((each) => !each).length,
      pauses: risen(said.pauses, now.pauses).length,
      calmAgainMs,
      cpuWaitMsMax: Math.max(...cpuWaits),
    };
  }

  /**
   * Tokens that were acknowledged by now and are not there, or that are there twice, without those
   * that were told before. Work goes on meanwhile.
   */
  async verdict(): Promise<{ readonly lost: number; readonly doubled: number }> {
    const acked = this.crew.sailors.flatMap((sailor) => [...sailor.acked]);
    const tokens = new Map<string, number>();
    for (const name of this.rooms) {
      const reader = await new Crew(this.cluster).join(`reader-${name}`, name);
      for (const [token, times] of tokensIn(reader.room.state)) tokens.set(token, times);
      await reader.room.leave();
      reader.client.close();
    }
    const isNew = (token: string): boolean => !this.#told.has(token);
    const lost = acked.filter((token) => !tokens.has(token)).filter(isNew);
    const twice = [...tokens].flatMap(([token, times]) => (times > 1 ? [token] : []));
    const doubled = twice.filter(isNew);
    for (const token of [...lost, ...doubled]) this.#told.add(token);
    return { lost: lost.length, doubled: doubled.length };
  }

  describe = (): string => `${this.crew.describe()}\n${this.cluster.dump()}`;

  /** Its streams' leaders move; when people's commands are answered again it comes back. */
  async #killNatsServer(number: number): Promise<void> {
    const server = this.cluster.nats.servers[number];
    if (!server) throw new Error(`no NATS server ${number}`);
    await server.kill();
    await this.#everybodyAnswered();
    await server.restart();
    await Promise.all(this.cluster.nats.servers.map((each) => each.healthy()));
  }

  async #stall(name: string): Promise<void> {
    const sailor = await this.#someoneOn(name);
    await sailor.room.command("stall", { ms: STALL_MS });
  }

  async #killPlacement(name: string, said: Said): Promise<void> {
    this.cluster.kill(name);
    await this.cluster.restart(name);
    // Its counters began anew.
    for (const counts of [said.suspensions, said.pauses])
      for (const key of counts.keys()) if (key.startsWith(`${name} `)) counts.delete(key);
  }

  async #someoneOn(name: string): Promise<Sailor> {
    for (const sailor of this.crew.sailors) {
      const at = this.crew.sailors.indexOf(sailor) % this.rooms.length;
      const { owner } = await this.cluster.room(this.rooms[at] as string);
      if (owner === this.cluster.member(name).id) return sailor;
    }
    throw new Error(`nobody is in a room of ${name}`);
  }

  /**
   * Everybody works and sees frames, and each replica knows all nodes and rooms. Answers with the
   * nodes that ended meanwhile, which are started again as a supervisor would.
   */
  async #calm(): Promise<string[]> {
    const ended: string[] = [];
    await this.#everybodyAnswered();
    const replicas = this.cluster.members.filter(({ role }) => role === "placement");
    const calm = async (): Promise<boolean> => {
      ended.push(...(await this.#revive()));
      return (await Promise.all(replicas.map((each) => this.#knowsAll(each)))).every(Boolean);
    };
    const waiting = { timeoutMs: CALM_MS_MAX, pollMs: 20, dump: this.describe };
    await waitUntil("the replicas know everybody", calm, waiting);
    return ended;
  }

  async #knowsAll({ port }: Member): Promise<boolean> {
    const list = async <T>(what: string): Promise<T[]> => {
      const answer = await fetch(`http://127.0.0.1:${port}/v1/${what}`).catch(() => undefined);
      return ((await answer?.json()) as Record<string, T[]> | undefined)?.[what] ?? [];
    };
    const nodes = await list<{ state: string }>("nodes");
    const rooms = await list<{ owner: string | null }>("rooms");
    const alive = nodes.filter(({ state }) => state === "alive").length;
    const owned = rooms.filter(({ owner }) => owner !== null).length;
    return alive === this.#nodes && owned === this.rooms.length;
  }

  async #revive(): Promise<string[]> {
    const isOver = ({ role, child }: Member): boolean =>
      role === "node" && (child.exitCode !== null || child.signalCode !== null);
    const over = this.cluster.members.filter(isOver);
    const words = over.map(({ name, output }) => `${name} ended: ${output.at(-1)}`);
    await Promise.all(over.map(({ name }) => this.cluster.restart(name)));
    return words;
  }

  /** By process, since it began. */
  #cpuWaits(): Map<number, number> {
    const nodes = this.cluster.members.filter(({ role }) => role === "node");
    return new Map(
      nodes.map(({ pid }) => {
        const told = readFileSync(`/proc/${pid}/schedstat`, "utf8");
        return [pid, Number(told.split(" ")[1]) / 1e6];
      }),
    );
  }

  async #everybodyAnswered(): Promise<void> {
    const { sailors } = this.crew;
    const was = sailors.map(({ acked, frames }) => ({ acked: acked.size, frames }));
    // The first answer may have been under way before.
    const goesOn = (sailor: Sailor, i: number): boolean =>
      sailor.acked.size >= (was[i]?.acked ?? 0) + 2 && sailor.frames > (was[i]?.frames ?? 0);
    await waitUntil("everybody's commands are answered", () => sailors.every(goesOn), {
      timeoutMs: CALM_MS_MAX,
      dump: this.describe,
    });
  }

  #socketsClosed = (): number => this.crew.sailors.reduce((sum, { closes }) => sum + closes, 0);

  /** What replicas say of nodes and of themselves, by replica. */
  async #said(): Promise<Said> {
    const said: Said = { suspensions: new Map(), pauses: new Map() };
    for (const { name } of this.cluster.members.filter(({ role }) => role === "placement")) {
      const text = await (await fetch(await this.cluster.metricsUrl(name))).text();
      for (const line of text.split("\n")) {
        const count = Number(line.slice(line.lastIndexOf(" ")));
        const [, to, reason] = TRANSITION.exec(line) ?? [];
        if (to) said.suspensions.set(`${name} ${to} ${reason}`, count);
        if (PAUSE.test(line)) said.pauses.set(`${name} ${line.slice(0, line.indexOf("}"))}`, count);
      }
    }
    return said;
  }

  /** As the journals' tails have them: no replica's belief. */
  async #epochs(): Promise<Map<string, Epoch>> {
    const epochs = await Promise.all(this.rooms.map((room) => this.#epochOf(room)));
    return new Map(this.rooms.map((room, i) => [room, epochs[i] ?? EPOCH_NONE]));
  }

  async #epochOf(room: string): Promise<Epoch> {
    let epoch: Epoch = EPOCH_NONE;
    const read = async (): Promise<boolean> => {
      const tail = await this.#journal.readTail(roomId(`demo/${room}`));
      const record = tail.ok && tail.value.record ? decodeRecord(tail.value.record) : undefined;
      if (!tail.ok || !record) return false;
      const { generation, sequence } = tail.value;
      epoch = record.type === "owner" ? epochAt(generation, sequence) : record.epoch;
      return true;
    };
    await waitUntil(`the tail of ${room}`, read, { timeoutMs: CALM_MS_MAX, dump: this.describe });
    return epoch;
  }

  /** Not handed over by the owner before. An owner record that was trimmed counts as a claim. */
  async #wasClaimed(room: string, epoch: Epoch): Promise<boolean> {
    const sequence = epoch - epochAt(this.#journal.generation, 1) + 1;
    const found = await this.#journal.readAfter(roomId(`demo/${room}`), sequence - 1);
    const stored = found.ok ? found.value : undefined;
    const record = stored?.sequence === sequence ? decodeRecord(stored.data) : undefined;
    return record?.type !== "owner" || record.owner === record.by;
  }
}

interface Said {
  readonly suspensions: Map<string, number>;
  readonly pauses: Map<string, number>;
}

/** Each count's name, as often as it rose. */
function risen(before: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>): string[] {
  return [...now].flatMap(([key, count]) => Array(count - (before.get(key) ?? 0)).fill(key));
}

interface OpenJournal {
  readonly journal: Journal;
  readonly close: () => Promise<void>;
}

async function openJournal({ nats }: Cluster): Promise<OpenJournal> {
  const { user, password, inboxPrefix } = nats.credentials.placement;
  const opened = await openNats(
    { servers: nats.urls, user, password, inboxPrefix, name: "drill", label: "control" },
    { clock: systemClock, random: systemRandom, observer: silentObserver },
  );
  if (!opened.ok) throw new Error(`${opened.error.code}: ${opened.error.detail}`);
  const client = opened.value;
  const journal = await openNatsJournal(client);
  if (!journal.ok) throw new Error(`the journals are ${journal.error}`);
  return { journal: journal.value, close: () => client.close() };
}
