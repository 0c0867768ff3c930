import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { Command, isAlive, killCommands, workDirs } from "../support/cluster-command.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { waitUntil } from "../support/wait-until.ts";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
const SMALL = ["cluster", "--nodes", "1", "--gateways", "1", "--bots", "0", "--port", "0"];

afterEach(killCommands);

/** Processes that this one has started, and theirs. */
function descendants(pid: number | undefined): number[] {
  const table = execFileSync("ps", ["-e", "-o", "pid=,ppid="], { encoding: "utf8" });
  const rows = table.split("\n").map((line) => line.trim().split(/\s+/).map(Number));
  const found = [pid];
  for (const parent of found) {
    found.push(...rows.filter((row) => row[1] === parent).map(([child]) => child));
  }
  return found.slice(1).flatMap((one) => (one === undefined ? [] : [one]));
}

const gone = (pids: readonly number[], timeoutMs: number) =>
  waitUntil("all that it started to be gone", () => !pids.some(isAlive), {
    timeoutMs,
    dump: () => execFileSync("ps", ["-o", "pid,ppid,etime,args", "-p", pids.join(",")]).toString(),
  });

describe.skipIf(withoutNats)("npm start that ends during its start", { timeout: 60_000 }, () => {
  /** Started so far that every role has a process, and none is ready. */
  async function halfStarted(): Promise<{ command: Command; pids: readonly number[] }> {
    const command = new Command(SMALL);
    let pids: number[] = [];
    await waitUntil(
      "the roles' processes",
      () => {
        pids = descendants(command.child.pid);
        return pids.length >= 5 || command.ended;
      },
      { timeoutMs: 30_000, dump: () => command.output },
    );
    return { command, pids };
  }

  test("leaves nothing behind when it is killed", async () => {
    const { command, pids } = await halfStarted();
    command.child.kill("SIGKILL");
    await gone(pids, 10_000);
  });

  test("stops cleanly when nobody reads its output any more", async () => {
    const { command, pids } = await halfStarted();
    command.child.stdout?.destroy();
    command.child.stderr?.destroy();
    await command.endsWithin(15_000);
    expect([command.child.exitCode, command.child.signalCode]).toEqual([0, null]);
    await gone(pids, 5_000);
    expect(workDirs(command.child.pid)).toEqual([]);
  });
});

describe("a supervised process that waits for NATS", { timeout: 60_000 }, () => {
  test.each([
    ["the supervisor's end", (child: ReturnType<typeof spawn>) => child.disconnect(), 71],
    ["SIGTERM", (child: ReturnType<typeof spawn>) => child.kill("SIGTERM"), 0],
    ["SIGINT", (child: ReturnType<typeof spawn>) => child.kill("SIGINT"), 0],
  ])("ends at once by %s", async (_by, end, code) => {
    const silent = net.createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as net.AddressInfo;
    const env = {
      ...process.env,
      NATS_URL: `nats://127.0.0.1:${port}`,
      ROOMCLUSTER_DEV: "1",
    };
    const args = ["--import", "tsx", MAIN, "node", "--supervised", "--set", "http.port=0"];
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      env,
    });
    try {
      const [socket] = (await once(silent, "connection")) as [net.Socket];
      socket.on("error", () => undefined);
      const since = performance.now();
      end(child);
      expect(await once(child, "exit")).toEqual([code, null]);
      expect(performance.now() - since).toBeLessThan(2_000);
      socket.destroy();
    } finally {
      child.kill("SIGKILL");
      silent.close();
    }
  });
});

describe.skipIf(withoutNats)("npm", { timeout: 60_000 }, () => {
  test("start ends with its cluster when npm alone gets SIGTERM", async () => {
    const npm = spawn("npm", ["start", "--silent", "--", ...SMALL.slice(1)], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [npm.stdout, npm.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output = (output + text).slice(-20_000);
      });
    }
    let pids: number[] = [];
    try {
      await waitUntil("the ready line", () => /^ready \{/m.test(output), {
        timeoutMs: 40_000,
        dump: () => output,
      });
      pids = descendants(npm.pid);
      expect(pids.length).toBeGreaterThan(5);
      npm.kill("SIGTERM");
      await gone(pids, 10_000);
    } finally {
      npm.kill("SIGKILL");
      for (const pid of pids.filter(isAlive)) process.kill(pid, "SIGKILL");
    }
  });
});
