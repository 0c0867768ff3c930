import { describe, expect, it } from "vitest";
import type { Attendance } from "../../gateway/attendance.ts";
import { Moderation } from "../../gateway/moderation.ts";
import type { EventPublic } from "../../src/protocol/event-public.ts";

const KICKED_AT = 1_000;

/** Ada's session and two of Bo's, and who of them went, after `hear` was told of a kick of Bo. */
function hall() {
  const gone: string[] = [];
  const sessions = new Set([
    { init: { person: "ada", began: 0 } },
    { init: { person: "bo", began: KICKED_AT - 1 } },
    { init: { person: "bo", began: KICKED_AT } },
  ]);
  const here = {
    sessions,
    expel: (session: { init: { person: string; began: number } }) => {
      sessions.delete(session);
      gone.push(`${session.init.person} ${session.init.began}`);
    },
  } as unknown as Attendance;
  const moderation = new Moderation();
  const hear = (kicks: Record<string, number>): void => {
    moderation.hear({ bans: {}, kicks } as unknown as EventPublic);
    moderation.apply([here], KICKED_AT);
  };
  return { gone, moderation, hear };
}

describe("a kick", () => {
  it("[GW55] ends what its person began before it, once, and nothing that they began since", () => {
    const { gone, hear, moderation } = hall();
    hear({ bo: KICKED_AT });
    hear({ bo: KICKED_AT, eve: KICKED_AT });
    expect(gone).toEqual([`bo ${KICKED_AT - 1}`]);
    expect(moderation.kicked("bo", KICKED_AT - 1), "also on its way here").toBe(true);
    expect(moderation.kicked("bo", KICKED_AT)).toBe(false);
    expect(moderation.kicked("toString", 0)).toBe(false);
  });

  it("[GW55] holds where a gateway hears of it long after, and a later one counts as well", () => {
    const { gone, hear } = hall();
    hear({ ada: KICKED_AT - 500 });
    hear({ ada: KICKED_AT - 500, bo: KICKED_AT + 5_000 });
    expect(gone).toEqual(["ada 0", `bo ${KICKED_AT - 1}`, `bo ${KICKED_AT}`]);
  });
});
