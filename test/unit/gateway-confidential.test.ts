import { describe, expect, it } from "vitest";
import { newEvent } from "../../actors/event/event-state.ts";
import { clientRecord, clientState } from "../../gateway/confidential.ts";
import { applyPatches, type Patch } from "../../src/protocol/patches.ts";
import type { RoomRecord } from "../../src/protocol/room-messages.ts";

const stage = () => {
  const event = newEvent({ reactions: ["clap"], speech: [] });
  event.bans.eve = { until: null, why: "rude" };
  event.mutes.eve = { until: 1, why: "loud" };
  event.kicks.eve = 7;
  event.slows.eve = 9;
  return { set: 1, event };
};
const record = (...patches: Patch[]): RoomRecord => ({
  ...{ index: 2, at: 1, patches, events: [], joined: [], left: [] },
});

describe("[GW76] what is said of persons", () => {
  it("is not in the state that clients get, all else is", () => {
    const state = stage();
    const { bans: _, mutes: __, kicks: ___, slows: ____, ...told } = state.event;
    expect(clientState(state)).toEqual({ set: 1, event: told });
    expect(state.event.bans).toHaveProperty("eve");
  });

  it("is not in records, whichever way it is written there", () => {
    const state = stage();
    const seen = clientRecord(
      record(
        [0, ["event", "bans", "eve"], { until: null, why: "rude" }],
        [2, ["event", "mutes", "eve"], null],
        [0, ["event", "kicks"], { eve: 8 }],
        [0, ["event", "slowMs"], 5],
        [0, ["set"], 2],
      ),
      state,
    );
    expect(seen.patches).toEqual([
      [0, ["event", "slowMs"], 5],
      [0, ["set"], 2],
    ]);
    const anew = clientRecord(record([0, ["event"], state.event]), state);
    const client = clientState(state);
    expect(applyPatches(client, anew.patches)).toBe(true);
    expect(JSON.stringify([anew, client])).not.toContain('"eve"');
  });

  it("a room that is no event's may call anything so", () => {
    const state = { event: { bans: { eve: 1 } } };
    const told = record([0, ["event", "bans", "eve"], 2]);
    expect(clientState(state)).toBe(state);
    expect(clientRecord(told, state)).toBe(told);
    expect(clientRecord(record([2, ["event"], null]), {}).patches).toHaveLength(1);
  });
});
