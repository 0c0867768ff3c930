import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import os from "node:os";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { holdingClock } from "../../src/kernel/clock.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { startBand } from "../../src/roles/demo-band.ts";
import { chromiumPath, launchChromium } from "../browser/chromium.ts";
import { DemoCluster } from "../browser/demo-cluster.ts";
import { toolFlags } from "../support/tool-flags.ts";
import { waitUntil } from "../support/wait-until.ts";

/**
 * What a frame of the concert costs the page, in Chromium, with a shard full of people around the
 * visitor: time of its own thread, draw calls and triangles. README.md here says what that tells
 * of a computer with a graphics card.
 */
const values = toolFlags({
  /** Around the visitor; a shard of the demo's event has 200 seats. */
  people: { type: "string", default: "200", least: 1, whole: true },
  seconds: { type: "string", default: "60", least: 1 },
  json: { type: "string" },
});
const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
/** Small, because each of its points is computed on the CPU; the thread's own work is the same. */
const VIEWPORT = { width: 480, height: 300 };
const ENTER_MS_MAX = 120_000;

if (chromiumPath === undefined) {
  console.error("This needs Chromium in /usr/bin.");
  process.exit(2);
}
const people = Number(values.people);
// The browser first: it ends with this process, whatever happens.
const browser = await launchChromium(chromiumPath);
const cluster = await DemoCluster.start(0);
const band = startBand(cluster.ready.gateways, "show", silentObserver.log, holdingClock);
let crowd: ChildProcess | undefined;
try {
  // The visitor first: a shard is filled before another is opened, so the others come to this one,
  // but for those whom the demo's other gateways seat.
  const page = await visit();
  crowd = crowdOf(2 * people);
  const cost = await costOf(page);
  const report = {
    ...cost,
    machine: `${os.cpus().length} × ${os.cpus()[0]?.model}, Node ${process.version}`,
    date: new Date().toISOString().slice(0, 10),
  };
  console.log(JSON.stringify(report, undefined, 2));
  if (values.json) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
} finally {
  crowd?.kill();
  await browser.close();
  await band.stop();
  await cluster.stop();
}
process.exit();

async function visit(): Promise<Page> {
  const page = await browser.newPage({ viewport: VIEWPORT });
  const address = `${cluster.ready.demo}?auto=1&quality=high&name=Eye&event=show`;
  await page.goto(address, { waitUntil: "commit" });
  await drawn(page, 1);
  return page;
}

/** A third of whom walk at any time. They stay for the whole of it. */
function crowdOf(clients: number): ChildProcess {
  const seconds = String(Number(values.seconds) + ENTER_MS_MAX / 1_000);
  const where = ["--gateway", cluster.ready.gateways.join(","), "--room", "event/show"];
  const args = ["load", ...where, "--clients", String(clients), "--seconds", seconds];
  return spawn(process.execPath, ["--import", "tsx", MAIN, ...args, "--decode", "0"], {
    stdio: "ignore",
  });
}

/** Waits until so many people of the shard are drawn, the visitor among them. */
async function drawn(page: Page, least: number): Promise<void> {
  let now = 0;
  const enough = async (): Promise<boolean> => {
    now = await page.evaluate(() => window.show?.neighbours() ?? 0);
    return now >= least;
  };
  const options = { timeoutMs: ENTER_MS_MAX, pollMs: 250, dump: () => now };
  await waitUntil(`${least} people are drawn`, enough, options);
}

/** Of the frames that show them all. */
async function costOf(page: Page): Promise<object> {
  await drawn(page, Math.floor(people * 0.95));
  await page.evaluate(() => window.show?.cost());
  await new Promise((resolve) => setTimeout(resolve, Number(values.seconds) * 1_000));
  return page.evaluate(() => ({
    neighbours: window.show?.neighbours(),
    far: window.show?.crowd().figures,
    ...window.show?.cost(),
  }));
}
