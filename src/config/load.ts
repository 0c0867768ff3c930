import { readFileSync } from "node:fs";
import os from "node:os";
import { err, ok, type Result } from "../kernel/result.ts";
import {
  CONTROL_TOKEN,
  DEV_KEYS,
  JWKS_URL,
  JWT_SECRET,
  type Key,
  natsPassword,
  SESSION_SECRET,
} from "./keys.ts";
import { checkRelations } from "./relations.ts";
import type { NatsLogin, NatsUser, Role, RoleConfigs } from "./role-config.ts";
import { type FileConfig, fileSchema } from "./schema.ts";
import { variableFaults } from "./variables.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Source {
  readonly env: Environment;
  /** The parsed JSON file; an empty object where there is none. */
  readonly file: unknown;
  /** `path=value` of `--set`, in order; a value that is no JSON is a text. */
  readonly set: readonly string[];
  /** Of the package, for processes that are told no other. */
  readonly version: string;
}

/** The configuration of one process, or everything that is wrong with it, a sentence each. */
export function loadConfig<R extends Role>(
  role: R,
  source: Source,
): Result<RoleConfigs[R], readonly string[]> {
  const file = parseFile(source.file, source.set);
  const keys = new Keys(source.env);
  // Also where the file is wrong: who starts a process wants to hear of everything at once.
  const config = COMPOSE[role](file.ok ? file.value : fileSchema.parse({}), keys, source);
  const faults = variableFaults(source.env);
  const problems = [...(file.ok ? [] : file.error), ...keys.problems, ...faults];
  return problems.length > 0 ? err(problems) : ok(config);
}

/** The knobs alone: what is in the file, with defaults and the relations between them. */
export function parseFile(
  file: unknown,
  set: readonly string[],
): Result<FileConfig, readonly string[]> {
  const merged = set.reduce<unknown>(withSetting, file);
  const parsed = fileSchema.safeParse(merged);
  if (!parsed.success) return err(parsed.error.issues.flatMap(sentencesOf));
  const problems = checkRelations(parsed.data);
  return problems.length > 0 ? err(problems) : ok(parsed.data);
}

function sentencesOf(issue: {
  readonly code?: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}): string[] {
  const path = issue.path.map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    const at = path === "" ? "" : `${path}.`;
    return (issue.keys ?? []).map((key) => `There is no knob ${at}${key}.`);
  }
  return [`${path === "" ? "The configuration" : path}: ${issue.message}.`];
}

const PATH = /^[A-Za-z]+(\.[A-Za-z]+)*$/;

function withSetting(config: unknown, setting: string): unknown {
  const equals = setting.indexOf("=");
  const path = setting.slice(0, Math.max(equals, 0));
  // Shown to the user as an unknown knob, like any other typing mistake.
  if (!PATH.test(path)) return { ...(config as object), [setting]: true };
  return setAt(config, path.split("."), readValue(setting.slice(equals + 1)));
}

function setAt(config: unknown, [key = "", ...rest]: readonly string[], value: unknown): unknown {
  const fields = typeof config === "object" && config !== null ? config : {};
  const old = Object.hasOwn(fields, key) ? (fields as Record<string, unknown>)[key] : undefined;
  return { ...fields, [key]: rest.length === 0 ? value : setAt(old, rest, value) };
}

function readValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Reads keys and collects what is wrong with them. */
class Keys {
  readonly problems: string[] = [];
  readonly dev: boolean;
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
    this.dev = env.ROOMCLUSTER_DEV?.trim() === "1";
  }

  read(variable: string): string | undefined {
    const value = this.#env[variable]?.trim();
    return value === "" ? undefined : value;
  }

  /** Undefined where it is missing, which only dev mode allows. */
  optional(key: Key): string | undefined {
    const value = this.read(key.variable);
    if (value !== undefined && value.length < key.lengthMin) {
      this.problems.push(
        `${key.variable} has ${counted(value.length)}; ${key.lengthMin} are the least for ${key.purpose}.`,
      );
    }
    if (value === undefined && !this.dev) this.problems.push(missing(key));
    return value;
  }

  required(key: Key, inDev: string): string {
    return this.optional(key) ?? inDev;
  }

  /** All logins of a role, or none of them in dev mode. */
  logins(users: readonly NatsUser[]): NatsLogin[] {
    const logins = users.map((user) => ({ user, password: this.optional(natsPassword(user)) }));
    const without = logins.filter((login) => login.password === undefined);
    if (this.dev && without.length > 0 && without.length < logins.length) {
      for (const { user } of without) this.problems.push(missing(natsPassword(user)));
    }
    return logins;
  }

  servers(): string[] {
    const text = this.read("NATS_URL");
    if (text === undefined && this.dev) return [DEV_KEYS.natsUrl];
    if (text === undefined) {
      this.problems.push(
        "NATS_URL is missing: it is the address of every NATS server, nats://host:port, separated by commas.",
      );
      return [];
    }
    const urls = text.split(",").map((url) => url.trim());
    for (const url of urls) {
      if (/^nats:\/\/[^/@\s]+(:\d{1,5})?\/?$/.test(url)) continue;
      const shown = url.replace(/\/\/[^@]*@/, "//[redacted]@");
      this.problems.push(
        `NATS_URL: ${JSON.stringify(shown)} is not of the form nats://host:port; passwords have variables of their own.`,
      );
    }
    return urls;
  }

  people(): { readonly jwtSecret: string } | { readonly jwksUrl: string } {
    const jwksUrl = this.read(JWKS_URL);
    const secret = this.read(JWT_SECRET.variable);
    if (jwksUrl !== undefined && secret !== undefined) {
      this.problems.push(
        `${JWT_SECRET.variable} and ${JWKS_URL} are both set: one of them says who people are, not both.`,
      );
    }
    if (jwksUrl !== undefined) {
      if (!URL.canParse(jwksUrl) || !/^https?:$/.test(new URL(jwksUrl).protocol)) {
        this.problems.push(`${JWKS_URL} is not an http(s) URL.`);
      }
      return { jwksUrl };
    }
    if (secret === undefined && !this.dev) {
      this.problems.push(
        `${JWT_SECRET.variable} or ${JWKS_URL} is missing: either ${JWT_SECRET.purpose}, or where its public keys are.`,
      );
      return { jwtSecret: "" };
    }
    return { jwtSecret: this.required(JWT_SECRET, DEV_KEYS.jwtSecret) };
  }

  name(role: Role): string {
    const given = this.read("ROOMCLUSTER_ROLE_ID");
    const host = os.hostname().replace(/[^A-Za-z0-9_-]/g, "-");
    const name = given ?? `${role}-${host}`.slice(0, 48);
    if (!/^[A-Za-z0-9_-]{1,48}$/.test(name)) {
      this.problems.push(
        "ROOMCLUSTER_ROLE_ID must be 1 to 48 letters, digits, - and _: it is this process's name.",
      );
    }
    return name;
  }
}

const counted = (characters: number): string =>
  characters === 1 ? "1 character" : `${characters} characters`;

const missing = (key: Key): string => `${key.variable} is missing: it is ${key.purpose}.`;

const COMPOSE: {
  readonly [R in Role]: (file: FileConfig, keys: Keys, source: Source) => RoleConfigs[R];
} = {
  placement: (file, keys, source) => {
    const [control, sys] = keys.logins(["placement", "sys"]) as [NatsLogin, NatsLogin];
    return {
      role: "placement",
      ...commonOf("placement", file, keys, source),
      control,
      sys: sys.password === undefined ? undefined : sys,
      placement: file.placement,
      controlToken: keys.optional(CONTROL_TOKEN),
    };
  },
  node: (file, keys, source) => {
    const [control, data] = keys.logins(["node", "node-data"]) as [NatsLogin, NatsLogin];
    const common = commonOf("node", file, keys, source);
    return { role: "node", ...common, control, data, node: file.node };
  },
  gateway: (file, keys, source) => {
    const [control, data] = keys.logins(["gateway", "gateway-data"]) as [NatsLogin, NatsLogin];
    return {
      role: "gateway",
      ...commonOf("gateway", file, keys, source),
      control,
      data,
      gateway: file.gateway,
      people: keys.people(),
      sessionSecret: keys.required(SESSION_SECRET, DEV_KEYS.sessionSecret),
    };
  },
};

function commonOf(role: Role, file: FileConfig, keys: Keys, source: Source) {
  const { zone, log, http, stopMsMax } = file;
  const version = file.version ?? source.version;
  const servers = keys.servers();
  return {
    name: keys.name(role),
    version,
    dev: keys.dev,
    zone,
    log,
    http,
    stopMsMax,
    nats: { servers },
  };
}

/** What may be written down. Only the kinds of keys are told, never their values. */
export function describeConfig(config: RoleConfigs[Role]): Record<string, unknown> {
  const login = ({ user, password }: NatsLogin) => (password === undefined ? "no login" : user);
  const described: Record<string, unknown> = { ...config, control: login(config.control) };
  if ("data" in config) described.data = login(config.data);
  if (config.role === "placement") {
    described.sys = config.sys === undefined ? "no login" : login(config.sys);
    delete described.controlToken;
    described.operators = config.controlToken === undefined ? "loopback" : "bearer token";
  }
  if (config.role === "gateway") {
    delete described.sessionSecret;
    const { people } = config;
    const devKey = "jwtSecret" in people && people.jwtSecret === DEV_KEYS.jwtSecret;
    described.people = "jwksUrl" in people ? people.jwksUrl : devKey ? "development key" : "secret";
  }
  return described;
}

/** This process's environment, for those that start other processes. */
export const environment = (): Environment => process.env;

/** This process's environment, and the file that the command line names. */
export function sourceOf(options: {
  readonly configFile: string | undefined;
  readonly set: readonly string[];
  readonly version: string;
}): Result<Source, string> {
  const { configFile, set, version } = options;
  if (configFile === undefined) return ok({ env: process.env, file: {}, set, version });
  let text: string;
  try {
    text = readFileSync(configFile, "utf8");
  } catch (error) {
    return err(`${configFile} cannot be read: ${(error as Error).message}`);
  }
  try {
    return ok({ env: process.env, file: JSON.parse(text), set, version });
  } catch (error) {
    return err(`${configFile} is no JSON: ${(error as Error).message}`);
  }
}
