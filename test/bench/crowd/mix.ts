import { STANDING_HZ, UPDATES_HZ } from "../density/work.ts";
import type { CrowdOptions, Window } from "./crowd.ts";

/**
 * The crowd of the benchmarks: everybody gets updates at 10 Hz, 30 % move and say so as often, the
 * others stand still and say so at 0.5 Hz, in rooms of 200.
 */
export const ROOM_SIZE = 200;
const MOVING_SHARE = 0.3;
export const CROWD: Pick<CrowdOptions, "roomSize" | "onlookersPerRoom" | "mix" | "areaM"> = {
  roomSize: ROOM_SIZE,
  onlookersPerRoom: 4,
  mix: {
    movingShare: MOVING_SHARE,
    movingMs: 1_000 / UPDATES_HZ,
    standingMs: 1_000 / STANDING_HZ,
  },
  areaM: 8,
};

/** Processor time of one person's one update, in us. */
export const usPerUserTick = (cores: number, window: Window): number =>
  (cores * window.seconds * 1e6) / window.frames;

const COMPLETE_SHARE = 0.98;
/** Who moves is drawn anew every few seconds, so the rate of poses comes and goes. */
const SENT_SHARE = 0.9;
const SKIPPED_SHARE = 0.005;

/** What was not as it should be in a window; empty where its figures count. */
export function faultsOf(window: Window, users: number): string[] {
  const { findings, frames, poses, rates, seconds, skipped } = window;
  const faults = [...findings];
  if (window.users < users) faults.push(`${window.users} of ${users} people were there`);
  if (rates.p1 < UPDATES_HZ * COMPLETE_SHARE)
    faults.push(`one client in a hundred got under ${rates.p1.toFixed(1)} frames a second`);
  if (skipped > (frames + skipped) * SKIPPED_SHARE)
    faults.push(
      `${((100 * skipped) / (frames + skipped)).toFixed(1)} % of the frames were skipped`,
    );
  const due = (MOVING_SHARE * UPDATES_HZ + (1 - MOVING_SHARE) * STANDING_HZ) * users * seconds;
  if (poses < due * SENT_SHARE)
    faults.push(`the clients sent only ${Math.round((100 * poses) / due)} % of their poses`);
  return faults;
}

/** A window as a file has it. */
export function windowFigures(window: Window) {
  const round = (value: number): number => Number(value.toFixed(2));
  const { bytes, clientCores, frameMs, lagMs, poseMs, rates, seconds, users } = window;
  const spread = ({ count, max, p50, p99 }: Window["frameMs"]) => ({
    p50: round(p50),
    p99: round(p99),
    max: round(max),
    count,
  });
  return {
    seconds: round(seconds),
    frames_per_s: Math.round(window.frames / seconds),
    poses_per_s: Math.round(window.poses / seconds),
    skipped_share: Number(
      (window.skipped / Math.max(1, window.frames + window.skipped)).toFixed(5),
    ),
    client_frames_per_s: {
      least: round(rates.least),
      p1: round(rates.p1),
      p50: round(rates.p50),
    },
    egress_bytes_per_user_s: Math.round(bytes / seconds / Math.max(1, users)),
    frame_ms: spread(frameMs),
    pose_ms: spread(poseMs),
    client_cores: round(clientCores),
    client_lag_ms: Math.round(lagMs),
  };
}
