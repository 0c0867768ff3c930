import type { Clock } from "../kernel/clock.ts";
import { systemRandom } from "../kernel/random.ts";
import { Performer } from "../load/performer.ts";
import type { ShowMoment } from "../load/show-script.ts";
import type { Log } from "../observe/observer.ts";
import { devToken } from "./demo-room.ts";

/** Who is on the stage of the demo's concert; the first one leads. */
const BAND = [
  { name: "Nova", color: 0xff5fa2 },
  { name: "Juno", color: 0x4d96ff },
  { name: "Ravi", color: 0xfeca57 },
];

export interface Band {
  /** Where the show is, as its leader has it. */
  moment(): ShowMoment | undefined;
  stop(): Promise<void>;
}

export function startBand(
  gateways: readonly string[],
  event: string,
  log: Log,
  clock: Clock,
): Band {
  const failed = (what: string, error: unknown): void => {
    const reason = error instanceof Error ? error.message : String(error);
    log.warn({ what, reason }, "Somebody of the band could not do something.");
  };
  const band = BAND.map(
    ({ name, color }, part) =>
      new Performer({
        ...{ name, color, part, event, clock, failed, random: systemRandom, urls: gateways },
        token: (person, url) => devToken(url, { person, role: "performer" }),
      }),
  );
  return {
    moment: () => band[0]?.moment,
    stop: async () => {
      await Promise.all(band.map((performer) => performer.stop()));
    },
  };
}
