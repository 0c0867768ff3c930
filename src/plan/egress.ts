import type { PlanFlags } from "./flags.ts";
import { posesOfOne } from "./sizing.ts";

/** Of a frame (src/protocol/SPEC.md), and of the stage's rows that ride it. */
const FRAME_HEAD_BYTES = 32;
const ROW_BYTES = 16;
const STAGE_BYTES = 56;
/** Of gateway.frameBytesPerSecond, and rows that a frame has however small that is. */
const FRAME_BYTES_PER_S = 9_600;
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
  const inTls = frameBytes + WEBSOCKET_BYTES + TLS_BYTES;
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

/** Rows of everybody who has said something since the last frame, as far as they fit. */
export function frameBytesOf({ hz, moveHz, moving, roomSize, standHz }: Mix): number {
  const said = (perS: number): number => Math.min(1, perS / hz);
  const rows = roomSize * (moving * said(moveHz) + (1 - moving) * said(standHz));
  const budget = FRAME_BYTES_PER_S / hz - FRAME_HEAD_BYTES - WEBSOCKET_BYTES;
  const fit = Math.max(ROWS_MIN, Math.floor(budget / ROW_BYTES));
  return Math.round(FRAME_HEAD_BYTES + Math.min(rows, fit) * ROW_BYTES + STAGE_BYTES);
}
