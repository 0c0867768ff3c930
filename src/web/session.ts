import {
  type Client,
  type ConnectionDetail,
  type ConnectionState,
  connect,
  type JoinOptions,
  JoinRefused,
  type Role,
  type Room,
  type SavedSession,
} from "../client/client.ts";
import { type Random, randomHex, systemRandom } from "../kernel/random.ts";

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
  who: { readonly person: string; readonly name: string; readonly role: Role },
): Promise<string> {
  const address = new URL(path, gateway.replace(/^ws/, "http"));
  address.searchParams.set("tenant", TENANT);
  for (const [key, value] of Object.entries(who)) address.searchParams.set(key, value);
  const answer = await fetch(address, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${address.pathname}: ${answer.status}`);
  return ((await answer.json()) as { readonly token: string }).token;
}

/** One for each room and role, so that who comes back from elsewhere finds their avatar. */
const storedAs = (room: string, role: Role): string => `${SESSION}.${role}.${room}`;

function savedSession(stored: string): SavedSession | undefined {
  try {
    return (JSON.parse(sessionStorage.getItem(stored) ?? "null") as SavedSession) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Connects as this tab's person, in a role. */
export async function openClient(
  config: DemoConfig,
  { name, role }: { readonly name: string; readonly role: Role },
  onConnection: (state: ConnectionState, detail: ConnectionDetail) => void,
): Promise<Client> {
  const { tokenUrl } = config;
  if (tokenUrl === null) throw new Error("this cluster issues no tokens for the demo");
  const person = personOf(systemRandom);
  return connect({
    // Asked again before each attempt: gateways come and go, and the list is what is there now.
    urls: async () => (await readConfig().catch(() => config)).gateways,
    token: (gateway) => fetchToken(gateway, tokenUrl, { person, name, role }),
    agent: "plaza-page",
    onConnection,
  });
}

/** Joins a room or an event, as the avatar that this tab had there before where that still is. */
export async function joinRoom<State>(
  client: Client,
  name: string,
  given: JoinOptions,
  role: Role,
): Promise<Room<State>> {
  const stored = storedAs(name, role);
  const options = {
    ...given,
    onSession: (saved: SavedSession) => sessionStorage.setItem(stored, JSON.stringify(saved)),
  };
  const resume = savedSession(stored);
  try {
    return await client.join<State>(name, { ...options, resume });
  } catch (error) {
    if (!resume || !(error instanceof JoinRefused)) throw error;
    // The seat of before is gone: come in as somebody new.
    sessionStorage.removeItem(stored);
    return client.join<State>(name, options);
  }
}
