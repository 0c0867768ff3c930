import type { ProcessId, RoomId, WorldName } from "../kernel/ids.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import type { NodeLine } from "../membership/view.ts";

export interface ScoreConfig {
  readonly candidatesMax: number;
  /** Share of a node's capacity above which it gets no rooms. */
  readonly overload: number;
  /** What a room of unknown load is expected to add, in reference nodes. */
  readonly roomLoad: number;
  /** What every room costs at least. */
  readonly roomLoadMin: number;
  /** Score added for each room of the same event on a node of capacity 1. */
  readonly spreadPenalty: number;
  readonly zoneSlack: number;
  /** What fills a reference node, each for itself. */
  readonly sessionsMax: number;
  readonly egressBytesPerSMax: number;
  /** A node that hosts so many refuses one more, whatever its capacity. */
  readonly roomsMax: number;
  /** Only nodes of this version get rooms; undefined: all. */
  readonly version: string | undefined;
}

export const scoreDefaults: ScoreConfig = {
  candidatesMax: 8,
  overload: 0.9,
  roomLoad: 0.002,
  roomLoadMin: 0.0005,
  spreadPenalty: 0.02,
  zoneSlack: 1.2,
  sessionsMax: 4_000,
  egressBytesPerSMax: 100_000_000,
  roomsMax: 2_000,
  version: undefined,
};

export interface PlaceRequest {
  readonly room: RoomId;
  readonly world: WorldName;
  readonly stateVersionMin: number;
  /** In reference nodes. */
  readonly load: number;
  /**
   * Nobody is in a new room yet, so it is refused where what was promised already fills a node. One
   * that lost its owner is refused only by what nodes measure: estimates must not keep it down.
   */
  readonly isNew: boolean;
  readonly excluded: ReadonlySet<ProcessId>;
  /** Rooms of the same event by node; undefined where the room belongs to none. */
  readonly siblings: ReadonlyMap<ProcessId, number> | undefined;
}

export type Refusal =
  | "state"
  | "draining"
  | "world"
  | "version"
  | "excluded"
  | "rooms_full"
  | "overload"
  | "zone_cap";
/** How many nodes each rule refused. */
export interface NoCapacity {
  readonly code: "no_capacity";
  readonly refused: Readonly<Partial<Record<Refusal, number>>>;
}

interface Candidate {
  readonly node: NodeLine;
  readonly weight: number;
}

/** The nodes that may take the room, and how many each rule refused. */
export function eligibleNodes(
  request: PlaceRequest,
  nodes: Iterable<NodeLine>,
  reserved: (process: ProcessId) => number,
  config: ScoreConfig,
): { readonly eligible: readonly NodeLine[]; readonly refused: NoCapacity["refused"] } {
  const refused: Partial<Record<Refusal, number>> = {};
  const refuse = (rule: Refusal): void => {
    refused[rule] = (refused[rule] ?? 0) + 1;
  };
  const eligible: NodeLine[] = [];
  for (const node of nodes) {
    const rule = refusal(request, node, reserved(node.process), config);
    if (rule) refuse(rule);
    else eligible.push(node);
  }
  const full = fullZones(request, eligible, config);
  if (full.size === 0) return { eligible, refused };
  const open = eligible.filter(({ beat }) => !full.has(beat.zone));
  return { eligible: open, refused: { ...refused, zone_cap: eligible.length - open.length } };
}

/** The node that should host the room. Pure; the caller reserves what the room adds. */
export function chooseNode(
  request: PlaceRequest,
  nodes: Iterable<NodeLine>,
  reserved: (process: ProcessId) => number,
  config: ScoreConfig,
): Result<ProcessId, NoCapacity> {
  const { eligible, refused } = eligibleNodes(request, nodes, reserved, config);
  const seed = hashText(request.room);
  const top: Candidate[] = [];
  for (const node of eligible)
    keepBest(top, { node, weight: rendezvous(seed, node) }, config.candidatesMax);
  let best: { readonly process: ProcessId; readonly score: number } | undefined;
  for (const { node } of top) {
    const { capacity } = node.beat;
    const there = request.siblings?.get(node.process) ?? 0;
    const load = expectedLoad(node, config) + reserved(node.process) + request.load;
    const score = (load + there * config.spreadPenalty) / capacity;
    if (!best || score < best.score) best = { process: node.process, score };
  }
  return best ? ok(best.process) : err({ code: "no_capacity", refused });
}

/**
 * Share of its capacity that a node uses by its own account. One whose ticks are stretched has time
 * only because of that.
 */
export function utilisation({ beat }: NodeLine, config: ScoreConfig): number {
  return Math.max(
    beat.load * (beat.stretch ?? 1),
    beat.sessions / (config.sessionsMax * beat.capacity),
    beat.egressBytesPerS / (config.egressBytesPerSMax * beat.capacity),
  );
}

/**
 * What a room with so many people loads its node with, in reference nodes: its share of all people
 * there, a room itself counting as one. Null, where they are not known: the mean room's.
 */
export function roomLoad(node: NodeLine, people: number | null, config: ScoreConfig): number {
  const { capacity, rooms, sessions } = node.beat;
  const share =
    people === null ? 1 / Math.max(1, rooms) : (people + 1) / (sessions + Math.max(1, rooms));
  return Math.max(config.roomLoadMin, utilisation(node, config) * capacity * Math.min(1, share));
}

/** What a node carries, in reference nodes. */
export const expectedLoad = (node: NodeLine, config: ScoreConfig): number =>
  Math.max(utilisation(node, config) * node.beat.capacity, node.beat.rooms * config.roomLoadMin);

/** The highest state version at which a node hosts a world; undefined where it does not. */
export function hostedVersion({ beat }: NodeLine, world: WorldName): number | undefined {
  return beat.worlds.find((hosted) => hosted.world === world)?.stateVersion;
}

function refusal(
  request: PlaceRequest,
  node: NodeLine,
  reserved: number,
  config: ScoreConfig,
): Refusal | undefined {
  const { beat } = node;
  if (node.state !== "alive") return "state";
  if (beat.draining || beat.capacity <= 0) return "draining";
  const hosted = hostedVersion(node, request.world);
  if (hosted === undefined || hosted < request.stateVersionMin) return "world";
  if (config.version !== undefined && beat.version !== config.version) return "version";
  if (request.excluded.has(node.process)) return "excluded";
  if (beat.rooms >= config.roomsMax) return "rooms_full";
  const promised = request.isNew ? reserved / beat.capacity : 0;
  return utilisation(node, config) + promised > config.overload ? "overload" : undefined;
}

/** Zones that hold as much of the room's event as they may. */
function fullZones(
  { siblings }: PlaceRequest,
  eligible: readonly NodeLine[],
  config: ScoreConfig,
): Set<string> {
  const held = new Map<string, number>();
  if (!siblings) return new Set();
  let shards = 1;
  for (const count of siblings.values()) shards += count;
  for (const { process, beat } of eligible)
    held.set(beat.zone, (held.get(beat.zone) ?? 0) + (siblings.get(process) ?? 0));
  const cap = Math.ceil((shards / Math.max(1, held.size)) * config.zoneSlack);
  return new Set([...held].filter(([, count]) => count >= cap).map(([zone]) => zone));
}

/** Weighted rendezvous: the largest weight / -ln(hash) wins in proportion to its weight. */
const rendezvous = (seed: number, node: NodeLine): number =>
  node.beat.capacity / -Math.log((mix(seed ^ hashOf(node)) + 0.5) / 2 ** 32);

/** Hashes of nodes, which a failover of a thousand rooms asks for a thousand times each. */
const hashes = new WeakMap<NodeLine, number>();
function hashOf(node: NodeLine): number {
  const known = hashes.get(node);
  if (known !== undefined) return known;
  const hash = hashText(node.process);
  hashes.set(node, hash);
  return hash;
}

function keepBest(top: Candidate[], candidate: Candidate, max: number): void {
  let at = top.length;
  while (at > 0 && (top[at - 1] as Candidate).weight < candidate.weight) at--;
  if (at >= max) return;
  top.splice(at, 0, candidate);
  if (top.length > max) top.pop();
}

/** FNV-1a. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
}

/** The finalizer of MurmurHash3: every input bit reaches every output bit. */
function mix(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
