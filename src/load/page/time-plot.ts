/** Pictures of a run over its time, as SVG in the style of the pages. */

export const roundTo = (value: number, digits = 1): number => Number(value.toFixed(digits));

/** Marks of minutes and seconds below a plot whose lower edge is at `bottom`. */
export function timeAxis(
  tookMs: number,
  x: (ms: number) => number,
  bottom: number,
  marksMax = 12,
): string {
  const steps = [5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600];
  const stepS = steps.find((s) => tookMs / 1_000 / s <= marksMax) ?? 7_200;
  const marks: string[] = [];
  for (let s = 0; s * 1_000 <= tookMs; s += stepS) {
    const label = `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
    const anchor = s === 0 ? "start" : s * 1_000 > tookMs - stepS * 100 ? "end" : "middle";
    marks.push(
      `<text x="${x(s * 1_000)}" y="${bottom + 17}" text-anchor="${anchor}">${label}</text>`,
    );
  }
  return marks.join("");
}

export interface PlotLine {
  readonly name: string;
  /** Of the style: its colour. */
  readonly kind: string;
  /** One for each point of time; undefined where there is none. */
  readonly values: readonly (number | undefined)[];
}

export interface TimePlot {
  readonly label: string;
  readonly width: number;
  readonly height: number;
  /** Of the points, from the beginning. */
  readonly atMs: readonly number[];
  readonly tookMs: number;
  readonly lines: readonly PlotLine[];
  readonly scale: "linear" | "logarithmic";
  readonly unit: "ms" | "";
  /** A time that is shaded: what its figures are of. */
  readonly shaded: readonly [fromMs: number, toMs: number] | undefined;
}

const LEFT = 62;
const RIGHT = 8;
const TOP = 8;
const AXIS = 24;

interface Scale {
  readonly marks: readonly number[];
  /** Of 0 at the bottom and 1 at the top. */
  share(value: number): number;
}

/** Lines over time, with what they are below. */
export function timePlot(plot: TimePlot): string {
  const { atMs, height, lines, shaded, tookMs, width } = plot;
  const x = (ms: number): number =>
    roundTo(LEFT + (Math.min(ms, tookMs) / Math.max(1, tookMs)) * (width - LEFT - RIGHT));
  const bottom = height - AXIS;
  const values = lines.flatMap((line) => line.values.filter((value) => value !== undefined));
  const scale = plot.scale === "linear" ? linear(values) : logarithmic(values);
  const y = (value: number): number => roundTo(bottom - scale.share(value) * (bottom - TOP));
  const shade =
    shaded === undefined
      ? ""
      : `<rect class="shade" x="${x(shaded[0])}" y="${TOP}" width="${roundTo(x(shaded[1]) - x(shaded[0]))}" height="${bottom - TOP}"/>`;
  const rules = scale.marks.map(
    (mark) =>
      `<line class="rule" x1="${LEFT}" x2="${width - RIGHT}" y1="${y(mark)}" y2="${y(mark)}"/><text x="${LEFT - 8}" y="${y(mark) + 4}" text-anchor="end">${numberOf(mark, plot.unit)}</text>`,
  );
  const drawn = lines.map((line) => lineOf(line, atMs, x, y)).join("");
  const axis = timeAxis(tookMs, x, bottom, width > 800 ? 12 : 6);
  return `<div class="scroll"><svg class="plot" viewBox="0 0 ${width} ${height}" role="img" aria-label="${plot.label}">
${shade}${rules.join("")}${axis}${drawn}</svg></div>${legendOf(lines)}`;
}

/** In pieces where there are points of time without a value. */
function lineOf(
  { kind, values }: PlotLine,
  atMs: readonly number[],
  x: (ms: number) => number,
  y: (value: number) => number,
): string {
  const pieces: string[][] = [[]];
  for (const [i, value] of values.entries()) {
    if (value === undefined) pieces.push([]);
    else pieces.at(-1)?.push(`${x(atMs[i] as number)},${y(value)}`);
  }
  return pieces
    .filter((points) => points.length > 0)
    .map((points) => `<polyline class="${kind}" points="${points.join(" ")}"/>`)
    .join("");
}

const legendOf = (lines: readonly PlotLine[]): string =>
  `<p class="legend">${lines
    .map(({ kind, name }) => `<span><i class="line ${kind}"></i>${name}</span>`)
    .join("")}</p>`;

function linear(values: readonly number[]): Scale {
  const most = Math.max(...values, 0);
  const raw = (most > 0 ? most : 1) / 4;
  const decade = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 2.5, 5].find((factor) => factor * decade >= raw) ?? 10) * decade;
  const count = Math.max(1, Math.ceil(most / step));
  const marks = Array.from({ length: count + 1 }, (_, i) => roundTo(i * step, 6));
  return { marks, share: (value) => value / (count * step) };
}

/** From a power of ten to another; what is lower lies at the bottom. */
function logarithmic(values: readonly number[]): Scale {
  const positive = values.filter((value) => value > 0);
  const low = positive.length === 0 ? 0 : Math.floor(Math.log10(Math.min(...positive)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive, 1))));
  const marks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  const share = (value: number): number =>
    Math.max(0, (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low));
  return { marks, share };
}

function numberOf(value: number, unit: TimePlot["unit"]): string {
  if (unit === "ms") return value < 1_000 ? `${value} ms` : `${value / 1_000} s`;
  return value >= 10_000 ? `${roundTo(value / 1_000)}k` : String(roundTo(value, 2));
}
