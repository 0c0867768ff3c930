import { type Counts, ROLES, type RoleName, TERMS } from "./work.ts";

/** Processor time of one of each term, in µs, on the machine that was measured. */
export type Prices = { readonly [R in RoleName]: Readonly<Record<string, number>> };

/** Where the figures of the model come from. All of it is written by `npm run bench:plan`. */
export interface Source {
  readonly command: string;
  readonly machine: string;
  readonly date: string;
  /** What a frame costs a C program there (`npm run bench:fanout`), by which machines compare. */
  readonly floorUs: number;
  /** The largest of each that the fit has seen. */
  readonly most: {
    readonly users: number;
    readonly usersPerGateway: number;
    readonly framesPerS: number;
    readonly joinsPerS: number;
    readonly commandsPerS: number;
  };
  readonly runs: number;
}

export interface Coefficients {
  readonly source: Source;
  readonly us: Prices;
  /** In how many windows of time something of a term was there to be measured. */
  readonly windows: Prices;
  readonly bytes: {
    /** One process with nobody there. */
    readonly process: Readonly<Record<RoleName, number>>;
    /** What one more person adds; of a gateway without the kernel's part. */
    readonly person: Readonly<Record<RoleName, number>>;
    /** Of the kernel, for a gateway's end of a connection. */
    readonly kernelConnection: number;
  };
  /** Runs that were not in the fit. */
  readonly checks: readonly Check[];
}

export interface Check {
  readonly name: string;
  /** The coefficients had seen no run with as many people. */
  readonly beyond: boolean;
  readonly frameBytes: { readonly predicted: number; readonly measured: number };
  readonly cores: Readonly<
    Record<RoleName, { readonly predicted: number; readonly measured: number }>
  >;
}

export interface TermCost {
  readonly term: string;
  readonly count: number;
  readonly us: number;
  readonly cores: number;
}

/** Processor time of a role, term by term. `speed`: how much longer everything takes here. */
export function termCosts<R extends RoleName>(
  role: R,
  counts: Counts,
  prices: Prices,
  speed: number,
): readonly TermCost[] {
  const of: Readonly<Record<string, number>> = counts[role];
  return TERMS[role].map((term) => {
    const count = of[term] ?? 0;
    const us = (prices[role][term] ?? 0) * speed;
    return { term, count, us, cores: (count * us) / 1e6 };
  });
}

export const coresOf = (costs: readonly TermCost[]): number =>
  costs.reduce((sum, { cores }) => sum + cores, 0);

/** Cores of all roles, as a measured run has them. */
export function coresByRole(counts: Counts, prices: Prices, speed = 1): Record<RoleName, number> {
  const entries = ROLES.map((role) => [role, coresOf(termCosts(role, counts, prices, speed))]);
  return Object.fromEntries(entries) as Record<RoleName, number>;
}

/** By how much a prediction is off, in per cent of what was measured. */
export const errorPercent = (predicted: number, measured: number): number =>
  measured === 0 ? 0 : ((predicted - measured) / measured) * 100;

/** Of a check: all roles together. */
export function sumOf({ cores }: Check): { readonly predicted: number; readonly measured: number } {
  const all = ROLES.map((role) => cores[role]);
  return {
    predicted: all.reduce((sum, { predicted }) => sum + predicted, 0),
    measured: all.reduce((sum, { measured }) => sum + measured, 0),
  };
}
