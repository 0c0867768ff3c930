import { DEMO_EVENT, DEMO_EVENT_WORLD, DEMO_TENANT } from "./cluster-plan.ts";

/** As large as a demo on one machine needs it; shards that the page draws at full rate. */
const SPEC = { capacity: 5_000, shardSize: 200 };
const ASK_MS_MAX = 3_000;

interface Where {
  /** Base URL of the operator API. */
  readonly control: string;
  /** The operator's token, where one is set. */
  readonly token: string | undefined;
}

/**
 * Creates the demo's event and opens it. Rejects where that has to be tried again. False where an
 * operator has ended it, in a NATS that outlives this cluster: it stays over.
 */
export async function openDemoEvent(where: Where): Promise<boolean> {
  const event = `${DEMO_TENANT}/${DEMO_EVENT}`;
  const made = await post(where, "", { event, world: DEMO_EVENT_WORLD, ...SPEC });
  if (made === "over") return false;
  return (await post(where, `/${event}/phase`, { phase: "live" })) !== "over";
}

async function post({ control, token }: Where, path: string, body: object): Promise<"ok" | "over"> {
  const answer = await fetch(`${control}/v1/events${path}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(ASK_MS_MAX),
  });
  if (answer.ok) return "ok";
  // Said of an event that was closed or has gone further, and no attempt will change it.
  if (answer.status === 409) return "over";
  throw new Error(`${answer.status} ${await answer.text()}`);
}
