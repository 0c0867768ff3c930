/** `staff_only`: there is room for performers and staff alone. `overloaded`: for nobody. */
export type Standing = "welcome" | "staff_only" | "overloaded";

/**
 * How a new socket is received, `over` the cap or, where negative, below it. Half of what is kept
 * above the cap is for those whom a show cannot do without (DESIGN 9).
 */
export function standingOf(over: number, headroom: number): Standing {
  if (over <= 0) return "welcome";
  return over <= Math.floor(headroom / 2) ? "staff_only" : "overloaded";
}
