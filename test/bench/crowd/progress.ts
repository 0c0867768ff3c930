/** How a benchmark with a crowd is doing, once a second. */
export interface Progress {
  readonly phase: "joining" | "settling" | "measuring";
  readonly users: number;
  readonly inRoom: number;
  readonly frames: number;
  readonly skipped: number;
  readonly frameMs: { readonly p50: number; readonly p99: number } | undefined;
  readonly clientCores: number;
  readonly also: string;
}

/** Where a benchmark tells how it is doing. */
export type Say = (line: string) => void;

export const say: Say = (line) => console.error(line);

export function lineOf(progress: Progress): string {
  const { also, clientCores, frameMs, frames, inRoom, phase, skipped, users } = progress;
  const parts = [
    `${phase.padEnd(9)} ${inRoom}/${users}`,
    `${frames} frames/s`,
    frameMs ? `p50 ${frameMs.p50.toFixed(1)} p99 ${frameMs.p99.toFixed(1)} ms` : "",
    skipped > 0 ? `${skipped} skipped` : "",
    `clients ${clientCores.toFixed(2)} cores`,
    also,
  ];
  return `  ${parts.filter((part) => part !== "").join("  ")}`;
}
