/** Processor time by role. */
export type ByRole = Readonly<Record<string, number>>;

/** What one size of the crowd cost. */
export interface Size {
  readonly users: number;
  /** Frames that clients were sent each second: a user-tick each. */
  readonly framesPerS: number;
  readonly cores: ByRole;
  readonly frameMs: { readonly p50: number; readonly p99: number };
  readonly clientCores: number;
  /** Share of all of the machine's cores that was busy, whoever had it. */
  readonly machineBusy: number;
  /** What was not as it should be; empty where the figures count. */
  readonly faults: readonly string[];
}

export const ROLES = ["gateway", "node", "nats-server", "placement"] as const;
export const AIM_SPREAD = 0.2;

const round = (value: number, digits = 2): number => Number(value.toFixed(digits));
const totalOf = (cores: ByRole): number =>
  Object.values(cores).reduce((sum, part) => sum + part, 0);

/** Processor time of one person's one tick, in us, by role. */
export function costOf({ cores, framesPerS }: Size): ByRole {
  const each = Object.entries(cores).map(([role, busy]) => [role, (busy * 1e6) / framesPerS]);
  return Object.fromEntries(each);
}

export const totalCost = (size: Size): number => totalOf(costOf(size));

export interface Flatness {
  /** How much dearer the dearest size is than the cheapest; null with fewer than two that count. */
  readonly spread: number | null;
  readonly flat: boolean | null;
  /** By the straight line that fits best: what a person adds, and what is there anyway. */
  readonly marginal_us: number | null;
  readonly fixed_cores: number | null;
}

/** Of the sizes that count. */
export function flatnessOf(sizes: readonly Size[]): Flatness {
  const good = sizes.filter(({ faults }) => faults.length === 0);
  if (good.length < 2) return { spread: null, flat: null, marginal_us: null, fixed_cores: null };
  const costs = good.map(totalCost);
  const spread = Math.max(...costs) / Math.min(...costs) - 1;
  const line = lineThrough(good.map(({ cores, framesPerS }) => [framesPerS, totalOf(cores)]));
  return {
    spread: round(spread, 3),
    flat: spread <= AIM_SPREAD,
    marginal_us: round(line.slope * 1e6),
    fixed_cores: round(line.at0, 3),
  };
}

/** By least squares. */
export function lineThrough(points: readonly (readonly [x: number, y: number])[]): {
  readonly slope: number;
  readonly at0: number;
} {
  const mean = (of: (point: readonly [number, number]) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(([at]) => at), mean(([, value]) => value)];
  const across = mean(([at, value]) => (at - x) * (value - y));
  const along = mean(([at]) => (at - x) ** 2);
  const slope = along === 0 ? 0 : across / along;
  return { slope, at0: y - slope * x };
}

/** Without those that are nothing. */
export function rounded(parts: ByRole, digits: number): ByRole {
  const all = Object.entries(parts).map(([role, part]) => [role, round(part, digits)] as const);
  return Object.fromEntries(all.filter(([, part]) => part > 0));
}

/** A size as a file has it. */
export function sizeFigures(size: Size) {
  const { clientCores, cores, faults, frameMs, framesPerS, machineBusy, users } = size;
  return {
    users,
    us_per_user_tick: round(totalCost(size)),
    us_by_role: rounded(costOf(size), 2),
    cores: rounded(cores, 3),
    frames_per_s: Math.round(framesPerS),
    frame_ms: { p50: round(frameMs.p50), p99: round(frameMs.p99) },
    client_cores: round(clientCores),
    machine_busy: round(machineBusy),
    faults,
  };
}
