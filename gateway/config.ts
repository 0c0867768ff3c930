import { OVERLOAD_DEFAULTS, type OverloadLimits } from "../src/kernel/overload.ts";

/** What a gateway is told about itself and its limits. Durations in ms, sizes in bytes. */
export interface GatewayConfig {
  /** Where the server listens; port 0 lets the system choose. */
  readonly host: string;
  readonly port: number;
  /** What clients dial, when a proxy stands in front; otherwise host and port. */
  readonly publicUrl: string | undefined;
  readonly hostName: string;
  readonly zone: string;
  readonly version: string;
  /** Origins of web pages that may connect; `*` allows all. Requests without Origin always may. */
  readonly origins: readonly string[];
  /** Serves /dev/token, which signs a token for anyone. Never in production. */
  readonly devTokens: boolean;

  /** Reads and writes past Node's streams, where this version of Node lets it. */
  readonly fastSockets: boolean;
  /** Sockets; the limit on open files lowers it. Each costs about 12 KiB, a third in the kernel. */
  readonly socketsMax: number;
  /** Sockets over the cap that are let in for as long as it takes to tell them why not. */
  readonly socketsHeadroom: number;
  /** Descriptors kept for the bus, files and listeners. */
  readonly descriptorsReserved: number;
  readonly payloadBytesMax: number;
  readonly messagesPayloadMax: number;
  /** Payloads held between hello and welcome. */
  readonly payloadsWaitingMax: number;
  readonly helloMsMax: number;
  /** A client sends something at least this often; three misses close it. */
  readonly pingMs: number;
  /**
   * One that sends poses does so every 2 s at the least (PR27). Silent for longer than this it is
   * stuck, and is sent the fewest frames until it is heard.
   */
  readonly quietMs: number;
  /** How long a closing handshake may take before the socket is destroyed. */
  readonly closeMsMax: number;

  /** Per second, per connection; a burst of `burstSeconds` of each is let through. */
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
  /** Each verifies and signs a token, and may ask placement. */
  readonly joinsPerSecond: number;
  readonly commandsPerSecond: number;
  readonly signalsPerSecond: number;
  readonly posesPerSecond: number;
  readonly burstSeconds: number;
  /** Refused messages in a row, refilled at a tenth a second, before the socket closes. */
  readonly violationsMax: number;

  readonly sessionTokenMs: number;
  readonly tokenLeewayMs: number;

  readonly joinMsMax: number;
  readonly attachMsMin: number;
  readonly attachMsMax: number;
  /** Attaches that one owner may owe this gateway an answer to. */
  readonly attachesMax: number;
  readonly commandsWaitingMax: number;
  /** What a client is told to wait when its commands can not go out. */
  readonly busyMs: number;
  /** How often one owner is told that somebody is gone, where the room does not show it. */
  readonly departureTriesMax: number;
  /** So long it is kept for a next owner; by then a room lets the seat go by itself. */
  readonly departureMsMax: number;

  /** People who wait at the doors of one event. */
  readonly waitingMax: number;
  /** How often each is told how far they have come. */
  readonly waitingTellMs: number;

  readonly locateMsMax: number;
  readonly seekMsMin: number;
  readonly seekMsMax: number;
  /** Between two reads of a tail where the first showed nothing new; twice as long each time. */
  readonly rereadMsMin: number;
  /** Messages of one room, under an epoch above the floor, that wait for such a read; how long. */
  readonly aheadMax: number;
  readonly aheadMsMax: number;

  readonly watchMs: number;
  readonly watchesPerSecondMax: number;
  readonly roomIdleMs: number;
  readonly roomsMax: number;
  readonly suspendedMs: number;
  readonly suspendedRepeatMs: number;
  /** Of a silence at most so much is put down to this process's own lateness. */
  readonly excusedMsMax: number;
  /** Image of one room: state, members and rows. Clients take payloads of up to 8 MiB (PR3). */
  readonly snapshotBytesMax: number;

  /** What a client is sent of rows: see interest.ts and tiers.ts. */
  readonly frameBytesPerSecond: number;
  readonly followedBytesPerSecond: number;
  readonly focusM: number;
  readonly farFrames: number;
  readonly speakerMs: number;
  readonly lightsMax: number;
  /** Members that one client may follow, at most 64: each is a row for it alone, in a crowd. */
  readonly followedMax: number;
  readonly missesMax: number;
  readonly echoTicksMax: number;
  readonly calmFrames: number;
  readonly cellHysteresisM: number;
  /** News kept for those who missed some; what is older is told by a snapshot. */
  readonly newsMax: number;
  readonly newsBytesMax: number;
  /** A replay larger than this is told by a snapshot. */
  readonly replayBytesMax: number;
  readonly fetchMs: number;
  readonly fetchTriesMax: number;
  /** What is for one session only waits so long for a frame: less is faster, more is cheaper. */
  readonly tailMs: number;
  readonly tailBytesMax: number;
  /** A gateway that is behind makes frames no more rarely than this, unless the room ticks so. */
  readonly frameMsMax: number;
  /** When it is. */
  readonly overload: OverloadLimits;
  /** A room without a tick for this long has its news flushed. */
  readonly silentMs: number;
  /** Bytes of earlier writes that may still be pending when the next frame is written. */
  readonly pendingBytesMax: number;

  /** How long messages to a node wait for company. */
  readonly linkMs: number;
  /** A link to a node that no room is on is forgotten after one to two of these without a word. */
  readonly linkIdleMs: number;
  readonly flushMs: number;
  readonly beatMs: number;
  /** A draining gateway tells its clients to go over this time, each in its turn. */
  readonly drainMs: number;
  /** How long after that it goes on serving who has not found another gateway yet. */
  readonly drainGraceMs: number;
  /** Delays told by `retryAfter` are spread over this. */
  readonly retrySpreadMs: number;
}

export const GATEWAY_DEFAULTS: GatewayConfig = {
  host: "127.0.0.1",
  port: 0,
  publicUrl: undefined,
  hostName: "localhost",
  zone: "local",
  version: "0",
  origins: [],
  devTokens: false,
  fastSockets: true,
  socketsMax: 17_000,
  socketsHeadroom: 64,
  descriptorsReserved: 256,
  payloadBytesMax: 32 * 1024,
  messagesPayloadMax: 64,
  payloadsWaitingMax: 16,
  helloMsMax: 5_000,
  pingMs: 5_000,
  quietMs: 3_000,
  closeMsMax: 3_000,
  messagesPerSecond: 60,
  bytesPerSecond: 64 * 1024,
  joinsPerSecond: 5,
  commandsPerSecond: 20,
  signalsPerSecond: 10,
  posesPerSecond: 30,
  burstSeconds: 2,
  violationsMax: 100,
  sessionTokenMs: 12 * 3_600_000,
  tokenLeewayMs: 30_000,
  joinMsMax: 10_000,
  attachMsMin: 50,
  attachMsMax: 500,
  attachesMax: 128,
  commandsWaitingMax: 32,
  busyMs: 250,
  departureTriesMax: 8,
  departureMsMax: 60_000,
  waitingMax: 20_000,
  waitingTellMs: 2_000,
  locateMsMax: 1_000,
  seekMsMin: 50,
  seekMsMax: 1_000,
  rereadMsMin: 50,
  aheadMax: 1_024,
  aheadMsMax: 1_000,
  watchMs: 1_000,
  watchesPerSecondMax: 10,
  roomIdleMs: 10_000,
  roomsMax: 4_096,
  suspendedMs: 1_500,
  suspendedRepeatMs: 5_000,
  excusedMsMax: 10_000,
  snapshotBytesMax: 8 * 1024 * 1024,
  frameBytesPerSecond: 9_600,
  followedBytesPerSecond: 3_200,
  focusM: 8,
  farFrames: 20,
  speakerMs: 3_000,
  lightsMax: 8,
  followedMax: 16,
  missesMax: 3,
  echoTicksMax: 20,
  calmFrames: 50,
  cellHysteresisM: 2,
  newsMax: 1_024,
  newsBytesMax: 1024 * 1024,
  replayBytesMax: 1024 * 1024,
  fetchMs: 250,
  fetchTriesMax: 12,
  tailMs: 5,
  tailBytesMax: 64 * 1024,
  frameMsMax: 500,
  overload: OVERLOAD_DEFAULTS,
  silentMs: 150,
  pendingBytesMax: 4 * 1024,
  linkMs: 5,
  linkIdleMs: 600_000,
  flushMs: 50,
  beatMs: 500,
  drainMs: 10_000,
  drainGraceMs: 3_000,
  retrySpreadMs: 5_000,
};
