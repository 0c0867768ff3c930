/**
 * Runs the NATS servers of deploy/nats on this machine: for `npm start`, tests and benches. The
 * configuration files are the ones of production; only ports, folders and passwords differ.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";

export const NATS_USERS = [
  "placement",
  "node",
  "gateway",
  "node-data",
  "gateway-data",
  "sys",
] as const;
export type NatsUser = (typeof NATS_USERS)[number];
export type NatsPasswords = Readonly<Record<NatsUser | "route", string>>;

export interface NatsLogin {
  readonly user: NatsUser;
  readonly password: string;
  /** The only prefix this user may hear replies on; give it to the client as it is. */
  readonly inboxPrefix: string;
}

export interface NatsPorts {
  readonly client: number;
  readonly http: number;
  readonly cluster: number;
}

export interface NatsOptions {
  /** A nats-server of at least 2.12; provisionNatsServer finds one. */
  readonly bin: string;
  /** One server, or three with replicated streams. */
  readonly servers: 1 | 3;
  /** Folder of single.conf and its siblings: deploy/nats. */
  readonly confDir: string;
  /** Each server keeps its streams in a folder below this one, named as the server. */
  readonly storeDir: string;
  readonly passwords?: NatsPasswords;
  /** Free ones are taken unless these are given, one entry for each server. */
  readonly ports?: readonly NatsPorts[];
  /** `always`, or a duration such as `2m`: see common.conf. */
  readonly syncInterval?: string;
  readonly fileStoreMax?: string;
  readonly healthyMsMax?: number;
  /** Told when a server ends that nobody here ended. */
  readonly onCrash?: (server: NatsServer, lastWords: string) => void;
}

export interface NatsServer {
  readonly name: string;
  readonly url: string;
  readonly ports: NatsPorts;
  /** Of the running process; throws while there is none. */
  readonly pid: number;
  readonly running: boolean;
  /** Its last lines of log. */
  lastWords(): string;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves when the process is gone. */
  stop(): Promise<void>;
  /** SIGSTOP: it keeps its sockets and answers nothing. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** Starts it again on the same ports and store, after SIGKILL if it still runs. */
  restart(): Promise<void>;
  /** Resolves when /healthz says that JetStream serves. */
  healthy(): Promise<void>;
}

export interface NatsServers {
  readonly servers: readonly NatsServer[];
  readonly urls: readonly string[];
  readonly passwords: NatsPasswords;
  login(user: NatsUser): NatsLogin;
  /** What a role's environment needs to reach these servers: NATS_URL and the passwords. */
  readonly env: Readonly<Record<string, string>>;
  /** SIGTERM to all; what has not ended within 5 s is killed. Stores are left where they are. */
  close(): Promise<void>;
  /** SIGKILL to all, without waiting: the only thing possible while this process exits. */
  killNow(): void;
}

/** The environment variable that carries a user's password, in roles and in the servers alike. */
export const natsPasswordVariable = (user: NatsUser | "route"): string =>
  `ROOMCLUSTER_NATS_${user.toUpperCase().replaceAll("-", "_")}_PASSWORD`;

export const natsLogin = (passwords: NatsPasswords, user: NatsUser): NatsLogin => ({
  user,
  password: passwords[user],
  inboxPrefix: `_INBOX_${user}`,
});

/** Fresh passwords. They begin with a letter, because NATS would read `1e3` as a number. */
export function makeNatsPasswords(): NatsPasswords {
  const password = () => `p${randomBytes(16).toString("hex")}`;
  const entries = [...NATS_USERS, "route"].map((user) => [user, password()]);
  return Object.fromEntries(entries) as NatsPasswords;
}

export function natsPasswordEnv(passwords: NatsPasswords): Record<string, string> {
  const users = [...NATS_USERS, "route"] as const;
  return Object.fromEntries(users.map((user) => [natsPasswordVariable(user), passwords[user]]));
}

export async function startNatsServers(options: NatsOptions): Promise<NatsServers> {
  const passwords = options.passwords ?? makeNatsPasswords();
  for (let attempt = 1; ; attempt += 1) {
    const ports = options.ports ?? (await freePorts(options.servers));
    const servers = startAll(options, ports, passwords);
    try {
      await Promise.all(servers.map((server) => server.healthy()));
      return group(servers, passwords);
    } catch (error) {
      const words = servers.map((server) => server.lastWords()).join("\n");
      await Promise.all(servers.map((server) => server.kill()));
      // Between finding a free port and using it, another process may have taken it.
      const taken = words.includes("address already in use");
      if (taken && options.ports === undefined && attempt < 4) continue;
      throw error;
    }
  }
}

function startAll(options: NatsOptions, ports: readonly NatsPorts[], passwords: NatsPasswords) {
  const names = options.servers === 1 ? ["single"] : ["n1", "n2", "n3"];
  if (ports.length !== names.length) throw new Error(`${names.length} servers need as many ports`);
  const route = (one: NatsPorts) => `nats://route:${passwords.route}@127.0.0.1:${one.cluster}`;
  const routes = ports.map((one, i) => [`ROOMCLUSTER_NATS_ROUTE_${i + 1}`, quoted(route(one))]);
  return ports.map((own, i) => {
    const name = names[i] as string;
    const env: Record<string, string> = {
      ...natsPasswordEnv(passwords),
      ROOMCLUSTER_NATS_LISTEN: quoted(`127.0.0.1:${own.client}`),
      ROOMCLUSTER_NATS_HTTP: quoted(`127.0.0.1:${own.http}`),
      ROOMCLUSTER_NATS_STORE_DIR: quoted(path.join(options.storeDir, name)),
      ROOMCLUSTER_NATS_FILE_STORE_MAX: options.fileStoreMax ?? "2GB",
      ROOMCLUSTER_NATS_SYNC_INTERVAL: quoted(options.syncInterval ?? "2m"),
      ROOMCLUSTER_NATS_CLUSTER_LISTEN: quoted(`127.0.0.1:${own.cluster}`),
      ...Object.fromEntries(options.servers === 1 ? [] : routes),
    };
    return startServer({ name, ports: own, env, options });
  });
}

/** NATS reads a variable's value like a value in its file, where `2m` alone is two million. */
const quoted = (value: string): string => `"${value}"`;

function group(servers: readonly NatsServer[], passwords: NatsPasswords): NatsServers {
  const urls = servers.map((server) => server.url);
  const { [natsPasswordVariable("route")]: _, ...roleEnv } = natsPasswordEnv(passwords);
  return {
    servers,
    urls,
    passwords,
    login: (user) => natsLogin(passwords, user),
    env: { ...roleEnv, NATS_URL: urls.join(",") },
    close: async () => {
      const late = AbortSignal.timeout(5_000);
      late.addEventListener("abort", () => killNow(servers));
      await Promise.all(servers.map((server) => server.stop()));
    },
    killNow: () => killNow(servers),
  };
}

function killNow(servers: readonly NatsServer[]): void {
  for (const server of servers) if (server.running) void server.kill();
}

interface Spec {
  readonly name: string;
  readonly ports: NatsPorts;
  readonly env: Readonly<Record<string, string>>;
  readonly options: NatsOptions;
}

interface Running {
  readonly child: ChildProcess;
  readonly guard: ChildProcess | undefined;
  readonly gone: Promise<void>;
}

function startServer({ name, ports, env, options }: Spec): NatsServer {
  let log = "";
  let running: Running | undefined;
  let expected = false;

  const start = () => {
    expected = false;
    running = spawnServer(options, name, env, (text) => {
      log = (log + text).slice(-LOG_CHARS_MAX);
    });
    const { child, guard } = running;
    running.gone.then(() => {
      if (running?.child === child) running = undefined;
      guard?.stdin?.end("done\n");
      if (!expected) options.onCrash?.(server, log);
    });
  };
  const end = async (signal: "SIGKILL" | "SIGTERM") => {
    if (running === undefined) return;
    expected = true;
    const { child, gone } = running;
    child.kill(signal);
    // A stopped process gets no other signal before it goes on.
    if (signal === "SIGTERM") child.kill("SIGCONT");
    await gone;
  };
  const server: NatsServer = {
    name,
    ports,
    url: `nats://127.0.0.1:${ports.client}`,
    get pid() {
      const pid = running?.child.pid;
      if (pid === undefined) throw new Error(`NATS server ${name} is not running`);
      return pid;
    },
    get running() {
      return running !== undefined;
    },
    lastWords: () => log,
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    pause: () => void running?.child.kill("SIGSTOP"),
    resume: () => void running?.child.kill("SIGCONT"),
    restart: async () => {
      await end("SIGKILL");
      start();
      await server.healthy();
    },
    healthy: async () => {
      const deadline = performance.now() + (options.healthyMsMax ?? HEALTHY_MS_MAX);
      let answer = "no answer yet";
      while (performance.now() < deadline) {
        if (running === undefined) throw new Error(`NATS server ${name} ended:\n${log}`);
        answer = await askHealth(ports.http);
        if (answer === "") return;
        await pause(HEALTH_POLL_MS);
      }
      throw new Error(`NATS server ${name} is not healthy (${answer}):\n${log}`);
    },
  };
  start();
  return server;
}

// Three fresh servers serve within 0.3 s, but when they lose their leader (a restart can) the next
// election takes 4 to 9 s, and more than one round on a busy machine. NATS lets nobody tune that.
const HEALTHY_MS_MAX = 40_000;
const HEALTH_POLL_MS = 50;
const LOG_CHARS_MAX = 16_384;

function spawnServer(
  options: NatsOptions,
  name: string,
  env: Readonly<Record<string, string>>,
  onLog: (text: string) => void,
): Running {
  const child = spawn(options.bin, ["-c", path.join(options.confDir, `${name}.conf`)], {
    // Nothing of this process's environment: a stray variable must not change what is tested.
    env: { ...env },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, so that Ctrl-C does not end it while the roles still hand their rooms
    // over. Whoever started it ends it afterwards.
    detached: true,
  });
  child.stdout?.setEncoding("utf8").on("data", onLog);
  child.stderr?.setEncoding("utf8").on("data", onLog);
  const gone = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", (error) => {
      onLog(`${error.message}\n`);
      resolve();
    });
  });
  return { child, guard: spawnGuard(child), gone };
}

/**
 * Kills the server when this process is gone without having done so, SIGKILL included: then the
 * guard reads the end of its input. When the server has ended first it is told, and kills nothing.
 */
function spawnGuard(child: ChildProcess): ChildProcess | undefined {
  if (child.pid === undefined || process.platform === "win32") return undefined;
  const script = 'read -r word; [ "$word" = done ] || kill -KILL "$1"';
  const guard = spawn("/bin/sh", ["-c", script, "nats-guard", String(child.pid)], {
    env: {},
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  // The server's end and the guard's can cross; a broken pipe then says nothing new.
  guard.stdin?.on("error", () => undefined);
  guard.on("error", () => undefined);
  guard.unref();
  return guard;
}

/** Empty when healthy, else what is wrong. */
function askHealth(port: number): Promise<string> {
  return new Promise((resolve) => {
    const request = http.get({ host: "127.0.0.1", port, path: "/healthz", timeout: 1_000 });
    request.on("timeout", () => request.destroy(new Error("no answer within 1 s")));
    request.on("error", (error) => resolve(error.message));
    request.on("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.on("end", () => resolve(response.statusCode === 200 ? "" : body.trim()));
    });
  });
}

/**
 * Below the range that outgoing connections use, so that a server which is restarted finds its
 * ports still free.
 */
async function freePorts(servers: number): Promise<NatsPorts[]> {
  const found = new Set<number>();
  while (found.size < servers * 3) {
    const port = randomInt(10_000, 32_000);
    if (await isFree(port)) found.add(port);
  }
  const ports = [...found];
  return Array.from({ length: servers }, (_, i) => ({
    client: ports[i * 3] as number,
    http: ports[i * 3 + 1] as number,
    cluster: ports[i * 3 + 2] as number,
  }));
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
