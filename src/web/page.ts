import type { ConnectionDetail, ConnectionState } from "../client/client.ts";
import type { NodeView } from "../control/port.ts";
import { holdingClock } from "../kernel/clock.ts";
import { systemRandom } from "../kernel/random.ts";
import { ClusterClient, type KillOutcome } from "./cluster-client.ts";
import { ClusterPanel } from "./cluster-panel.ts";
import { listen } from "./controls.ts";
import { makeSeam } from "./demo-seam.ts";
import { askProfile } from "./entry.ts";
import { FailoverWatch } from "./failover.ts";
import { addBars, Hud } from "./hud.ts";
import { element } from "./page-elements.ts";
import { Plaza } from "./plaza.ts";
import { PlazaScene } from "./scene.ts";
import { type DemoConfig, type Entered, enter, readConfig, TENANT } from "./session.ts";
import { listenToTouch } from "./touch.ts";

const clock = holdingClock;
const LINK_SHOWN_EVERY_MS = 400;
/** A takeover that is over sooner than this needs no words. */
const NOTICE_AFTER_MS = 350;

/** What this page knows of its socket. */
const link = { url: null as string | null, disconnects: 0 };

function onConnection(hud: Hud, state: ConnectionState, detail: ConnectionDetail): void {
  if (state === "open") {
    link.url = detail.url;
    hud.notice(undefined);
  } else if (state === "reconnecting") {
    if (link.url !== null) link.disconnects += 1;
    link.url = null;
    hud.notice("Reconnecting. You keep your place.");
  }
}

const KILL_SAYS: Readonly<Record<KillOutcome, (name: string) => string>> = {
  killed: (name) => `SIGKILL sent to ${name}.`,
  failed: (name) => `${name} could not be killed from here.`,
  locked: () => "That takes the operator's token.",
};

function watchRoom(config: DemoConfig, { room }: Entered, hud: Hud): void {
  const cluster = new ClusterClient({
    clock,
    fetch: (path, options) => fetch(path, options),
    store: sessionStorage,
    hidden: () => document.hidden,
  });
  const kill = async (node: NodeView): Promise<void> =>
    hud.toast(KILL_SAYS[await cluster.killNode(node)](node.name));
  const panel = new ClusterPanel(clock, {
    unlock: (token) => cluster.unlock(token),
    kill: config.dev ? (node) => void kill(node) : undefined,
  });
  const failovers = new FailoverWatch();
  room.on("frame", (frame) => {
    const failover = frame.accepted ? failovers.frame(frame, clock.now()) : undefined;
    if (!failover) return;
    panel.failover(failover);
    hud.notice(`New owner after ${Math.round(failover.tookMs)} ms`, "good", 2600);
  });
  let late = clock.after(0, () => {});
  room.on("suspended", (cause) => {
    late.cancel();
    late = clock.after(NOTICE_AFTER_MS, () => {
      if (cause === "room") hud.notice("The room is moving to another machine…");
    });
  });
  room.on("resumed", () => {
    late.cancel();
    hud.notice(undefined);
  });
  room.on("ended", (code, reason) => {
    const elsewhere = code === "superseded" ? "You came in from another window." : reason || code;
    hud.notice(`The visit is over: ${elsewhere} Reload to come back.`);
  });
  const showLink = (): void => {
    const { level, rttMs } = room.quality;
    hud.link({ level, rttMs, gateway: link.url ?? "none" });
    hud.people(room.members.size);
    panel.epoch(room.epoch);
  };
  showLink();
  clock.every(LINK_SHOWN_EVERY_MS, showLink);
  cluster.watch(`${TENANT}/${config.room}`, (news) =>
    panel.show(news, link.url, room.quality.rttMs),
  );
}

/** Draws until the page is closed; resolves with the first frame. */
function run(draw: (seconds: number, dt: number) => void): Promise<void> {
  return new Promise((drawn) => {
    let before = clock.now();
    const frame = (): void => {
      const now = clock.now();
      draw(now / 1000, (now - before) / 1000);
      before = now;
      drawn();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
}

async function main(): Promise<void> {
  const query = new URLSearchParams(location.search);
  const hud = new Hud(clock);
  const canvas = element("view") as HTMLCanvasElement;
  const wish = query.get("quality");
  const quality = wish === "low" || wish === "high" ? wish : "auto";
  const scene = new PlazaScene(canvas, quality, (shown) => {
    document.body.dataset.quality = shown;
  });
  // Behind the prompt the camera circles over the plaza.
  let draw = (seconds: number, dt: number): void => {
    const heading = Math.PI + Math.sin(seconds * 0.08) * 0.5;
    scene.view.heading = heading;
    scene.view.follow({ x: 0, y: 2.4, z: 4, yaw: heading }, plazaless, dt);
    scene.draw(seconds, dt, { x: 0, z: 0 });
  };
  const ready = run((seconds, dt) => draw(seconds, dt));
  const [config, profile] = await Promise.all([readConfig(), askProfile(query, systemRandom)]);
  const entered = await enter(config, profile, systemRandom, (state, detail) =>
    onConnection(hud, state, detail),
  );
  const plaza = new Plaza(entered.room, scene, hud);
  plaza.arrive();
  listen(canvas, plaza.input, plaza);
  listenToTouch(canvas, plaza.input, plaza);
  addBars((index) => plaza.emote(index), clock);
  watchRoom(config, entered, hud);
  draw = (seconds, dt) => plaza.frame(seconds, dt);
  window.demo = makeSeam(plaza, entered.client, ready, scene.view, () => link.disconnects);
  document.body.classList.add("inside");
  canvas.focus();
}

const plazaless = { right: 0, forward: 0, run: false, turn: 0, tilt: 0, zoom: 0, looking: false };

main().catch((error: unknown) => {
  const notice = element("notice");
  notice.hidden = false;
  const reason = error instanceof Error ? error.message : String(error);
  notice.textContent = `The plaza cannot be reached: ${reason}`;
  console.error(error);
});
