import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { holdingClock } from "../../src/kernel/clock.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { type Band, startBand } from "../../src/roles/demo-band.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { chromiumPath, launchChromium, SLOW_MS, Tab } from "./chromium.ts";
import { DemoCluster } from "./demo-cluster.ts";

/** Longer than what lies between two reactions of one person on the page. */
const CLAP_MS = 500;

/**
 * The tests build on each other: one visit to the demo's event, in a real browser, on a real
 * cluster. There are no bots in the audience, so each reaction that is counted is Ada's.
 */
describe.skipIf(!chromiumPath || withoutNats)("the concert", { timeout: 4 * SLOW_MS }, () => {
  let cluster: DemoCluster;
  let browser: Browser;
  let band: Band;
  let ada: Tab;

  beforeAll(async () => {
    cluster = await DemoCluster.start(0);
    band = startBand(cluster.ready.gateways, "show", silentObserver.log, holdingClock);
    browser = await launchChromium(chromiumPath ?? "");
    ada = await Tab.open(browser, cluster.ready.demo, "Ada", "&event=show");
  }, 3 * SLOW_MS);

  afterAll(async () => {
    await browser?.close();
    await band?.stop();
    await cluster?.stop();
  }, SLOW_MS);

  async function performer(name: string): Promise<{ x: number; z: number } | undefined> {
    const drawn = await ada.askShow((show) => show.performers());
    return drawn.find((one) => one.name === name);
  }

  /** Waits until Ada sees a performer somewhere else than now. */
  async function seenMoving(name: string): Promise<void> {
    await ada.waits(`${name} to be seen`, async () => (await performer(name)) !== undefined);
    const from = await performer(name);
    await ada.waits(`${name} to be seen moving`, async () => {
      const at = await performer(name);
      return Math.hypot((at?.x ?? 0) - (from?.x ?? 0), (at?.z ?? 0) - (from?.z ?? 0)) > 0.5;
    });
  }

  it("[DM9] whoever comes in sees the performers, and their clap is counted", async () => {
    expect(await ada.askShow((show) => show.phase())).toBe("live");
    await seenMoving("Nova");
    await ada.waits("Ada to be counted", async () => {
      const { figures, people } = await ada.askShow((show) => show.crowd());
      return people === 1 && figures > 200;
    });
    expect((await ada.askShow((show) => show.crowd())).counts).toEqual({ clap: 0, cheer: 0 });
    const pageMs = (): Promise<number> => ada.page.evaluate(() => performance.now());
    for (const claps of [1, 2, 3]) {
      await ada.page.keyboard.press("c");
      const pressedMs = await pageMs();
      await ada.waits(`${claps} claps to be counted`, async () => {
        const { counts } = await ada.askShow((show) => show.crowd());
        expect(counts.clap).toBeLessThanOrEqual(claps);
        // Hands take a while to be apart again: an earlier press would be none.
        return counts.clap === claps && (await pageMs()) - pressedMs > CLAP_MS;
      });
    }
    await ada.page.keyboard.press("v");
    await ada.waits("a cheer to move the far crowd", async () => {
      const { counts, energy, mood } = await ada.askShow((show) => show.crowd());
      return counts.cheer === 1 && energy > 0 && mood > 0;
    });
    expect(await ada.page.textContent("#show-counts")).toBe("1 people · 3 claps · 1 cheers");
    expect(await ada.page.textContent("#show-phase")).toBe("Live");
  });

  it("[DM14] a visitor on the stage is seen to walk, and calls the lights", async () => {
    const role = "&event=show&role=performer";
    const nora = await Tab.open(browser, cluster.ready.demo, "Nora", role);
    // The band would go on calling lights of its own.
    await band.stop();
    await nora.page.keyboard.down("KeyD");
    await seenMoving("Nora");
    await nora.page.keyboard.up("KeyD");
    await nora.page.keyboard.press("7");
    await ada.waits("the red light that Nora called", async () => {
      const lights = await ada.askShow((show) => show.lights());
      return lights.wash === 0xff2d55;
    });
    expect(await nora.askShow((show) => show.neighbours())).toBe(0);
    await nora.waits("Nora to hear how many listen", async () => {
      const { people } = await nora.askShow((show) => show.crowd());
      return people === 1;
    });
    expect(nora.errors).toEqual([]);
  });

  it("[DM15] a link leads to the plaza and back", async () => {
    for (const place of ["demo", "show"] as const) {
      await ada.page.click("#elsewhere", { timeout: SLOW_MS });
      await ada.waits(`Ada to be at the ${place}`, () =>
        ada.page.evaluate((name) => window[name] !== undefined, place),
      );
      await ada.page.waitForSelector("#elsewhere:not([hidden])", { timeout: SLOW_MS });
    }
    expect(ada.errors).toEqual([]);
  });
});
