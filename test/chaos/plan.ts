import { type Random, randomBelow, seededRandom } from "../../src/kernel/random.ts";

/** Which of the report's figures the affected clients' waits go into. */
export type Figure =
  | "failover_ms"
  | "freeze_failover_ms"
  | "stall_failover_ms"
  | "failover_bus_down_ms"
  | "failover_overlapped_ms"
  | "migration_pause_ms";

export type Lane = "node" | "gateway" | "placement" | "nats" | "clients";

export interface KindFacts {
  readonly lane: Lane;
  /** How often it is in a deck; every kind is in the first one once. */
  readonly weight: number;
  readonly figure?: Figure;
  /** Nobody's socket may close: rooms move because somebody asked for it. */
  readonly planned?: true;
  readonly namespaces?: true;
  readonly cluster?: true;
  readonly what: string;
}

/** Every kind of fault there is, under the name that the report counts it by. */
export const KINDS = {
  node_sigkill: {
    lane: "node",
    weight: 3,
    figure: "failover_ms",
    what: "SIGKILL of a node that owns rooms",
  },
  node_sigterm: {
    lane: "node",
    weight: 2,
    figure: "migration_pause_ms",
    planned: true,
    what: "SIGTERM of a node: it hands its rooms over and ends",
  },
  node_drain: {
    lane: "node",
    weight: 1,
    figure: "migration_pause_ms",
    planned: true,
    what: "a drain by the operator API",
  },
  node_sigstop_sigcont: {
    lane: "node",
    weight: 2,
    figure: "freeze_failover_ms",
    what: "SIGSTOP of a node, SIGCONT seconds later",
  },
  node_stall: {
    lane: "node",
    weight: 2,
    figure: "stall_failover_ms",
    what: "a command that holds a node's event loop up for 4 to 6 s",
  },
  node_links_cut: {
    lane: "node",
    weight: 1,
    figure: "freeze_failover_ms",
    what: "a node's links to all NATS servers carry nothing, without closing",
  },
  node_links_slow: { lane: "node", weight: 1, what: "a node's links to NATS are 20 to 80 ms slow" },
  node_sigkill_with_nats_leader: {
    lane: "node",
    weight: 2,
    figure: "failover_bus_down_ms",
    cluster: true,
    what: "SIGKILL of a node and of the NATS server that leads most streams, together",
  },
  node_sigkill_with_placement: {
    lane: "node",
    weight: 1,
    figure: "failover_overlapped_ms",
    what: "SIGKILL of a node and of a placement replica, together",
  },
  nodes_partitioned: {
    lane: "node",
    weight: 1,
    figure: "freeze_failover_ms",
    namespaces: true,
    what: "a network namespace with two nodes is cut off",
  },
  nodes_partitioned_one_way: {
    lane: "node",
    weight: 1,
    figure: "freeze_failover_ms",
    namespaces: true,
    what: "two nodes in a network namespace are heard by nobody, but hear",
  },
  gateway_sigkill: { lane: "gateway", weight: 1, what: "SIGKILL of a gateway" },
  gateway_sigterm: { lane: "gateway", weight: 1, what: "SIGTERM of a gateway: it drains and ends" },
  gateway_sigstop_sigcont: {
    lane: "gateway",
    weight: 1,
    what: "SIGSTOP of a gateway, SIGCONT seconds later",
  },
  gateway_links_cut: {
    lane: "gateway",
    weight: 1,
    what: "a gateway's links to all NATS servers carry nothing",
  },
  gateway_links_slow: {
    lane: "gateway",
    weight: 1,
    what: "a gateway's links to NATS are 20 to 80 ms slow",
  },
  gateway_partitioned: {
    lane: "gateway",
    weight: 1,
    namespaces: true,
    what: "a network namespace with a gateway is cut off, from NATS and from clients",
  },
  client_links_cut: {
    lane: "clients",
    weight: 1,
    what: "the links between a gateway and half its clients carry nothing for seconds",
  },
  client_links_reset: {
    lane: "clients",
    weight: 1,
    what: "every link between a gateway and half its clients breaks",
  },
  client_links_slow: {
    lane: "clients",
    weight: 1,
    what: "the links between a gateway and half its clients are 50 to 200 ms slow",
  },
  placement_sigkill: { lane: "placement", weight: 1, what: "SIGKILL of a placement replica" },
  placement_sigterm: { lane: "placement", weight: 1, what: "SIGTERM of a placement replica" },
  placement_sigstop_sigcont: {
    lane: "placement",
    weight: 1,
    what: "SIGSTOP of a placement replica, SIGCONT seconds later",
  },
  placement_links_cut: {
    lane: "placement",
    weight: 1,
    what: "a placement replica's links to all NATS servers carry nothing",
  },
  nats_sigkill: {
    lane: "nats",
    weight: 1,
    cluster: true,
    what: "SIGKILL of the NATS server that leads most streams",
  },
  nats_sigterm: { lane: "nats", weight: 1, cluster: true, what: "SIGTERM of a NATS server" },
  nats_sigstop_sigcont: {
    lane: "nats",
    weight: 1,
    cluster: true,
    what: "SIGSTOP of a NATS server, SIGCONT seconds later",
  },
  nats_links_cut: {
    lane: "nats",
    weight: 1,
    cluster: true,
    what: "nobody reaches one NATS server, while it reaches its peers",
  },
} as const satisfies Record<string, KindFacts>;
export type Kind = keyof typeof KINDS;
export const ALL_KINDS = Object.keys(KINDS) as Kind[];
export const factsOf = (kind: Kind): KindFacts => KINDS[kind];

export interface PlannedFault {
  readonly number: number;
  readonly kind: Kind;
  /** Chooses among the processes it could hit, in [0, 1). */
  readonly victim: number;
  /** How strong or how long, in [0, 1). */
  readonly dice: number;
  /** Quiet time before it, in ms. */
  readonly restMs: number;
}

const REST_MS = 1_000;

/**
 * The same faults in the same order for a seed, without end: every kind once, in an order that is
 * drawn, and from then on decks in which kinds are as often as their weight says.
 */
export function* planFaults(seed: number, kinds: readonly Kind[]): Generator<PlannedFault> {
  const random = seededRandom(seed);
  const weighted = kinds.flatMap((kind) => Array<Kind>(factsOf(kind).weight).fill(kind));
  let number = 0;
  for (let deck = kinds; ; deck = weighted)
    for (const kind of shuffled(deck, random))
      yield {
        number: ++number,
        kind,
        victim: random.next(),
        dice: random.next(),
        restMs: REST_MS + random.next() * REST_MS,
      };
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const j = randomBelow(random, i + 1);
    [order[i], order[j]] = [order[j] as T, order[i] as T];
  }
  return order;
}

/** What a command line asks for, or the first name that is none. */
export function parseKinds(text: string): readonly Kind[] | { readonly unknown: string } {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !Object.hasOwn(KINDS, name));
  return unknown === undefined ? (names as Kind[]) : { unknown };
}
