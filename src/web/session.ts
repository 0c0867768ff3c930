import {
  type Client,
  type ConnectionDetail,
  type ConnectionState,
  connect,
  JoinRefused,
  type Room,
  type SavedSession,
} from "../client/client.ts";
import { type Random, randomHex } from "../kernel/random.ts";
import type { PlazaProfile, PlazaState } from "./plaza-room.ts";

export interface DemoConfig {
  /** Where gateways listen, ws or wss. */
  readonly gateways: readonly string[];
  /** A path on the gateway, or an absolute address; null where the cluster issues no tokens. */
  readonly tokenUrl: string | null;
  readonly room: string;
  readonly dev: boolean;
}

export const TENANT = "demo";
const PERSON = "plaza.person";
const SESSION = "plaza.session";

export async function readConfig(): Promise<DemoConfig> {
  const answer = await fetch("/demo/config.json", { cache: "no-store" });
  if (!answer.ok) throw new Error(`/demo/config.json: ${answer.status}`);
  return (await answer.json()) as DemoConfig;
}

/** One person per tab: a reload is the same person, a second tab is another. */
function personOf(random: Random): string {
  const known = sessionStorage.getItem(PERSON);
  const person = known ?? `p-${randomHex(random, 6)}`;
  sessionStorage.setItem(PERSON, person);
  return person;
}

async function fetchToken(
  gateway: string,
  path: string,
  person: string,
  name: string,
): Promise<string> {
  const address = new URL(path, gateway.replace(/^ws/, "http"));
  address.searchParams.set("tenant", TENANT);
  address.searchParams.set("person", person);
  address.searchParams.set("name", name);
  const answer = await fetch(address, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${address.pathname}: ${answer.status}`);
  return ((await answer.json()) as { readonly token: string }).token;
}

function savedSession(room: string): SavedSession | undefined {
  try {
    const saved = JSON.parse(sessionStorage.getItem(SESSION) ?? "null") as SavedSession | null;
    return saved?.room === room ? saved : undefined;
  } catch {
    return undefined;
  }
}

export interface Entered {
  readonly client: Client;
  readonly room: Room<PlazaState>;
}

/** Connects and joins the plaza, as the avatar that this tab had before where that still is. */
export async function enter(
  config: DemoConfig,
  profile: PlazaProfile,
  random: Random,
  onConnection: (state: ConnectionState, detail: ConnectionDetail) => void,
): Promise<Entered> {
  const { tokenUrl, room: name } = config;
  if (tokenUrl === null) throw new Error("this cluster issues no tokens for the demo");
  const person = personOf(random);
  const client = await connect({
    // Asked again before each attempt: gateways come and go, and the list is what is there now.
    urls: async () => (await readConfig().catch(() => config)).gateways,
    token: (gateway) => fetchToken(gateway, tokenUrl, person, profile.name),
    agent: "plaza-page",
    onConnection,
  });
  const options = {
    profile,
    onSession: (saved: SavedSession) => sessionStorage.setItem(SESSION, JSON.stringify(saved)),
  };
  const resume = savedSession(name);
  try {
    return { client, room: await client.join<PlazaState>(name, { ...options, resume }) };
  } catch (error) {
    if (!resume || !(error instanceof JoinRefused)) throw error;
    // The seat of before is gone: come in as somebody new.
    sessionStorage.removeItem(SESSION);
    return { client, room: await client.join<PlazaState>(name, options) };
  }
}
