import { describe, expect, it } from "vitest";
import { Register } from "../../actors/room/register.ts";
import { decodeSnapshot } from "../../actors/room/snapshot.ts";
import { EPOCH_NONE } from "../../src/kernel/epoch.ts";
import { processId, worldName } from "../../src/kernel/ids.ts";
import { encodeRecord } from "../../src/protocol/journal-record.ts";
import { decode } from "../../src/protocol/msgpack.ts";
import { ROOM_IMAGE } from "../../src/protocol/room-messages.ts";
import { type Served, serve, slow, takeOver } from "../support/counter-world.ts";
import type { RoomHarness } from "../support/room-harness.ts";

const entries = (harness: RoomHarness) =>
  harness.journal().flatMap((record) => (record.type === "batch" ? record.entries : []));

/** The public state, as a gateway that starts is told it. */
async function stateOf({ harness, gateway }: Served): Promise<unknown> {
  gateway.received.length = 0;
  gateway.send({ type: "watch", index: 0 });
  await harness.run(20);
  const parts = gateway.of("snapshot").map(({ data }) => data);
  const image = decode(Buffer.concat(parts));
  return image.ok ? ROOM_IMAGE(image.value)?.state : image.error;
}

describe("writes of unknown fate", () => {
  it("[OW3] a batch that never landed is not acknowledged before its repeat has", async () => {
    const { harness, node, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    node.stores.faults.nextAppends.push("lost");
    ada.command(1, "add", { by: 2 });
    await harness.run(4_000);
    expect(ada.replies()).toMatchObject([{ seq: 1, status: "ok" }]);
    expect(entries(harness).filter(({ type }) => type === "command")).toHaveLength(1);
  });

  it("[OW3] the repeat is the same write: it is known again when its own answer is lost", async () => {
    const { harness, node, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    node.stores.faults.nextAppends.push("lost", "ack_lost");
    ada.command(1, "add", { by: 2 });
    await harness.run(8_000);
    expect(ada.replies()).toMatchObject([{ seq: 1, status: "ok" }]);
    expect(node.node.stats().rooms).toBe(1);
  });

  it("[OW3] another write of the same process is not this one", () => {
    const by = processId("node-a.0000000000000001");
    const owner = (nonce: string) => ({
      type: "owner" as const,
      index: 1,
      previous: 0,
      epoch: EPOCH_NONE,
      by,
      nonce,
      at: 1,
      stateVersion: 1,
      owner: by,
      world: worldName("counter"),
    });
    const register = new Register(0);
    register.submit(owner("aaaaaaaaaaaaaaaa"));
    expect(register.outcome("aaaaaaaaaaaaaaaa", { kind: "refused" })).toMatchObject({
      type: "readAfter",
      sequence: 0,
    });
    const stored = { sequence: 5, data: encodeRecord(owner("bbbbbbbbbbbbbbbb")) };
    expect(register.after("aaaaaaaaaaaaaaaa", stored)).toMatchObject({ type: "fenced" });
    expect(register.fenced).toBe(true);
  });
});

describe("slow work", () => {
  it("[CM9] does not come back to a later ownership than asked for it", async () => {
    const { harness, node, gateway } = await serve();
    const ada = gateway.attach("ada");
    await harness.run(10);
    ada.command(1, "think");
    await harness.run(10);
    ada.command(2, "explode");
    await harness.run(50);
    const restarted = harness.journal().length;
    slow.release(40);
    await harness.run(50);
    expect(node.node.stats().rooms).toBe(1);
    expect(harness.journal()).toHaveLength(restarted);
  });
});

describe("snapshots under load", () => {
  it("[RM5] hold what is acked and no more, replies included; later records stay", async () => {
    const served = await serve();
    const { harness, node, gateway } = served;
    const bob = gateway.attach("bob");
    const ada = gateway.attach("ada");
    await harness.run(10);
    bob.command(1, "add", { by: 1 });
    await harness.run(10);
    Object.assign(node.stores.faults, { latencyMsMin: 2, latencyMsMax: 2 });
    const named = () => harness.journal().findLast((record) => record.type === "named");
    let seq = 0;
    // Unanswered commands are at most 4, so that some are decided at every moment.
    while (seq < 2_000 && !named()) {
      if (seq - ada.replies().length < 4) ada.command(++seq, "add", { by: 1 });
      await harness.run(1);
    }
    await harness.run(50);
    const found = named();
    expect(found?.index, "records were written while it was stored").toBeGreaterThan(
      (found?.snapshotIndex ?? 0) + 1,
    );
    expect(harness.journal()[0]?.index).toBe((found?.snapshotIndex ?? 0) + 1);
    const stored = decodeSnapshot([...harness.stores.snapshots.values()][0] ?? new Uint8Array());
    const replies = stored?.fold.sessions.get(ada.session)?.replies ?? [];
    const told = ada.replies().filter(({ index }) => index <= (found?.snapshotIndex ?? 0));
    expect(replies.at(-1)).toMatchObject({ seq: told.at(-1)?.seq, index: told.at(-1)?.index });
    const before = await stateOf(served);
    await takeOver(served);
    expect(await stateOf(served)).toEqual(before);
    for (const person of [ada, bob]) person.attach(true);
    await harness.run(20);
    bob.command(1, "add", { by: 1 }, true);
    ada.command(seq + 1, "add", { by: 1 });
    await harness.run(50);
    expect(bob.replies().at(-1)).toMatchObject({ seq: 1, status: "ok", data: { count: 1 } });
    expect(ada.replies().at(-1)).toMatchObject({ seq: seq + 1, data: { count: seq + 2 } });
  }, 20_000);
});

describe("what an older socket or an attach on its way may say", () => {
  it("[MB1] the repeat of an attach that is not durable yet confirms nothing", async () => {
    const { harness, node, gateway } = await serve();
    gateway.attach("ada", 1);
    await harness.run(10);
    Object.assign(node.stores.faults, { latencyMsMin: 20, latencyMsMax: 20 });
    const fresh = gateway.attach("ada", 2, { resumed: true });
    await harness.run(5);
    fresh.attach(true);
    await harness.run(20);
    expect(gateway.of("attached").map(({ attach }) => attach)).toEqual([1]);
    await harness.run(100);
    expect(gateway.of("attached").at(-1)?.attach).toBe(2);
  });

  it("[MB2] a leave or an away of an older socket removes nobody", async () => {
    const { harness, node, gateway } = await serve();
    const old = gateway.attach("ada", 1);
    await harness.run(10);
    gateway.attach("ada", 2, { resumed: true });
    await harness.run(10);
    old.leave();
    await harness.run(20);
    expect(node.node.stats().sessions).toBe(1);
    old.away();
    for (let second = 0; second < 65; second++) {
      gateway.send({ type: "watch", index: 0 });
      await harness.clock.run(1_000, 10);
    }
    expect(node.node.stats().sessions).toBe(1);
  }, 20_000);
});
