import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withoutNats } from "../support/nats-servers.ts";
import { chromiumPath, launchChromium, SLOW_MS, Tab } from "./chromium.ts";
import { DemoCluster } from "./demo-cluster.ts";

if (!chromiumPath) console.warn("no Chromium on this machine: the demo page is not tested");
if (withoutNats) console.warn("told to do without a nats-server: the demo page is not tested");

const NEAR_M = 0.4;
const near = (a: { x: number; z: number } | undefined, b: { x: number; z: number }): boolean =>
  a !== undefined && Math.hypot(a.x - b.x, a.z - b.z) < NEAR_M;

/** The tests build on each other: one visit of two people, in a real browser, on a real cluster. */
describe.skipIf(!chromiumPath || withoutNats)("the demo page", { timeout: 4 * SLOW_MS }, () => {
  let cluster: DemoCluster;
  let browser: Browser;
  let ada: Tab;
  let bo: Tab;

  beforeAll(async () => {
    cluster = await DemoCluster.start();
    browser = await launchChromium(chromiumPath ?? "");
    ada = await Tab.open(browser, cluster.ready.demo, "Ada");
    bo = await Tab.open(browser, cluster.ready.demo, "Bo");
  }, 3 * SLOW_MS);

  afterAll(async () => {
    await browser?.close();
    await cluster?.stop();
  }, SLOW_MS);

  /** `walker` goes to a spot, and `watcher` sees them come there. */
  async function seenWalking(walker: Tab, name: string, watcher: Tab, x: number, z: number) {
    await walker.ask((demo, to) => demo.moveTo(to.x, to.z), { x, z });
    await watcher.waits(`${name} to be seen at ${x}, ${z}`, async () =>
      near(await watcher.sees(name), { x, z }),
    );
  }

  it("[DM1] people are drawn under their names and seen to walk", async () => {
    await ada.waits("Bo to be seen by Ada", async () => (await ada.sees("Bo")) !== undefined);
    await bo.waits("Ada to be seen by Bo", async () => (await bo.sees("Ada")) !== undefined);
    await seenWalking(ada, "Ada", bo, -2, 4.5);
    await seenWalking(bo, "Bo", ada, 1.5, 3);
    const others = await ada.ask((demo) => demo.avatars().length);
    expect(others, "the bots are there too").toBeGreaterThan(2);
  });

  it("[DM2] what one says, everybody reads", async () => {
    await ada.ask((demo) => demo.say("Good evening, Bo"));
    for (const tab of [ada, bo]) {
      await tab.page.waitForSelector("#chat-lines li:has-text('Good evening, Bo')", {
        state: "attached",
        timeout: SLOW_MS,
      });
    }
    expect(await bo.page.textContent("#chat-lines li:has-text('Good evening') b")).toBe("Ada");
  });

  it("[DM8] the mouse turns and zooms the view, and thumbs walk, look and press", async () => {
    const { page } = bo;
    const view = () => bo.ask((demo) => demo.view());
    const before = await view();
    await page.mouse.move(300, 120);
    await page.mouse.down();
    await page.mouse.move(200, 140);
    await page.mouse.up();
    await page.mouse.wheel(0, 240);
    await bo.waits("the view to turn and to go back", async () => {
      const now = await view();
      return now.heading > before.heading + 0.2 && now.distance > before.distance;
    });
    const thumbs = await page.context().newCDPSession(page);
    const touch = (type: "touchStart" | "touchMove" | "touchEnd", ...spots: [number, number][]) =>
      thumbs.send("Input.dispatchTouchEvent", {
        type,
        touchPoints: spots.map(([x, y], id) => ({ x, y, id })),
      });
    const [stood, dragged] = [await bo.sees("Bo"), await view()];
    await touch("touchStart", [100, 150], [300, 120]);
    await touch("touchMove", [100, 105], [360, 120]);
    await bo.waits("Bo to walk and to look the other way", async () => {
      const at = await bo.sees("Bo");
      return !near(at, stood ?? { x: 0, z: 0 }) && (await view()).heading < dragged.heading;
    });
    await touch("touchEnd");
    await page.evaluate(() => document.getElementById("touch-chat")?.click());
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("chat-input");
    const carries = () =>
      bo.ask((demo) => demo.items().some(({ holder }) => holder === demo.room.me.slot));
    await bo.ask((demo) => {
      const { x = 0, z = 0 } = demo.avatars().find(({ name }) => name === "Bo") ?? {};
      return demo.room.command("spawn", { kind: "plant", x, y: 0, z: z + 0.5 });
    });
    for (const taken of [true, false]) {
      await bo.waits(`Bo's thumb to ${taken ? "take" : "put down"} something`, async () => {
        if ((await carries()) === taken) return true;
        await page.evaluate(() => document.getElementById("touch-grab")?.click());
        return false;
      });
    }
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    expect(bo.errors).toEqual([]);
  });

  /** A bot may carry any item off at any moment, so Ada brings one of her own. */
  let item = "";
  const placed = { x: -3, z: 5 };
  const itemOf = (tab: Tab) =>
    tab.ask((demo, id) => demo.items().find((one) => one.id === id), item);

  it("[DM3] an item is carried, and stands where it was put", async () => {
    const brought = await ada.ask((demo) =>
      demo.room.command("spawn", { kind: "plant", x: -2, y: 0, z: 3.5 }),
    );
    item = (brought as { readonly item: string }).item;
    await ada.ask((demo, id) => demo.grab(id), item);
    const slot = await ada.ask((demo) => demo.room.me.slot);
    await bo.waits("Bo to see Ada carry it", async () => (await itemOf(bo))?.holder === slot);
    await ada.ask((demo, to) => demo.place(to.item, to.x, to.z), { item, ...placed });
    await bo.waits("Bo to see it put down", async () => {
      const seen = await itemOf(bo);
      return seen?.holder === null && near(seen, placed);
    });
  });

  it("[DM4] the page goes on when the owner of the room is killed", async () => {
    const before = await Promise.all([ada, bo].map((tab) => tab.ask((demo) => demo.epoch())));
    const killed = await cluster.killOwner();
    for (const [i, tab] of [ada, bo].entries()) {
      await tab.waits("frames of the next owner", async () => {
        const epoch = await tab.ask((demo) => demo.epoch());
        return epoch > (before[i] ?? 0);
      });
    }
    await seenWalking(ada, "Ada", bo, 0, 4.5);
    await seenWalking(bo, "Bo", ada, 3, 4.5);
    expect((await cluster.room()).owner).not.toBe(killed);
    for (const tab of [ada, bo]) {
      const seen = await itemOf(tab);
      expect(near(seen, placed), JSON.stringify(seen)).toBe(true);
      expect({ opened: tab.socketsOpened, closed: tab.socketsClosed }).toEqual({
        opened: 1,
        closed: 0,
      });
      expect(await tab.ask((demo) => demo.disconnects())).toBe(0);
      const history = await tab.page.textContent(".history li:first-child b");
      console.log(`as the page saw it: ${history}`);
      expect(history).toMatch(/^took \d+(\.\d+)? m?s$/);
    }
  });

  it("[DM5] a reload comes back as the same avatar", async () => {
    const before = await bo.ask((demo) => demo.room.me);
    const stood = await bo.sees("Bo");
    // What Ada's tab draws is computed on the same processors.
    await ada.page.close();
    await bo.page.reload({ timeout: SLOW_MS, waitUntil: "commit" });
    await bo.inside();
    expect(await bo.ask((demo) => demo.room.me)).toEqual(before);
    await bo.waits("Bo to stand where they stood", async () =>
      near(await bo.sees("Bo"), stood ?? { x: 0, z: 0 }),
    );
    expect([...ada.errors, ...bo.errors]).toEqual([]);
  });
});
