import { expect, test } from "vitest";
import type { NodeView } from "../../src/control/port.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";
import { ClusterClient, type ClusterNews } from "../../src/web/cluster-client.ts";
import { waitUntil } from "../support/wait-until.ts";

const TOKEN = "an-operators-token";
const LOOK = { nodes: [], gateways: [], placements: [] };
const ROOM = { owner: null, epoch: 1, status: "wanted" };

/** A control API that asks for `token`, where one is set, and a tab's memory. */
function setting(given: { readonly token?: string; readonly stored?: string } = {}) {
  const clock = new ManualClock();
  const kept = new Map<string, string>();
  if (given.stored !== undefined) kept.set("plaza.operator-token", given.stored);
  const api = {
    token: given.token,
    down: false,
    asked: [] as { path: string; authorization: string | null }[],
    /** Answers wait here while it is set. */
    gate: undefined as Promise<void> | undefined,
  };
  const news: ClusterNews[] = [];
  const client = new ClusterClient({
    clock,
    hidden: () => false,
    store: {
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => void kept.set(key, value),
      removeItem: (key) => void kept.delete(key),
    },
    fetch: async (input, options) => {
      const path = String(input);
      const authorization = new Headers(options?.headers).get("authorization");
      api.asked.push({ path, authorization });
      const known = api.token === undefined || authorization === `Bearer ${api.token}`;
      await api.gate;
      if (api.down) throw new TypeError("Failed to fetch");
      if (!known) return new Response("{}", { status: 401 });
      return Response.json(path === "/v1/nodes" ? LOOK : ROOM);
    },
  });
  client.watch("demo/plaza", (one) => news.push(one));
  const heard = (count: number) =>
    waitUntil(`${count} pieces of news`, () => news.length >= count, { dump: () => news });
  return { clock, kept, api, news, client, heard };
}

const seen = { kind: "look", look: { cluster: LOOK, room: ROOM } };
const NODE = { name: "node-1" } as NodeView;

test("[DM6] an open API is asked without a token, twice a second", async () => {
  const { clock, api, news, heard } = setting();
  await heard(1);
  clock.advance(499);
  expect(api.asked).toHaveLength(2);
  clock.advance(1);
  await heard(2);
  expect(news).toEqual([seen, seen]);
  expect(new Set(api.asked.map(({ authorization }) => authorization))).toEqual(new Set([null]));
});

test("[DM6] a token is asked for, kept for the tab, and sent as bearer", async () => {
  const { kept, api, news, client, heard } = setting({ token: TOKEN });
  await heard(1);
  expect(news).toEqual([{ kind: "locked", refused: false }]);
  client.unlock(`  ${TOKEN}\n`);
  await heard(2);
  expect(news[1]).toEqual(seen);
  expect([...kept.values()]).toEqual([TOKEN]);
  expect(api.asked.at(-1)).toEqual({
    path: "/v1/rooms/demo/plaza",
    authorization: `Bearer ${TOKEN}`,
  });
  expect(await client.killNode(NODE)).toBe("killed");
  expect(api.asked.at(-1)).toEqual({
    path: "/v1/nodes/node-1/kill",
    authorization: `Bearer ${TOKEN}`,
  });
});

test("[DM6] a token of before the reload is used at once", async () => {
  const { news, heard } = setting({ token: TOKEN, stored: TOKEN });
  await heard(1);
  expect(news).toEqual([seen]);
});

test.each([
  ["another one", "not-the-token"],
  ["one that no header carries", "тайна"],
  ["one with a line break", "a\r\nb: c"],
  ["nothing", " "],
])("[DM6] %s is refused and forgotten", async (_, wrong) => {
  const { kept, api, news, client, heard } = setting({ token: TOKEN });
  await heard(1);
  client.unlock(wrong);
  await heard(2);
  expect(news[1]).toEqual({ kind: "locked", refused: true });
  expect([...kept.values()]).toEqual([]);
  expect(await client.killNode(NODE)).toBe("locked");
  expect(api.asked.at(-1)?.authorization).toBeNull();
});

test("[DM6] a locked API is asked every five seconds, in case it was opened", async () => {
  const { clock, api, news, heard } = setting({ token: TOKEN });
  await heard(1);
  clock.advance(4_999);
  expect(api.asked).toHaveLength(2);
  api.token = undefined;
  clock.advance(1);
  await heard(2);
  expect(news[1]).toEqual(seen);
});

test("[DM6] an answer that was asked for before the token came says nothing", async () => {
  const { clock, kept, api, news, client, heard } = setting({ token: TOKEN });
  await heard(1);
  let open = (): void => {};
  api.gate = new Promise((resolve) => {
    open = resolve;
  });
  clock.advance(5_000);
  client.unlock(TOKEN);
  open();
  await heard(2);
  expect(news.slice(1)).toEqual([seen]);
  expect([...kept.values()]).toEqual([TOKEN]);
  expect(clock.pending).toBe(1);
});

test("[DM6] an API that does not answer keeps its token", async () => {
  const { clock, kept, api, news, client, heard } = setting({ token: TOKEN, stored: TOKEN });
  await heard(1);
  api.down = true;
  clock.advance(500);
  await heard(2);
  expect(news[1]).toEqual({ kind: "silent" });
  expect(await client.killNode(NODE)).toBe("failed");
  expect([...kept.values()]).toEqual([TOKEN]);
});
