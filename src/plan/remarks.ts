import { type Coefficients, errorPercent, sumOf } from "./cost-model.ts";
import type { Egress } from "./egress.ts";
import { ARCHS, type Arch, type PlanFlags } from "./flags.ts";
import { count, percent } from "./numerals.ts";
import { type Sizing, socketsEach } from "./sizing.ts";
import { ROLES } from "./work.ts";

export interface Planned {
  readonly flags: PlanFlags;
  readonly egress: Egress;
  readonly sizings: Readonly<Record<Arch, Sizing>>;
  readonly coefficients: Coefficients;
}

/** Of `src/protocol/event-spec.ts` and `src/placement/score.ts`. */
const EVENT = { capacityMax: 200_000, shardsMax: 2_000 } as const;
const PEOPLE_PER_CAPACITY = 4_000;
const CAPACITY_USED_MAX = 0.9;
/** Fewer windows than this say little of what something costs. */
const WINDOWS_FEW = 5;

export const remarksOf = (planned: Planned) => ({
  limits: [
    ...eventLimits(planned.flags),
    ...socketLimits(planned),
    ...nodeLimits(planned),
    ...networkLimits(planned),
    ...natsLimits(planned),
  ],
  cautions: [...extrapolations(planned), ...fewPoints(planned.coefficients), ...checks(planned)],
});

function eventLimits({ roomSize, users }: PlanFlags): string[] {
  const rooms = Math.ceil(users / roomSize);
  const events = Math.max(Math.ceil(users / EVENT.capacityMax), Math.ceil(rooms / EVENT.shardsMax));
  if (events <= 1) return [];
  return [
    `One event has ${count(EVENT.capacityMax)} people in ${count(EVENT.shardsMax)} shards at most: this is ${count(events)} events.`,
  ];
}

/** One sentence where it is true of both, or one for each that it is true of. */
function ofEach(
  sizings: Planned["sizings"],
  sentence: (sizing: Sizing, on: string) => string | undefined,
): string[] {
  const [first, ...others] = ARCHS.map((arch) => sentence(sizings[arch], ""));
  if (first !== undefined && others.every((other) => other === first)) return [first];
  return ARCHS.flatMap((arch) => sentence(sizings[arch], ` on ${arch}`) ?? []);
}

function socketLimits({ flags, sizings }: Planned): string[] {
  const each = count(socketsEach(flags));
  const files = `${count(flags.openFiles)} open files and gateway.socketsMax allow`;
  return ofEach(sizings, ({ roles: { gateway } }, on) =>
    gateway.byLimit > gateway.byCores
      ? `Sockets bind gateways${on}, not cores: ${each} each is what ${files}.`
      : `A gateway${on} holds up to ${count(flags.users / gateway.needed)} connections of ${each}, which ${files}.`,
  );
}

function nodeLimits({ flags, sizings }: Planned): string[] {
  return ofEach(sizings, ({ roles: { node } }, on) => {
    const people = flags.users / node.needed;
    const capacity = Math.ceil(people / PEOPLE_PER_CAPACITY / CAPACITY_USED_MAX);
    if (capacity <= 1) return undefined;
    const most = count(PEOPLE_PER_CAPACITY * CAPACITY_USED_MAX);
    return `A node${on} has up to ${count(people)} people: set node.capacity to ${capacity}, because one of capacity 1 is given no more rooms at ${most}.`;
  });
}

/** Gateways stand close together, a core each: what they send leaves by few machines. */
function networkLimits({ egress, flags, sizings }: Planned): string[] {
  const { headroom, machineCores, nicGbit } = flags;
  return ofEach(sizings, ({ roles: { gateway } }, on) => {
    const each = egress.gbit / gateway.needed;
    const onOne = Math.min(gateway.needed, machineCores);
    const packets = (egress.packetsPerS / gateway.needed) * onOne;
    const those = onOne === 1 ? "A gateway on a machine" : `${count(onOne)} gateways on a machine`;
    const says = `${those}${on} ${onOne === 1 ? "sends" : "send"} ${(each * onOne).toFixed(2)} Gbit/s in ${count(packets)} packets/s`;
    if (each * onOne <= nicGbit * headroom)
      return `${says}: its network of ${nicGbit} Gbit/s does not bind, its allowance of packets may.`;
    const fit = Math.floor((nicGbit * headroom) / each);
    return fit < 1
      ? `${says}: one alone is more than ${percent(headroom)} of ${nicGbit} Gbit/s. The network binds.`
      : `${says}: the network binds. Put ${count(fit)} gateways on a machine of ${nicGbit} Gbit/s.`;
  });
}

function natsLimits({ flags, sizings }: Planned): string[] {
  return ofEach(sizings, ({ roles: { nats } }, on) =>
    nats.coresEach > flags.machineCores
      ? `NATS${on} takes ${nats.cores.toFixed(2)} cores in ${flags.natsServers} servers: each needs ${nats.coresEach}, more than the ${flags.machineCores} of a machine. It binds.`
      : undefined,
  );
}

function extrapolations({ coefficients, flags, sizings }: Planned): string[] {
  const { most } = coefficients.source;
  const held = Math.ceil(flags.users / sizings.x64.roles.gateway.needed);
  const beyond = [
    ["people", flags.users, most.users],
    ["people a gateway", held, most.usersPerGateway],
    ["frames a second", flags.users * flags.hz, most.framesPerS],
    ["joins a second", flags.joinsPerS, most.joinsPerS],
    ["commands a second", flags.commandsPerS, most.commandsPerS],
  ] as const;
  const named = beyond.flatMap(([what, asked, seen]) =>
    asked > seen
      ? [`${count(asked)} ${what} (${(asked / Math.max(1, seen)).toFixed(1)} × ${count(seen)})`]
      : [],
  );
  if (named.length === 0) return [];
  return [`EXTRAPOLATED beyond the largest event that was measured: ${named.join(", ")}.`];
}

function fewPoints({ us, windows }: Coefficients): string[] {
  const few = ROLES.flatMap((role) =>
    Object.entries(windows[role]).flatMap(([term, n]) =>
      n < WINDOWS_FEW ? [`${term} at the ${role} (${n})`] : [],
    ),
  );
  const none = ROLES.flatMap((role) =>
    Object.entries(us[role]).flatMap(([term, each]) =>
      each === 0 ? [`${term} at the ${role}`] : [],
    ),
  );
  return [
    ...(few.length > 0 ? [`Fitted to few windows of time: ${few.join(", ")}.`] : []),
    ...(none.length > 0
      ? [`No cost of its own was found, within what others cost: ${none.join(", ")}.`]
      : []),
  ];
}

function checks({ coefficients, flags }: Planned): string[] {
  const { checks, source } = coefficients;
  const servers = flags.natsServers;
  return [
    ...checks.map((check) => {
      const { measured, predicted } = sumOf(check);
      const error = errorPercent(predicted, measured);
      const kind = check.beyond ? "more people than any in the fit" : "not in the fit";
      return `Checked on ${check.name} (${kind}): ${predicted.toFixed(2)} cores predicted, ${measured.toFixed(2)} measured, ${error >= 0 ? "+" : ""}${error.toFixed(0)} %; ${count(check.frameBytes.predicted)} bytes of a frame at most, ${count(check.frameBytes.measured)} measured.`;
    }),
    `Fitted to ${source.runs} events with one NATS server, on loopback, on ${source.machine} (C floor ${source.floorUs} µs), ${source.date}, by \`${source.command}\`.`,
    ...(servers > 1
      ? [
          `That ${servers} servers pass a batch on in ${percent(1 - 1 / servers)} of cases, and that each writes every record, is counted and was not measured.`,
        ]
      : []),
    "Joins are as dear as in processes that have just started, as those were that were measured.",
    "All processor time is taken to scale with the C floor. Not counted: TLS in the proxy before the gateways, monitoring, the operating system, balance that is not perfect.",
  ];
}
