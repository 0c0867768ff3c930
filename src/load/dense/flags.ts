import { err, ok, type Result } from "../../kernel/result.ts";

/** What the command line asks of a run. */
export interface LoadFlags {
  readonly gateways: readonly string[];
  readonly control: string | undefined;
  /** The ready line of `roomcluster cluster`, in a file. */
  readonly ready: string | undefined;
  readonly controlToken: string | undefined;
  readonly tokenSecret: string | undefined;
  readonly tenant: string;
  readonly room: string;
  readonly rooms: number;
  readonly world: string | undefined;
  readonly byRoom: boolean;
  readonly clients: number;
  readonly seconds: number;
  readonly joinsPerSecond: number;
  /** Under way in each process: a cluster that is slower is asked for no more. */
  readonly joinsAtOnce: number;
  readonly returns: boolean;
  /** Undefined: as many as the clients need. */
  readonly processes: number | undefined;
  readonly moving: number;
  readonly moveHz: number;
  readonly standHz: number;
  readonly beacons: number;
  readonly decode: number;
  readonly says: number;
  readonly areaM: number;
  readonly stage: { readonly x: number; readonly z: number; readonly radiusM: number };
  readonly focusM: number;
  readonly farFrames: number;
  readonly frameBytes: number;
  readonly slackFrames: number;
  readonly pids: string | undefined;
  readonly seed: number | undefined;
  readonly json: string | undefined;
  readonly html: string | undefined;
}

export const LOAD_HELP = `roomcluster load: a crowd of real WebSocket clients that check what they are sent

Where to
  --control URL            of an operator API: its open gateways, and processes that are here
  --gateway URL[,URL]      gateways themselves
  --ready FILE             what \`roomcluster cluster\` printed: its gateways and its processes
  --room NAME              or event/NAME, whose stage they watch as well  (default plaza)
  --rooms N                NAME-1 to NAME-N instead of NAME      (default 1)
  --world NAME             creates the rooms in this world first; needs --control or --ready
  --spread client|room     over gateways: one by one, or a room at one gateway  (default client)
  --tenant NAME            (default demo)
Who they are
  --token-secret TEXT      signs people's tokens (HS256), as ROOMCLUSTER_JWT_SECRET does; without
                           either a gateway in dev mode is asked
  --token TEXT             of the operator API, as ROOMCLUSTER_CONTROL_TOKEN
How many, how long
  --clients N              (default 200)
  --seconds S              once everybody is in                  (default 30)
  --joins-per-second N     (default 500)
  --joins-at-once N        under way in each process             (default 400)
  --return                 who is cut off comes back, as to rehearse a restart of gateways
  --processes N            (default: as many as they need)
What they do
  --moving SHARE           of people walking at any time         (default 0.3)
  --move-hz N --stand-hz N poses a second of who walks, of who stands  (default 10, 0.5)
  --area M                 radius that they walk in              (default 30)
  --stage X,Z,M            where they gather                     (default 0,-12,6)
  --says N                 commands (\`say\`, of the demo's world) a minute of each that decodes (default 0)
What is checked and measured
  --decode SHARE           of clients that decode all they get   (default 0.02)
  --beacons SHARE          of people whose poses carry the time  (default 0.1)
  --focus-m M              who walks within M is in each frame, as far as rows fit  (default 8)
  --frame-bytes N          a second, by which one knows how many fit  (default 9600)
  --far-frames N           everybody is seen within N frames     (default 20)
  --slack-frames N         what a busy machine may add           (default 10)
  --pids ROLE:PID,…        server processes on this machine, for processor time and memory
What comes out
  --json FILE  --html FILE
  --seed N                 of how they walk                      (default: drawn)

Exit code 1: a check failed, or somebody did not come in or was cut off.
`;

const TEXTS = [
  "control",
  "ready",
  "room",
  "world",
  "tenant",
  "spread",
  "token-secret",
  "token",
  "stage",
  "pids",
  "json",
  "html",
  "clients",
  "rooms",
  "seconds",
  "joins-per-second",
  "joins-at-once",
  "processes",
  "moving",
  "move-hz",
  "stand-hz",
  "beacons",
  "decode",
  "says",
  "area",
  "focus-m",
  "frame-bytes",
  "far-frames",
  "slack-frames",
  "seed",
] as const;
type TextName = (typeof TEXTS)[number];

/** For `parseArgs`: all of them are texts, which `readFlags` makes numbers of. */
export const LOAD_OPTIONS = {
  gateway: { type: "string", multiple: true },
  return: { type: "boolean" },
  ...(Object.fromEntries(TEXTS.map((name) => [name, { type: "string" }])) as Record<
    TextName,
    { readonly type: "string" }
  >),
} as const;

export type LoadValues = {
  readonly gateway?: readonly string[] | undefined;
  readonly return?: boolean | undefined;
} & {
  readonly [name in TextName]?: string | undefined;
};

/** A name of the table with its range and default. */
type Range = readonly [min: number, max: number, byDefault: number];
const WHOLE = {
  clients: [1, 1_000_000, 200],
  rooms: [1, 100_000, 1],
  "joins-at-once": [1, 10_000, 400],
  seconds: [1, 86_400, 30],
  "frame-bytes": [512, 10_000_000, 9_600],
  "far-frames": [1, 10_000, 20],
  "slack-frames": [0, 10_000, 10],
} as const satisfies Readonly<Record<string, Range>>;
const REAL = {
  "joins-per-second": [0.1, 100_000, 500],
  moving: [0, 1, 0.3],
  "move-hz": [0.02, 50, 10],
  "stand-hz": [0.02, 50, 0.5],
  beacons: [0, 1, 0.1],
  decode: [0, 1, 0.02],
  says: [0, 600, 0],
  area: [1, 8_000, 30],
  "focus-m": [0, 10_000, 8],
} as const satisfies Readonly<Record<string, Range>>;

/** Thrown and caught in here: what is wrong with a flag, as a sentence. */
class FlagError extends Error {}

export function readFlags(
  values: LoadValues,
  keys: { readonly tokenSecret: string | undefined; readonly controlToken: string | undefined },
): Result<LoadFlags, string> {
  try {
    return ok(flagsOf(values, keys));
  } catch (error) {
    if (error instanceof FlagError) return err(error.message);
    throw error;
  }
}

function flagsOf(values: LoadValues, keys: Parameters<typeof readFlags>[1]): LoadFlags {
  const whole = (name: keyof typeof WHOLE) => number(name, values[name], WHOLE[name], true);
  const real = (name: keyof typeof REAL) => number(name, values[name], REAL[name], false);
  const gateways = (values.gateway ?? []).flatMap((text) => text.split(",")).map(gatewayUrl);
  const { control, ready, spread = "client", world } = values;
  if (gateways.length === 0 && control === undefined && ready === undefined)
    throw new FlagError("a run needs --control URL, --gateway URL or --ready FILE to go to.");
  if (control !== undefined) httpUrl(control);
  if (world !== undefined && control === undefined && ready === undefined)
    throw new FlagError("--world creates rooms through --control or --ready, which is missing.");
  if (spread !== "client" && spread !== "room")
    throw new FlagError(`--spread is client or room, not ${JSON.stringify(spread)}.`);
  return {
    gateways,
    control,
    ready,
    world,
    controlToken: values.token ?? keys.controlToken,
    tokenSecret: values["token-secret"] ?? keys.tokenSecret,
    tenant: named("tenant", values.tenant ?? "demo", 48),
    room: roomOrEvent(values.room ?? "plaza"),
    rooms: whole("rooms"),
    byRoom: spread === "room",
    clients: whole("clients"),
    seconds: whole("seconds"),
    joinsPerSecond: real("joins-per-second"),
    joinsAtOnce: whole("joins-at-once"),
    returns: values.return === true,
    processes:
      values.processes === undefined
        ? undefined
        : number("processes", values.processes, [1, 256, 1], true),
    moving: real("moving"),
    moveHz: real("move-hz"),
    standHz: real("stand-hz"),
    beacons: real("beacons"),
    decode: real("decode"),
    says: real("says"),
    areaM: real("area"),
    stage: stageOf(values.stage ?? "0,-12,6"),
    focusM: real("focus-m"),
    frameBytes: whole("frame-bytes"),
    farFrames: whole("far-frames"),
    slackFrames: whole("slack-frames"),
    pids: values.pids,
    seed:
      values.seed === undefined ? undefined : number("seed", values.seed, [0, 2 ** 31, 0], true),
    json: values.json,
    html: values.html,
  };
}

function number(name: string, text: string | undefined, range: Range, whole: boolean): number {
  const [min, max, byDefault] = range;
  if (text === undefined) return byDefault;
  const value = Number(text);
  const fits = text.trim() !== "" && value >= min && value <= max;
  if (fits && (!whole || Number.isInteger(value))) return value;
  const kind = whole ? "a whole number" : "a number";
  throw new FlagError(`--${name} is ${kind} from ${min} to ${max}, not ${JSON.stringify(text)}.`);
}

/** A room, or an event by its address; it has as many rooms as it needs. */
function roomOrEvent(text: string): string {
  const event = text.replace(/^event\//, "");
  const name = named("room", event, 56);
  return event === text ? name : text;
}

function named(name: string, text: string, most: number): string {
  if (new RegExp(`^[\\w-]{1,${most}}$`).test(text)) return text;
  throw new FlagError(`--${name} is 1 to ${most} letters, digits, _ and -.`);
}

function gatewayUrl(text: string): string {
  if (URL.canParse(text) && /^wss?:$/.test(new URL(text).protocol)) return text;
  throw new FlagError(`--gateway is of the form ws://host[:port], not ${JSON.stringify(text)}.`);
}

function httpUrl(text: string): void {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return;
  throw new FlagError(`--control is of the form http://host[:port], not ${JSON.stringify(text)}.`);
}

function stageOf(text: string): LoadFlags["stage"] {
  const [x, z, radiusM, ...more] = text.split(",").map(Number);
  const good = [x, z, radiusM].every((value) => Number.isFinite(value)) && more.length === 0;
  if (good && (radiusM as number) > 0)
    return { x: x as number, z: z as number, radiusM: radiusM as number };
  throw new FlagError(`--stage is of the form X,Z,RADIUS, not ${JSON.stringify(text)}.`);
}
