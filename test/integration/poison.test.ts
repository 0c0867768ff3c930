import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { CommandRefused } from "../../src/client/client.ts";
import { tokensIn } from "../../src/load/ledger-script.ts";
import { Cluster } from "../support/cluster.ts";
import { Crew } from "../support/crew.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { waitUntil } from "../support/wait-until.ts";

const statusOf = (error: unknown): string =>
  error instanceof CommandRefused ? error.status : String(error);

describe.skipIf(withoutNats)("commands that kill", () => {
  let cluster: Cluster;
  let crew: Crew;

  beforeAll(async () => {
    cluster = await Cluster.start({ nats: 1, placements: 1, nodes: 3, gateways: 1 });
  }, 60_000);
  afterEach(() => crew?.close());
  afterAll(async () => cluster?.close());

  it("a handler that throws: the room restarts, then a dead letter; others are untouched", async () => {
    const room = await cluster.createRoom("throws");
    const owner = room.owner ?? "";
    // A neighbour on the same node: rooms are spread, so make some until one is there.
    let neighbour = "";
    for (let i = 0; neighbour === "" && i < 12; i++) {
      const made = await cluster.createRoom(`calm-${i}`);
      if (made.owner === owner) neighbour = `calm-${i}`;
    }
    expect(neighbour, cluster.dump()).not.toBe("");
    crew = new Crew(cluster);
    const victim = await crew.join("victim", "throws");
    const bystander = await crew.join("bystander", neighbour);
    const calmEpoch = bystander.room.epoch;
    const pids = cluster.members.map(({ pid }) => pid);
    const status = await victim.room.command("explode").then(() => "ok", statusOf);
    expect(status, cluster.dump()).toBe("dead_letter");
    expect(await victim.room.command("put", { token: "after" })).toBe(1);
    expect(bystander.room.epoch, "the neighbour kept its owner").toBe(calmEpoch);
    expect(await bystander.room.command("put", { token: "calm" })).toBe(1);
    expect(cluster.members.map(({ pid, child }) => [pid, child.exitCode])).toEqual(
      pids.map((pid) => [pid, null]),
    );
    expect(victim.closes + bystander.closes).toBe(0);
  });

  it("a handler that loops for ever: at most two process deaths, then a dead letter", async () => {
    await cluster.createRoom("loops");
    crew = new Crew(cluster);
    const victim = await crew.join("victim", "loops");
    const witness = await crew.join("witness", "loops");
    await witness.room.command("put", { token: "before" });
    const status = victim.room.command("loop").then(() => "ok", statusOf);
    let answered = "";
    void status.then((text) => {
      answered = text;
    });
    await waitUntil("the command is answered", () => answered !== "", {
      timeoutMs: 40_000,
      dump: () => `${crew.describe()}\n${cluster.dump()}`,
    });
    expect(answered).toBe("dead_letter");
    const dead = cluster.members.filter(({ child }) => child.signalCode !== null);
    // The second one may still be saying its last words: its room was taken over before it ended.
    expect(dead.length, cluster.dump()).toBeGreaterThanOrEqual(1);
    expect(dead.length, cluster.dump()).toBeLessThanOrEqual(2);
    expect(dead.every(({ role }) => role === "node")).toBe(true);
    expect(await witness.room.command("put", { token: "after" })).toBe(1);
    expect(tokensIn(witness.room.state).get("before")).toBe(1);
    expect(victim.closes + witness.closes).toBe(0);
  }, 90_000);
});
