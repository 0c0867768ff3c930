import type { Check, Coefficients, Prices } from "../../../src/plan/cost-model.ts";
import { coresByRole } from "../../../src/plan/cost-model.ts";
import { frameBytesOf } from "../../../src/plan/egress.ts";
import { countsOf, ROLES, type RoleName, TERMS } from "../../../src/plan/work.ts";
import { type EventReport, type EventRun, GATEWAYS, nameOf, standHzOf } from "./events.ts";
import { nonNegativeLeastSquares } from "./nnls.ts";
import { plannedDemand, TOPOLOGY, type Window } from "./windows.ts";

/** Below so many cores a window is not taken by its relative error: clocks count in 10 ms. */
const CORES_MIN = 0.02;

/** µs of each term, by what makes the relative errors of all windows least. */
export function fitted(windows: readonly Window[]): Prices {
  const entries = ROLES.map((role) => [role, fittedRole(role, windows)]);
  return Object.fromEntries(entries) as Record<RoleName, Record<string, number>>;
}

function fittedRole(role: RoleName, windows: readonly Window[]): Record<string, number> {
  const terms: readonly string[] = TERMS[role];
  const rows = windows.map(({ counts, cores }) => {
    const of: Readonly<Record<string, number>> = counts[role];
    return {
      counts: terms.map((term) => of[term] ?? 0),
      value: cores[role] * 1e6,
      weight: 1 / (Math.max(cores[role], CORES_MIN) * 1e6),
    };
  });
  const found = nonNegativeLeastSquares(rows, terms.length);
  return Object.fromEntries(terms.map((term, j) => [term, rounded(found[j] ?? 0)]));
}

/** In how many windows there was something of each term. */
export function windowsWith(windows: readonly Window[]): Prices {
  const entries = ROLES.map((role) => {
    const of = (term: string): number =>
      windows.filter(({ counts }) => (counts[role] as Record<string, number>)[term]).length;
    return [role, Object.fromEntries(TERMS[role].map((term) => [term, of(term)]))];
  });
  return Object.fromEntries(entries) as Record<RoleName, Record<string, number>>;
}

const PROCESSES: Readonly<Record<RoleName, number>> = {
  gateway: TOPOLOGY.gateways,
  node: TOPOLOGY.nodes,
  nats: TOPOLOGY.natsServers,
  placement: TOPOLOGY.placements,
};

/** Memory of a process with nobody to serve, and of each person, by what all runs grew to. */
export function fittedBytes(
  role: RoleName,
  reports: readonly EventReport[],
): { readonly process: number; readonly person: number } {
  const processes = PROCESSES[role];
  const rows = reports.map(({ connected, process_bytes, server_bytes_per_connection: each }) => ({
    counts: [processes, connected],
    value: (process_bytes[role] ?? 0) * processes + (each[role] ?? 0) * connected,
    weight: 1e-8,
  }));
  const [process = 0, person = 0] = nonNegativeLeastSquares(rows, 2);
  return { process: Math.round(process), person: Math.round(person) };
}

/** What the model says of a run, by what an operator would have known, beside what it took. */
export function checkOf(run: EventRun, report: EventReport, us: Prices, most: number): Check {
  const predicted = coresByRole(countsOf(plannedDemand(run), TOPOLOGY), us);
  const measured = report.steady.cores;
  const entries = ROLES.map((role) => [
    role,
    { predicted: rounded(predicted[role]), measured: rounded(measured[role] ?? 0) },
  ]);
  const each = { ...run, moveHz: run.hz, standHz: standHzOf(run), roomSize: run.shardSize };
  return {
    name: nameOf(run),
    frameBytes: {
      predicted: frameBytesOf(each),
      measured: Math.round(report.bytes_per_client_s / run.hz),
    },
    beyond: run.users > most,
    cores: Object.fromEntries(entries) as Check["cores"],
  };
}

export function mostOf(windows: readonly Window[]): Coefficients["source"]["most"] {
  const most = (of: (window: Window) => number): number => Math.round(Math.max(...windows.map(of)));
  const users = most(({ demand }) => demand.users);
  return {
    users,
    usersPerGateway: Math.round(users / GATEWAYS),
    framesPerS: most(({ demand }) => demand.framesPerS),
    joinsPerS: most(({ demand }) => demand.joinsPerS),
    commandsPerS: most(({ demand }) => demand.commandsPerS),
  };
}

/** Four digits are more than were measured. */
export const rounded = (value: number): number => Number(value.toPrecision(4));
