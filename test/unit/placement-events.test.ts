import { afterEach, describe, expect, test } from "vitest";
import { type RoomId, roomId, worldName } from "../../src/kernel/ids.ts";
import { autoCreateBy } from "../../src/placement/auto-create.ts";
import { closeEvent } from "../../src/placement/event-closing.ts";
import { eventOfName } from "../../src/placement/room-table.ts";
import { SHARDS_MAX, shardRoom } from "../../src/protocol/event-names.ts";
import { EventCluster, GALA } from "../support/event-cluster.ts";
import { answers, Bench, entry, node, room } from "../support/planner-bench.ts";

const STAGE = entry(1, { world: worldName("concert") });
const SHARD = roomId(`${STAGE.room}--3`);
const SHARDS = worldName("concert--shard");

/** A planner with a node that hosts events. */
function eventBench(config: ConstructorParameters<typeof Bench>[0] = {}): Bench {
  const bench = new Bench(config);
  const worlds = ["concert", "concert--shard"].map((world) => ({
    ...{ world: worldName(world), stateVersion: 1 },
  }));
  bench.beat(node(1), { worlds });
  return bench;
}
const looked = (over: object = {}) =>
  ({
    type: "lookedUp",
    room: SHARD,
    entry: undefined,
    stage: STAGE,
    failed: false,
    ...over,
  }) as const;

describe("a shard that somebody asks for", () => {
  test("[PL76] is looked up with its stage, and made in the world of shards", () => {
    const bench = eventBench();
    const lookUp = { type: "lookUp", room: SHARD } as const;
    expect(bench.locate("room1--3").effects).toEqual([{ ...lookUp, create: undefined }]);
    const effects = bench.decide(looked());
    expect(effects).toContainEqual({ ...lookUp, create: SHARDS });
    expect(answers(effects)).toEqual(["placing"]);
    expect(bench.locate("room1--3").located, "who asks meanwhile is told with the others").toEqual(
      [],
    );
    const made = { ...entry("1--3"), world: SHARDS };
    expect(answers(bench.decide(looked({ entry: made })))).toEqual(["placing"]);
  });

  test.each([
    ["there is no stage", { stage: undefined }, "unknown"],
    ["its stage is closed", { stage: { ...STAGE, status: "closed" } }, "unknown"],
    ["its stage is of a world without shards", { stage: entry(1) }, "unknown"],
    ["the index did not say", { stage: undefined, failed: true }, "placing"],
    [
      "it is closed itself",
      { entry: entry("1--3", { status: "closed" }), stage: undefined },
      "closed",
    ],
  ] as const)("[PL76] is not made where %s", (_, said, status) => {
    const bench = eventBench();
    bench.locate("room1--3");
    const effects = bench.decide(looked(said));
    expect([answers(effects), effects.length]).toEqual([[status], 1]);
  });

  test("[PL76] a quarantined stage's audience goes on", () => {
    const bench = eventBench();
    bench.locate("room1--3");
    const stage = { ...STAGE, status: "quarantined" };
    expect(answers(bench.decide(looked({ stage })))).toEqual(["placing"]);
  });

  test("[PL43] [PL76] there is no place for is not made", () => {
    const bench = eventBench({ config: { roomsMax: 1 } });
    bench.index(STAGE);
    bench.locate("room1--3");
    expect(answers(bench.decide(looked()))).toEqual(["no_capacity"]);
  });

  test("[PL76] a route of a room that nobody knows makes none", () => {
    const bench = eventBench();
    bench.route(node(1), ["1--3", 7]);
    expect(bench.decide(looked())).toEqual([]);
  });

  test("[PL41] [PL76] no pattern makes a room of its name", () => {
    const made = autoCreateBy({ "gala*": "plaza", "*": "plaza" });
    expect(made(roomId("demo/gala--3"))).toBeUndefined();
    expect(made(roomId("demo/gala--x"))).toBe("plaza");
  });
});

describe("shards in a cluster", () => {
  let cluster: EventCluster;
  afterEach(() => cluster.close());

  const spread = (): number[] =>
    cluster.nodes.map(({ id }) => {
      const { rooms } = cluster.placement.snapshot();
      return rooms.filter(({ room, owner }) => owner === id && room !== GALA).length;
    });

  test("[PL76] are made as people ask, in their world, and only so many", async () => {
    cluster = await EventCluster.start(2);
    const shard = shardRoom(GALA, 0);
    expect(await cluster.locate(shard)).toBe("unknown");
    await cluster.gala();
    expect(await cluster.locate(shard)).toBe("placing");
    await cluster.run(500);
    expect(await cluster.locate(shard)).toBe("placed");
    const { index } = cluster.harness.stores.open();
    expect(await index.read(shard)).toMatchObject({ value: { world: "concert--shard" } });
    expect(await cluster.locate(shardRoom(GALA, SHARDS_MAX))).toBe("unknown");
    expect(await cluster.locate(shardRoom(GALA, SHARDS_MAX - 1))).toBe("placing");
    expect(await cluster.locate(shardRoom(roomId("demo/nothing"), 0))).toBe("unknown");
  });

  test("[PL71] [PL2] are spread over nodes and zones, and a death touches few", async () => {
    cluster = await EventCluster.start(4);
    await cluster.gala({ capacity: 2_400 });
    await cluster.seat(12);
    expect(spread()).toEqual([3, 3, 3, 3]);
    cluster.nodes[0]?.die();
    await cluster.run(4_000);
    const [dead, ...others] = spread();
    expect([dead, [...others].sort()]).toEqual([0, [4, 4, 4]]);
  });

  test("[PL71] belong to their event, and to no other", () => {
    expect(eventOfName(roomId("demo/gala--12"))).toBe("demo/gala");
    expect(eventOfName(roomId("demo/gala-2--12"))).toBe("demo/gala-2");
    expect(eventOfName(GALA)).toBeUndefined();
    cluster = new EventCluster();
  });
});

describe("the closing of an event", () => {
  const shards = Array.from({ length: 40 }, (_, k) => entry(`1--${k}`, { world: SHARDS }));
  const changed = { ok: true, value: STAGE } as const;

  test("[PL73] closes shards made meanwhile after the stage, and no other room", async () => {
    const listings = [
      [STAGE, entry(2), ...shards],
      [entry("1--99"), entry("2--1")],
    ];
    const closed: RoomId[] = [];
    const outcome = await closeEvent(
      STAGE.room,
      { list: async () => ({ ok: true, value: listings.shift() ?? [] }) },
      async (one) => {
        closed.push(one);
        return changed;
      },
    );
    expect(outcome).toEqual({ ok: true, value: { stage: STAGE, shards: 41 } });
    const expected = [...shards.map((shard) => shard.room), STAGE.room, room("1--99")];
    expect(closed).toEqual(expected);
  });

  test("[PL73] ends where something fails, with the stage still there", async () => {
    const closed: RoomId[] = [];
    const outcome = await closeEvent(
      STAGE.room,
      { list: async () => ({ ok: true, value: shards }) },
      async (one) => {
        closed.push(one);
        return one === room("1--20") ? { ok: false, error: "contended" } : changed;
      },
    );
    expect(outcome).toEqual({ ok: false, error: "contended" });
    expect(closed).not.toContain(STAGE.room);
    expect(closed.length).toBeLessThan(shards.length);
  });

  test("[PL73] of what was never there is told so", async () => {
    const nothing = async () => ({ ok: true, value: undefined }) as const;
    const list = async () => ({ ok: true, value: [] }) as const;
    expect(await closeEvent(STAGE.room, { list }, nothing)).toEqual({ ok: true, value: undefined });
  });
});
