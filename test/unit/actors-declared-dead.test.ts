import { expect, it } from "vitest";
import { Node } from "../../actors/node.ts";
import { ownershipOf } from "../../actors/room/recovery.ts";
import { EPOCH_NONE } from "../../src/kernel/epoch.ts";
import { roomId } from "../../src/kernel/ids.ts";
import { type Liveness, startInlineLiveness } from "../../src/membership/liveness.ts";
import { type Log, silentObserver } from "../../src/observe/observer.ts";
import { startPlacement } from "../../src/placement/service.ts";
import { counter } from "../support/counter-world.ts";
import { ROOM, RoomHarness } from "../support/room-harness.ts";

/** A node that says what it would do with its process. */
function serve(ends: (node: Node, liveness: Liveness) => void, harness = new RoomHarness()) {
  const self = harness.process("node-a");
  const errors: string[] = [];
  const warnings: unknown[] = [];
  const error: Log["error"] = (_, message) => errors.push(message);
  const warn: Log["warn"] = (facts) => warnings.push(facts);
  let liveness: Liveness | undefined;
  const controlBus = harness.control.open(self);
  const dataBus = harness.data.open(self);
  const stores = harness.stores.open();
  const node: Node = new Node(
    {
      self,
      clock: harness.clock,
      random: harness.random,
      observer: { ...silentObserver, log: { ...silentObserver.log, error, warn } },
      controlBus,
      dataBus,
      ...stores,
      utilisation: () => 0,
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
  return {
    harness,
    target: { id: self, node, stores, counts: new Map() },
    errors,
    warnings,
    close,
  };
}

type Served = ReturnType<typeof serve>;

/** Another node takes the room; the one that had it has not noticed yet. */
async function loseRoom({ harness, target }: Served, room = ROOM): Promise<void> {
  const tail = await target.stores.journal.readTail(room);
  if (!tail.ok) throw new Error(`no tail of ${room}`);
  const other = harness.node("node-other", [counter]);
  harness.propose(other, counter, ownershipOf(tail.value)?.epoch, room);
  await harness.run(20);
  expect(other.node.stats().rooms).toBe(1);
  expect(target.node.stats().rooms, "it has not noticed").toBeGreaterThan(0);
}

it("[MS37] [PR49] a node ends on word of its own incarnation, and on no other", async () => {
  let ended = 0;
  const { harness, target, errors, close } = serve(() => ended++);
  harness.declareDead(harness.process("node-a"), target);
  harness.declareDead(harness.process("node-b"), target);
  await harness.run(10);
  expect({ ended, errors }).toEqual({ ended: 0, errors: [] });
  harness.declareDead(target.id, target);
  await harness.run(10);
  expect(ended, "it has no room that would speak for it").toBe(1);
  expect(errors).toEqual([expect.stringContaining("holds this node dead")]);
  await close();
});

it("[MS39] a node goes on as long as the journal of one of its rooms names it", async () => {
  let ended = 0;
  const served = serve(() => ended++);
  const { harness, target, errors, warnings } = served;
  const second = roomId("demo/second");
  for (const room of [ROOM, second]) harness.propose(target, counter, EPOCH_NONE, room);
  await harness.run(20);
  await loseRoom(served);
  harness.declareDead(target.id, target);
  await harness.run(10);
  expect({ ended, errors }).toEqual({ ended: 0, errors: [] });
  expect(warnings).toEqual([{ room: second, standing: "owner" }]);
  await loseRoom(served, second);
  harness.declareDead(target.id, target);
  await harness.run(10);
  expect(ended).toBe(1);
  expect(errors).toEqual([expect.stringContaining("holds this node dead")]);
  await served.close();
});

it("[MS39] a journal that does not answer confirms nothing, and the next word is checked", async () => {
  let ended = 0;
  const served = serve(() => ended++);
  const { harness, target, warnings } = served;
  harness.propose(target, counter);
  await harness.run(20);
  await loseRoom(served);
  target.stores.faults.unreachable = true;
  harness.declareDead(target.id, target);
  await harness.run(20_000);
  expect(ended).toBe(0);
  expect(warnings).toContainEqual({ room: ROOM, standing: "unavailable" });
  target.stores.faults.unreachable = false;
  harness.declareDead(target.id, target);
  await harness.run(10);
  expect(ended).toBe(1);
  await served.close();
});

it("[MS39] it reads few tails, and those of one word at a time", async () => {
  const served = serve(() => undefined);
  const { harness, target, warnings } = served;
  for (let i = 0; i < 40; i++)
    harness.propose(target, counter, EPOCH_NONE, roomId(`demo/room${i}`));
  await harness.run(50);
  expect(target.node.stats().rooms).toBe(40);
  const { journal } = target.stores;
  const readTail = journal.readTail.bind(journal);
  let reads = 0;
  journal.readTail = (room) => {
    reads++;
    return readTail(room);
  };
  for (let i = 0; i < 5; i++) harness.declareDead(target.id, target);
  await harness.run(10);
  expect(warnings).toHaveLength(1);
  expect(reads).toBe(16);
  await served.close();
});

it("[MS37] without a process to end it closes itself: it serves and obeys no more", async () => {
  const harness = new RoomHarness();
  const node = harness.node("node-a", [counter]);
  harness.declareDead(node.id, node);
  await harness.run(10);
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
  const newer = serve(() => expect.unreachable("the newer one lives"), harness);
  await harness.run(5_000);
  expect(ended).toBe(1);
  expect(older.target.node.stats().rooms).toBe(0);
  expect(newer.target.node.stats().rooms).toBe(1);
  const times = told.length;
  expect(times).toBeGreaterThan(0);
  await harness.run(5_000);
  expect(told, "who beats no more is told no more").toHaveLength(times);
  expect(placement.snapshot().nodes.map(({ id }) => id)).toEqual([newer.target.id]);
  placement.close();
  await newer.close();
  await older.close();
});
