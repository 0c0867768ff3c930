import { describe, expect, it } from "vitest";
import { askDevToken, chooseTokens } from "../../src/load/dense/tokens.ts";
import { Arrivals, type Arriving, NOBODY_MS_MAX } from "../../src/roles/arrivals.ts";
import { devToken } from "../../src/roles/demo-room.ts";

/** Nobody listens there. */
const NOBODY = "ws://127.0.0.1:2";
const crowd = (ready: boolean, bots: number, failures: Record<string, number> = {}): Arriving => ({
  ready,
  bots: Array.from({ length: bots }),
  progress: () => ({ failures }),
});

describe("bots that arrive", () => {
  it("[LD33] tell each cause once, also one that is in what the SDK says at the end", () => {
    const told: string[] = [];
    const arrivals = new Arrivals((cause) => told.push(cause));
    arrivals.failed("http://g can not be reached: ECONNREFUSED");
    arrivals.failed("http://g can not be reached: ECONNREFUSED");
    const last = "no connection: 1006 Error: http://g can not be reached: ECONNREFUSED";
    arrivals.look([crowd(false, 0, { [last]: 7, "join refused: room_unknown": 2 })], 0);
    arrivals.look([crowd(false, 0, { [last]: 9, "join refused: room_unknown": 3 })], 1);
    expect(told).toEqual([
      "http://g can not be reached: ECONNREFUSED",
      "join refused: room_unknown",
    ]);
    for (let n = 0; n < 1_000; n++) arrivals.failed(`cause <${n}>`);
    expect(told).toHaveLength(32);
  });

  it("[LD33] are nobody once all have tried, or after a while, unless somebody is in", () => {
    const arrivals = new Arrivals(() => undefined);
    expect(arrivals.look([crowd(false, 0)], 0)).toBe("coming");
    expect(arrivals.look([crowd(true, 0), crowd(false, 0)], NOBODY_MS_MAX - 1)).toBe("coming");
    expect(arrivals.look([crowd(true, 0), crowd(true, 0)], 0)).toBe("nobody");
    expect(arrivals.look([crowd(false, 0)], NOBODY_MS_MAX)).toBe("nobody");
    expect(arrivals.look([crowd(true, 0), crowd(true, 1)], NOBODY_MS_MAX)).toBe("in");
  });
});

describe("an address that does not answer", () => {
  it("[LD35] is told with its cause", async () => {
    const asked = devToken(NOBODY, { person: "p", role: "audience" });
    await expect(asked).rejects.toThrow("http://127.0.0.1:2 can not be reached: ECONNREFUSED");
    const dense = askDevToken(NOBODY, "demo", "p");
    await expect(dense).rejects.toThrow("http://127.0.0.1:2 can not be reached: ECONNREFUSED");
    expect(await chooseTokens(undefined, NOBODY, "demo")).toMatchObject({
      error: expect.stringContaining("ECONNREFUSED"),
    });
    // Which fetch does not even try.
    const odd = devToken("ws://127.0.0.1:1", { person: "p", role: "audience" });
    await expect(odd).rejects.toThrow("http://127.0.0.1:1 can not be reached: bad port");
  });
});
