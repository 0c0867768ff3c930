/**
 * How often a room may crash. The delays follow each other; a crash when they are used up within
 * the window means that this node gives the room up.
 */
export interface RestartBudget {
  readonly delaysMs: readonly number[];
  readonly windowMs: number;
}

export const RESTART_DEFAULTS: RestartBudget = { delaysMs: [0, 100, 500], windowMs: 5_000 };

export type RestartDecision =
  | { readonly kind: "restart"; readonly afterMs: number; readonly crashes: readonly number[] }
  | { readonly kind: "give_up" };

/**
 * After a crash at `now`, with the moments of earlier ones. Every room has a budget of its own: one
 * that crashes does not spend its neighbours' (Erlang/OTP's intensity and period, per child).
 */
export function afterCrash(
  crashes: readonly number[],
  now: number,
  budget: RestartBudget,
): RestartDecision {
  const recent = crashes.filter((at) => now - at < budget.windowMs);
  const afterMs = budget.delaysMs[recent.length];
  if (afterMs === undefined) return { kind: "give_up" };
  return { kind: "restart", afterMs, crashes: [...recent, now] };
}
