import type { IndexEntry } from "../journal/index-store.ts";
import { parseProcessId, parseRoomId, type RoomId } from "../kernel/ids.ts";
import { ok, type Result } from "../kernel/result.ts";
import {
  failure,
  type HttpAnswer,
  type HttpHandler,
  type HttpRequest,
  json,
  methodNotAllowed,
  notFound,
} from "../observe/http-answers.ts";
import { costOf } from "../placement/cost.ts";
import { type AccessPolicy, authorize } from "./authorize.ts";
import { eventOf, eventRoutes } from "./events-api.ts";
import type { ControlPort, NodeView, RoomView, StoreFailure } from "./port.ts";
import { bodyOf } from "./request-body.ts";
import { dispatch, pageOf, type Route, unavailable } from "./route.ts";
import { createRoomBody, drainBody, markRoomBody } from "./schema.ts";
import { type StaticFiles, serveStatic } from "./static-files.ts";

/** What a kill did. `not_here`: another host, this very process, or gone already. */
export type KillOutcome = "killed" | "not_here";

/** What exists in dev mode only. */
export interface DevTools {
  readonly kill: (node: NodeView) => KillOutcome;
  readonly files: StaticFiles;
  /** The room that the demo page joins, without its tenant. */
  readonly demoRoom: string;
  /** Where that page gets a token; null where the cluster issues none. */
  readonly tokenUrl: () => string | null;
}

export interface ControlOptions {
  readonly port: ControlPort;
  readonly access: AccessPolicy;
  readonly health: (request: HttpRequest) => Promise<HttpAnswer> | undefined;
  /** Undefined outside dev mode: what is not there cannot be reached by mistake. */
  readonly devTools: DevTools | undefined;
}

/** The operator API: the rules are in SPEC.md. */
export function controlHandler(options: ControlOptions): HttpHandler {
  const routes = routesOf(options);
  return async (request) => {
    const health = options.health(request);
    if (health !== undefined) return health;
    if (request.path.startsWith("/v1/")) {
      return authorize(options.access, request) ?? dispatch(routes, request);
    }
    return (options.devTools && demo(options.port, options.devTools, request)) ?? notFound();
  };
}

// Ids are made of characters that need no percent-encoding, so an encoded segment names nothing.
const ROOM_PATH = /^\/v1\/rooms\/([\w-]+)\/([\w-]+)$/;
const DRAIN_PATH = /^\/v1\/(nodes|gateways|placements)\/([\w.-]+)\/drain$/;
/** Who has not emptied by then ends as it is. A gateway's own `drainMs` is at most as long. */
const DRAINS = {
  nodes: { kind: "node", deadlineMs: 60_000 },
  gateways: { kind: "gateway", deadlineMs: 600_000 },
  placements: { kind: "placement", deadlineMs: 60_000 },
} as const;
const KILL_PATH = /^\/v1\/nodes\/([\w-]+)\/kill$/;

function routesOf({ port, devTools }: ControlOptions): Route[] {
  const routes: Route[] = [
    { path: /^\/v1\/nodes$/, methods: { GET: async () => listProcesses(port) } },
    {
      path: /^\/v1\/rooms$/,
      methods: {
        GET: async (request) => listRooms(port, request),
        POST: (request) => createRoom(port, request),
      },
    },
    {
      path: ROOM_PATH,
      methods: {
        GET: (_, segments) => withRoom(segments, (room) => oneRoom(port, port.room(room))),
        PATCH: (request, segments) => withRoom(segments, (room) => markRoom(port, room, request)),
        DELETE: (_, segments) => withRoom(segments, (room) => closeRoom(port, room)),
      },
    },
  ];
  routes.push(...eventRoutes(port), {
    path: DRAIN_PATH,
    methods: {
      POST: async (request, [kinds, id = ""]) =>
        drain(port, DRAINS[kinds as keyof typeof DRAINS], id, request),
    },
  });
  if (devTools !== undefined) {
    routes.push({
      path: KILL_PATH,
      methods: { POST: async (_, [name]) => killNode(port, devTools, name as string) },
    });
  }
  return routes;
}

function listProcesses(port: ControlPort): HttpAnswer {
  const view = port.view();
  const cost = costOf(view.nodes.filter(({ state }) => state !== "dead"));
  return json(200, { ...view, cost });
}

function listRooms(port: ControlPort, request: HttpRequest): HttpAnswer {
  const page = pageOf(request, port.rooms(), ({ room }) => room);
  if (!page.ok) return page.error;
  const { lines, next } = page.value;
  return json(200, { rooms: lines.map((room) => viewOfRoom(port, room)), next });
}

async function createRoom(port: ControlPort, request: HttpRequest): Promise<HttpAnswer> {
  const body = bodyOf(request, createRoomBody);
  if (!body.ok) return body.error;
  const { room, world, immovable } = body.value;
  const outcome = await port.createRoom(room, world, immovable);
  if (!outcome.ok) return unavailable(outcome.error);
  const { created, entry } = outcome.value;
  if (entry.status === "closed") return roomClosed(room);
  if (entry.world !== world) {
    return failure(409, "room_exists", `${room} exists already, with world ${entry.world}.`);
  }
  return json(created ? 201 : 200, viewOfRoom(port, entry));
}

async function markRoom(
  port: ControlPort,
  room: RoomId,
  request: HttpRequest,
): Promise<HttpAnswer> {
  const body = bodyOf(request, markRoomBody);
  if (!body.ok) return body.error;
  const marked = await port.markRoom(room, body.value.immovable);
  if (!marked.ok) return unavailable(marked.error);
  if (marked.value === undefined) return roomUnknown();
  if (marked.value.status === "closed") return roomClosed(room);
  return json(200, viewOfRoom(port, marked.value));
}

async function withRoom(
  segments: readonly string[],
  handle: (room: RoomId) => Promise<HttpAnswer>,
): Promise<HttpAnswer> {
  const room = parseRoomId(segments.join("/"));
  return room === undefined ? roomUnknown() : handle(room);
}

/** An event ends as a whole: without one of its shards it would seat nobody there any more. */
async function closeRoom(port: ControlPort, room: RoomId): Promise<HttpAnswer> {
  const entry = await port.room(room);
  if (!entry.ok) return unavailable(entry.error);
  const event = entry.value?.status === "wanted" ? eventOf(port, entry.value) : undefined;
  if (event === undefined) return oneRoom(port, port.closeRoom(room));
  const sentence = `${room} is a room of an event: DELETE /v1/events/${event} closes all of it.`;
  return failure(409, "room_of_event", sentence);
}

async function oneRoom(
  port: ControlPort,
  reading: Promise<Result<IndexEntry | undefined, StoreFailure>>,
): Promise<HttpAnswer> {
  const entry = await reading;
  if (!entry.ok) return unavailable(entry.error);
  return entry.value === undefined ? roomUnknown() : json(200, viewOfRoom(port, entry.value));
}

/** By incarnation: a request that is repeated must not reach the next one of the name. */
function drain(
  port: ControlPort,
  { kind, deadlineMs: usual }: (typeof DRAINS)[keyof typeof DRAINS],
  id: string,
  request: HttpRequest,
): HttpAnswer {
  const process = parseProcessId(id);
  if (process === undefined) {
    const sentence = `Name the incarnation, name.incarnation, as GET /v1/nodes lists it.`;
    return failure(400, "incarnation_missing", sentence);
  }
  const body = request.body.length === 0 ? ok({ deadlineMs: usual }) : bodyOf(request, drainBody);
  if (!body.ok) return body.error;
  const deadlineMs = body.value.deadlineMs ?? usual;
  const immovable = port.drain({ kind, process, deadlineMs });
  if (immovable !== undefined) return json(202, { draining: process, deadlineMs, immovable });
  return failure(404, `${kind}_unknown`, `The ${kind} ${process} is not there.`);
}

function killNode(port: ControlPort, devTools: DevTools, name: string): HttpAnswer {
  const node = port.view().nodes.find((one) => one.name === name && one.state !== "dead");
  if (node === undefined) return failure(404, "node_unknown", `No live node is called ${name}.`);
  if (devTools.kill(node) === "killed") return json(202, { killed: node.id, pid: node.pid });
  return failure(409, "not_here", `${name} is no process of its own on this host.`);
}

function demo(port: ControlPort, devTools: DevTools, request: HttpRequest): HttpAnswer | undefined {
  const { gateways } = port.view();
  if (request.path === "/demo/config.json") {
    if (request.method !== "GET" && request.method !== "HEAD") {
      return methodNotAllowed(["GET", "HEAD"]);
    }
    const tokenUrl = devTools.tokenUrl();
    const open = gateways.filter((gateway) => !gateway.draining).map((gateway) => gateway.url);
    return json(200, { gateways: open, tokenUrl, room: devTools.demoRoom, dev: true });
  }
  return serveStatic(devTools.files, request, connectSources(gateways.map(({ url }) => url)));
}

/** Gateways of this machine come and go while a page is open; others are named one by one. */
function connectSources(urls: readonly string[]): string[] {
  const sources = new Set(LOOPBACK_SOURCES);
  for (const text of urls) {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || /^(127\.|localhost$)/.test(url.hostname)) continue;
    const secure = url.protocol === "wss:" || url.protocol === "https:";
    sources.add(`${secure ? "wss" : "ws"}://${url.host}`);
    sources.add(`${secure ? "https" : "http"}://${url.host}`);
  }
  return [...sources];
}
const LOOPBACK_SOURCES = ["127.0.0.1:*", "localhost:*"].flatMap((host) => [
  `ws://${host}`,
  `http://${host}`,
]);

const viewOfRoom = (port: ControlPort, room: RoomView) => ({
  ...room,
  owner: room.owner ?? null,
  hosted: port.hosts(room.world),
});

const roomClosed = (room: RoomId): HttpAnswer =>
  failure(409, "room_closed", `${room} was closed for good.`);

const roomUnknown = (): HttpAnswer => failure(404, "room_unknown", "There is no such room.");
