import { err, ok, type Result } from "../kernel/result.ts";

/** What the command line asks to be planned for. */
export interface PlanFlags {
  readonly users: number;
  readonly hz: number;
  readonly moving: number;
  readonly moveHz: number;
  readonly standHz: number;
  readonly roomSize: number;
  readonly gatewaysPerRoom: number;
  /** Undefined: as the mix makes them. */
  readonly frameBytes: number | undefined;
  readonly joinsPerS: number;
  readonly commandsPerS: number;
  /** Share of a core that may be used. */
  readonly headroom: number;
  /** Processes of each role that may be missing. */
  readonly spare: number;
  readonly zones: number;
  readonly natsServers: number;
  readonly openFiles: number;
  readonly machineCores: number;
  readonly nicGbit: number;
  /** Undefined: a machine like the one that was measured. */
  readonly floorUs: number | undefined;
  readonly armSpeed: number;
  /** A core's, for an hour; undefined where nobody named one. */
  readonly prices: Readonly<Record<Arch, number | undefined>>;
  /** Of 10^9 bytes. */
  readonly egressPrice: number | undefined;
  readonly json: boolean;
}

export const ARCHS = ["x64", "arm64"] as const;
export type Arch = (typeof ARCHS)[number];

export const PLAN_HELP = `roomcluster plan: what an event of so many people needs, and what that costs an hour

How many people, and what they do
  --users N                  there at once
  --hz N                     frames a second to each: 1, 2, 5, 10 or 20   (default 10)
  --moving SHARE             of people walking at any time           (default 0.3)
  --move-hz N                poses a second of who walks             (default: as --hz)
  --stand-hz N               of who stands                           (default 0.5)
  --room-size N              people in a room, or a shard            (default 200)
  --gateways-per-room N      by which its people come; 1 in an event (default 1)
  --frame-bytes N            of a frame    (default: as this mix and 9,600 bytes a second make it)
  --joins-per-second N       to be borne while all others are there  (default: all within 5 min)
  --commands-per-second N    of all people together                  (default 0)
How it is to be served
  --headroom SHARE           of a core that may be used              (default 0.6)
  --spare N                  processes of each role that may be lost (default 1)
  --zones N                  one of which may be lost; 1: none       (default 1)
  --nats-servers N           1, 3 or 5                               (default 3)
  --open-files N             a process may have                      (default 65536)
  --machine-cores N --nic-gbit N     of a machine                    (default 8, 10)
On what
  --floor-us US              c_floor of \`npm run bench:fanout\` on the machine that it is for
                             (default: a machine like the one whose figures these are)
  --arm64-speed X            of an arm64 core, where one of x64 does 1  (default 1)
For how much
  --x64-price P --arm64-price P      of a core for an hour
  --egress-price P                   of a GB (10^9 bytes)
What comes out
  --json                     instead of text

Cores are what the floor was measured on: a hardware thread, where that is what a machine sells.
`;

const NUMBERS = [
  "users",
  "hz",
  "moving",
  "move-hz",
  "stand-hz",
  "room-size",
  "gateways-per-room",
  "frame-bytes",
  "joins-per-second",
  "commands-per-second",
  "headroom",
  "spare",
  "zones",
  "nats-servers",
  "open-files",
  "machine-cores",
  "nic-gbit",
  "floor-us",
  "arm64-speed",
  "x64-price",
  "arm64-price",
  "egress-price",
] as const;
type NumberName = (typeof NUMBERS)[number];

/** For `parseArgs`: texts, which `readPlanFlags` makes numbers of. */
export const PLAN_OPTIONS = {
  json: { type: "boolean" },
  ...(Object.fromEntries(NUMBERS.map((name) => [name, { type: "string" }])) as Record<
    NumberName,
    { readonly type: "string" }
  >),
} as const;

export type PlanValues = { readonly json?: boolean | undefined } & {
  readonly [name in NumberName]?: string | undefined;
};

type Range = readonly [min: number, max: number];
const WHOLE = {
  users: [1, 10_000_000],
  "room-size": [1, 4_096],
  "gateways-per-room": [1, 4_096],
  "frame-bytes": [32, 1_000_000],
  spare: [0, 100],
  zones: [1, 16],
  "open-files": [512, 10_000_000],
  "machine-cores": [1, 1_024],
} as const satisfies Partial<Record<NumberName, Range>>;
const REAL = {
  moving: [0, 1],
  "move-hz": [0.1, 30],
  "stand-hz": [0, 30],
  "joins-per-second": [0, 1_000_000],
  "commands-per-second": [0, 10_000_000],
  headroom: [0.05, 0.95],
  "nic-gbit": [0.01, 1_000],
  "floor-us": [0.1, 1_000],
  "arm64-speed": [0.05, 20],
  "x64-price": [0, 1_000],
  "arm64-price": [0, 1_000],
  "egress-price": [0, 1_000],
} as const satisfies Partial<Record<NumberName, Range>>;
const CHOICES = {
  hz: [1, 2, 5, 10, 20],
  "nats-servers": [1, 3, 5],
} as const satisfies Partial<Record<NumberName, readonly number[]>>;

/** Everybody is let in within this, where no other rate is asked for. */
const JOINING_S = 300;

/** Thrown and caught in here: what is wrong with a flag, as a sentence. */
class FlagError extends Error {}

/** Numbers of the command line, or a sentence that says what is wrong with one. */
export function readPlanFlags(values: PlanValues): Result<PlanFlags, string> {
  try {
    return ok(flagsOf(values));
  } catch (error) {
    if (error instanceof FlagError) return err(error.message);
    throw error;
  }
}

function flagsOf(values: PlanValues): PlanFlags {
  const whole = (name: keyof typeof WHOLE) => number(name, values[name], WHOLE[name], true);
  const real = (name: keyof typeof REAL) => number(name, values[name], REAL[name], false);
  const choice = (name: keyof typeof CHOICES) => chosen(name, values[name], CHOICES[name]);
  const users = whole("users");
  if (users === undefined) throw new FlagError("a plan needs --users N.");
  const hz = choice("hz") ?? 10;
  return {
    users,
    hz,
    moving: real("moving") ?? 0.3,
    moveHz: real("move-hz") ?? hz,
    standHz: real("stand-hz") ?? 0.5,
    roomSize: whole("room-size") ?? 200,
    gatewaysPerRoom: whole("gateways-per-room") ?? 1,
    frameBytes: whole("frame-bytes"),
    joinsPerS: real("joins-per-second") ?? users / JOINING_S,
    commandsPerS: real("commands-per-second") ?? 0,
    headroom: real("headroom") ?? 0.6,
    spare: whole("spare") ?? 1,
    zones: whole("zones") ?? 1,
    natsServers: choice("nats-servers") ?? 3,
    openFiles: whole("open-files") ?? 65_536,
    machineCores: whole("machine-cores") ?? 8,
    nicGbit: real("nic-gbit") ?? 10,
    floorUs: real("floor-us"),
    armSpeed: real("arm64-speed") ?? 1,
    prices: { x64: real("x64-price"), arm64: real("arm64-price") },
    egressPrice: real("egress-price"),
    json: values.json === true,
  };
}

function number(
  name: string,
  text: string | undefined,
  [min, max]: Range,
  whole: boolean,
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  const fits = text.trim() !== "" && value >= min && value <= max;
  if (fits && (!whole || Number.isInteger(value))) return value;
  const kind = whole ? "a whole number" : "a number";
  throw new FlagError(`--${name} is ${kind} from ${min} to ${max}, not ${JSON.stringify(text)}.`);
}

function chosen(
  name: string,
  text: string | undefined,
  among: readonly number[],
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== "" && among.includes(value)) return value;
  const last = among.at(-1);
  const names = `${among.slice(0, -1).join(", ")} or ${last}`;
  throw new FlagError(`--${name} is ${names}, not ${JSON.stringify(text)}.`);
}
