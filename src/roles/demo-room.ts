import { type Client, connect } from "../client/client.ts";
import { type Clock, delay, holdingClock } from "../kernel/clock.ts";
import { reasonOf } from "../kernel/reason.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { DEMO_EVENT, DEMO_ROOM, DEMO_TENANT, DEMO_WORLD } from "./cluster-plan.ts";
import { openDemoEvent } from "./demo-event.ts";

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

/** What of the demo is open. */
export interface DemoOpen {
  /** False where it was ended by an operator of before. */
  readonly event: boolean;
}

/**
 * Creates the demo's room and its event, and joins both once through every gateway: whoever is told
 * that the cluster is ready finds them served. Answers the last thing that went wrong otherwise.
 */
export async function openDemo(
  where: Where,
  clock: Clock = holdingClock,
): Promise<Result<DemoOpen, string>> {
  const deadline = clock.now() + OPEN_MS_MAX;
  const [created, event] = await Promise.all([
    untilDone(clock, deadline, () => createRoom(where)),
    untilDone(clock, deadline, () => openDemoEvent(where)),
  ]);
  if (!created.ok) return err(`The demo room can not be created: ${created.error}`);
  if (!event.ok) return err(`The demo's event can not be opened: ${event.error}`);
  const rooms = event.value ? [DEMO_ROOM, `stage/${DEMO_EVENT}`] : [DEMO_ROOM];
  const visits = where.gateways.map(async (gateway) => {
    const joined = await untilDone(clock, deadline, () => visit(gateway, rooms));
    return joined.ok ? [] : [`The demo can not be joined at ${gateway}: ${joined.error}`];
  });
  const [failure] = (await Promise.all(visits)).flat();
  return failure === undefined ? ok({ event: event.value }) : err(failure);
}

async function untilDone<T>(
  clock: Clock,
  deadline: number,
  attempt: () => Promise<T>,
): Promise<Result<T, string>> {
  for (;;) {
    try {
      return ok(await attempt());
    } catch (error) {
      if (clock.now() >= deadline) return err(reasonOf(error));
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
async function visit(gateway: string, rooms: readonly string[]): Promise<void> {
  const client = await connect({
    urls: [gateway],
    token: (url) => devToken(url, { person: "opening", role: "observer" }),
    agent: "roomcluster-cluster",
    clock: holdingClock,
    limits: { connectMsMax: ASK_MS_MAX },
  });
  try {
    await Promise.all(rooms.map((room) => join(client, room)));
  } finally {
    client.close();
  }
}

async function join(client: Client, name: string): Promise<void> {
  const profile = { name: "opening", color: 0, model: "" };
  const room = await client.join(name, { profile });
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
  const signal = AbortSignal.timeout(ASK_MS_MAX);
  const answer = await fetch(address, { signal }).catch((error: unknown) => {
    throw new Error(`${address.origin} can not be reached: ${reasonOf(error)}`);
  });
  if (!answer.ok) throw new Error(`${address.origin}${address.pathname} answers ${answer.status}`);
  return ((await answer.json()) as { readonly token: string }).token;
}
