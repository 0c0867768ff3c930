import { describe, expect, it } from "vitest";
import { roomId } from "../../src/kernel/ids.ts";
import { decodeControl } from "../../src/protocol/control-messages.ts";
import { counter, currentEpoch, serve } from "../support/counter-world.ts";
import { ROOM, RoomHarness, type ScriptedGateway } from "../support/room-harness.ts";

describe("a node that closes", () => {
  it("[SV7] leaves no timer of its own behind, and claims nothing", async () => {
    const harness = new RoomHarness();
    const node = harness.node("node-a", [counter]);
    harness.propose(node, counter);
    await harness.run(20);
    // Beyond the places for takeovers, so that some wait until others are done.
    node.stores.faults.unreachable = true;
    for (let i = 0; i < 140; i++)
      harness.propose(node, counter, undefined, roomId(`demo/room-${i}`));
    await harness.run(5);
    const { journal } = node.stores;
    let asked = 0;
    journal.readTail = () => {
      asked++;
      return new Promise(() => {});
    };
    node.node.close();
    await harness.run(1);
    expect(asked, "rooms that began").toBe(0);
    await harness.run(1_600);
    expect(harness.clock.pending, "reads that were under way have timed out").toBe(0);
  });

  it("[SV7] forgets what it was to say of a room it took just now", async () => {
    const { harness, node } = await serve();
    node.node.close();
    await harness.run(1);
    expect(harness.clock.pending).toBe(0);
  });
});

/** As clients do: the command that crashes the room, again and again. */
async function crash(harness: RoomHarness, gateway: ScriptedGateway, times: number) {
  for (let round = 1; round <= times; round++) {
    gateway.epoch = currentEpoch(harness);
    const person = gateway.attach(`p${round}`);
    await harness.run(20);
    person.command(1, "explode");
    person.leave();
    await harness.run(650);
  }
}

describe("a room that crashes", () => {
  it("[SV12] is noted as given up, also where the node is to serve it again by then", async () => {
    const { harness, node, gateway } = await serve();
    await crash(harness, gateway, 3);
    const { index } = node.stores;
    const change = index.change.bind(index);
    let frozen = true;
    index.change = async (...given) =>
      frozen ? { ok: false, error: "unavailable" } : change(...given);
    await crash(harness, gateway, 1);
    expect(node.node.stats().rooms, "given up").toBe(0);
    harness.propose(node, counter, currentEpoch(harness));
    await harness.run(100);
    expect(node.node.stats().rooms).toBe(1);
    frozen = false;
    await harness.run(3_000);
    const entry = await index.read(ROOM);
    expect(entry).toMatchObject({ value: { owner: node.id, crashedOn: [node.id] } });
  });

  it("[SV1] is announced no more until it serves again", async () => {
    const { harness, node, gateway } = await serve();
    await crash(harness, gateway, 2);
    const last = currentEpoch(harness);
    const told: number[] = [];
    gateway.epoch = last;
    const person = gateway.attach("eve");
    // The steady announcement comes while the room waits for its restart.
    await harness.run(1_800 - (harness.clock.now() % 1_000));
    person.command(1, "explode");
    await harness.run(5);
    harness.control.open("listener").subscribe("c.route.>", ({ data }) => {
      const message = decodeControl(data);
      if (message?.type !== "route" || message.owner !== node.id) return;
      for (const { epoch } of message.routes) told.push(epoch);
    });
    await harness.run(2_000);
    expect(told.length).toBeGreaterThan(0);
    expect(told).not.toContain(last);
  });
});
