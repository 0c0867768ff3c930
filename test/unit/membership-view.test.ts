import { describe, expect, test } from "vitest";
import { type ProcessId, processId } from "../../src/kernel/ids.ts";
import { ClusterView, viewDefaults } from "../../src/membership/view.ts";
import type { GatewayBeat, NodeBeat, PlacementBeat } from "../../src/protocol/control-messages.ts";

const A1 = processId("a.00000000000000a1");
const A2 = processId("a.00000000000000a2");
const B1 = processId("b.00000000000000b1");

const node = (process: ProcessId, sequence: number, rooms = 0): NodeBeat => ({
  type: "nodeBeat",
  process,
  sequence,
  loopAgeMs: 1,
  echoAgeMs: 1,
  rooms,
  sessions: 0,
  load: 0,
  egressBytesPerS: 0,
  capacity: 1,
  arch: "x64",
  zone: "z1",
  version: "1",
  pricePerHour: 0,
  draining: false,
  host: "h",
  pid: 1,
  worlds: [],
  running: null,
  stretch: 1,
});
const placement = (process: ProcessId, sequence: number): PlacementBeat => ({
  type: "placementBeat",
  process,
  sequence,
  url: "",
  host: "h",
  pid: 1,
});
const gateway = (process: ProcessId, sequence: number): GatewayBeat => ({
  ...placement(process, sequence),
  type: "gatewayBeat",
  sessions: 0,
  sessionsMax: 1,
  draining: false,
  zone: "z1",
  version: "1",
  stretch: 1,
});

test("[MS20] older and repeated beats are dropped", () => {
  const view = new ClusterView();
  expect(view.observeNode(node(A1, 5, 7), 0).kind).toBe("accepted");
  expect(view.observeNode(node(A1, 5, 8), 10).kind).toBe("repeated");
  expect(view.observeNode(node(A1, 4, 9), 20).kind).toBe("repeated");
  expect(view.nodes.get(A1)?.beat.rooms).toBe(7);
  expect(view.nodes.get(A1)?.heardAt).toBe(0);
  expect(view.observeNode(node(A1, 6, 10), 30).kind).toBe("accepted");
  expect(view.nodes.get(A1)?.beat.rooms).toBe(10);
});

describe("incarnations", () => {
  test("[MS21] a newer incarnation supersedes the older", () => {
    const view = new ClusterView();
    view.observeNode(node(A1, 400), 100_000);
    expect(view.observeNode(node(A2, 1), 100_300)).toEqual({ kind: "accepted", older: A1 });
    view.setState(A1, "dead");
    expect([...view.nodes.keys()]).toEqual([A2]);
  });

  test("[MS21] an older incarnation heard later is superseded, whichever spoke first", () => {
    const view = new ClusterView();
    view.observeNode(node(A2, 10), 100_000);
    expect(view.observeNode(node(A1, 400), 100_100)).toEqual({ kind: "superseded" });
    expect([...view.nodes.keys()]).toEqual([A2]);
  });

  test("[MS21] a name whose incarnation died is free again", () => {
    const view = new ClusterView();
    view.observeNode(node(A2, 1), 100_000);
    view.setState(A2, "dead");
    expect(view.observeNode(node(A1, 400), 100_100)).toEqual({
      kind: "accepted",
      older: undefined,
    });
  });
});

test("[MS24] the last words of nodes that are gone are kept, up to a limit", () => {
  const view = new ClusterView({ ...viewDefaults, endedMax: 1 });
  view.observeNode(node(A1, 10, 4), 0);
  view.observeNode(node(A1, 11, 3), 250);
  view.observeNode(node(B1, 10, 0), 250);
  view.setState(A1, "suspect");
  expect(view.ended.size).toBe(0);
  view.setState(A1, "dead");
  expect([...view.ended].map(([id, { rooms }]) => [id, rooms])).toEqual([[A1, 3]]);
  view.setState(B1, "dead");
  expect([...view.ended.keys()], "the one that went first is forgotten first").toEqual([B1]);
  // It had only been forgotten (MS13).
  view.observeNode(node(B1, 12), 900);
  expect(view.ended.size).toBe(0);
});

describe("peers", () => {
  test("[MS22] silent gateways and placements are forgotten", () => {
    const view = new ClusterView();
    view.observeGateway(gateway(B1, 1), 0);
    view.observePlacement(placement(A1, 1), 0);
    view.tick(2_000);
    expect([view.gateways.size, view.placements.size]).toEqual([1, 1]);
    view.tick(2_001);
    expect([view.gateways.size, view.placements.size]).toEqual([1, 0]);
    view.observerPaused(5_001);
    view.tick(10_001);
    expect(view.gateways.size).toBe(1);
    view.tick(10_002);
    expect(view.gateways.size).toBe(0);
  });

  test("[MS22] rank counts the placements before one's own id", () => {
    const view = new ClusterView();
    expect(view.rank(B1)).toBe(0);
    view.observePlacement(placement(B1, 1), 0);
    view.observePlacement(placement(A1, 1), 0);
    view.observePlacement(placement(A2, 1), 0);
    expect([A1, A2, B1].map((process) => view.rank(process))).toEqual([0, 1, 2]);
  });
});

test("[MS23] processes beyond the limit are refused", () => {
  const view = new ClusterView({ ...viewDefaults, processesMax: 1 });
  view.observeNode(node(A1, 10), 5_000);
  expect(view.observeNode(node(B1, 1), 5_000).kind).toBe("full");
  expect(view.observeNode(node(A2, 1), 5_000)).toEqual({ kind: "accepted", older: A1 });
  view.observeGateway(gateway(A1, 1), 0);
  expect(view.observeGateway(gateway(B1, 1), 0)).toBe("full");
});
