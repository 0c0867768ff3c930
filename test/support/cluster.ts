import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { roomId } from "../../src/kernel/ids.ts";
import { freePorts } from "../../src/roles/ports.ts";
import { startNats, type TestNats } from "./nats-servers.ts";
import { waitUntil } from "./wait-until.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const WORLDS = fileURLToPath(new URL("./ledger-world.ts", import.meta.url));
export const SECRET = "a secret of tests that is long enough for HS256 keys";
/** A dozen at once, compiled as they start, beside those of another test. */
const START_MS_MAX = 90_000;
const OUTPUT_LINES_MAX = 400;

export type RoleName = "placement" | "node" | "gateway";

/** One process of the cluster under test; `id` and `pid` change when it is started again. */
export interface Member {
  readonly role: RoleName;
  readonly name: string;
  id: string;
  pid: number;
  readonly host: string;
  readonly port: number;
  child: ChildProcess;
  readonly output: string[];
}

export interface ClusterShape {
  readonly nats: 1 | 3;
  readonly placements: number;
  readonly nodes: number;
  readonly gateways: number;
  /** Extra `--set` values for a role. */
  readonly set?: Partial<Record<RoleName, readonly string[]>>;
  /** Options of Node for a role's processes. */
  readonly nodeOptions?: Partial<Record<RoleName, readonly string[]>>;
  /** Runs what `npm run build` made instead of the sources: for measurements. */
  readonly built?: { readonly main: string; readonly worlds: string };
  /** For processes that are not simply here; asked at each start of one. */
  readonly site?: (name: string, nats: TestNats) => Promise<Site>;
  /** Hears all that a process says. */
  readonly onOutput?: (name: string, text: string) => void;
}

/** Where a process runs and how it reaches NATS. */
export interface Site {
  readonly natsUrl: string;
  /** What the command line begins with, to run it elsewhere; it must replace itself by the rest. */
  readonly command: readonly string[];
  /** The address that it listens on. */
  readonly host: string;
}

export interface NodeView {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly rooms: number;
}

export interface RoomView {
  readonly room: string;
  readonly status: string;
  readonly epoch: number;
  readonly owner: string | null;
}

/** A real cluster: nats-servers from deploy/nats and every role as a process of its own. */
export class Cluster {
  readonly nats: TestNats;
  readonly members: Member[] = [];
  readonly #shape: ClusterShape;
  readonly #replaced: Member[] = [];

  private constructor(nats: TestNats, shape: ClusterShape) {
    this.nats = nats;
    this.#shape = shape;
    process.once("exit", this.#killAll);
  }

  static async start(shape: ClusterShape): Promise<Cluster> {
    const cluster = new Cluster(await startNats({ servers: shape.nats }), shape);
    try {
      const roles: RoleName[] = [
        ...Array<RoleName>(shape.placements).fill("placement"),
        ...Array<RoleName>(shape.nodes).fill("node"),
        ...Array<RoleName>(shape.gateways).fill("gateway"),
      ];
      const counts = { placement: 0, node: 0, gateway: 0 };
      await Promise.all(roles.map((role) => cluster.#add(role, ++counts[role])));
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  get gateways(): string[] {
    return this.#of("gateway").map(({ port }) => `ws://127.0.0.1:${port}`);
  }

  get control(): string {
    // `killed` would say that any signal was ever sent.
    const up = this.#of("placement").find(
      ({ child }) => child.exitCode === null && child.signalCode === null,
    );
    return `http://127.0.0.1:${up?.port}`;
  }

  #of = (role: RoleName): Member[] => this.members.filter((member) => member.role === role);

  member(name: string): Member {
    const found = this.members.find((member) => member.name === name || member.id === name);
    if (!found)
      throw new Error(`no process ${name}: ${this.members.map(({ id }) => id).join(" ")}`);
    return found;
  }

  /** Dev mode's open tokens, as a page gets them. */
  async token(url: string, person: string, role = "audience"): Promise<string> {
    const http = url.replace("ws:", "http:");
    const query = `person=${person}&name=${person}&tenant=demo&role=${role}`;
    const response = await fetch(`${http}/dev/token?${query}`);
    return ((await response.json()) as { token: string }).token;
  }

  async get<T>(path: string): Promise<T> {
    const response = await fetch(this.control + path);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  room = (name: string): Promise<RoomView> => this.get<RoomView>(`/v1/rooms/demo/${name}`);

  async nodes(): Promise<NodeView[]> {
    return (await this.get<{ nodes: NodeView[] }>("/v1/nodes")).nodes;
  }

  /** Creates a room and waits until somebody owns it. */
  async createRoom(name: string, world = "ledger"): Promise<RoomView> {
    const response = await fetch(`${this.control}/v1/rooms`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ room: roomId(`demo/${name}`), world }),
    });
    if (!response.ok)
      throw new Error(`create ${name}: ${response.status} ${await response.text()}`);
    return this.owned(name, () => true);
  }

  /** Waits until the index shows an owner that `accepts`. */
  async owned(name: string, accepts: (view: RoomView) => boolean): Promise<RoomView> {
    let view: RoomView | undefined;
    await waitUntil(
      `room ${name} has the owner we wait for`,
      async () => {
        view = await this.room(name).catch(() => undefined);
        return view?.owner !== null && view !== undefined && accepts(view);
      },
      { timeoutMs: 20_000, dump: () => this.dump() },
    );
    return view as RoomView;
  }

  /** SIGKILL: the process is gone when this returns. */
  kill(name: string): void {
    const member = this.member(name);
    member.child.kill("SIGKILL");
  }

  signal(name: string, signal: NodeJS.Signals): void {
    this.member(name).child.kill(signal);
  }

  /** Waits for the end of a process that was killed or killed itself. */
  async ended(name: string, timeoutMs = 20_000): Promise<void> {
    const { child } = this.member(name);
    await waitUntil(
      `${name} has ended`,
      () => child.exitCode !== null || child.signalCode !== null,
      {
        timeoutMs,
        dump: () => this.dump(),
      },
    );
  }

  /** Starts a process that has ended again, under its name: a new incarnation. */
  async restart(name: string): Promise<void> {
    await this.ended(name);
    const at = this.members.indexOf(this.member(name));
    const [old] = this.members.splice(at, 1);
    const number = Number(old?.name.split("-")[1]);
    await this.#add((old as Member).role, number, (old as Member).port);
  }

  /** Starts another process of that name while the old one, which is answered, still runs. */
  async replace(name: string): Promise<Member> {
    const old = this.member(name);
    this.members.splice(this.members.indexOf(old), 1);
    this.#replaced.push(old);
    await this.#add(old.role, Number(old.name.split("-")[1]));
    return old;
  }

  /** The node is alive in placement's eyes. */
  async standsBy(name: string): Promise<void> {
    await waitUntil(
      `${name} stands by`,
      async () => {
        const nodes = await this.nodes().catch(() => []);
        return nodes.some((node) => node.id === this.member(name).id && node.state === "alive");
      },
      { timeoutMs: 20_000, dump: () => this.dump() },
    );
  }

  /** Its monitoring page. */
  async metricsUrl(name: string): Promise<string> {
    return `${await this.#httpOf(name)}/metrics`;
  }

  /** The value of a metric summed over labels that contain `label`. */
  async metric(member: string, name: string, label = ""): Promise<number> {
    const text = await this.#httpOf(member).then((url) => fetch(`${url}/metrics`));
    const lines = (await text.text()).split("\n");
    const mine = lines.filter((line) => line.startsWith(name) && line.includes(label));
    return mine.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  }

  async #httpOf(name: string): Promise<string> {
    const member = this.member(name);
    const line = member.output.find((text) => text.includes("This process has started."));
    const port = /http\D+(\d+)/.exec(line?.slice(line.indexOf("started.") - 200) ?? "")?.[1];
    if (!port) throw new Error(`${name} never told its http port:\n${member.output.join("\n")}`);
    return `http://${member.host}:${port}`;
  }

  /** What every process last said: printed when a wait fails. */
  dump(): string {
    const processes = [...this.#replaced, ...this.members].map(({ name, id, child, output }) => {
      const state = child.signalCode ?? child.exitCode ?? "up";
      return `--- ${name} ${id} (${state})\n${output.slice(-25).join("\n")}`;
    });
    return processes.join("\n");
  }

  async close(): Promise<void> {
    for (const { child } of [...this.#replaced, ...this.members])
      if (child.exitCode === null) child.kill("SIGCONT");
    this.#killAll();
    process.off("exit", this.#killAll);
    await this.nats.close();
  }

  #killAll = (): void => {
    for (const { child } of [...this.#replaced, ...this.members]) child.kill("SIGKILL");
  };

  async #add(role: RoleName, number: number, fixedPort?: number): Promise<void> {
    const name = `${role}-${number}`;
    const { built, nodeOptions } = this.#shape;
    const code = [
      ...(nodeOptions?.[role] ?? []),
      ...(built ? [built.main] : ["--import", "tsx", MAIN]),
    ];
    const port = role === "node" ? 0 : (fixedPort ?? (await freePorts(1))[0] ?? 0);
    const { natsUrl, command, host } = (await this.#shape.site?.(name, this.nats)) ?? {
      natsUrl: this.nats.url,
      command: [],
      host: "127.0.0.1",
    };
    const own: Record<RoleName, string[]> = {
      placement: [`http.port=${port}`, `placement.replicas=${this.#shape.nats}`],
      node: ["http.port=0", `node.worlds=${JSON.stringify([built?.worlds ?? WORLDS])}`],
      gateway: ["http.port=0", `gateway.listen.port=${port}`, `gateway.listen.host=${host}`],
    };
    const shared = ["log.level=info", `http.host=${host}`];
    const sets = [...shared, ...own[role], ...(this.#shape.set?.[role] ?? [])];
    const args = [...code, role, "--supervised", ...sets.flatMap((value) => ["--set", value])];
    const [file = "", ...rest] = [...command, process.execPath, ...args];
    const child = spawn(file, rest, {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: {
        PATH: process.env.PATH,
        ...this.nats.credentials.env,
        NATS_URL: natsUrl,
        ROOMCLUSTER_DEV: "1",
        ROOMCLUSTER_ROLE_ID: name,
        ROOMCLUSTER_JWT_SECRET: SECRET,
        ROOMCLUSTER_SESSION_SECRET: SECRET,
      },
    });
    const pid = child.pid ?? 0;
    const member: Member = { role, name, id: "", pid, host, port, child, output: [] };
    this.members.push(member);
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#shape.onOutput?.(name, text);
        member.output.push(...text.trimEnd().split("\n"));
        member.output.splice(20, Math.max(0, member.output.length - OUTPUT_LINES_MAX));
      });
    child.on("message", (message: { type?: string; id?: string }) => {
      if (message.type === "ready") member.id = message.id ?? "";
    });
    await waitUntil(`${name} is ready`, () => member.id !== "" || child.exitCode !== null, {
      timeoutMs: START_MS_MAX,
      dump: () => this.dump(),
    });
    if (member.id === "") throw new Error(`${name} did not start:\n${this.dump()}`);
  }
}
