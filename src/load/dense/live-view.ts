import type { Second } from "./recorder.ts";

/** Where lines go, and whether it is a terminal that can be drawn on. */
export interface Screen {
  readonly isTTY: boolean;
  write(text: string): void;
}

export interface Progress {
  readonly second: Second;
  readonly clients: number;
  readonly failed: number;
  /** Of the time that everybody is to be in; undefined while they come. */
  readonly share: number | undefined;
  readonly findings: number;
}

const BAR = 28;
const UP = (lines: number): string => `\x1b[${lines}A\r\x1b[J`;

/** How a run is doing: a block that is drawn anew each second, or a line a second for a file. */
export class LiveView {
  readonly #screen: Screen;
  #drawn = 0;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  show(progress: Progress): void {
    if (!this.#screen.isTTY) return this.#screen.write(`${lineOf(progress)}\n`);
    const lines = blockOf(progress);
    this.#screen.write(`${this.#drawn > 0 ? UP(this.#drawn) : ""}${lines.join("\n")}\n`);
    this.#drawn = lines.length;
  }

  /** What is drawn stays, and what is written next stands below it. */
  keep(): void {
    this.#drawn = 0;
  }

  /** A line that stays above what is drawn next. */
  say(line: string): void {
    this.#screen.write(`${this.#drawn > 0 ? UP(this.#drawn) : ""}${line}\n`);
    this.#drawn = 0;
  }
}

/** In a second without a sample there is no percentile. */
const ms = (value: number): string => (value > 0 ? value.toFixed(value < 10 ? 1 : 0) : "–");
const coresText = (second: Second): string =>
  Object.entries(second.cores)
    .map(([role, cores]) => `${role} ${cores.toFixed(2)}`)
    .join(" ");

function lineOf({ clients, failed, findings, second }: Progress): string {
  const { atS, frame, framesPerS, inRoom, joins, pose, skipped } = second;
  return [
    `${String(atS).padStart(4)} s`,
    `${inRoom}/${clients} in${failed > 0 ? `, ${failed} failed` : ""}${joins > 0 ? `, ${joins} joins/s` : ""}`,
    `${framesPerS} frames/s`,
    `frame p50 ${ms(frame.p50)} p99 ${ms(frame.p99)} ms`,
    `pose p99 ${ms(pose.p99)} ms`,
    skipped > 0 ? `${skipped} ticks skipped` : "",
    `cores ${coresText(second)}`,
    findings > 0 ? `${findings} FINDINGS` : "checks ok",
  ]
    .filter((text) => text !== "")
    .join(" | ");
}

function blockOf(progress: Progress): string[] {
  const { clients, failed, findings, second, share } = progress;
  const { atS, frame, framesPerS, inRoom, joins, lagMs, pose, posesPerS, skipped } = second;
  const done = share ?? inRoom / clients;
  const full = Math.round(Math.min(1, done) * BAR);
  const what = share === undefined ? "joining" : "steady ";
  const triple = ({ p50, p99, p999 }: Second["frame"]): string =>
    [p50, p99, p999].map((value) => ms(value).padStart(8)).join("");
  return [
    `  ${what} ${"█".repeat(full)}${"░".repeat(BAR - full)} ${Math.round(done * 100)} %   ${atS} s`,
    `  clients  ${inRoom} of ${clients}${failed > 0 ? `, ${failed} failed` : ""}   ${joins} joins/s`,
    `  frames   ${framesPerS}/s in, ${posesPerS} poses/s out, ${skipped} ticks skipped`,
    `  latency       p50     p99   p99.9   ms`,
    `    frame  ${triple(frame)}   from a room's tick to its arrival`,
    `    pose   ${triple(pose)}   from one person's hand to a neighbour's eye`,
    `  cores    ${coresText(second)}${lagMs > 50 ? `   (this side was ${Math.round(lagMs)} ms late)` : ""}`,
    `  checks   ${findings > 0 ? `${findings} FINDINGS` : "ok"}`,
  ];
}
