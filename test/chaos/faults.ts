import { connect } from "../../src/client/client.ts";
import type { Random } from "../../src/kernel/random.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import type { RoleName } from "../support/cluster.ts";
import type { NatsServer } from "../support/nats-servers.ts";
import type { Fleet } from "./fleet.ts";
import type { Kind, PlannedFault } from "./plan.ts";
import type { LinkState } from "./proxy.ts";

/** A fault that has found its victims and has not struck yet. */
export interface Fault {
  readonly victims: readonly string[];
  /** Nodes whose rooms have to find another owner. */
  readonly dispossessed: readonly string[];
  /** From the strike until it is healed. */
  readonly holdMs: number;
  strike(): void | Promise<void>;
  /** Gives back what was taken away; all processes are up and stand by when it resolves. */
  heal(): Promise<void>;
}

export interface Arena {
  readonly fleet: Fleet;
  /** Signs a person's token, for those who command as somebody. */
  readonly token: (person: string) => Promise<string>;
  readonly owners: ReadonlyMap<string, string>;
  /** Those that hold people's sockets. */
  readonly gateways: ReadonlySet<string>;
}

type Chooser = (arena: Arena, planned: PlannedFault) => Fault | Promise<Fault>;

const CUT: LinkState = { kind: "cut" };
const OPEN: LinkState = { kind: "open" };
const ENDED_MS_MAX = 40_000;
/** A command that stalls is on its way for less. */
const DEPART_MS = 300;

const between = (dice: number, least: number, most: number): number =>
  least + dice * (most - least);

export const chooseFault = (arena: Arena, planned: PlannedFault): Fault | Promise<Fault> =>
  CHOOSERS[planned.kind](arena, planned);

/** A process that is killed and started again. */
const killed: (role: RoleName, signal: "SIGKILL" | "SIGTERM") => Chooser =
  (role, signal) =>
  (arena, { victim: dice }) => {
    const { fleet } = arena;
    const victim = choose(arena, role, dice);
    return {
      victims: [victim],
      dispossessed: role === "node" ? [victim] : [],
      holdMs: 0,
      strike: () => fleet.cluster.signal(victim, signal),
      heal: () => revive(fleet, victim),
    };
  };

/** A process that is stopped, keeps its sockets, and goes on as if nothing had been. */
const frozen =
  (role: RoleName, leastMs: number, mostMs: number): Chooser =>
  (arena, { dice, victim: chosen }) => {
    const { fleet } = arena;
    const victim = choose(arena, role, chosen);
    return {
      victims: [victim],
      dispossessed: role === "node" ? [victim] : [],
      holdMs: between(dice, leastMs, mostMs),
      strike: () => fleet.cluster.signal(victim, "SIGSTOP"),
      heal: async () => {
        fleet.cluster.signal(victim, "SIGCONT");
        await standing(fleet, victim);
      },
    };
  };

/** A process whose links to every NATS server are cut or slow. */
const unlinked =
  (role: RoleName, how: "cut" | "slow"): Chooser =>
  (arena, { dice, victim: chosen }) => {
    const { fleet } = arena;
    const victim = choose(arena, role, chosen);
    const links = fleet.links(victim);
    const state: LinkState =
      how === "cut" ? CUT : { kind: "slow", delayMs: Math.round(between(dice, 20, 80)) };
    return {
      victims: [victim],
      dispossessed: role === "node" && how === "cut" ? [victim] : [],
      holdMs: between(dice, 4_500, 7_000),
      strike: () => links.set(state),
      heal: async () => {
        links.set(OPEN);
        await standing(fleet, victim);
      },
    };
  };

const clientLinks =
  (how: "cut" | "slow" | "reset"): Chooser =>
  (arena, { dice, victim: chosen }) => {
    const { fleet } = arena;
    const victim = choose(arena, "gateway", chosen);
    const links = fleet.clients(victim);
    const delayMs = Math.round(between(dice, 50, 200));
    return {
      victims: [`clients of ${victim}`],
      dispossessed: [],
      holdMs: how === "reset" ? 0 : between(dice, 2_000, 5_000),
      strike: () => {
        if (how === "reset") links.reset();
        else links.set(how === "cut" ? CUT : { kind: "slow", delayMs });
      },
      heal: async () => links.set(OPEN),
    };
  };

const partitioned =
  (role: RoleName, how: "cut" | "mute"): Chooser =>
  ({ fleet }, { dice, victim }) => {
    const zones = fleet.zonesOf(role);
    const { zone, names } = zones[Math.floor(victim * zones.length)] as (typeof zones)[number];
    return {
      victims: names,
      dispossessed: role === "node" ? names : [],
      holdMs: between(dice, 5_000, 7_000),
      strike: () => fleet.namespaces[how](zone),
      heal: async () => {
        fleet.namespaces.mend(zone);
        await Promise.all(names.map((name) => standing(fleet, name)));
      },
    };
  };

const natsServer =
  (how: "SIGKILL" | "SIGTERM" | "SIGSTOP"): Chooser =>
  async ({ fleet }, { dice, victim }) => {
    const { servers } = fleet.cluster.nats;
    const chosen = servers[Math.floor(victim * servers.length)] as NatsServer;
    const server = how === "SIGKILL" ? await fleet.natsLeader() : chosen;
    const strikes = {
      SIGKILL: () => void server.kill(),
      SIGTERM: () => void server.stop(),
      SIGSTOP: () => server.pause(),
    };
    return {
      victims: [server.name],
      dispossessed: [],
      holdMs: how === "SIGSTOP" ? between(dice, 3_000, 7_000) : between(dice, 500, 3_000),
      strike: strikes[how],
      heal: async () => {
        if (how === "SIGSTOP") server.resume();
        else await server.restart();
        await server.healthy();
      },
    };
  };

/** Two die at the same moment, of which one is a node with rooms. */
const together =
  (other: "nats" | "placement"): Chooser =>
  async (arena, { dice, victim: chosen }) => {
    const { fleet } = arena;
    const victim = choose(arena, "node", chosen);
    const server = other === "nats" ? await fleet.natsLeader() : undefined;
    const replica = choose(arena, "placement", dice);
    return {
      victims: [victim, server?.name ?? replica],
      dispossessed: [victim],
      holdMs: server ? between(dice, 500, 3_000) : 0,
      strike: () => {
        if (server) void server.kill();
        else fleet.cluster.kill(replica);
        fleet.cluster.kill(victim);
      },
      heal: async () => {
        if (server) await server.restart();
        else await revive(fleet, replica);
        await revive(fleet, victim);
      },
    };
  };

const drained: Chooser = (arena, { victim: dice }) => {
  const { fleet } = arena;
  const victim = choose(arena, "node", dice);
  return {
    victims: [victim],
    dispossessed: [victim],
    holdMs: 0,
    strike: async () => {
      const { id } = fleet.cluster.member(victim);
      await fleet.ask(`/v1/nodes/${id}/drain`, { method: "POST" });
    },
    heal: () => revive(fleet, victim),
  };
};

/** Somebody's command computes for seconds; they are gone before it could be sent again. */
const stalled: Chooser = async (arena, { dice, number, victim: chosen }) => {
  const { fleet, owners, token } = arena;
  const victim = choose(arena, "node", chosen);
  const rooms = [...owners].filter(([, owner]) => owner === victim).map(([room]) => room);
  const random: Random = seededRandom(number);
  const name = rooms[Math.floor(random.next() * rooms.length)] as string;
  const person = `saboteur-${number}`;
  const client = await connect({ urls: fleet.urls, token: () => token(person), agent: "chaos" });
  const profile = { name: person, color: 0, model: "capsule" };
  const room = await client.join(name, { profile });
  const ms = Math.round(between(dice, 4_000, 6_000));
  return {
    victims: [victim],
    dispossessed: [victim],
    holdMs: DEPART_MS,
    strike: () => void room.command("stall", { ms }).catch(() => {}),
    heal: async () => {
      client.close();
      await revive(fleet, victim);
    },
  };
};

const natsUnreachable: Chooser = ({ fleet }, { dice, victim }) => {
  const { servers } = fleet.cluster.nats;
  const at = Math.floor(victim * servers.length);
  return {
    victims: [`links to ${servers[at]?.name}`],
    dispossessed: [],
    holdMs: between(dice, 3_000, 6_000),
    strike: () => {
      for (const links of fleet.allLinks) links.set(CUT, at);
    },
    heal: async () => {
      for (const links of fleet.allLinks) links.set(OPEN, at);
    },
  };
};

const CHOOSERS: Readonly<Record<Kind, Chooser>> = {
  node_sigkill: killed("node", "SIGKILL"),
  node_sigterm: killed("node", "SIGTERM"),
  node_drain: drained,
  node_sigstop_sigcont: frozen("node", 4_000, 8_000),
  node_stall: stalled,
  node_links_cut: unlinked("node", "cut"),
  node_links_slow: unlinked("node", "slow"),
  node_sigkill_with_nats_leader: together("nats"),
  node_sigkill_with_placement: together("placement"),
  nodes_partitioned: partitioned("node", "cut"),
  nodes_partitioned_one_way: partitioned("node", "mute"),
  gateway_sigkill: killed("gateway", "SIGKILL"),
  gateway_sigterm: killed("gateway", "SIGTERM"),
  gateway_sigstop_sigcont: frozen("gateway", 2_000, 6_000),
  gateway_links_cut: unlinked("gateway", "cut"),
  gateway_links_slow: unlinked("gateway", "slow"),
  gateway_partitioned: partitioned("gateway", "cut"),
  client_links_cut: clientLinks("cut"),
  client_links_reset: clientLinks("reset"),
  client_links_slow: clientLinks("slow"),
  placement_sigkill: killed("placement", "SIGKILL"),
  placement_sigterm: killed("placement", "SIGTERM"),
  placement_sigstop_sigcont: frozen("placement", 2_000, 6_000),
  placement_links_cut: unlinked("placement", "cut"),
  nats_sigkill: natsServer("SIGKILL"),
  nats_sigterm: natsServer("SIGTERM"),
  nats_sigstop_sigcont: natsServer("SIGSTOP"),
  nats_links_cut: natsUnreachable,
};

/** One process of a role that somebody would miss. */
function choose({ fleet, gateways, owners }: Arena, role: RoleName, dice: number): string {
  const owning = new Set(owners.values());
  const missed: Record<RoleName, (name: string) => boolean> = {
    node: (name) => owning.has(name),
    gateway: (name) => gateways.size === 0 || gateways.has(name),
    placement: () => true,
  };
  const names = fleet
    .members(role)
    .map(({ name }) => name)
    .filter(missed[role]);
  const name = names[Math.floor(dice * names.length)];
  if (name === undefined) throw new Error(`no ${role} owns a room`);
  return name;
}

/** Starts it again once it has ended. */
async function revive(fleet: Fleet, name: string): Promise<void> {
  await fleet.cluster.ended(name, ENDED_MS_MAX);
  await fleet.cluster.restart(name);
  if (name.startsWith("node")) await fleet.standsBy(name);
}

/**
 * It is there and alive in placement's eyes. What was away for long may have been told that it is
 * dead, and has ended: then it is started again, as an orchestrator would.
 */
async function standing(fleet: Fleet, name: string): Promise<void> {
  if (!name.startsWith("node")) return;
  const { child } = fleet.cluster.member(name);
  const ended = new Promise<"ended">((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve("ended");
    child.once("exit", () => resolve("ended"));
  });
  const stands = fleet.standsBy(name).then(() => "stands" as const);
  const first = await Promise.race([ended, stands.catch(() => "ended" as const)]);
  if (first === "ended") await revive(fleet, name);
}
