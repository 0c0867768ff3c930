import { afterEach, describe, expect, test } from "vitest";
import { connect } from "../../src/client/client.ts";
import type { RestartReport } from "../../src/roles/restart.ts";
import { Command, isAlive, killCommands } from "../support/cluster-command.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { waitUntil } from "../support/wait-until.ts";

const TOKEN = "the-operator-of-this-test";
const CLUSTER = ["cluster", "--nodes", "2", "--gateways", "2", "--bots", "3", "--port", "0"];
const ROLES = new Set(["node", "gateway", "placement"]);

afterEach(killCommands);

/** The supervisor of `npm start` starts again what ends. */
describe.skipIf(withoutNats)("roomcluster restart", { timeout: 180_000 }, () => {
  test("[CO24] [CO23] [CO32] [CO35] [GW11] every process is new, and whoever is there goes on", async () => {
    const env = { ROOMCLUSTER_CONTROL_TOKEN: TOKEN };
    const cluster = new Command([...CLUSTER, "--quiet"], env);
    const ready = await cluster.ready();
    const before = ready.processes.filter(({ role }) => ROLES.has(role));

    const http = ready.gateways[0]?.replace("ws", "http");
    const asked = await fetch(`${http}/dev/token?tenant=demo&person=ada&name=Ada`);
    const { token } = (await asked.json()) as { token: string };
    const closes: string[] = [];
    const client = await connect({ urls: ready.gateways, token, agent: "restart-test" });
    client.on("connection", (state) => closes.push(state));
    const room = await client.join("plaza", {
      profile: { name: "Ada", color: 1, model: "capsule" },
    });
    const epochs = new Set([room.epoch]);
    let said = 0;
    const refused: string[] = [];
    let working = true;
    const work = (async () => {
      while (working) {
        await room.command("say", { text: `line ${said}` }).then(
          () => said++,
          (error: Error) => refused.push(error.message),
        );
        epochs.add(room.epoch);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();

    // The only replica that is named is restarted as well: the command learns of the other one.
    const quick = ["--steady", "1", "--json"];
    const restart = new Command(["restart", "--control", ready.control, ...quick], env);
    const ms = await restart.endsWithin(120_000);
    const dump = () => `${restart.output}\n${cluster.output}`;
    expect(restart.child.exitCode, dump()).toBe(0);
    const report = JSON.parse(restart.stdout.join("")) as RestartReport;
    expect(report).toMatchObject({ outcome: "done", left: [] });
    expect(report.restarted.map(({ name }) => name)).toEqual([
      "node-1",
      "node-2",
      "gateway-1",
      "gateway-2",
      "placement-1",
      "placement-2",
    ]);
    expect(report.restarted.map(({ roomsLeft }) => roomsLeft)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(new Set(report.restarted.map(({ from }) => from))).toEqual(
      new Set(before.map(({ id }) => id)),
    );
    expect(before.filter(({ pid }) => isAlive(pid))).toEqual([]);
    // Told to end, not killed, and not by a signal.
    for (const { name } of report.restarted)
      expect(cluster.output).toMatch(new RegExp(`${name} \\(pid \\d+\\) ended: exit code 0`));
    const spoken = said;
    await waitUntil("two more lines", () => said >= spoken + 2, { dump });
    working = false;
    await work;
    expect([refused, epochs.size > 1, closes.includes("closed")], dump()).toEqual([
      [],
      true,
      false,
    ]);
    console.log(`restart of 6 processes: ${(ms / 1000).toFixed(1)} s, ${said} lines, ${closes}`);
    client.close();

    const stranger = new Command(["restart", "--control", ready.control], {
      ROOMCLUSTER_CONTROL_TOKEN: "",
    });
    await stranger.endsWithin(20_000);
    expect(stranger.child.exitCode).toBe(3);
    expect(stranger.output).toContain("wants another token");
    cluster.child.kill("SIGINT");
    await cluster.endsWithin(15_000);
  });
});
