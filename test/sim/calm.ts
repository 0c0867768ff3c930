import type { Disturbances } from "./disturbances.ts";
import type { Fleet } from "./fleet.ts";
import type { SimPerson } from "./sim-person.ts";

/** After so long a disturbance is over for whoever suffered from it. */
const GRACE_MS = 3_000;

/** Nothing has been wrong with anybody for a while: what is promised in such times is kept. */
export function isCalm(fleet: Fleet, disturbances: Disturbances): boolean {
  const { now } = fleet.time;
  const well = (who: Fleet["processes"][number]): boolean =>
    who.up && !who.frozen && !disturbances.explain(who, now, GRACE_MS);
  return !disturbances.explain("nats", now, GRACE_MS) && fleet.processes.every(well);
}

/** Nothing has been wrong with this person's own connection. */
export const isWell = (
  person: SimPerson<unknown>,
  disturbances: Disturbances,
  now: number,
): boolean => !person.access.cut && !disturbances.explain(person, now, GRACE_MS);
