import net from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import {
  allGone,
  Command,
  killCommands,
  type ProcessLine,
  type Ready,
  workDirs,
} from "../support/cluster-command.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { waitUntil } from "../support/wait-until.ts";

const TEST_MS_MAX = 180_000;

afterEach(killCommands);

const SMALL = ["cluster", "--nodes", "2", "--gateways", "1", "--bots", "2", "--quiet"];

interface NodeLine {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly pid: number;
}
const nodesOf = async ({ control }: Ready): Promise<NodeLine[]> =>
  ((await (await fetch(`${control}/v1/nodes`)).json()) as { nodes: NodeLine[] }).nodes;

/** Two ports in a row that nobody uses. */
async function portsInARow(): Promise<number> {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 10_000);
    const holds = await Promise.all([first, first + 1].map(hold));
    for (const server of holds) server?.close();
    if (holds.every((server) => server !== undefined)) return first;
  }
}

function hold(port: number): Promise<net.Server | undefined> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}

describe.skipIf(withoutNats)("npm start", { timeout: TEST_MS_MAX }, () => {
  test("serves, replaces what dies, ends by Ctrl-C within 5 s, and starts again after it", async () => {
    const first = await portsInARow();
    const command = new Command([...SMALL, "--port", String(first)]);
    const ready = await command.ready();
    expect(ready.control).toBe(`http://127.0.0.1:${first}`);
    expect(ready.gateways).toEqual([`ws://127.0.0.1:${first + 1}`]);
    const roles = ready.processes.map(({ role }) => role).sort();
    expect(roles).toEqual(["bots", "gateway", "nats", "node", "node", "placement", "placement"]);
    const page = await fetch(ready.demo);
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("<title>")]);

    // A second one on these ports is refused, and names the port.
    const second = new Command([...SMALL, "--port", String(first)]);
    await second.endsWithin(20_000);
    expect(second.child.exitCode).toBe(1);
    expect(second.output).toContain(`Port ${first}, for the control API, is taken.`);

    // A node that is killed comes back under its name as somebody new.
    const [victim] = await nodesOf(ready);
    if (victim === undefined) throw new Error("no node is there");
    process.kill(victim.pid, "SIGKILL");
    let nodes: NodeLine[] = [];
    await waitUntil(
      `${victim.name} to be back`,
      async () => {
        nodes = await nodesOf(ready);
        return nodes.some(
          ({ id, name, state }) => name === victim.name && id !== victim.id && state === "alive",
        );
      },
      { timeoutMs: 20_000, dump: () => JSON.stringify(nodes) + command.output },
    );

    command.child.kill("SIGINT");
    expect(await command.endsWithin(10_000)).toBeLessThan(5_000);
    expect(command.child.exitCode).toBe(0);
    await allGone({ ...ready, processes: [...ready.processes, ...nodes.map(asProcess)] }, 1_000);
    expect(workDirs(command.child.pid)).toEqual([]);

    const again = new Command([...SMALL, "--port", String(first)]);
    expect((await again.ready()).control).toBe(ready.control);
    again.child.kill("SIGTERM");
    expect(await again.endsWithin(10_000)).toBeLessThan(5_000);
    expect(again.child.exitCode).toBe(0);
  });

  test("leaves no process behind when it is killed itself", async () => {
    const command = new Command([...SMALL, "--port", "0"]);
    const ready = await command.ready();
    command.child.kill("SIGKILL");
    await allGone(ready, 5_000);
    // What it could not remove is removed by the next one.
    expect(workDirs(command.child.pid)).toHaveLength(1);
    const next = new Command([...SMALL, "--port", "0"]);
    // Others that start meanwhile remove it too, so its own has to be there as well.
    const tidied = () =>
      workDirs(command.child.pid).length === 0 && workDirs(next.child.pid).length > 0;
    await waitUntil("the old folder to be gone", tidied, {
      timeoutMs: 20_000,
      dump: () => next.output,
    });
    // In the middle of its start.
    next.child.kill("SIGINT");
    expect(await next.endsWithin(10_000)).toBeLessThan(5_000);
    expect(next.child.exitCode).toBe(0);
  });

  test("starts its NATS server again", async () => {
    const command = new Command([...SMALL, "--port", "0"]);
    const ready = await command.ready();
    const nats = ready.processes.find(({ role }) => role === "nats");
    let before = await epochOf(ready);
    const owned = async (): Promise<boolean> => {
      before = await epochOf(ready);
      return before.owner !== null;
    };
    await waitUntil("the index to name the plaza's owner", owned, { dump: () => command.output });
    const owner = (await nodesOf(ready)).find(({ id }) => id === before.owner);
    // A new owner needs the journal, and the journal needs the server.
    killAtOnce(nats);
    killAtOnce(owner);
    let now = before;
    await waitUntil(
      "the plaza to have a new owner",
      async () => {
        now = await epochOf(ready).catch(() => now);
        return now.epoch > before.epoch;
      },
      { timeoutMs: 30_000, dump: () => command.output },
    );
    command.child.kill("SIGINT");
    expect(await command.endsWithin(10_000)).toBeLessThan(5_000);
  });
});

/** Nobody is process 0, which would be this test and all its kin. */
function killAtOnce(found: { readonly pid: number } | undefined): void {
  if (!found) throw new Error("the process to be killed is not there");
  process.kill(found.pid, "SIGKILL");
}

const asProcess = ({ id, pid }: NodeLine): ProcessLine => ({ role: "node", id, pid });

async function epochOf({ control }: Ready): Promise<{ epoch: number; owner: string | null }> {
  const answer = await fetch(`${control}/v1/rooms/demo/plaza`);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return (await answer.json()) as { epoch: number; owner: string | null };
}

test("npm start without NATS serves from one process and says so", async () => {
  const command = new Command([...SMALL, "--port", "0"], { ROOMCLUSTER_BUS: "memory" });
  const ready = await command.ready();
  expect(ready.nats).toBeNull();
  expect(new Set(ready.processes.map(({ pid }) => pid))).toEqual(new Set([command.child.pid]));
  expect(command.output).toContain("without NATS");
  // The only process there is can not be killed from the page.
  const kill = await fetch(`${ready.control}/v1/nodes/node-1/kill`, { method: "POST" });
  expect(kill.status).toBe(409);
  command.child.kill("SIGINT");
  expect(await command.endsWithin(10_000)).toBeLessThan(5_000);
  expect(command.child.exitCode).toBe(0);
});

test.each([
  [["cluster", "--nodes", "0"], "--nodes is a whole number from 1 to 64"],
  [["cluster", "--nodes", "-1"], '--nodes is a whole number from 1 to 64, not "-1"'],
  [["cluster", "--port", "x"], "--port is a whole number"],
  [["cluster", "--port", "65534"], "--port 65534 leaves no port for gateway 2."],
  [["cluster", "--origin", "http://a.example/"], "--origin is of the form https://host[:port]"],
  [["cluster", "--colour", "red"], "Unknown option '--colour'"],
  [["nonsense"], 'there is no command "nonsense"'],
  [[], "which command?"],
  [["node"], "ROOMCLUSTER_NATS_NODE_PASSWORD is missing"],
])("%j is a sentence and exit code 2", async (args, sentence) => {
  const command = new Command(args, { NATS_URL: "nats://127.0.0.1:1", ROOMCLUSTER_DEV: "0" });
  await command.endsWithin(20_000);
  expect([command.child.exitCode, command.output]).toEqual([2, expect.stringContaining(sentence)]);
});

test.each([
  [["--world", "nowhere.ts"], {}, /^roomcluster: The worlds of \S+nowhere.ts can not be loaded: /],
  [[], { NATS_URL: "localhost:4222" }, /^roomcluster: NATS_URL: "localhost:4222" is not of the/],
  [[], { NATS_URL: "nats://127.0.0.1:1" }, /^roomcluster: NATS \(\S+ nats:\S+ can not be reached/],
])("cluster %j with %j is one sentence, before anything starts", async (args, env, sentence) => {
  const command = new Command([...SMALL, "--port", "0", ...args], env);
  await command.endsWithin(20_000);
  expect(command.child.exitCode).toBe(1);
  expect(command.output).toMatch(sentence);
  expect(command.output.trimEnd().split("\n")).toHaveLength(1);
});

test("cluster --version tells the version", async () => {
  const command = new Command(["cluster", "--version"]);
  await command.endsWithin(20_000);
  expect([command.child.exitCode, command.output]).toEqual([
    0,
    expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  ]);
});
