import { afterEach, describe, expect, test, vi } from "vitest";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { err, ok } from "../../src/kernel/result.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { EXIT, endWhen } from "../../src/roles/process.ts";
import { FakeFleet } from "../support/fake-fleet.ts";

describe("a rolling restart", () => {
  test("[CO24] takes nodes, gateways and placements in order, one at a time", async () => {
    const cluster = new FakeFleet(11, 2, 3);
    cluster.manners.set("gateway-1", { listedMs: 5_000 });
    cluster.manners.set("placement-1", { drainMs: 10, listedMs: 2_000 });
    const before = cluster.processes.map(({ id }) => id);
    const report = await cluster.restart();
    const nodes = Array.from({ length: 11 }, (_, i) => `node-${i + 1}`);
    expect(cluster.drained).toEqual([
      ...nodes,
      ...["gateway-1", "gateway-2", "placement-1", "placement-2", "placement-3"],
    ]);
    expect(cluster.awayMax).toBe(1);
    expect(report).toMatchObject({ outcome: "done", reason: null, left: [] });
    expect(report.restarted.map(({ from }) => from)).toEqual(before);
    for (const { to } of report.restarted)
      expect(cluster.processes.map(({ id }) => id)).toContain(to);
    expect(report.restarted[0]?.ms).toBeGreaterThanOrEqual(3_000);
    expect(cluster.said.at(-1)).toMatch(/^16 of 16: placement-3 is back as placement-3\.\d+ after/);
  });

  test("[CO24] takes one kind alone, and the next only when all nodes are alive", async () => {
    const cluster = new FakeFleet(3, 2);
    cluster.onList = () => {
      if (cluster.drained.length !== 1 || cluster.processes.length < 7) return;
      cluster.onList = () => undefined;
      cluster.change("node-3", { state: "suspect" });
      cluster.clock.after(20_000, () => cluster.change("node-3", { state: "alive" }));
    };
    const report = await cluster.restart(["node"]);
    expect(report.outcome).toBe("done");
    expect(cluster.drained).toEqual(["node-1", "node-2", "node-3"]);
    expect(cluster.clock.now()).toBeGreaterThan(25_000);
  });

  test.each([
    ["a node is suspect", "node-2", { state: "suspect" }, "node-2 is suspect; nothing was"],
    ["a node is stalled", "node-2", { state: "stalled" }, "node-2 is stalled"],
    ["a state is not known", "node-2", { state: "confused" }, "node-2 is confused"],
    ["a node drains", "node-3", { draining: true }, "node-3 is draining"],
    ["a gateway drains", "gateway-1", { draining: true }, "gateway-1 is draining"],
  ])("[CO25] does not begin while %s", async (_, name, over, sentence) => {
    const cluster = new FakeFleet(3, 2);
    cluster.change(name, over);
    const report = await cluster.restart();
    expect(report).toMatchObject({ outcome: "refused", restarted: [] });
    expect(report.reason).toContain(sentence);
    expect(report.left).toHaveLength(7);
    expect(cluster.drained).toEqual([]);
  });

  test("[CO25] nor with one of a kind, with none, or without an answer", async () => {
    const reasons = [];
    for (const [nodes, gateways, placements] of [
      [1, 2, 2],
      [2, 1, 2],
      [2, 2, 1],
      [0, 2, 2],
    ] as const)
      reasons.push((await new FakeFleet(nodes, gateways, placements).restart()).reason);
    expect(reasons).toEqual([
      "There is only one node: its rooms would have nowhere to go. --role takes other kinds.",
      "There is only one gateway: its clients would have nowhere to go. --role takes other kinds.",
      "There is only one placement: meanwhile nobody would place rooms. --role takes other kinds.",
      "There is no node.",
    ]);
    expect((await new FakeFleet(2, 2, 1).restart(["node", "gateway"])).outcome).toBe("done");
    const deaf = new FakeFleet(3, 2);
    deaf.silent = true;
    expect(await deaf.restart()).toMatchObject({ outcome: "refused", reason: "Nobody answers." });
  });

  test.each([
    ["is not back", { neverBack: true }, "degraded", /no node of that name came back within 30\.0/],
    ["does not heed", { ignores: true }, "incomplete", /node-2 was asked to drain and does not/],
    ["never ends", { neverEnds: true }, "incomplete", /node-2 drains and does not end \(120\.\d s/],
  ])("[CO26] stops where one %s", async (_, manner, outcome, sentence) => {
    const cluster = new FakeFleet(3, 2, 2);
    cluster.manners.set("node-2", manner);
    const report = await cluster.restart(["node", "gateway"]);
    expect(report.outcome).toBe(outcome);
    expect(report.reason).toMatch(sentence);
    expect(report.restarted.map(({ name }) => name)).toEqual(["node-1"]);
    expect(report.left).toEqual(["node-2", "node-3", "gateway-1", "gateway-2"]);
    expect(cluster.drained).toEqual(["node-1", "node-2"]);
  });

  test("[CO26] stops where another node stays in trouble, or nobody answers any more", async () => {
    const troubled = new FakeFleet(3, 2);
    troubled.onList = () => {
      if (troubled.drained.length === 1) troubled.change("node-3", { state: "suspect" });
    };
    const report = await troubled.restart();
    expect(report.reason).toBe("node-3 is suspect. node-2 was not restarted.");
    expect(report.left[0]).toBe("node-2");
    const deaf = new FakeFleet(3, 2);
    deaf.onList = () => {
      if (deaf.drained.length === 2) deaf.silent = true;
    };
    expect((await deaf.restart()).reason).toBe(
      "Nobody answers. It is not known whether node-2 is back.",
    );
  });

  test("[CO26] a short silence of the API is no end", async () => {
    const cluster = new FakeFleet(2, 2);
    cluster.onList = () => {
      if (cluster.drained.length !== 1 || cluster.silent) return;
      cluster.silent = true;
      cluster.onList = () => undefined;
      cluster.clock.after(20_000, () => {
        cluster.silent = false;
      });
    };
    expect((await cluster.restart()).outcome).toBe("done");
  });

  test("[CO27] a gateway that crashed, and is listed beside its successor, is no successor", async () => {
    const cluster = new FakeFleet(2, 2);
    const crashed = cluster.processes.find(({ name }) => name === "gateway-1");
    cluster.start("gateway", "gateway-1");
    const successor = cluster.processes.at(-1)?.id;
    cluster.clock.after(4_000, () => cluster.remove(crashed?.id ?? ""));
    const report = await cluster.restart(["gateway"]);
    expect(report.restarted.map(({ from }) => from)).toContain(successor);
    expect([report.outcome, cluster.drained]).toEqual(["done", ["gateway-1", "gateway-2"]]);
    const stuck = new FakeFleet(2, 2);
    stuck.start("gateway", "gateway-1");
    expect((await stuck.restart()).reason).toContain("gateway-1 is listed twice");
  });

  test("[CO27] what has started again by itself is not restarted once more", async () => {
    const cluster = new FakeFleet(3, 2);
    cluster.onList = () => {
      if (cluster.drained.length !== 1) return;
      cluster.onList = () => undefined;
      const old = cluster.processes.find(({ name }) => name === "node-3");
      cluster.remove(old?.id ?? "");
      cluster.clock.after(500, () => cluster.start("node", "node-3"));
    };
    const report = await cluster.restart(["node"]);
    expect(cluster.drained).toEqual(["node-1", "node-2"]);
    expect([report.outcome, report.restarted.length]).toEqual(["done", 3]);
  });

  test.each([
    "node-3",
    "gateway-2",
    "placement-2",
  ])("[CO24] [CO33] nothing is drained while %s is gone", async (name) => {
    const cluster = new FakeFleet(3, 2);
    const gone = cluster.named(name);
    cluster.onList = () => {
      if (cluster.drained.length === 1) cluster.remove(gone.id);
    };
    const report = await cluster.restart(["node"]);
    expect(cluster.drained).toEqual(["node-1"]);
    const reason = `${name} is not there: the fleet is smaller than it was. node-2 was not restarted.`;
    expect(report).toMatchObject({ outcome: "degraded", reason });
  });

  test.each([
    ["at once, for good", 100, 0, /^node-1 came back as node-1\.8 and is gone again: the fleet is/],
    ["after seconds, for good", 4_000, 0, /^node-1 came back as node-1\.8 and is gone again/],
    ["and is started again", 2_000, 9, /^node-1 came back as node-1\.8 and has ended again: it is/],
  ])("[CO33] nothing else is taken where one that came back crashes %s", async (...given) => {
    const [, crashesMs, returns, sentence] = given;
    const cluster = new FakeFleet(3, 2);
    cluster.manners.set("node-1", { crashesMs, returns });
    const report = await cluster.restart();
    expect(cluster.drained).toEqual(["node-1"]);
    expect(report).toMatchObject({ outcome: "degraded", left: expect.arrayContaining(["node-2"]) });
    expect(report.reason).toMatch(sentence);
    expect(report.reason).toContain("node-2 was not restarted.");
  });

  test("[CO33] one that crashes while the next is restarted ends it after that one", async () => {
    const cluster = new FakeFleet(3, 2);
    cluster.manners.set("node-1", { crashesMs: 6_000, returns: 1 });
    const report = await cluster.restart();
    expect([cluster.drained, report.outcome]).toEqual([["node-1", "node-2"], "degraded"]);
    expect(report.restarted.map(({ name }) => name)).toEqual(["node-1", "node-2"]);
  });

  test("[CO33] the last one has to stay, too", async () => {
    const cluster = new FakeFleet(2, 2);
    cluster.manners.set("placement-2", { crashesMs: 3_000 });
    const report = await cluster.restart();
    expect(report).toMatchObject({ outcome: "degraded", left: [] });
    expect(report.reason).toMatch(/^placement-2 came back as .* gone again.*All were restarted\.$/);
    expect(report.restarted).toHaveLength(6);
  });

  test("[CO33] how long it has to stay is the operator's to say", async () => {
    const cluster = new FakeFleet(2, 2);
    cluster.manners.set("node-1", { crashesMs: 20_000 });
    expect((await cluster.restart(["node"], { steadyMs: 25_000 })).outcome).toBe("degraded");
    const hasty = new FakeFleet(2, 2);
    hasty.manners.set("node-1", { crashesMs: 20_000 });
    expect((await hasty.restart(["node"], { steadyMs: 0 })).outcome).toBe("done");
  });

  test("[CO27] what has ended between the listing and its drain is waited for", async () => {
    const cluster = new FakeFleet(3, 2);
    const drain = cluster.drain;
    cluster.drain = async (target, deadlineMs) => {
      if (target.id === "node-2.2") cluster.remove(target.id);
      return drain(target, deadlineMs);
    };
    const report = await cluster.restart(["node"]);
    expect(cluster.drained).toEqual(["node-1"]);
    expect(report.reason).toMatch(/^node-2 is not there: .* node-2 was not restarted\.$/);
  });

  test("[CO25] a listing that still fills up is not taken for the cluster", async () => {
    const cluster = new FakeFleet(1, 2);
    cluster.clock.after(600, () => cluster.start("node", "node-2"));
    const report = await cluster.restart(["node"]);
    expect([report.outcome, cluster.drained]).toEqual(["done", ["node-1", "node-2"]]);
    const restless = new FakeFleet(2, 2);
    restless.onList = () => {
      restless.remove(restless.processes[0]?.id ?? "");
      restless.start("node", "node-9");
    };
    expect((await restless.restart()).reason).toBe(
      "The listing does not come to rest; nothing was restarted.",
    );
    expect(restless.drained).toEqual([]);
  });

  test.each([
    ["drains still", 5_000],
    ["has a successor", 100],
  ])("[CO27] an answer that is lost is asked for again: it %s", async (_, drainMs) => {
    const cluster = new FakeFleet(2, 2);
    cluster.manners.set("node-1", { drainMs, awayMs: 50, unheard: true });
    const asked: string[] = [];
    const drain = cluster.drain;
    cluster.drain = (process, deadlineMs) => {
      asked.push(process.id);
      return drain(process, deadlineMs);
    };
    const report = await cluster.restart(["node"]);
    expect([report.outcome, cluster.drained]).toEqual(["done", ["node-1", "node-2"]]);
    expect(report.restarted.map(({ name }) => name)).toEqual(["node-1", "node-2"]);
    // By its incarnation, which nobody else is.
    expect(asked).toEqual(["node-1.1", "node-1.1", "node-2.2"]);
  });

  test("[CO27] a request that was lost is repeated", async () => {
    const cluster = new FakeFleet(2, 2);
    const drain = cluster.drain;
    cluster.drain = async () => {
      cluster.drain = drain;
      return err({ code: "silent", sentence: "Nobody answers." });
    };
    expect((await cluster.restart(["node"])).outcome).toBe("done");
    expect(cluster.drained).toEqual(["node-1", "node-2"]);
  });

  test("[CO34] a node that ended with rooms is not one that was emptied", async () => {
    const cluster = new FakeFleet(2, 2);
    cluster.manners.set("node-1", { drainMs: 1_000, roomsLeft: 3, roomsSeen: 3 });
    const report = await cluster.restart();
    expect(report).toMatchObject({
      outcome: "rooms_left",
      restarted: [{ name: "node-1", roomsLeft: 3 }],
      left: ["node-2", "gateway-1", "gateway-2", "placement-1", "placement-2"],
    });
    expect(report.reason).toMatch(/^node-1 ended with 3 rooms that it had not handed over/);
    expect(cluster.drained).toEqual(["node-1"]);
  });

  test("[CO34] goes on where it is told to, and says so", async () => {
    const cluster = new FakeFleet(2, 2);
    cluster.manners.set("node-1", { roomsLeft: 3 });
    const report = await cluster.restart(["node"], { roomsLeft: "go-on" });
    expect(report.outcome).toBe("done");
    expect(report.restarted.map(({ roomsLeft }) => roomsLeft)).toEqual([3, 0]);
    expect(cluster.said.join()).toContain("node-1 ended with 3 rooms");
  });

  test("[CO34] its last word counts, and what was seen of it where nobody heard that", async () => {
    const cluster = new FakeFleet(2, 2);
    cluster.manners.set("node-1", { roomsSeen: 2 });
    expect((await cluster.restart(["node"])).outcome).toBe("done");
    const forgetful = new FakeFleet(2, 2);
    forgetful.manners.set("node-1", { roomsSeen: 2 });
    forgetful.forgetful = true;
    expect((await forgetful.restart(["node"])).outcome).toBe("rooms_left");
  });

  test("[CO36] the operator's deadline counts, and what outlives it by a minute", async () => {
    const cluster = new FakeFleet(2, 2);
    cluster.manners.set("gateway-1", { neverEnds: true });
    const immovable = ["live/a", "live/b"];
    cluster.manners.set("node-2", { immovable });
    const report = await cluster.restart(undefined, { drainMs: 7_000 });
    expect(cluster.deadlines).toEqual([7_000, 7_000, 7_000]);
    expect(report.reason).toMatch(
      /^gateway-1 drains and does not end \(67\.\d s, of which it has 7\.0/,
    );
    expect(cluster.said).toContain("node-2 has 2 immovable rooms, which move last: live/a, live/b");
  });

  test("[CO35] a replica that has just started and knows little ends nobody's turn", async () => {
    const cluster = new FakeFleet(2, 2);
    cluster.manners.set("node-1", { drainMs: 40_000 });
    const { list } = cluster;
    cluster.list = async () => {
      const now = cluster.clock.now();
      const listed = await list();
      const young = now > 5_000 && now < 8_000 && listed.ok;
      return young ? ok({ ...listed.value, processes: [] }) : listed;
    };
    expect((await cluster.restart(["node"])).outcome).toBe("done");
  });
});

describe("a process that was drained", () => {
  afterEach(() => void vi.restoreAllMocks());

  test("[CO23] ends by itself, and as failed where that takes longer than `stopMsMax`", async () => {
    const clock = new ManualClock();
    const exit = vi.spyOn(process, "exit").mockImplementation(() => undefined as never);
    const never = new Promise<void>(() => undefined);
    endWhen(never, { clock, log: silentObserver.log }, 20_000, EXIT.stopped);
    await clock.run(19_999, 1_000);
    expect(exit).not.toHaveBeenCalled();
    await clock.run(1);
    expect(exit.mock.calls).toEqual([[EXIT.failed]]);
    exit.mockClear();
    endWhen(Promise.resolve(), { clock, log: silentObserver.log }, 20_000, EXIT.stopped);
    await clock.run(30_000, 1_000);
    expect(exit.mock.calls).toEqual([[EXIT.stopped]]);
  });
});
