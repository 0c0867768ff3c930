import { describe, expect, it } from "vitest";
import type { Attendance } from "../../gateway/attendance.ts";
import { Moderation } from "../../gateway/moderation.ts";
import type { EventPublic } from "../../src/protocol/event-public.ts";

/** Who goes when a gateway first hears, at `at`, of a kick that was said at 1,000. */
function goneAt(at: number): string[] {
  const gone: string[] = [];
  const here = {
    sessions: ["ada", "bo"].map((person) => ({ init: { person } })),
    expel: ({ init }: { init: { person: string } }) => gone.push(init.person),
  } as unknown as Attendance;
  const moderation = new Moderation();
  moderation.hear({ bans: {}, kicks: { bo: 1_000 } } as unknown as EventPublic);
  moderation.apply([here], at);
  moderation.apply([here], at);
  return gone;
}

describe("a gateway that is new to an event", () => {
  it("[GW55] carries out, once, a kick that was said just before it heard of the event", () => {
    expect(goneAt(2_000)).toEqual(["bo"]);
  });

  it("[GW55] takes a kick of long ago as carried out elsewhere", () => {
    expect(goneAt(10_000)).toEqual([]);
  });
});
