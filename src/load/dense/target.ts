import os from "node:os";
import { reasonOf } from "../../kernel/reason.ts";
import { err, ok, type Result } from "../../kernel/result.ts";

/** A process on this machine that the run is served by. */
export interface ServerProcess {
  readonly role: string;
  readonly pid: number;
}

/** Where a run goes to. */
export interface Target {
  readonly gateways: readonly string[];
  /** Those whose processor time and memory can be read here. */
  readonly processes: readonly ServerProcess[];
  /** Who tells of processes that are started later; undefined where nobody does. */
  readonly control: Control | undefined;
}

/** The operator API, as far as a run needs it. */
export interface Control {
  readonly url: string;
  readonly token: string | undefined;
}

const ASK_MS_MAX = 10_000;
const CREATED_AT_ONCE_MAX = 8;

async function ask({ token, url }: Control, path: string, body?: object): Promise<Response> {
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { "content-type": "application/json" }),
  };
  return fetch(url.replace(/\/+$/, "") + path, {
    method: body === undefined ? "GET" : "POST",
    headers,
    signal: AbortSignal.timeout(ASK_MS_MAX),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

type Fields = Readonly<Record<string, unknown>>;

/** Gateways that take clients now, and the processes of this host. */
export async function readTarget(control: Control): Promise<Result<Target, string>> {
  let view: Readonly<Record<string, readonly Fields[]>>;
  try {
    const answer = await ask(control, "/v1/nodes");
    if (!answer.ok) return err(`${control.url} answers ${answer.status}.`);
    view = (await answer.json()) as typeof view;
  } catch (error) {
    return err(`${control.url} does not answer: ${reasonOf(error)}.`);
  }
  const { gateways = [], nodes = [], placements = [] } = view;
  const open = gateways.filter(({ draining }) => draining !== true);
  const here = (role: string, all: readonly Fields[]): ServerProcess[] =>
    all
      .filter(({ host, pid }) => host === os.hostname() && typeof pid === "number")
      .map(({ pid }) => ({ role, pid: pid as number }));
  const urls = open.map(({ url }) => url).filter((url) => typeof url === "string");
  if (urls.length === 0) return err(`${control.url} knows of no gateway that takes clients.`);
  const processes = [
    ...here("gateway", gateways),
    ...here("node", nodes),
    ...here("placement", placements),
  ];
  // In memory all roles are one process.
  const one = new Set(processes.map(({ pid }) => pid)).size === 1;
  return ok({
    control,
    gateways: urls,
    processes:
      one && processes.length > 1 ? [{ ...processes[0], role: "all" } as ServerProcess] : processes,
  });
}

/** Rooms that are not there yet. */
export async function createRooms(
  control: Control,
  rooms: readonly string[],
  world: string,
): Promise<Result<void, string>> {
  for (let at = 0; at < rooms.length; at += CREATED_AT_ONCE_MAX) {
    const some = rooms.slice(at, at + CREATED_AT_ONCE_MAX);
    try {
      const answers = await Promise.all(
        some.map((room) => ask(control, "/v1/rooms", { room, world })),
      );
      const refused = answers.find(({ ok: good }) => !good);
      if (refused) return err(`A room can not be created: ${await refused.text()}`);
    } catch (error) {
      return err(`A room can not be created: ${reasonOf(error)}.`);
    }
  }
  return ok(undefined);
}

/** `role:pid,role:pid`, as the command line has it. */
export function parseProcesses(text: string): Result<readonly ServerProcess[], string> {
  const processes: ServerProcess[] = [];
  for (const pair of text.split(",")) {
    const found = /^([\w-]{1,32}):(\d{1,9})$/.exec(pair);
    if (!found) return err(`--pids is of the form role:pid,role:pid, not ${JSON.stringify(text)}.`);
    processes.push({ role: found[1] as string, pid: Number(found[2]) });
  }
  return ok(processes);
}

/** What `roomcluster cluster` prints when it is ready: everything that a run has to know. */
export function parseReady(text: string, token: string | undefined): Result<Target, string> {
  const line = /^ready (\{.*\})$/m.exec(text)?.[1] ?? text;
  try {
    const { control, gateways, processes } = JSON.parse(line) as Fields;
    if (typeof control !== "string" || !Array.isArray(gateways) || !Array.isArray(processes))
      return err("the ready line has no control, gateways and processes.");
    const servers = (processes as ServerProcess[]).filter(({ role }) => role !== "bots");
    return ok({ control: { url: control, token }, gateways, processes: servers });
  } catch {
    return err("this is no ready line of roomcluster cluster.");
  }
}
