import { escaped, mark, pageOf, tableOf, tilesOf } from "../../../src/load/page/parts.ts";
import { AIM_SPREAD, costOf, type Flatness, ROLES, type Size, totalCost } from "./figures.ts";

/** What the page says besides the sizes. */
export interface ScaleFacts extends Flatness {
  readonly gateways: number;
  readonly nodes: number;
  readonly seconds: number;
  readonly cores_at_rest: number;
  readonly ended: string | null;
  readonly machine: string;
  readonly date: string;
}

/** By role: the style's class, which has its colour. */
const KIND: Readonly<Record<string, string>> = {
  gateway: "gateway",
  node: "node",
  "nats-server": "nats",
  placement: "placement",
};
/** What other pages have no use for. */
const OWN_STYLE = `
svg .value{font-size:13px;font-weight:600;fill:var(--ink)}
svg rect.part{stroke:none}
svg .pale{fill-opacity:.35}
svg rect.shade{fill:var(--good);fill-opacity:.1}
.legend+.note{margin-top:10px}
`;
const WIDTH = 1_120;
const HEIGHT = 380;
const LEFT = 58;
const RIGHT = 16;
const TOP = 26;
const BOTTOM = 46;

const people = (count: number): string => count.toLocaleString("en");
const at = (value: number): number => Number(value.toFixed(1));

/** The cost of a person by the size of the crowd, as one page that needs nothing but itself. */
export function scalePage(sizes: readonly Size[], facts: ScaleFacts): string {
  const { cores_at_rest: rest, ended, fixed_cores: fixed, flat, marginal_us: marginal } = facts;
  const first = sizes[0]?.users ?? 0;
  const last = sizes.at(-1)?.users ?? 0;
  const spread = facts.spread === null ? "–" : `${Math.round(facts.spread * 100)} %`;
  return pageOf({
    title: "What a person costs",
    heading: "What a person costs",
    lead: `Processor time of every server process (gateways, node, NATS, placement), divided by the
updates that people got, from ${people(first)} to ${people(last)} people in one cluster. Flat is
cheap to grow.`,
    meta: `Crowd mix: everybody receives at 10 Hz, 30 % move and send at 10 Hz, the others send at 0.5 Hz,
rooms of 200 · ${facts.gateways} gateways, ${facts.nodes} ${facts.nodes === 1 ? "node" : "nodes"} ·
${facts.seconds} s each · ${escaped(facts.machine)} · ${escaped(facts.date)}`,
    sections: [
      tilesOf([
        {
          name: `dearest over cheapest; the aim is at most ${AIM_SPREAD * 100} %`,
          value: spread,
          good: flat !== false,
        },
        { name: "µs that one more person's tick adds", value: `${marginal ?? "–"}`, good: true },
        { name: "cores that are there anyway, by the fit", value: `${fixed ?? "–"}`, good: true },
        { name: "cores measured with nobody there", value: `${rest}`, good: true },
      ]),
      ...(ended === null ? [] : [`<p class="caution">It ended early: ${escaped(ended)}.</p>`]),
      `<section><h2>Microseconds of processor time a person and tick</h2>
${plotOf(sizes)}
${legend()}
<p class="note">The band begins at the cheapest size that counts and ends ${AIM_SPREAD * 100} % above it: flat is inside. Pale bars do
not count, because somebody missed something there; the table says what.</p></section>`,
      `<section><h2>Sizes</h2>${tableOfSizes(sizes)}</section>`,
    ],
  });
}

function plotOf(sizes: readonly Size[]): string {
  const costs = sizes.map(totalCost);
  const least = Math.min(...sizes.filter(counts).map(totalCost));
  const top = scaleTop(Math.max(...costs, 1));
  const floor = HEIGHT - BOTTOM;
  const y = (us: number): number => at(floor - (us / top) * (floor - TOP));
  const step = (WIDTH - LEFT - RIGHT) / Math.max(1, sizes.length);
  const bar = Math.min(120, step * 0.52);
  const marks = Array.from({ length: 5 }, (_, i) => (top * i) / 4);
  const rules = marks.map(
    (us) =>
      `<line class="rule" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(us)}" y2="${y(us)}"/>
<text x="${LEFT - 8}" y="${y(us) + 4}" text-anchor="end">${Number(us.toFixed(1))}</text>`,
  );
  const high = y(least * (1 + AIM_SPREAD));
  const band = Number.isFinite(least)
    ? `<rect class="shade" x="${LEFT}" width="${WIDTH - LEFT - RIGHT}" y="${high}" height="${at(y(least) - high)}"/>`
    : "";
  const bars = sizes.map((size, i) => {
    const middle = LEFT + step * (i + 0.5);
    return `${stack(size, middle - bar / 2, bar, y)}
<text class="value" x="${at(middle)}" y="${y(totalCost(size)) - 8}" text-anchor="middle">${totalCost(size).toFixed(1)}</text>
<text x="${at(middle)}" y="${floor + 18}" text-anchor="middle">${people(size.users)}</text>`;
  });
  return `<style>${OWN_STYLE}</style>
<div class="scroll"><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Cost of a person by the size of the crowd">
${band}${rules.join("")}${bars.join("")}
<text x="${at(LEFT + (WIDTH - LEFT - RIGHT) / 2)}" y="${HEIGHT - 6}" text-anchor="middle">people</text></svg></div>`;
}

const counts = ({ faults }: Size): boolean => faults.length === 0;

/** The roles' parts of one bar, one on the other. */
function stack(size: Size, x: number, width: number, y: (us: number) => number): string {
  const costs = costOf(size);
  let below = 0;
  return rolesOf(costs)
    .map((role) => {
      const from = below;
      below += costs[role] ?? 0;
      const kind = `part ${KIND[role] ?? "slowest"}${counts(size) ? "" : " pale"}`;
      return `<rect class="${kind}" x="${at(x)}" width="${at(width)}" y="${y(below)}" height="${at(y(from) - y(below))}"/>`;
    })
    .join("");
}

const rolesOf = (costs: Readonly<Record<string, number>>): string[] => {
  const known: readonly string[] = ROLES;
  return [...known.filter((role) => role in costs), ...Object.keys(costs).filter(isOther)];
};
const isOther = (role: string): boolean => !(ROLES as readonly string[]).includes(role);

/** The next round number above. */
function scaleTop(most: number): number {
  const decade = 10 ** Math.floor(Math.log10(most));
  const step = [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((factor) => factor * decade >= most * 1.12);
  return (step ?? 12) * decade;
}

const legend = (): string =>
  `<p class="legend">${ROLES.map(
    (role) => `<span><i class="dot ${KIND[role]}"></i>${role}</span>`,
  ).join("")}</p>`;

function tableOfSizes(sizes: readonly Size[]): string {
  const number = (value: string): string => `<td class="number">${value}</td>`;
  const rows = sizes.map((size) => {
    const costs = costOf(size);
    const verdict = counts(size)
      ? mark(true, ["nothing missed", ""])
      : `${mark(false, ["", "does not count"])} <span class="quiet">${escaped(size.faults.join("; "))}</span>`;
    return `<tr>${number(people(size.users))}${number(totalCost(size).toFixed(1))}${ROLES.map(
      (role) => number((costs[role] ?? 0).toFixed(1)),
    ).join(
      "",
    )}${number(people(Math.round(size.framesPerS)))}${number(size.frameMs.p50.toFixed(1))}${number(
      size.frameMs.p99.toFixed(1),
    )}${number(`${Math.round(size.machineBusy * 100)} %`)}<td>${verdict}</td></tr>`;
  });
  const heads = ["people", "µs", ...ROLES, "frames/s", "p50 ms", "p99 ms", "machine busy", ""];
  return tableOf(heads, rows);
}
