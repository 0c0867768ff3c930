import { describe, expect, test } from "vitest";
import type { IndexEntry } from "../../src/journal/index-store.ts";
import { EPOCH_NONE, epochAt } from "../../src/kernel/epoch.ts";
import { type ProcessId, processId, roomId, worldName } from "../../src/kernel/ids.ts";
import { autoCreateBy } from "../../src/placement/auto-create.ts";
import { DeathNotices } from "../../src/placement/death-notices.ts";
import { changeEntry } from "../../src/placement/index-changes.ts";
import { eventOfName } from "../../src/placement/room-table.ts";

const PLAZA = worldName("plaza");
const node = (n: number): ProcessId => processId(`n${n}.${n.toString(16).padStart(16, "0")}`);
const room = (n: number) => roomId(`t/room${n}`);
const epoch = (n: number) => epochAt(0, n);

const entry = (name: number, over: Partial<IndexEntry> = {}): IndexEntry => ({
  room: room(name),
  world: PLAZA,
  status: "wanted",
  epoch: EPOCH_NONE,
  owner: undefined,
  crashedOn: [],
  immovable: false,
  changedAtMs: 1_000,
  ...over,
});

describe("small parts", () => {
  test("[PL41] the longest pattern wins", () => {
    const world = autoCreateBy({
      "*": "any",
      "plaza-*": "plaza",
      plaza: "plaza",
      "plaza-vip": "vip",
    });
    expect(world(roomId("t/plaza"))).toBe("plaza");
    expect(world(roomId("t/plaza-2"))).toBe("plaza");
    expect(world(roomId("t/plaza-vip"))).toBe("vip");
    expect(world(roomId("t/other"))).toBe("any");
    expect(autoCreateBy({ plaza: "plaza" })(roomId("t/plaza2"))).toBeUndefined();
  });

  test("[PL3] rooms that differ in their number are one event of one tenant", () => {
    expect(eventOfName(roomId("t/show-12"))).toBe("t/show");
    expect(eventOfName(roomId("u/show-s3"))).toBe("u/show");
    expect(eventOfName(roomId("t/show"))).toBeUndefined();
  });

  test("[PL47] whom to tell that it is dead: each once a period, and few are remembered", () => {
    const notices = new DeathNotices({ everyMs: 1_000, processesMax: 2 });
    expect([0, 999, 1_000, 1_999].map((now) => notices.due(node(1), now))).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(notices.due(node(2), 1_500)).toBe(true);
    expect(notices.due(node(1), 2_000)).toBe(true);
    expect(notices.due(node(3), 2_001)).toBe(true);
    expect(notices.due(node(1), 2_002), "still remembered: told after node 2").toBe(false);
    expect(notices.due(node(2), 2_003), "forgotten: told longest ago").toBe(true);
  });

  test("[PL44] what is decided before the owner is in the index brings it there", () => {
    const lagging = entry(1, { epoch: epoch(3), owner: node(7), crashedOn: [node(7)] });
    const verdict = { room: room(1), epoch: epoch(5), owner: node(1) };
    const lifted = { ...lagging, epoch: epoch(5), owner: node(1), changedAtMs: 1_001 };
    expect(changeEntry({ kind: "crashed", ...verdict }, lagging, 1)).toEqual({
      ...lifted,
      crashedOn: [node(7), node(1)],
    });
    expect(changeEntry({ kind: "quarantine", ...verdict }, lagging, 1)).toEqual({
      ...lifted,
      status: "quarantined",
    });
    expect(changeEntry({ kind: "forget_crashes", ...verdict }, lagging, 1)).toEqual({
      ...lifted,
      crashedOn: [],
    });
  });

  test("[PL77] in a restored journal crashes are counted from none", () => {
    const before = entry(1, { epoch: epoch(9), owner: node(7), crashedOn: [node(7)] });
    const verdict = { room: room(1), epoch: epochAt(1, 2), owner: node(1) };
    const changed = changeEntry({ kind: "crashed", ...verdict }, before, 1);
    expect(changed).toMatchObject({ epoch: epochAt(1, 2), crashedOn: [node(1)] });
  });

  test("[PL44] at the same epoch the entry knows best who the owner is", () => {
    const gaveUp = entry(1, { epoch: epoch(5), crashedOn: [node(1)] });
    const verdict = { room: room(1), epoch: epoch(5), owner: node(1) };
    const changed = changeEntry({ kind: "quarantine", ...verdict }, gaveUp, 1);
    expect(changed).toMatchObject({ status: "quarantined", owner: undefined });
  });

  test("[PL44] changes decided for an earlier epoch do nothing", () => {
    const stored = entry(1, { epoch: epoch(5), changedAtMs: 9_000 });
    const at = (n: number) => ({ room: room(1), epoch: epoch(n), owner: node(1) });
    expect(changeEntry({ kind: "quarantine", ...at(4) }, stored, 1)).toBeUndefined();
    expect(changeEntry({ kind: "quarantine", ...at(5) }, stored, 1)).toEqual({
      ...stored,
      status: "quarantined",
      changedAtMs: 9_001,
    });
    const crashed = changeEntry({ kind: "crashed", ...at(5) }, stored, 20_000);
    expect(crashed).toMatchObject({ crashedOn: [node(1)], changedAtMs: 20_000 });
    expect(changeEntry({ kind: "crashed", ...at(5) }, crashed, 1)).toBeUndefined();
    expect(changeEntry({ kind: "forget_crashes", ...at(5) }, crashed, 1)?.crashedOn).toEqual([]);
    expect(changeEntry({ kind: "forget_crashes", ...at(5) }, stored, 1)).toBeUndefined();
    const create = { kind: "create", room: room(1), world: PLAZA, immovable: false } as const;
    expect(changeEntry(create, stored, 1)).toBeUndefined();
    expect(changeEntry(create, undefined, 7)).toEqual(entry(1, { changedAtMs: 7 }));
    expect(changeEntry({ kind: "close", room: room(1) }, undefined, 7)).toBeUndefined();
    expect(changeEntry({ kind: "close", room: room(1) }, stored, 7)?.status).toBe("closed");
  });
});
