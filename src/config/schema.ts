import { z } from "zod";
import { FOLLOWED_MAX } from "../protocol/client-messages.ts";

/**
 * Every knob an operator may turn. What is missing here is a constant of its part, with the reason
 * beside it. Unknown keys are errors: a typing mistake must not become a silent default.
 */

const ms = (min: number, max: number) => z.int().min(min).max(max);
const bytes = ms;
const count = ms;
const token = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, {
  error: "must be 1 to 64 letters, digits, - and _",
});
const listenAt = (port: number) =>
  z
    .strictObject({
      /** Interface to listen on; `0.0.0.0` for all. Wider reach, wider attack surface. */
      host: z.string().min(1).max(255).default("127.0.0.1"),
      /** 0 lets the system choose, which only a supervisor that is told can use. */
      port: z.int().min(0).max(65_535).default(port),
    })
    .prefault({});

const logSchema = z
  .strictObject({
    /** `debug` writes a line for most control messages: some MB an hour for each process. */
    level: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
  })
  .prefault({});

/** What every role has. */
const common = {
  /** Failure domain of this process: a rack, an availability zone. Events spread over zones. */
  zone: token.default("local"),
  /** Release that runs here. Left out: the package's version. */
  version: z
    .string()
    .regex(/^[\w.+-]{1,64}$/, { error: "must be 1 to 64 letters, digits, ., +, - and _" })
    .optional(),
  log: logSchema,
  /** Health, metrics and, in placement, the operator API. Has to stay inside the network. */
  http: listenAt(7080),
  /** How long the orchestrator waits after SIGTERM before SIGKILL; 30 s is Kubernetes' default. */
  graceMs: ms(1_000, 3_600_000).default(30_000),
  /**
   * After SIGTERM a process has so long to hand over what it holds before it exits anyway. Longer:
   * gentler moves and slower releases. Below graceMs, so that the process itself can say what was
   * left.
   */
  stopMsMax: ms(100, 3_600_000).default(20_000),
};

export const nodeSchema = z
  .strictObject({
    /**
     * How much load this node carries relative to the reference node (one core at 2.8 GHz), which
     * is 1. Too high: rooms are put where ticks come late. Too low: money is spent on idle cores.
     */
    capacity: z.number().min(0.01).max(1000).default(1),
    /**
     * What this node costs, in whatever currency: placement reports the cost of 1,000 users from it
     * (`GET /v1/nodes` and a gauge), also by architecture. 0: not named. Decides nothing.
     */
    pricePerHour: z.number().min(0).max(10_000).default(0),
    /**
     * Modules whose default export is a list of worlds made by `defineRoom` and `defineEvent`;
     * relative to the working directory. Left out: the worlds of the demo.
     */
    worlds: z.array(z.string().min(1).max(4096)).max(64).optional(),
    /**
     * A seat is held so long for somebody whose socket, gateway or owner died. Longer: people come
     * back to their place after longer outages, and ghosts stand around for longer.
     */
    seatHoldMs: ms(1_000, 3_600_000).default(60_000),
    /**
     * A node that is told to stop waits so long for its rooms to move. Shorter: what is left is
     * taken over as after a death, which people notice.
     */
    drainMs: ms(0, 600_000).default(15_000),
    /**
     * After a leave the session may come back for so long, with its replies. Costs about 200 bytes
     * of each room's snapshot for each session that left.
     */
    sessionKeepMs: ms(1_000, 86_400_000).default(900_000),
    /**
     * A snapshot is taken after so many journal records. More: fewer writes, and a takeover replays
     * up to so many records (about 20 us each) before the room serves again.
     */
    snapshotRecords: count(16, 65_536).default(256),
    /**
     * State of one room. A takeover moves that much, and so does a join without a cursor. With
     * 4,096 members of the longest names it still fits into what gateways and clients take, 8 MiB.
     */
    stateBytesMax: bytes(1024, 3 * 1024 * 1024).default(1024 * 1024),
  })
  .prefault({});

export const gatewaySchema = z
  .strictObject({
    /** Where clients connect; a proxy in front terminates TLS. */
    listen: listenAt(7071),
    /** What clients are told to dial, `wss://host[:port]`. Left out: the address listened on. */
    publicUrl: z.url({ protocol: /^wss?$/, error: "must be a ws:// or wss:// URL" }).optional(),
    /**
     * Origins of web pages that may connect, e.g. `https://world.example`; `*` allows every page,
     * which lets foreign pages act with a visitor's address but not with their token.
     */
    origins: z.array(z.string().min(1).max(255)).max(256).default([]),
    /**
     * Frames of a gateway that is behind are no further apart, unless the room ticks so. Longer: a
     * crowd that is too large for its gateways is told more rarely before it is told late.
     */
    frameMsMax: ms(100, 10_000).default(500),
    /** Sockets at once; the limit on open files may lower it. Each costs about 12 KiB. */
    socketsMax: count(1, 1_000_000).default(17_000),
    /** One client message. Raising it lets one client make this gateway buffer that much more. */
    payloadBytesMax: bytes(17 * 1024, 1024 * 1024).default(32 * 1024),
    /** A socket that has not said hello by then is closed. Longer: slow attackers hold more. */
    helloMsMax: ms(500, 60_000).default(5_000),
    /** Silence of three times this closes a socket. Shorter: more pings from mobile devices. */
    pingMs: ms(500, 60_000).default(5_000),
    /**
     * Who has sent a pose, and then nothing for so long, seems stuck, and is sent the fewest frames
     * until it is heard. Longer: clients that stand may speak more rarely.
     */
    quietMs: ms(500, 60_000).default(3_000),
    /**
     * Allowance of one connection, all messages together; a burst of 2 s is let through. What is
     * over is refused, and who goes on is closed for good, so the SDK keeps below the least.
     */
    messagesPerSecond: count(40, 10_000).default(60),
    bytesPerSecond: bytes(64 * 1024, 16 * 1024 * 1024).default(64 * 1024),
    commandsPerSecond: count(20, 10_000).default(20),
    signalsPerSecond: count(10, 10_000).default(10),
    posesPerSecond: count(1, 120).default(30),
    /**
     * What the rows of a room cost one person, in bytes of frames a second; news not counted. At
     * 10 ticks a second 9,600 hold 57 rows a frame: a room of more people shows by interest.
     */
    frameBytesPerSecond: bytes(1_024, 1024 * 1024).default(9_600),
    /**
     * What the rows of those whom somebody follows may add to that, for them alone and only in a
     * crowd. At 10 ticks a second 3,200 hold 19 rows: who follows more sees them take turns.
     */
    followedBytesPerSecond: bytes(0, 1024 * 1024).default(3_200),
    /** Members that one person may follow; 0 switches it off. Whoever does costs a frame apart. */
    followedMax: count(0, FOLLOWED_MAX).default(16),
    /** Whoever moves this near is in every frame. Larger: what is further off comes more rarely. */
    focusM: z.number().min(0).max(1_000).default(8),
    /** Reads and writes sockets past Node's streams, for a sixth less of a gateway's CPU time. */
    fastSockets: z.boolean().default(true),
    /** A session can be resumed so long after its join. Longer: a stolen token works for longer. */
    sessionTokenMs: ms(60_000, 7 * 86_400_000).default(12 * 3_600_000),
    /** Rooms with an audience here. Each costs its state plus about 100 bytes a member. */
    roomsMax: count(1, 100_000).default(4_096),
    /** A draining gateway sends its clients elsewhere over this time. Shorter: a rush of joins. */
    drainMs: ms(0, 600_000).default(10_000),
  })
  .prefault({});

export const placementSchema = z
  .strictObject({
    /** Base URL under which other replicas and tools reach this operator API. */
    publicUrl: z.url({ protocol: /^https?$/, error: "must be an http(s) URL" }).optional(),
    /**
     * Copies of every stream. 1 needs one NATS server and loses the rooms with its disk; 3 needs
     * three and survives one. Changing it changes the streams that are there.
     */
    replicas: z.union([z.literal(1), z.literal(3)]).default(3),
    /** Rooms that this cluster lists and keeps. Closed ones give way; one more is refused. */
    roomsMax: count(1, 1_000_000).default(100_000),
    /**
     * A closed room is listed, and answered as closed, for so long; then it is as if it had never
     * been, except that nobody can open it again, if it ever was open. Longer: the index takes
     * longer to read, some 0.1 ms a room every 5 s.
     */
    closedEntryKeepMs: ms(60_000, 30 * 86_400_000).default(600_000),
    /** Rooms move from full nodes to empty ones, while nothing is wrong with any of them. */
    rebalance: z
      .strictObject({
        /**
         * Share of the cluster's load that may move in a window. More: a new node is of use sooner,
         * and more people see their room pause. 0 moves none; a room that weighs more waits for as
         * many windows as it needs, and moves alone.
         */
        shareMax: z.number().min(0).max(1).default(0.05),
        /** Loads are averaged over a sixth of it, and nodes have to be calm for as long. */
        windowMs: ms(1_000, 3_600_000).default(60_000),
        /** A room that has moved, or was taken over, is left alone for so long. */
        roomRestMs: ms(1_000, 86_400_000).default(300_000),
      })
      .prefault({}),
    /**
     * Worlds of rooms that are made when somebody asks for them, by room name; a `*` at the end
     * stands for anything: `{"plaza-*": "plaza"}`. Whoever may join can then make such rooms, up to
     * roomsMax.
     */
    autoCreate: z
      .record(z.string().regex(/^[A-Za-z0-9_-]{0,64}\*?$/), token)
      .refine((patterns) => Object.keys(patterns).length <= 256, { error: "has over 256 patterns" })
      .default({}),
  })
  .prefault({});

/** The file: one for all roles, so that a cluster has one place to look at. */
export const fileSchema = z.strictObject({
  ...common,
  node: nodeSchema,
  gateway: gatewaySchema,
  placement: placementSchema,
});
export type FileConfig = z.infer<typeof fileSchema>;
