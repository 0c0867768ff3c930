import http from "node:http";
import { controlHandler, type DevTools } from "../../src/control/api.ts";
import type { ControlPort, NodeView } from "../../src/control/port.ts";
import type { IndexEntry } from "../../src/journal/index-store.ts";
import { holdingClock } from "../../src/kernel/clock.ts";
import { EPOCH_NONE } from "../../src/kernel/epoch.ts";
import { type RoomId, roomId, worldName } from "../../src/kernel/ids.ts";
import { err, ok } from "../../src/kernel/result.ts";
import { healthHandler } from "../../src/observe/health.ts";
import { listenHttp } from "../../src/observe/http.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import type { DrainRequest } from "../../src/placement/drain-requests.ts";

export const TOKEN = "a-control-token-of-an-operator";
export const NODE: NodeView = {
  id: "node-1.0123456789abcdef",
  name: "node-1",
  state: "alive",
  rooms: 1,
  sessions: 2,
  load: 0.25,
  capacity: 1,
  arch: "x64",
  zone: "z",
  version: "0.1.0",
  pricePerHour: 0.08,
  pid: 999_999_999,
  host: "elsewhere",
  draining: false,
  stretch: 1.5,
};

export const GATEWAY = "gw-1.0123456789abcdef";
export const PLACEMENT = "pl-1.0123456789abcdef";

/** A small but true cluster: rooms really are created and closed. */
function memoryCluster(nodes: readonly NodeView[] = [NODE]) {
  const rooms = new Map<RoomId, IndexEntry>();
  const state = { down: false };
  const drains: DrainRequest[] = [];
  const entryOf = (room: RoomId, world: string): IndexEntry => ({
    room,
    world: worldName(world),
    status: "wanted",
    epoch: EPOCH_NONE,
    owner: undefined,
    crashedOn: [],
    immovable: false,
    changedAtMs: 1,
  });
  const port: ControlPort = {
    wallNow: () => holdingClock.wallNow(),
    view: () => ({
      nodes,
      gateways: [
        {
          id: GATEWAY,
          name: "gw-1",
          url: "wss://live.example:8443",
          sessions: 0,
          sessionsMax: 10,
          draining: false,
          zone: "z",
          version: "0.1.0",
          host: "h",
          pid: 2,
          stretch: 1,
        },
      ],
      placements: [{ id: PLACEMENT, name: "pl-1", url: "http://pl-1:7080", host: "h", pid: 3 }],
      ended: [{ id: "node-9.0123456789abcdef", name: "node-9", rooms: 2 }],
    }),
    rooms: () => [...rooms.values()],
    room: async (room) => (state.down ? err("unavailable") : ok(rooms.get(room))),
    createRoom: async (room, world, immovable) => {
      if (state.down) return err("contended");
      const known = rooms.get(room);
      if (known !== undefined) return ok({ created: false, entry: known });
      const entry = { ...entryOf(room, world), immovable };
      rooms.set(room, entry);
      return ok({ created: true, entry });
    },
    markRoom: async (room, immovable) => {
      if (state.down) return err("contended");
      const known = rooms.get(room);
      if (known?.status === "wanted") rooms.set(room, { ...known, immovable });
      return ok(rooms.get(room));
    },
    drain: (request) => {
      const names = { node: nodes.map(({ id }) => id), gateway: [GATEWAY], placement: [PLACEMENT] };
      if (!names[request.kind].includes(request.process)) return undefined;
      drains.push(request);
      return request.kind === "node" ? [roomId("t/show")] : [];
    },
    closeRoom: async (room) => {
      const known = rooms.get(room);
      if (known !== undefined) rooms.set(room, { ...known, status: "closed" });
      return ok(rooms.get(room));
    },
    hosts: (world) => world !== "nowhere",
    events: { hosts: (world) => world === "concert", list: () => [], shards: () => [] },
    operate: async () => err("unplaced"),
    closeEvent: async () => ok(undefined),
  };
  return { port, rooms, state, drains };
}

export interface Served {
  readonly url: string;
  readonly cluster: ReturnType<typeof memoryCluster>;
  close(): Promise<void>;
}

export async function serve(options: {
  readonly token?: string;
  readonly devTools?: DevTools;
  readonly nodes?: readonly NodeView[];
  readonly port?: Partial<ControlPort>;
}): Promise<Served> {
  const cluster = memoryCluster(options.nodes);
  const metrics = createMetrics({ processMetrics: false });
  const server = await listenHttp({
    host: "127.0.0.1",
    port: 0,
    observer: { ...silentObserver, metrics },
    clock: holdingClock,
    handle: controlHandler({
      port: { ...cluster.port, ...options.port },
      access: { token: options.token, dev: options.devTools !== undefined },
      health: healthHandler({ notReady: () => ["the bus"] }, metrics),
      devTools: options.devTools,
    }),
  });
  if (!server.ok) throw new Error(server.error);
  const { port, close } = server.value;
  return { url: `http://127.0.0.1:${port}`, cluster, close };
}

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  readonly body: unknown;
}

/** Not fetch: it would tidy up the path and the Host header before anything is sent. */
export function ask(
  served: Served,
  method: string,
  target: string,
  given: {
    readonly token?: string;
    readonly body?: string;
    readonly headers?: Readonly<Record<string, string>>;
  } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(served.url, {
      method,
      path: target,
      headers: {
        ...(given.token === undefined ? {} : { authorization: `Bearer ${given.token}` }),
        ...(given.body === undefined ? {} : { "content-type": "application/json" }),
        ...given.headers,
      },
    });
    request.on("error", reject);
    request.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => {
        const isJson = response.headers["content-type"]?.startsWith("application/json");
        const body = isJson && text !== "" ? JSON.parse(text) : undefined;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body });
      });
    });
    request.end(given.body);
  });
}

export const codeOf = (answer: Answer): string | undefined =>
  (answer.body as { error?: { code: string } } | undefined)?.error?.code;
