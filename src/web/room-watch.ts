import type { ConnectionDetail, ConnectionState, Room } from "../client/client.ts";
import type { NodeView } from "../control/port.ts";
import { holdingClock } from "../kernel/clock.ts";
import { ClusterClient, type KillOutcome } from "./cluster-client.ts";
import { ClusterPanel } from "./cluster-panel.ts";
import { FailoverWatch } from "./failover.ts";
import type { Hud } from "./hud.ts";
import { type DemoConfig, TENANT } from "./session.ts";

const clock = holdingClock;
const LINK_SHOWN_EVERY_MS = 400;
/** A takeover that is over sooner than this needs no words. */
const NOTICE_AFTER_MS = 350;

/** What this page knows of its socket. */
const link = { url: null as string | null, disconnects: 0 };

/** Sockets this page has lost since it was opened. */
export const disconnects = (): number => link.disconnects;

export function onConnection(hud: Hud, state: ConnectionState, detail: ConnectionDetail): void {
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

function clusterPanel(config: DemoConfig, hud: Hud): [ClusterClient, ClusterPanel] {
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
  return [cluster, panel];
}

/** Tells of the room's owner as it changes, and of the link. `name`: as the API has it. */
export function watchRoom<S>(
  config: DemoConfig,
  { room, name }: { readonly room: Room<S>; readonly name: string },
  hud: Hud,
  people: () => number,
): void {
  const [cluster, panel] = clusterPanel(config, hud);
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
  tellEnd(room, hud);
  const showLink = (): void => {
    const { level, rttMs } = room.quality;
    hud.link({ level, rttMs, gateway: link.url ?? "none" });
    hud.people(people());
    panel.epoch(room.epoch);
  };
  showLink();
  clock.every(LINK_SHOWN_EVERY_MS, showLink);
  cluster.watch(`${TENANT}/${name}`, (news) => panel.show(news, link.url, room.quality.rttMs));
}

export function tellEnd<S>(room: Room<S>, hud: Hud): void {
  room.on("ended", (code, reason) => {
    const elsewhere = code === "superseded" ? "You came in from another window." : reason || code;
    hud.notice(`The visit is over: ${elsewhere} Reload to come back.`);
  });
}
