import { jwtVerify, SignJWT } from "jose";
import { DEV_KEYS } from "../../config/keys.ts";
import { reasonOf } from "../../kernel/reason.ts";
import { err, ok, type Result } from "../../kernel/result.ts";

/** Where people's tokens come from. */
export type TokenSource =
  | { readonly kind: "secret"; readonly secret: string }
  /** A gateway in dev mode, by the base of its HTTP address. */
  | { readonly kind: "dev"; readonly url: string };

const LIFETIME_S = 3_600;
const ASK_MS_MAX = 5_000;
/** Nobody's gateway should be busy with nothing else. */
const ASKED_AT_ONCE_MAX = 8;

/** A person's token: signed here as an identity provider would, or asked for one by one. */
export function tokensOf(source: TokenSource, tenant: string): (person: string) => Promise<string> {
  if (source.kind === "secret") {
    // Imported once: given as bytes it is imported for each token, which takes as long again.
    const bytes = new TextEncoder().encode(source.secret);
    const hmac = { name: "HMAC", hash: "SHA-256" };
    const secret = crypto.subtle.importKey("raw", bytes, hmac, false, ["sign"]);
    return async (person) =>
      new SignJWT({ tenant, role: "audience" })
        .setProtectedHeader({ alg: "HS256", typ: "JWT" })
        .setSubject(person)
        .setIssuedAt()
        .setExpirationTime(`${LIFETIME_S}s`)
        .sign(await secret);
  }
  return inTurns(ASKED_AT_ONCE_MAX, (person) => askDevToken(source.url, tenant, person));
}

export async function askDevToken(url: string, tenant: string, person: string): Promise<string> {
  const address = new URL("/dev/token", url.replace(/^ws/, "http"));
  address.search = new URLSearchParams({ tenant, person, role: "audience" }).toString();
  const signal = AbortSignal.timeout(ASK_MS_MAX);
  const answer = await fetch(address, { signal }).catch((error: unknown) => {
    throw new Error(`${address.origin} can not be reached: ${reasonOf(error)}`);
  });
  if (!answer.ok) throw new Error(`/dev/token answers ${answer.status}`);
  return ((await answer.json()) as { readonly token: string }).token;
}

/**
 * The secret that was given; else whatever a gateway in dev mode has. One that has the secret that
 * everybody knows need not be asked for each of its clients.
 */
export async function chooseTokens(
  secret: string | undefined,
  gateway: string,
  tenant: string,
): Promise<Result<TokenSource, string>> {
  if (secret !== undefined) return ok({ kind: "secret", secret });
  let token: string;
  try {
    token = await askDevToken(gateway, tenant, "load");
  } catch (error) {
    return err(
      `${gateway} issues no tokens (${(error as Error).message}): give --token-secret or ROOMCLUSTER_JWT_SECRET.`,
    );
  }
  const known = new TextEncoder().encode(DEV_KEYS.jwtSecret);
  const verified = await jwtVerify(token, known).then(
    () => true,
    () => false,
  );
  return ok(
    verified ? { kind: "secret", secret: DEV_KEYS.jwtSecret } : { kind: "dev", url: gateway },
  );
}

/** The same, but only so many at once; the others wait for their turn. */
function inTurns<T, R>(most: number, ask: (value: T) => Promise<R>): (value: T) => Promise<R> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (value) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await ask(value);
    } finally {
      const next = waiting.shift();
      // A turn is handed on: it never looks free to somebody who comes between.
      if (next) next();
      else running--;
    }
  };
}
