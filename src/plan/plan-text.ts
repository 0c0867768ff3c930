import { STAGE_BYTES } from "./egress.ts";
import { ARCHS, type Arch, type PlanFlags } from "./flags.ts";
import { bytes, count, figure, percent } from "./numerals.ts";
import type { Bill, Plan } from "./plan.ts";
import { posesOfOne, type RoleSizing, type Sizing } from "./sizing.ts";
import { ROLES, type RoleName } from "./work.ts";

/** A plan as a terminal shows it, with the arithmetic of every line. */
export function planText(plan: Plan): string {
  const { flags } = plan;
  const heading = `${count(flags.users)} people at ${flags.hz} frames/s in rooms of ${count(flags.roomSize)}`;
  return [
    heading,
    "",
    ...workLines(plan),
    "",
    ...ROLES.flatMap((role) => [...roleLines(role, plan), ""]),
    ...tableLines(plan),
    "",
    ...egressLines(plan),
    "",
    ...billLines(plan),
    "",
    "Limits",
    ...plan.limits.map((line) => `  ${line}`),
    "",
    "How far to trust it",
    ...plan.cautions.map((line) => `  ${line}`),
    "",
  ].join("\n");
}

const LABEL = 24;
const line = (label: string, how: string, what: string): string =>
  `  ${label.padEnd(LABEL)}${how.padEnd(46)} = ${what}`;

function workLines({ byArch, flags }: Plan): string[] {
  const { hz, moveHz, moving, standHz, users } = flags;
  const { counts, traffic } = byArch.x64.sizing;
  const mix = `(${moving} × ${moveHz} + ${figure(1 - moving)} × ${standHz})`;
  return [
    "What there is to do, a second",
    line("frames", `${count(users)} people × ${hz}`, count(counts.gateway.frame)),
    line("poses", `${count(users)} × ${mix}`, count(users * posesOfOne(flags))),
    line("rooms", `${count(users)} / ${count(flags.roomSize)}`, count(traffic.rooms)),
    line(
      "ticks made",
      `${count(traffic.rooms)} × ${hz} + 20 of the stage`,
      count(traffic.ticksMade),
    ),
    line(
      "ticks taken by gateways",
      `with 20 × ${count(counts.gateway.process)} of the stage`,
      count(traffic.ticksTaken),
    ),
    line(
      "pose messages to nodes",
      "poses of a room that wait together",
      count(traffic.poseMessages),
    ),
    line(
      "batches",
      `${count(traffic.batchesUp)} to nodes + ${count(traffic.batchesDown)} to gateways`,
      count(traffic.batchesUp + traffic.batchesDown),
    ),
    line("joins, commands", "", `${figure(flags.joinsPerS)}, ${figure(flags.commandsPerS)}`),
  ];
}

/** The arithmetic of one role on x64, and what differs on arm64. */
function roleLines(role: RoleName, plan: Plan): string[] {
  const { byArch, coefficients, flags } = plan;
  const { roles, slowness } = byArch.x64.sizing;
  const { cores, terms } = roles[role];
  const floorUs = coefficients.source.floorUs * slowness;
  const floors = (term: string, us: number): string =>
    role === "gateway" && term === "frame" ? `, ${(us / floorUs).toFixed(2)} C floors each` : "";
  return [
    `${role}, on x64 (C floor ${figure(floorUs)} µs)`,
    ...terms
      .filter(({ count: times }) => times > 0)
      .map(({ count: times, cores: each, term, us }) =>
        line(term, `${figure(times)} × ${figure(us)} µs${floors(term, us)}`, each.toFixed(3)),
      ),
    line("cores", "sum", cores.toFixed(2)),
    line("processes", processArithmetic(roles[role], flags), String(roles[role].processes)),
    ...ARCHS.filter((arch) => arch !== "x64").map((arch) => {
      const other = byArch[arch].sizing.roles[role];
      const how = `${other.cores.toFixed(2)} cores; ${processArithmetic(other, flags)}`;
      return line(`processes on ${arch}`, how, String(other.processes));
    }),
  ];
}

function processArithmetic(role: RoleSizing, flags: PlanFlags): string {
  const { byCores, byLimit, cores, coresEach, limit, needed, role: name } = role;
  const { headroom, natsServers, spare, zones } = flags;
  if (name === "nats")
    return `${natsServers} given; ${cores.toFixed(2)} / ${needed} / ${headroom} → ${coresEach} cores each`;
  const kept = zones > 1 ? `, one of ${zones} zones to lose` : "";
  if (name === "placement") return `1 + ${spare} spare${kept}`;
  const bound = byLimit > byCores ? `, ${byLimit} by ${limit}` : "";
  return `${cores.toFixed(2)} / ${headroom} → ${byCores}${bound} + ${spare} spare${kept}`;
}

function tableLines({ byArch }: Plan): string[] {
  const cell = (text: string): string => text.padStart(12);
  const heads = ARCHS.flatMap((arch) => [`${arch}`, "cores", "memory each"]).map(cell);
  const total = (arch: Arch): string[] => {
    const { bytes: all, coresBought, processes } = byArch[arch].sizing;
    return [count(processes), count(coresBought), bytes(all)];
  };
  const row = (label: string, of: (arch: Arch) => string[]): string =>
    `  ${label.padEnd(10)}${ARCHS.flatMap(of).map(cell).join("")}`;
  return [
    `  ${"".padEnd(10)}${heads.join("")}`,
    ...ROLES.map((role) => row(role, (arch) => roleCells(byArch[arch].sizing, role))),
    row("all", total),
  ];
}

function roleCells({ roles }: Sizing, role: RoleName): string[] {
  const { bytesEach, coresEach, processes } = roles[role];
  return [count(processes), count(processes * coresEach), bytes(bytesEach)];
}

function egressLines({ egress, flags }: Plan): string[] {
  const { frameBytes, framesPerS, gbit, packetsEach, packetsPerS, wireBytes } = egress;
  const estimated = flags.frameBytes === undefined ? "a frame of this mix" : "a frame";
  return [
    "What leaves",
    line(
      estimated,
      `${count(frameBytes)} + ${STAGE_BYTES} stage + 4 WS + 22 TLS + ${packetsEach} × 52 TCP/IP`,
      `${count(wireBytes)} B`,
    ),
    line("egress", `${count(framesPerS)} × ${count(wireBytes)} B × 8`, `${figure(gbit)} Gbit/s`),
    line(
      "packets out, in",
      `${packetsEach} a frame; poses, and acknowledgements besides`,
      `${count(packetsPerS)}, ${count(egress.packetsInPerS)} /s`,
    ),
    line(
      "an hour",
      `${count(framesPerS)} × ${count(wireBytes)} B × 3,600`,
      `${count(egress.gbPerHour)} GB`,
    ),
  ];
}

function billLines({ byArch, egress, flags }: Plan): string[] {
  const money = (value: number | null): string => (value === null ? "–" : value.toFixed(2));
  const lines = ARCHS.flatMap((arch) => {
    const { bill, sizing } = byArch[arch];
    const price = flags.prices[arch];
    if (price === undefined) return [`  no price of an ${arch} core: --${arch}-price`];
    return [
      line(`cores, ${arch}`, `${count(sizing.coresBought)} × ${price}`, money(bill.coresPerHour)),
      ...sumLine(arch, bill, flags, money),
    ];
  });
  const { egressPrice } = flags;
  const leaving =
    egressPrice === undefined
      ? "  no price of egress: --egress-price"
      : line(
          "egress",
          `${count(egress.gbPerHour)} GB × ${egressPrice}`,
          money(byArch.x64.bill.egressPerHour),
        );
  return ["Cost an hour, in the currency of the prices", leaving, ...lines];
}

function sumLine(
  arch: Arch,
  { perHour, perHourPer1000 }: Bill,
  { headroom }: PlanFlags,
  money: (value: number | null) => string,
): string[] {
  if (perHour === null || perHourPer1000 === null) return [];
  const how = `cores (at ${percent(headroom)}, spare included) and egress`;
  return [
    line(`all, ${arch}`, how, `${money(perHour)}, ${perHourPer1000.toFixed(4)} per 1,000 people`),
  ];
}
