import type { Metrics } from "../observe/observer.ts";

/** What of a node makes up the cost of its users. `pricePerHour` 0: nobody named its price. */
export interface PricedNode {
  readonly pricePerHour: number;
  readonly sessions: number;
  readonly arch: string;
}

/** In the currency of the prices. A node without one counts in `unpricedNodes` and nowhere else. */
export interface Cost {
  readonly pricePerHour: number;
  readonly sessions: number;
  /** Null where nobody is there, or no node names a price: neither is a cost of nothing. */
  readonly pricePerHourPer1000: number | null;
  readonly unpricedNodes: number;
}

export interface ClusterCost extends Cost {
  readonly byArch: Readonly<Record<string, Cost>>;
}

/** Finer than any price; coarser than what sums of fractions leave behind. */
const STEPS = 1_000_000;
const rounded = (value: number): number => Math.round(value * STEPS) / STEPS;

/**
 * What 1,000 sessions cost in an hour on these nodes. Of a node without a price the sessions do not
 * count either: they would make those of the others look cheaper.
 */
export function costOf(nodes: Iterable<PricedNode>): ClusterCost {
  const all = [...nodes];
  const archs = [...new Set(all.map(({ arch }) => arch))].sort();
  const of = (arch: string): Cost => sumOf(all.filter((node) => node.arch === arch));
  return { ...sumOf(all), byArch: Object.fromEntries(archs.map((arch) => [arch, of(arch)])) };
}

function sumOf(nodes: readonly PricedNode[]): Cost {
  const priced = nodes.filter(({ pricePerHour }) => pricePerHour > 0);
  const total = priced.reduce((sum, node) => sum + node.pricePerHour, 0);
  const sessions = priced.reduce((sum, node) => sum + node.sessions, 0);
  const pricePerHourPer1000 = sessions === 0 ? null : rounded((total / sessions) * 1_000);
  const unpricedNodes = nodes.length - priced.length;
  return { pricePerHour: rounded(total), sessions, pricePerHourPer1000, unpricedNodes };
}

/** Kinds of processors that are told apart; there are not half as many. */
const ARCHS_MAX = 16;
const ALL = "all";

/** The same figures as gauges. What has none any more says so (NaN), instead of its last one. */
export class CostGauges {
  readonly #metrics: Metrics;
  readonly #archs = new Set<string>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  set(nodes: Iterable<PricedNode>): void {
    const { byArch, ...all } = costOf(nodes);
    for (const arch of Object.keys(byArch)) if (this.#archs.size < ARCHS_MAX) this.#archs.add(arch);
    this.#set(all, ALL);
    for (const arch of this.#archs) this.#set(byArch[arch], arch);
  }

  #set(cost: Cost | undefined, arch: string): void {
    const value = cost?.pricePerHourPer1000 ?? Number.NaN;
    this.#metrics.set("roomcluster_price_per_hour_per_1000_sessions", value, { arch });
  }
}
