import { type Client, connect } from "../client/client.ts";
import { type Clock, delay, holdingClock } from "../kernel/clock.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { DEMO_ROOM, DEMO_TENANT, DEMO_WORLD } from "./cluster-plan.ts";

interface Where {
  /** Base URL of the operator API. */
  readonly control: string;
  readonly gateways: readonly string[];
  /** The operator's token, where one is set. */
  readonly token: string | undefined;
}

const OPEN_MS_MAX = 30_000;
const RETRY_MS = 100;
const ASK_MS_MAX = 3_000;

/** Where gateways issue tokens in dev mode. */
export const DEV_TOKEN_PATH = "/dev/token";

/**
 * Creates the demo room and joins it once through every gateway: whoever is told that the cluster
 * is ready finds a room that is served. Answers the last thing that went wrong otherwise.
 */
export async function openDemoRoom(
  where: Where,
  clock: Clock = holdingClock,
): Promise<Result<void, string>> {
  const deadline = clock.now() + OPEN_MS_MAX;
  const created = await untilDone(clock, deadline, () => createRoom(where));
  if (!created.ok) return err(`The demo room can not be created: ${created.error}`);
  for (const gateway of where.gateways) {
    const joined = await untilDone(clock, deadline, () => visit(gateway));
    if (!joined.ok) return err(`The demo room can not be joined at ${gateway}: ${joined.error}`);
  }
  return ok(undefined);
}

async function untilDone(
  clock: Clock,
  deadline: number,
  attempt: () => Promise<void>,
): Promise<Result<void, string>> {
  for (;;) {
    try {
      await attempt();
      return ok(undefined);
    } catch (error) {
      if (clock.now() >= deadline) return err((error as Error).message);
    }
    await delay(clock, RETRY_MS);
  }
}

async function createRoom({ control, token }: Where): Promise<void> {
  const answer = await fetch(`${control}/v1/rooms`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ room: `${DEMO_TENANT}/${DEMO_ROOM}`, world: DEMO_WORLD }),
    signal: AbortSignal.timeout(ASK_MS_MAX),
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
}

/** As an observer, whom nobody sees. */
async function visit(gateway: string): Promise<void> {
  const client = await connect({
    urls: [gateway],
    token: (url) => devToken(url, { person: "opening", role: "observer" }),
    agent: "roomcluster-cluster",
    clock: holdingClock,
    limits: { connectMsMax: ASK_MS_MAX },
  });
  try {
    await join(client);
  } finally {
    client.close();
  }
}

async function join(client: Client): Promise<void> {
  const profile = { name: "opening", color: 0, model: "" };
  const room = await client.join(DEMO_ROOM, { profile });
  await room.leave();
}

/** A token of dev mode, for the demo's tenant. */
export async function devToken(
  gateway: string,
  who: { readonly person: string; readonly role: string },
): Promise<string> {
  const address = new URL(DEV_TOKEN_PATH, gateway.replace(/^ws/, "http"));
  const query = { tenant: DEMO_TENANT, name: who.person, ...who };
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
  const answer = await fetch(address, { signal: AbortSignal.timeout(ASK_MS_MAX) });
  if (!answer.ok) throw new Error(`${address.pathname} answers ${answer.status}`);
  return ((await answer.json()) as { readonly token: string }).token;
}
