import type { Fleet } from "./fleet.ts";
import type { SimVisitor } from "./sim-visitor.ts";

const CLAP_MS = 2_500;
const SAY_MS = 6_000;
/** So long somebody stays, and comes again after so long. */
const STAY_MS = { min: 6_000, max: 30_000 };
const AWAY_MS = { min: 1_000, max: 6_000 };
/** From here on whoever is there stays, so that it can be seen who finds a seat. */
const STAY_FROM_MS = 44_000;

/** People who come to an event, talk, clap, load their page anew, leave, and come again. */
export function visit({ time, visitors }: Fleet, untilMs: number): void {
  const between = ({ random }: SimVisitor, { min, max }: typeof STAY_MS): number =>
    min + random.next() * (max - min);
  const every = (visitor: SimVisitor, periodMs: number, act: () => void): void => {
    if (time.now > untilMs) return;
    act();
    time.in(periodMs * (0.5 + visitor.random.next()), () => every(visitor, periodMs, act));
  };
  const stay = (visitor: SimVisitor): void => {
    if (time.now > STAY_FROM_MS) return;
    const { random } = visitor;
    const how = random.next();
    if (how < 0.4) visitor.reload();
    else {
      visitor.leave();
      time.in(between(visitor, AWAY_MS), () => visitor.come());
    }
    time.in(between(visitor, STAY_MS), () => stay(visitor));
  };
  for (const visitor of visitors) {
    time.in(between(visitor, STAY_MS), () => stay(visitor));
    every(visitor, CLAP_MS, () => visitor.clap());
    every(visitor, SAY_MS, () => visitor.say(visitor.name));
  }
}
