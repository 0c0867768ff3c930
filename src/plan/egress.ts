import type { PlanFlags } from "./flags.ts";
import { posesOfOne } from "./sizing.ts";

/** Of a frame (src/protocol/SPEC.md). */
const FRAME_HEAD_BYTES = 32;
const ROW_BYTES = 16;
/** The stage's frame with one performer rides it, in the same write. */
export const STAGE_BYTES = FRAME_HEAD_BYTES + ROW_BYTES + 2;
/** Of gateway.frameBytesPerSecond and gateway.farFrames, and rows that there is room for anyway. */
const FRAME_BYTES_PER_S = 9_600;
const FAR_FRAMES = 20;
const ROWS_MIN = 8;
/** The WebSocket's head, a TLS record, and TCP and IP with time stamps. */
const WEBSOCKET_BYTES = 4;
const TLS_BYTES = 22;
const PACKET_BYTES = 52;
const SEGMENT_BYTES = 1_448;

/** What leaves for the audience, in GB of 10^9 bytes. */
export interface Egress {
  readonly framesPerS: number;
  /** Of the frame alone. */
  readonly frameBytes: number;
  readonly packetsEach: number;
  /** Of a frame with everything around it. */
  readonly wireBytes: number;
  readonly bytesPerUserS: number;
  readonly gbit: number;
  readonly packetsPerS: number;
  /** Of poses; what acknowledges frames comes on top, a packet a frame at most. */
  readonly packetsInPerS: number;
  readonly gbPerHour: number;
}

export function egressOf(flags: PlanFlags): Egress {
  const { hz, users } = flags;
  const framesPerS = users * hz;
  const frameBytes = flags.frameBytes ?? frameBytesOf(flags);
  const inTls = frameBytes + STAGE_BYTES + WEBSOCKET_BYTES + TLS_BYTES;
  const packetsEach = Math.ceil(inTls / SEGMENT_BYTES);
  const wireBytes = inTls + packetsEach * PACKET_BYTES;
  const bytesPerS = framesPerS * wireBytes;
  return {
    framesPerS,
    frameBytes,
    packetsEach,
    wireBytes,
    bytesPerUserS: hz * wireBytes,
    gbit: (bytesPerS * 8) / 1e9,
    packetsPerS: framesPerS * packetsEach,
    packetsInPerS: users * posesOfOne(flags),
    gbPerHour: (bytesPerS * 3_600) / 1e9,
  };
}

type Mix = Pick<PlanFlags, "hz" | "moveHz" | "moving" | "roomSize" | "standHz">;

/**
 * As the node and the gateway make it (GW35). Where everybody fits a frame has who said something
 * since the last one, and of the others so many that all are repeated in a second. Where they do
 * not, everybody has a turn within 20 frames, and who walks goes between them as far as rows fit.
 */
export function frameBytesOf({ hz, moveHz, moving, roomSize, standHz }: Mix): number {
  const budget = FRAME_BYTES_PER_S / hz - FRAME_HEAD_BYTES - WEBSOCKET_BYTES;
  const fit = Math.max(ROWS_MIN, Math.floor(budget / ROW_BYTES));
  const walked = roomSize * moving * Math.min(1, moveHz / hz);
  const stood = roomSize * (1 - moving) * Math.min(1, standHz / hz);
  const said = walked + stood;
  const turn = Math.ceil(roomSize / FAR_FRAMES);
  const rows =
    roomSize <= fit
      ? said + (roomSize - said) / hz
      : Math.min(fit, turn + walked * (1 - turn / roomSize));
  return Math.round(FRAME_HEAD_BYTES + rows * ROW_BYTES);
}
