import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { readFlags } from "../../src/load/dense/flags.ts";
import { resolveTarget } from "../../src/load/dense/run.ts";
import { Command, killCommands } from "../support/cluster-command.ts";
import { waitUntil } from "../support/wait-until.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(path.join(os.tmpdir(), "roomcluster-words-"));
afterEach(killCommands);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("bots", { timeout: 90_000 }, () => {
  test("[LD33] end with the cause where there is no such room", async () => {
    const args = ["cluster", "--port", "0", "--nodes", "1", "--gateways", "1", "--bots", "0"];
    const cluster = new Command([...args, "--quiet"], { ROOMCLUSTER_BUS: "memory" });
    const { gateways } = await cluster.ready();
    const to = ["--gateway", gateways[0] ?? ""];
    const bots = new Command(["bots", ...to, "--room", "nowhere", "--bots", "3"]);
    await bots.endsWithin(70_000);
    expect(bots.child.exitCode, bots.output).toBe(1);
    const said = bots.output.match(/^roomcluster bots: .*$/gm);
    expect(said).toEqual([
      expect.stringMatching(/join refused: /),
      "roomcluster bots: nobody has come in, so this ends.",
    ]);
  });

  test("[LD33] say at once that no gateway answers", async () => {
    const bots = new Command(["bots", "--gateway", "ws://127.0.0.1:2", "--bots", "2"]);
    const cause = "roomcluster bots: http://127.0.0.1:2 can not be reached: ECONNREFUSED\n";
    await waitUntil("the cause", () => bots.output.includes(cause), {
      timeoutMs: 20_000,
      dump: () => bots.output,
    });
  });
});

test.each([
  [["bots", "--gateway", "nonsense"], {}, "--gateway is of the form ws://host[:port]"],
  [["cluster"], { ROOMCLUSTER_BUS: "bogus" }, "ROOMCLUSTER_BUS is memory, or not set"],
  [["bots"], { ROOMCLUSTER_DEV: "maybe" }, "ROOMCLUSTER_DEV is 0 or 1, or not set"],
  [["node"], { ROOMCLUSTER_DEVS: "1" }, "There is no variable ROOMCLUSTER_DEVS."],
])("[CF10] %j with %j is a sentence and exit code 2", async (args, env, sentence) => {
  const command = new Command(args, env);
  await command.endsWithin(20_000);
  expect([command.child.exitCode, command.output]).toEqual([2, expect.stringContaining(sentence)]);
});

test("[LD34] load says what it waits for, and goes on when it is there", async () => {
  const file = path.join(mkdtempSync(path.join(folder, "one-")), "ready.txt");
  const flags = readFlags({ ready: file }, { tokenSecret: undefined, controlToken: undefined });
  if (!flags.ok) throw new Error(flags.error);
  const said: string[] = [];
  const target = resolveTarget(flags.value, (sentence) => {
    said.push(sentence);
    const ready = { control: "http://c", gateways: ["ws://g"], processes: [] };
    writeFileSync(file, said.length === 1 ? "words" : `ready ${JSON.stringify(ready)}\n`);
  });
  expect(await target).toMatchObject({ ok: true, value: { gateways: ["ws://g"] } });
  const waiting = `waiting, 60 s at most, for the ready line in ${file}: `;
  expect(said).toEqual([
    expect.stringContaining(`${waiting}ENOENT`),
    `${waiting}this is no ready line of roomcluster cluster.`,
  ]);
});

test("[CO50] npm start -- --help installs nothing", () => {
  const clone = mkdtempSync(path.join(folder, "one-"));
  for (const file of ["deploy/setup.mjs", "src/help.ts", "package.json", "package-lock.json"])
    cpSync(path.join(ROOT, file), path.join(clone, file));
  const args = [path.join(clone, "deploy", "setup.mjs"), "start", "--help"];
  const said = execFileSync(process.execPath, args, { encoding: "utf8", timeout: 20_000 });
  expect(said).toContain("roomcluster cluster     a whole cluster on this machine");
  expect(existsSync(path.join(clone, "node_modules"))).toBe(false);
});
