import { expect, it } from "vitest";
import { type ProcessId, processId } from "../../src/kernel/ids.ts";
import { decodeRun } from "../../src/protocol/msgpack.ts";
import { BATCH_HEAD } from "../../src/protocol/room-messages.ts";
import { nodeInbox } from "../../src/protocol/subjects.ts";
import { FakeRoom } from "../support/fake-room.ts";
import { GATEWAY, GatewayRig, NODE, ROOM } from "../support/gateway-rig.ts";

const incarnation = (n: number): ProcessId =>
  processId(`node1.${(0xc0 + n).toString(16).padStart(16, "0")}`);

/** One room that goes from node to node, and the numbers of the batches that each node is sent. */
class Wanderer {
  readonly rig: GatewayRig;
  readonly numbers = new Map<ProcessId, number[]>();
  #owner: FakeRoom;
  #sequence = 10;

  constructor(linkIdleMs: number) {
    this.rig = new GatewayRig({ linkIdleMs });
    this.#owner = this.rig.room;
    this.#listen(NODE);
  }

  async move(node: ProcessId): Promise<void> {
    const { rig } = this;
    const epoch = rig.journal.claim(ROOM, node, ++this.#sequence);
    this.#owner.answersWatch = false;
    const { records, members, rows, state } = this.#owner;
    const bus = rig.network.open(node);
    this.#owner = Object.assign(new FakeRoom({ bus, clock: rig.clock, node, room: ROOM, epoch }), {
      records,
      members,
      rows,
      state,
    });
    if (!this.numbers.has(node)) this.#listen(node);
    this.#owner.tick(GATEWAY);
    await rig.run(200);
  }

  #listen(node: ProcessId): void {
    const numbers: number[] = [];
    this.numbers.set(node, numbers);
    this.rig.control.subscribe(nodeInbox(node), ({ data }) => {
      const run = decodeRun(data, 1_024);
      numbers.push(run.ok ? (BATCH_HEAD(run.value[0])?.sequence ?? 0) : 0);
    });
  }
}

it("[GW48] links to incarnations that own no room any more are forgotten", async () => {
  const wanderer = new Wanderer(4_000);
  const { rig } = wanderer;
  const client = await rig.joined();
  for (let n = 1; n <= 5; n++) await wanderer.move(incarnation(n));
  expect(rig.core.stats().links).toBe(6);
  await rig.run(4_500);
  expect(rig.core.stats().links, "all were used lately").toBe(6);
  await rig.run(5_000);
  expect(rig.core.stats().links, "the owner's is left").toBe(1);
  expect(client.closedWith).toBeUndefined();
});

it("[GW48] a room's link stays however silent it is", async () => {
  const wanderer = new Wanderer(1_000);
  const { rig } = wanderer;
  await rig.joined();
  await rig.run(500);
  const [numbers = []] = wanderer.numbers.values();
  await rig.run(10_000);
  expect(rig.core.stats().links).toBe(1);
  expect(numbers, "one after the other").toEqual(numbers.map((_, i) => i + 1));
});

it("[GW48] a link that is opened after others were closed is numbered on from them", async () => {
  const wanderer = new Wanderer(2_000);
  const { rig } = wanderer;
  await rig.joined();
  await rig.run(3_000);
  const [before = []] = wanderer.numbers.values();
  await wanderer.move(incarnation(1));
  const [second = 0] = wanderer.numbers.get(incarnation(1)) ?? [];
  expect(second, "nothing was closed yet").toBe(1);
  await rig.run(10_000);
  expect(rig.core.stats().links).toBe(1);
  const closedAt = Math.max(...before);
  expect(closedAt).toBeGreaterThan(1);
  await wanderer.move(NODE);
  expect(before.filter((number) => number > closedAt)[0], "the node takes it for new").toBe(
    closedAt + 1,
  );
  await rig.run(10_000);
  const highest = Math.max(...(wanderer.numbers.get(incarnation(1)) ?? []));
  await wanderer.move(incarnation(2));
  const [first = 0] = wanderer.numbers.get(incarnation(2)) ?? [];
  expect(first).toBe(Math.max(closedAt, highest) + 1);
});
