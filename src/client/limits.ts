/** Every limit and period of the SDK. Raising one costs what its comment says. */
export interface ClientLimits {
  /** From opening a socket to its welcome. */
  readonly handshakeMsMax: number;
  /** From `connect` to the first welcome; after that, reconnecting has no end. */
  readonly connectMsMax: number;
  /** Reconnect delays: full jitter under base · 2^attempt, up to the cap. */
  readonly backoff: { readonly baseMs: number; readonly capMs: number };
  /** A server's word on when to come back counts up to this. */
  readonly retryAfterMsMax: number;
  /** A connection that held this long forgives the failures before it. */
  readonly stableMs: number;
  /** A draining gateway's socket is closed at the latest this long after its successor opened. */
  readonly retireMsMax: number;
  /** Pings in a row, with nothing received since, before a socket is given up. */
  readonly missedPongsMax: number;

  /** From a join to any answer; then the socket is given up. */
  readonly joinAnswerMsMax: number;
  /** How long `join` goes on asking where the room says "later". */
  readonly joinMsMax: number;
  /** From a leave to its answer; then the room ends without it. */
  readonly leaveMsMax: number;
  /** A move to another shard is through by then, and nothing new is sent until it is. */
  readonly moveMsMax: number;

  /** Poses a second at most. */
  readonly poseHz: number;
  /** A pose that stays the same is repeated this often. */
  readonly poseKeepAliveMs: number;
  /** Members to follow: as many as gateways take by default. */
  readonly followedMax: number;
  /** Poses and signals are dropped, not queued, while more than this waits to be sent. */
  readonly bufferedBytesMax: number;

  /** Commands waiting behind those in flight; then they are refused as `queue_full`. */
  readonly commandsQueuedMax: number;
  /** Sent a second and at once, over all rooms of a socket: below what gateways allow. */
  readonly commandsPerSecond: number;
  readonly commandsBurst: number;
  readonly signalsPerSecond: number;
  readonly signalsBurst: number;
  /** A command counts once for each of these bytes of its body. */
  readonly commandBytesPerToken: number;
  /** How long nothing is sent after a gateway said `rate_limited`. */
  readonly rateLimitedMs: number;
  /** A command without a reply is resent after this, then after twice as long, up to the cap. */
  readonly resendMs: number;
  readonly resendMsMax: number;
  /** A second `expect` of the same command within this time tells nothing new. */
  readonly expectQuietMs: number;
  /** How long a reply waits for its record, so that `room.state` shows the effect. */
  readonly visibleMsMax: number;

  /** The interpolation buffer, in intervals between rows. */
  readonly bufferIntervals: number;
  readonly bufferMsMax: number;
  readonly extrapolateMsMax: number;
  /** Further apart than this, two rows are a jump, not a walk. */
  readonly snapMetres: number;
}

export const clientDefaults: ClientLimits = {
  handshakeMsMax: 8_000,
  connectMsMax: 30_000,
  backoff: { baseMs: 500, capMs: 15_000 },
  retryAfterMsMax: 600_000,
  stableMs: 5_000,
  retireMsMax: 10_000,
  missedPongsMax: 2,
  joinAnswerMsMax: 15_000,
  joinMsMax: 30_000,
  leaveMsMax: 3_000,
  moveMsMax: 3_000,
  poseHz: 10,
  poseKeepAliveMs: 2_000,
  followedMax: 16,
  bufferedBytesMax: 64 * 1024,
  commandsQueuedMax: 256,
  commandsPerSecond: 16,
  commandsBurst: 32,
  signalsPerSecond: 8,
  signalsBurst: 16,
  commandBytesPerToken: 3 * 1024,
  rateLimitedMs: 1_000,
  resendMs: 1_000,
  resendMsMax: 4_000,
  expectQuietMs: 100,
  visibleMsMax: 2_000,
  bufferIntervals: 1.5,
  bufferMsMax: 500,
  extrapolateMsMax: 250,
  snapMetres: 5,
};
