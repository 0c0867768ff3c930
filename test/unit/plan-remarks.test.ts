import { describe, expect, it } from "vitest";
import { planFor, ROUND } from "../support/plan-rig.ts";

const limits = (values: Parameters<typeof planFor>[0]): string => planFor(values).limits.join("\n");
const cautions = (values: Parameters<typeof planFor>[0]): string =>
  planFor(values).cautions.join("\n");

describe("limits that bind", () => {
  it("[PN14] open files and sockets of a gateway", () => {
    const few = limits({ users: "10000", hz: "1", "open-files": "756" });
    expect(few).toContain("Sockets bind gateways, not cores: 500 each");
    expect(limits({ users: "10000" })).not.toContain("Sockets bind");
    expect(limits({ users: "10000" })).toMatch(/up to [\d,]+ connections of 17,000/);
  });

  it("[PN14] people and shards of one event", () => {
    expect(limits({ users: "300000" })).toContain("this is 2 events");
    expect(limits({ users: "100000", "room-size": "20" })).toContain("this is 3 events");
    expect(limits({ users: "200000" })).not.toContain("events");
  });

  it("[PN14] what a node is given unless its capacity says more", () => {
    expect(limits({ users: "100000", hz: "1" })).toMatch(/set node\.capacity to \d+/);
    expect(limits({ users: "1000" })).not.toContain("node.capacity");
  });

  it("[PN14] the network of a machine", () => {
    const users = "100000";
    expect(limits({ users, "nic-gbit": "100" })).toContain("does not bind");
    const bound = limits({ users, "nic-gbit": "1" });
    expect(bound).toMatch(/the network binds\. Put \d+ gateways on a machine of 1 Gbit\/s/);
    expect(limits({ users, "nic-gbit": "0.05" })).toContain("one alone is more");
  });

  it("[PN14] in a sentence for each architecture, where they differ", () => {
    const differ = limits({ users: "100000", "arm64-speed": "0.5" });
    expect(differ).toMatch(/A gateway on x64 holds .*\nA gateway on arm64 holds /);
    expect(limits({ users: "100000" })).not.toContain("on x64");
  });

  it("[PN14] NATS", () => {
    const dear = { ...ROUND, us: { ...ROUND.us, nats: { ...ROUND.us.nats, batch: 5_000 } } };
    const plan = planFor({ users: "100000", "machine-cores": "2" }, dear);
    expect(plan.limits.join("\n")).toMatch(/NATS takes .* each needs \d+, more than the 2/);
    expect(limits({ users: "10000" })).not.toContain("NATS takes");
  });
});

describe("how far to trust it", () => {
  it("[PN15] what is beyond what was measured is marked, with both figures", () => {
    const far = cautions({ users: "100000", "joins-per-second": "100" });
    expect(far).toContain("EXTRAPOLATED");
    expect(far).toContain("100,000 people (25.0 × 4,000)");
    expect(far).toContain("1,000,000 frames a second (33.3 × 30,000)");
    expect(far).not.toContain("joins a second");
    expect(cautions({ users: "3000" })).not.toContain("EXTRAPOLATED");
  });

  it("[PN16] few windows, costs of nothing, and what was not measured", () => {
    const said = cautions({ users: "3000" });
    expect(said).toContain("few windows of time: command at the gateway (4), command at the node");
    expect(said).toContain("No cost of its own was found, within what others cost: join at the");
    expect(said).toContain("3 servers pass a batch on in 67 % of cases");
    expect(cautions({ users: "3000", "nats-servers": "1" })).not.toContain("pass a batch on");
  });

  it("[PN16] the error on runs that were not in the fit", () => {
    const said = cautions({ users: "3000" });
    expect(said).toContain(
      "2400 people (not in the fit): 1.00 cores predicted, 1.00 measured, +0 %; 1,000 bytes of a frame at most, 900 measured.",
    );
  });
});
