import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { EXIT } from "../../src/roles/process.ts";
import { Cluster } from "../support/cluster.ts";
import { Crew } from "../support/crew.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { waitUntil } from "../support/wait-until.ts";

/**
 * A machine hangs, its node is started again elsewhere under the same name, and then the old
 * process goes on as if nothing had happened.
 */
describe.skipIf(withoutNats)("a node that was replaced while it hung", () => {
  let cluster: Cluster;
  let crew: Crew | undefined;

  beforeAll(async () => {
    cluster = await Cluster.start({ nats: 1, placements: 1, nodes: 1, gateways: 1 });
  }, 60_000);
  afterEach(() => crew?.close());
  afterAll(async () => cluster?.close());

  it("[MS37] [PL47] is told that it is dead, and ends by itself; nothing is lost", async () => {
    await cluster.createRoom("hall");
    crew = new Crew(cluster);
    const sailor = await crew.join("ada", "hall");
    crew.work(20);
    const dump = (): string => `${crew?.describe()}\n${cluster.dump()}`;
    await waitUntil("a token is put", () => sailor.acked.size > 0, { timeoutMs: 10_000, dump });
    const epoch = sailor.room.epoch;
    cluster.signal("node-1", "SIGSTOP");
    const old = await cluster.replace("node-1");
    const served = (): boolean => sailor.room.epoch > epoch;
    await waitUntil("the new incarnation serves", served, { timeoutMs: 20_000, dump });
    expect(old.child.exitCode, "still there, and stopped").toBeNull();
    old.child.kill("SIGCONT");
    const ended = (): boolean => old.child.exitCode !== null || old.child.signalCode !== null;
    await waitUntil("the old incarnation has ended", ended, { timeoutMs: 10_000, dump });
    expect({ code: old.child.exitCode, signal: old.child.signalCode }, dump()).toEqual({
      code: EXIT.declaredDead,
      signal: null,
    });
    expect(old.output.join("\n")).toContain("holds this node dead");
    expect(cluster.member("node-1").child.exitCode, "the new one goes on").toBeNull();
    const acked = sailor.acked.size;
    await waitUntil("tokens are put again", () => sailor.acked.size > acked + 5, { dump });
    await crew.rest();
    const verdict = await crew.verdict(["hall"]);
    expect({ ...verdict, closes: sailor.closes }, dump()).toMatchObject({
      lost: [],
      doubled: [],
      closes: 0,
    });
  });
});
