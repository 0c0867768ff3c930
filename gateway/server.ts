import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import type { Observer } from "../src/observe/observer.ts";
import { openFilesMax } from "../src/observe/open-files.ts";
import { SUBPROTOCOL } from "../src/protocol/client-messages.ts";
import { CLOSE } from "../src/protocol/close-codes.ts";
import { FastClientSocket, PlainClientSocket } from "./client-socket.ts";
import type { GatewayConfig } from "./config.ts";
import type { ClientSocket } from "./connection.ts";
import { socketCap } from "./file-limit.ts";
import { type SocketInternals, socketInternals } from "./socket-internals.ts";
import { type Standing, standingOf } from "./standing.ts";

/** What becomes of a socket's events. */
export interface SocketHandler {
  /** A payload, valid during the call only. */
  receive(data: Uint8Array): void;
  /** A ping of the transport. True where it is to be answered. */
  pinged(): boolean;
  /** A pong of the transport. None was asked for. */
  ponged(): void;
  fault(why: "malformed" | "tooLarge"): void;
  closed(): void;
}

export interface ServerDeps {
  readonly config: GatewayConfig;
  readonly observer: Observer;
  /** True where no new socket is wanted: upgrades are answered 503. */
  readonly draining: () => boolean;
  /** Answers a plain request, or says false. */
  readonly http: (request: IncomingMessage, response: ServerResponse) => boolean;
  readonly accept: (socket: ClientSocket, standing: Standing) => SocketHandler;
}

export interface GatewayServer {
  readonly port: number;
  readonly socketsMax: number;
  close(): Promise<void>;
}

/** A payload comes whole from browsers; every further piece costs more than its bytes. */
const FRAGMENTS_MAX = 256;
/** Node's own is 511. The system's limit (somaxconn) may lower it. */
const BACKLOG = 4_096;
/** How often connections that are late with their request are looked for. */
const REQUESTS_SWEEP_MS = 500;
const REQUEST_MS_MAX = 10_000;

/** What the library found wrong with a frame, by the close code or the error code that it has. */
const FAULTS: Readonly<Record<string, "malformed" | "tooLarge">> = {
  1002: "malformed",
  1003: "malformed",
  1007: "malformed",
  1008: "tooLarge",
  1009: "tooLarge",
  WS_ERR_TOO_MANY_BUFFERED_PARTS: "tooLarge",
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: "tooLarge",
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: "tooLarge",
};

/** Translates the library's own protocol errors into the close codes of this protocol. */
class GatewaySocket extends WebSocket {
  handler: SocketHandler | undefined;

  override close(code?: number, reason?: string | Buffer): void {
    const fault = code === undefined ? undefined : FAULTS[code];
    if (fault) super.close(CLOSE[fault].code, CLOSE[fault].reason);
    else super.close(code, reason);
  }
}

interface Refusal {
  readonly status: number;
  readonly why: "draining" | "full" | "origin" | "subprotocol" | "handshake";
  readonly text: string;
}

/** Listens for clients, and hands over their bytes without a look at what they mean. */
export async function listen(deps: ServerDeps): Promise<GatewayServer> {
  const { config, observer } = deps;
  const cap = socketCap(config.socketsMax, config.descriptorsReserved, openFilesMax());
  if (cap.why) observer.log.warn({ socketsMax: cap.sockets }, cap.why);
  const sockets = new Set<Duplex>();
  const internals = fastSockets(deps);
  const http = createServer({
    // The library wants the whole request to have no less time than its headers.
    requestTimeout: Math.max(REQUEST_MS_MAX, config.helloMsMax),
    headersTimeout: config.helloMsMax,
    connectionsCheckingInterval: REQUESTS_SWEEP_MS,
  });
  http.maxConnections = cap.sockets + config.socketsHeadroom + 64;
  const webSockets = upgrader(config);
  http.on("request", (request, response) => {
    if (deps.http(request, response)) return;
    const type = "text/plain; charset=utf-8";
    response
      .writeHead(426, { connection: "close", upgrade: "websocket", "content-type": type })
      .end("This port speaks WebSocket, as the SDK does.\n");
  });
  const turnAway = (socket: Duplex, refusal: Refusal): void => {
    observer.metrics.add("roomcluster_gateway_upgrades_refused_total", 1, { why: refusal.why });
    refuse(socket, refusal);
  };
  webSockets.on("wsClientError", (error, socket, { method }) => {
    const status = method === "GET" ? 400 : 405;
    turnAway(socket, { status, why: "handshake", text: `${error.message}.` });
  });
  // Made once: a function for each socket would keep what came with its upgrade.
  const forget = function (this: Duplex): void {
    sockets.delete(this);
  };
  http.on("upgrade", (request, socket: Duplex, head: Buffer) => {
    const refusal = refusalOf(request, config, {
      draining: deps.draining(),
      count: sockets.size,
      cap: cap.sockets,
    });
    if (refusal) return turnAway(socket, refusal);
    sockets.add(socket);
    socket.on("close", forget);
    // Until the library has taken it over, an error of the socket would end the process.
    socket.on("error", destroy);
    const standing = standingOf(sockets.size - cap.sockets, config.socketsHeadroom);
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const client = clientSocket(webSocket, socket as Socket, internals);
      const handler = deps.accept(client, standing);
      bind(webSocket, handler);
      // What came with the upgrade is in the library's hands already.
      if (head.length === 0) client.readFast(config.payloadBytesMax, handler);
    });
  });
  await new Promise<void>((resolve, reject) => {
    http.once("error", reject);
    http.listen(config.port, config.host, BACKLOG, () => resolve());
  });
  return {
    port: (http.address() as AddressInfo).port,
    socketsMax: cap.sockets,
    close: () => closeAll(http, sockets),
  };
}

function upgrader(config: GatewayConfig) {
  return new WebSocketServer({
    noServer: true,
    maxPayload: config.payloadBytesMax,
    maxFragments: FRAGMENTS_MAX,
    perMessageDeflate: false,
    // Left to itself, the library ends a socket that pings too often by no close code at all.
    autoPong: false,
    clientTracking: false,
    skipUTF8Validation: true,
    handleProtocols: () => SUBPROTOCOL,
    WebSocket: GatewaySocket,
  });
}

function refusalOf(
  request: IncomingMessage,
  config: GatewayConfig,
  load: { readonly draining: boolean; readonly count: number; readonly cap: number },
): Refusal | undefined {
  if (load.draining)
    return { status: 503, why: "draining", text: "This gateway is draining; use another." };
  if (load.count >= load.cap + config.socketsHeadroom)
    return { status: 503, why: "full", text: `This gateway is full: ${load.cap} sockets.` };
  const { origin } = request.headers;
  if (!originAllowed(origin, config.origins))
    return { status: 403, why: "origin", text: `Pages of ${origin} may not connect here.` };
  const offered = request.headers["sec-websocket-protocol"]?.split(",") ?? [];
  if (!offered.some((protocol) => protocol.trim() === SUBPROTOCOL))
    return { status: 400, why: "subprotocol", text: `The subprotocol is ${SUBPROTOCOL}.` };
  return undefined;
}

export const originAllowed = (origin: string | undefined, allowed: readonly string[]): boolean =>
  origin === undefined || allowed.includes("*") || allowed.includes(origin);

function refuse(socket: Duplex, { status, text }: Refusal): void {
  const body = `${text}\n`;
  const retry = status === 503 ? "Retry-After: 5\r\n" : "";
  socket.on("error", destroy);
  // Past the upgrade no timeout of the server ends a socket that the other side leaves open.
  socket.on("finish", destroy);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${retry}Connection: close\r\n` +
      `Content-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function fastSockets({ config, observer }: ServerDeps): SocketInternals | undefined {
  const internals = config.fastSockets ? socketInternals() : undefined;
  if (config.fastSockets && !internals)
    observer.log.warn({}, "Node's sockets are others inside: the public way to them is taken.");
  return internals;
}

function clientSocket(
  webSocket: GatewaySocket,
  socket: Socket,
  internals: SocketInternals | undefined,
): PlainClientSocket {
  const handle = internals?.handleOf(socket);
  return internals && handle
    ? new FastClientSocket(webSocket, socket, internals, handle)
    : new PlainClientSocket(webSocket, socket);
}

function destroy(this: Duplex): void {
  this.destroy();
}

/** The same functions for every socket, which costs a third of a KiB less than some of its own. */
function bind(webSocket: GatewaySocket, handler: SocketHandler): void {
  webSocket.handler = handler;
  webSocket.on("message", messageCame);
  webSocket.on("ping", pingCame);
  webSocket.on("pong", pongCame);
  webSocket.on("error", errorCame);
  webSocket.on("close", closeCame);
}

const handlerOf = (webSocket: WebSocket): SocketHandler | undefined =>
  (webSocket as GatewaySocket).handler;

function messageCame(this: WebSocket, data: RawData, isBinary: boolean): void {
  // With the default binaryType and no fragments kept, the library hands over one Buffer.
  if (isBinary) handlerOf(this)?.receive(data as Buffer);
  else handlerOf(this)?.fault("malformed");
}

function pingCame(this: WebSocket, data: Buffer): void {
  if (handlerOf(this)?.pinged()) this.pong(data);
}

function pongCame(this: WebSocket): void {
  handlerOf(this)?.ponged();
}

function errorCame(this: WebSocket, error: Error & { code?: string }): void {
  handlerOf(this)?.fault(FAULTS[error.code ?? ""] ?? "malformed");
}

function closeCame(this: WebSocket): void {
  handlerOf(this)?.closed();
}

async function closeAll(http: Server, sockets: ReadonlySet<Duplex>): Promise<void> {
  const closed = new Promise<void>((resolve) => http.close(() => resolve()));
  for (const socket of sockets) socket.destroy();
  http.closeAllConnections();
  await closed;
}
