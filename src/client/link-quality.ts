export type QualityLevel = "good" | "fair" | "poor" | "lost";

export interface Quality {
  /** Round trip to the gateway, smoothed. */
  readonly rttMs: number;
  /** Since the last frame arrived. */
  readonly frameAgeMs: number;
  /** Mean deviation of the spacing of frames. */
  readonly jitterMs: number;
  readonly level: QualityLevel;
}

/** Above any of these a link is of the next level. Frames come at least once a second. */
const FAIR = { rttMs: 150, frameAgeMs: 1_200, jitterMs: 40 };
const POOR = { rttMs: 400, frameAgeMs: 2_500, jitterMs: 120 };
const LOST_FRAME_AGE_MS = 5_000;

const above = (measured: typeof FAIR, limits: typeof FAIR): boolean =>
  measured.rttMs > limits.rttMs ||
  measured.frameAgeMs > limits.frameAgeMs ||
  measured.jitterMs > limits.jitterMs;

export function judgeQuality(measured: typeof FAIR, attached: boolean): Quality {
  const lost = !attached || measured.frameAgeMs > LOST_FRAME_AGE_MS;
  const level = lost
    ? "lost"
    : above(measured, POOR)
      ? "poor"
      : above(measured, FAIR)
        ? "fair"
        : "good";
  return { ...measured, level };
}
