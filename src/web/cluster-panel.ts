import type { NodeView } from "../control/port.ts";
import type { Clock } from "../kernel/clock.ts";
import type { ClusterLook, ClusterNews } from "./cluster-client.ts";
import { ClusterLock } from "./cluster-lock.ts";
import { epochText, type Failover } from "./failover.ts";
import { element, made } from "./page-elements.ts";

const HISTORY_MAX = 4;
/** A first press arms the kill button for this long. */
const ARMED_MS = 2500;
const NODES_SHOWN_MAX = 12;

interface Row {
  readonly root: HTMLElement;
  readonly state: HTMLElement;
  readonly name: HTMLElement;
  readonly facts: HTMLElement;
  readonly load: HTMLElement;
  readonly home: HTMLElement;
  readonly kill: HTMLButtonElement;
  node: NodeView;
}

/** What the panel lets its reader do. */
export interface ClusterActions {
  readonly unlock: (token: string) => void;
  /** Undefined outside dev mode: then there is no button for it. */
  readonly kill: ((node: NodeView) => void) | undefined;
}

/** The machines behind the picture: who serves this room, and what happens when that one dies. */
export class ClusterPanel {
  readonly #clock: Clock;
  readonly #body = element("cluster-body");
  readonly #epoch = element("cluster-epoch");
  readonly #dot = element("cluster-dot");
  readonly #nodes = made("ul", "nodes");
  readonly #lines = made("p", "lines");
  readonly #history = made("ol", "history");
  readonly #rows = new Map<string, Row>();
  readonly #kill: ClusterActions["kill"];
  readonly #lock: ClusterLock;
  #owner: string | null = null;
  #epochShown = 0;

  constructor(clock: Clock, actions: ClusterActions) {
    this.#clock = clock;
    this.#kill = actions.kill;
    this.#lock = new ClusterLock(actions.unlock);
    this.#body.append(this.#lock.element, this.#nodes, this.#lines, this.#history);
    const toggle = element("cluster-toggle");
    const panel = element("cluster");
    const set = (open: boolean): void => {
      panel.classList.toggle("closed", !open);
      toggle.setAttribute("aria-expanded", String(open));
    };
    toggle.addEventListener("click", () => set(panel.classList.contains("closed")));
    set(window.innerWidth > 720);
  }

  /** The epoch of the last frame: live, ahead of what the control API says. */
  epoch(epoch: number): void {
    if (epoch === this.#epochShown) return;
    this.#epochShown = epoch;
    this.#epoch.textContent = `epoch ${epochText(epoch)}`;
    this.#epoch.classList.remove("flash");
    void this.#epoch.offsetWidth;
    this.#epoch.classList.add("flash");
  }

  failover({ fromEpoch, toEpoch, tookMs }: Failover): void {
    const took = tookMs < 1000 ? `${Math.round(tookMs)} ms` : `${(tookMs / 1000).toFixed(2)} s`;
    const entry = made("li", "");
    entry.append(
      made("span", "", `epoch ${epochText(fromEpoch)} → ${epochText(toEpoch)}`),
      made("b", "", `took ${took}`),
    );
    entry.title = "Between the last frame of the old owner and the first of the new one";
    this.#history.prepend(entry);
    while (this.#history.children.length > HISTORY_MAX) this.#history.lastElementChild?.remove();
  }

  show(news: ClusterNews, gatewayUrl: string | null, rttMs: number): void {
    this.#dot.dataset.state = news.kind === "look" ? "alive" : "unknown";
    element("cluster").classList.toggle("stale", news.kind === "silent");
    if (news.kind === "silent") return;
    this.#lock.show(news.kind === "locked" ? news : undefined);
    // What was seen before is not what there is now.
    this.#nodes.hidden = this.#lines.hidden = news.kind === "locked";
    if (news.kind === "look") this.#show(news.look, gatewayUrl, rttMs);
  }

  #show(look: ClusterLook, gatewayUrl: string | null, rttMs: number): void {
    const { nodes, gateways, placements } = look.cluster;
    this.#owner = look.room?.owner ?? null;
    const listed = nodes
      .filter((node) => node.state !== "dead" || this.#rows.has(node.id))
      .sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }))
      .slice(0, NODES_SHOWN_MAX);
    listed.forEach((node, i) => {
      const { root } = this.#update(node);
      if (this.#nodes.children[i] !== root)
        this.#nodes.insertBefore(root, this.#nodes.children[i] ?? null);
    });
    for (const [id, row] of this.#rows) {
      if (nodes.some((node) => node.id === id)) continue;
      row.root.remove();
      this.#rows.delete(id);
    }
    if (listed.some((node) => node.state !== "alive")) this.#dot.dataset.state = "suspect";
    const gateway = gateways.find((one) => one.url === gatewayUrl);
    const mine = gateway ? (gateway.id.split(".")[0] ?? gateway.id) : "none";
    this.#lines.replaceChildren(
      ...fact("gateway", mine),
      ...fact("round trip", `${rttMs.toFixed(rttMs < 10 ? 1 : 0)} ms`),
      ...fact("gateways", String(gateways.length)),
      ...fact("placement replicas", String(placements.length)),
    );
  }

  #update(node: NodeView): Row {
    const row = this.#rows.get(node.id) ?? this.#add(node);
    row.node = node;
    const owns = node.id === this.#owner;
    row.root.classList.toggle("owner", owns);
    row.root.dataset.state = node.draining ? "draining" : node.state;
    row.home.hidden = !owns;
    row.name.textContent = node.name;
    row.state.title = node.draining ? "draining" : node.state;
    const rooms = `${node.rooms} room${node.rooms === 1 ? "" : "s"}`;
    const sessions = `${node.sessions} ${node.sessions === 1 ? "person" : "people"}`;
    row.facts.textContent = node.state === "alive" ? `${rooms} · ${sessions}` : node.state;
    row.root.title = `${node.id}, pid ${node.pid}, ${node.arch}, zone ${node.zone || "none"}`;
    row.load.style.transform = `scaleX(${Math.max(0.02, Math.min(1, node.load)).toFixed(3)})`;
    row.kill.disabled = node.state === "dead";
    return row;
  }

  #add(node: NodeView): Row {
    const row: Row = {
      root: made("li", "node"),
      state: made("i", "dot"),
      name: made("b", ""),
      facts: made("small", ""),
      load: made("i", ""),
      home: made("span", "home", "this room"),
      kill: document.createElement("button"),
      node,
    };
    const bar = made("span", "load");
    bar.append(row.load);
    const head = made("span", "head");
    head.append(row.state, row.name, row.home);
    row.root.append(head, row.facts, bar);
    row.kill.type = "button";
    this.#arm(row);
    if (this.#kill) row.root.append(row.kill);
    this.#rows.set(node.id, row);
    this.#nodes.append(row.root);
    return row;
  }

  /** The first press asks, the second does it. */
  #arm(row: Row): void {
    const { kill } = row;
    const rest = (): void => {
      kill.classList.remove("armed");
      kill.textContent = "Kill";
    };
    rest();
    kill.addEventListener("click", () => {
      if (!kill.classList.contains("armed")) {
        kill.classList.add("armed");
        kill.textContent = "Sure?";
        this.#clock.after(ARMED_MS, rest);
        return;
      }
      rest();
      kill.disabled = true;
      this.#kill?.(row.node);
    });
  }
}

const fact = (name: string, value: string): HTMLElement[] => [
  made("span", "", name),
  made("b", "", value),
];
