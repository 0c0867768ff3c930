import { expect, test } from "vitest";
import { Node } from "../../actors/node.ts";
import { processName } from "../../src/kernel/ids.ts";
import { startInlineLiveness } from "../../src/membership/liveness.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { CLOSED_LIMITS } from "../../src/placement/closed-entries.ts";
import { placementDefaults, startPlacement } from "../../src/placement/service.ts";
import { counter } from "../support/counter-world.ts";
import { ROOM, RoomHarness } from "../support/room-harness.ts";

const KEEP_MS = 60_000;

/** A node that beats, with its own way to die without a word. */
function speakingNode(harness: RoomHarness, name: string) {
  const self = harness.process(name);
  const controlBus = harness.control.open(self);
  const dataBus = harness.data.open(self);
  const { clock, random } = harness;
  const ports = { self, controlBus, dataBus, ...harness.stores.open(), clock, random };
  const own = { observer: silentObserver, utilisation: () => 0, turn: () => {} };
  const node = new Node({ ...ports, ...own }, [counter]);
  const facts = { process: self, capacity: 1, arch: "x64", zone: "z1", version: "1" };
  const worlds = [{ world: counter.name, stateVersion: counter.version }];
  const liveness = startInlineLiveness({
    facts: { ...facts, pricePerHour: 0, host: "h", pid: 1, worlds },
    clock,
    control: controlBus,
    data: dataBus,
    measure: () => ({ ...node.stats(), egressBytesPerS: 0 }),
    // That of a busy machine would leave no place for the room.
    utilisation: () => 0.1,
  });
  const die = (): void => {
    void controlBus.close();
    void dataBus.close();
    node.close();
    void liveness.close();
  };
  return { node, die };
}

test("[PL56] [PL57] [PL58] [SV8] a room that was closed stays so, by its journal alone", async () => {
  const harness = new RoomHarness();
  const { clock, random } = harness;
  const self = harness.process("placement-1");
  const { index, journal } = harness.stores.open();
  const placement = startPlacement({
    self,
    url: "",
    host: "h",
    pid: 1,
    control: harness.control.open(self),
    sys: undefined,
    index,
    journal,
    clock,
    random,
    observer: silentObserver,
    config: { ...placementDefaults, closed: { ...CLOSED_LIMITS, keepMs: KEEP_MS } },
  });
  const entry = async () => {
    const read = await index.read(ROOM);
    if (!read.ok) throw new Error(read.error);
    const { value } = read;
    return value && [value.status, value.owner && processName(value.owner)];
  };
  const closes = () =>
    harness.journal().filter((record) => {
      return record.type === "batch" && record.entries.some(({ type }) => type === "close");
    }).length;

  const first = speakingNode(harness, "node-a");
  await harness.run(1_000);
  await placement.createRoom(ROOM, counter.name);
  await harness.run(2_000);
  expect(await entry()).toEqual(["wanted", "node-a"]);
  const stale = harness.stores.entries.get(ROOM)?.data as Uint8Array;
  first.die();
  await placement.closeRoom(ROOM);
  const second = speakingNode(harness, "node-b");
  expect([await entry(), closes()]).toEqual([["closed", "node-a"], 0]);
  await harness.run(5_000);
  expect([await entry(), closes(), second.node.stats().rooms]).toEqual([
    ["closed", undefined],
    1,
    0,
  ]);

  await harness.run(KEEP_MS + 7_000);
  expect([await entry(), placement.snapshot().rooms]).toEqual([undefined, []]);
  const made = await placement.createRoom(ROOM, counter.name);
  expect(made).toMatchObject({ value: { created: false, entry: { status: "closed" } } });
  expect(closes(), "nobody had to look into it").toBe(1);

  // A writer of long ago: its owner's note, of a lower epoch than any since.
  await harness.run(KEEP_MS + 7_000);
  expect(await entry()).toBeUndefined();
  harness.stores.entries.set(ROOM, {
    data: stale,
    revision: harness.stores.nextSequence("KV_own"),
  });
  await harness.run(15_000);
  expect([await entry(), closes(), second.node.stats().rooms]).toEqual([
    ["closed", undefined],
    2,
    0,
  ]);
  await harness.run(KEEP_MS + 7_000);
  expect(await entry()).toBeUndefined();
  placement.close();
  second.die();
}, 30_000);
