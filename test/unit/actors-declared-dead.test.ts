import { expect, it } from "vitest";
import { Node } from "../../actors/node.ts";
import { type Liveness, startInlineLiveness } from "../../src/membership/liveness.ts";
import { type Log, silentObserver } from "../../src/observe/observer.ts";
import { startPlacement } from "../../src/placement/service.ts";
import { counter } from "../support/counter-world.ts";
import { ROOM, RoomHarness } from "../support/room-harness.ts";

/** A node that says what it would do with its process. */
function serve(ends: (node: Node, liveness: Liveness) => void) {
  const harness = new RoomHarness();
  const self = harness.process("node-a");
  const errors: string[] = [];
  const error: Log["error"] = (_, message) => errors.push(message);
  let liveness: Liveness | undefined;
  const controlBus = harness.control.open(self);
  const dataBus = harness.data.open(self);
  const stores = harness.stores.open();
  const node: Node = new Node(
    {
      self,
      clock: harness.clock,
      random: harness.random,
      observer: { ...silentObserver, log: { ...silentObserver.log, error } },
      controlBus,
      dataBus,
      ...stores,
      turn: () => {},
      declaredDead: () => ends(node, liveness as Liveness),
    },
    [counter],
  );
  liveness = startInlineLiveness({
    facts: {
      process: self,
      capacity: 1,
      arch: "x64",
      zone: "z1",
      version: "1",
      pricePerHour: 0,
      host: "h",
      pid: 1,
      worlds: [{ world: counter.name, stateVersion: counter.version }],
    },
    clock: harness.clock,
    control: controlBus,
    data: dataBus,
    measure: () => ({ ...node.stats(), egressBytesPerS: 0, draining: false }),
  });
  const close = async (): Promise<void> => {
    node.close();
    await liveness?.close();
  };
  return { harness, target: { id: self, node, stores, counts: new Map() }, errors, close };
}

it("[MS37] [PR49] a node ends on word of its own incarnation, and on no other", async () => {
  let ended = 0;
  const { harness, target, errors, close } = serve(() => ended++);
  harness.declareDead(harness.process("node-a"), target);
  harness.declareDead(harness.process("node-b"), target);
  await harness.run(10);
  expect({ ended, errors }).toEqual({ ended: 0, errors: [] });
  harness.propose(target, counter);
  await harness.run(20);
  expect(target.node.stats().rooms).toBe(1);
  harness.declareDead(target.id, target);
  await harness.run(10);
  expect(ended).toBe(1);
  expect(errors).toEqual([expect.stringContaining("holds this node dead")]);
  await close();
});

it("[MS37] without a process to end it closes itself: it serves and obeys no more", async () => {
  const harness = new RoomHarness();
  const node = harness.node("node-a", [counter]);
  harness.propose(node, counter);
  await harness.run(20);
  expect(node.node.stats().rooms).toBe(1);
  harness.declareDead(node.id, node);
  await harness.run(10);
  expect(node.node.stats().rooms).toBe(0);
  harness.propose(node, counter);
  await harness.run(50);
  expect(node.node.stats().rooms).toBe(0);
});

it("[MS37] [PL47] in one process: the superseded node closes alone, and is told no more", async () => {
  let ended = 0;
  const older = serve((node, liveness) => {
    ended++;
    node.close();
    void liveness.close();
  });
  const { harness } = older;
  const { index, journal } = harness.stores.open();
  const { clock, random } = harness;
  const told: number[] = [];
  const self = harness.process("placement-1");
  const placement = startPlacement({
    self,
    url: "http://127.0.0.1:1",
    host: "h",
    pid: 1,
    control: harness.control.open(self),
    sys: undefined,
    index,
    journal,
    clock,
    random,
    observer: silentObserver,
  });
  harness.placement.subscribe(`c.n.${older.target.id}.ctl`, () => told.push(clock.now()));
  await harness.run(1_000);
  await placement.createRoom(ROOM, counter.name);
  await harness.run(500);
  expect(older.target.node.stats().rooms).toBe(1);
  told.length = 0;
  // A newer incarnation of the same name, which only beats.
  const newer = startInlineLiveness({
    facts: {
      process: harness.process("node-a"),
      capacity: 1,
      arch: "x64",
      zone: "z1",
      version: "1",
      pricePerHour: 0,
      host: "h",
      pid: 1,
      worlds: [],
    },
    clock,
    control: harness.control.open("newer"),
    data: harness.data.open("newer"),
    measure: () => ({ rooms: 0, sessions: 0, egressBytesPerS: 0, draining: false }),
  });
  await harness.run(5_000);
  expect(ended).toBe(1);
  expect(older.target.node.stats().rooms).toBe(0);
  expect(told, "who beats no more is told no more").toHaveLength(1);
  expect(placement.snapshot().nodes.map(({ id }) => id)).toEqual([
    expect.stringMatching(/^node-a/),
  ]);
  placement.close();
  await newer.close();
  await older.close();
});
