import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from "jose";
import type { Clock } from "../src/kernel/clock.ts";
import {
  type PersonId,
  parsePersonId,
  parseRoomId,
  parseSessionId,
  type RoomId,
  roomParts,
  type SessionId,
} from "../src/kernel/ids.ts";
import { err, ok, type Result } from "../src/kernel/result.ts";
import { ROLE, type Role } from "../src/protocol/client-messages.ts";
import type { GatewayConfig } from "./config.ts";

/** Who signs: persons' tokens come from the operator's identity provider, sessions' from us. */
export interface GatewayKeys {
  readonly person:
    | { readonly kind: "secret"; readonly secret: Uint8Array }
    | { readonly kind: "jwks"; readonly url: string };
  /** The cluster's session secret, the same on every gateway; at least 32 bytes. */
  readonly session: Uint8Array;
}

/** A person as their token names them. */
export interface Person {
  readonly person: PersonId;
  readonly tenant: string;
  readonly name: string;
  readonly role: Role;
  /** Names of the rooms that the token opens; undefined opens all of the tenant. */
  readonly rooms: readonly string[] | undefined;
}

/** One session, as its token carries it from gateway to gateway. */
export interface SessionClaims {
  readonly session: SessionId;
  readonly room: RoomId;
  readonly person: PersonId;
  /** When the person came with it: of an event the stage's room time, in ms since 1970. */
  readonly began: number;
  /** Sees the room and is not seen, until it comes anew. */
  readonly ghost: boolean;
}

/** `unavailable`: the key set could not be fetched; the token may be good. */
export type TokenError = "invalid" | "expired" | "unavailable";

export interface Auth {
  verifyPerson(token: string): Promise<Result<Person, TokenError>>;
  verifySession(token: string): Promise<Result<SessionClaims, TokenError>>;
  signSession(claims: SessionClaims): string;
  /** Development only, and only with a secret: a token for whoever asks. */
  signPerson(person: Person, lifetimeMs: number): string | undefined;
}

const SESSION_TYPE = "roomcluster-session+jwt";
const NAME_MAX = 48;
const ROOMS_MAX = 256;
/** No symmetric algorithm: a public key set must never serve as a shared secret. */
const KEY_SET_ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"];

export function createAuth(
  keys: GatewayKeys,
  clock: Pick<Clock, "wallNow">,
  config: Pick<GatewayConfig, "sessionTokenMs" | "tokenLeewayMs">,
): Auth {
  // Imported once: given as bytes, a secret is imported for each token, which takes as long again.
  const session = importSecret(keys.session);
  const persons = keys.person.kind === "secret" ? importSecret(keys.person.secret) : undefined;
  const sessionKey = createSecretKey(keys.session);
  const personKey = keys.person.kind === "secret" ? createSecretKey(keys.person.secret) : undefined;
  const keySet = keys.person.kind === "jwks" ? createRemoteJWKSet(new URL(keys.person.url)) : null;
  const times = () => ({
    currentDate: new Date(clock.wallNow()),
    clockTolerance: config.tokenLeewayMs / 1000,
  });
  const seconds = (aheadMs: number) => Math.floor((clock.wallNow() + aheadMs) / 1000);
  return {
    async verifyPerson(token) {
      const options = { ...times(), requiredClaims: ["sub", "tenant", "exp"] };
      return outcome(async () => {
        const { payload, protectedHeader } =
          persons !== undefined
            ? await jwtVerify(token, await persons, { ...options, algorithms: ["HS256"] })
            : await jwtVerify(token, keySet as NonNullable<typeof keySet>, {
                ...options,
                algorithms: KEY_SET_ALGORITHMS,
              });
        return protectedHeader.typ === SESSION_TYPE ? undefined : readPerson(payload);
      });
    },
    verifySession: (token) =>
      outcome(async () => {
        const { payload } = await jwtVerify(token, await session, {
          ...times(),
          algorithms: ["HS256"],
          typ: SESSION_TYPE,
          requiredClaims: ["sub", "exp"],
        });
        return readSession(payload);
      }),
    signSession: ({ session: sid, room, person, began, ghost }) => {
      const { tenant } = roomParts(room);
      const exp = seconds(config.sessionTokenMs);
      const unseen = ghost ? { ghost } : {};
      return sign(
        SESSION_TYPE,
        { sid, room, tenant, began, ...unseen, sub: person, exp },
        sessionKey,
      );
    },
    signPerson: ({ person, tenant, name, role, rooms }, lifetimeMs) => {
      const claims = { tenant, name, role, ...(rooms ? { rooms } : {}) };
      const exp = seconds(lifetimeMs);
      return personKey && sign("JWT", { ...claims, sub: person, exp }, personKey);
    },
  };
}

/**
 * A JWS in compact form (RFC 7515, 3.1) with HMAC-SHA-256. The library has it made on another
 * thread, which takes 64 us to be handed over and back, twice for everybody who comes to an event;
 * the hash takes 4. To verify, where the traps are, is left to the library.
 */
function sign(typ: string, claims: JWTPayload, key: KeyObject): string {
  const encoded = (value: object): string =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encoded({ alg: "HS256", typ })}.${encoded(claims)}`;
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
}

function importSecret(secret: Uint8Array): Promise<CryptoKey> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", Buffer.from(secret), algorithm, false, ["sign", "verify"]);
}

/** The library throws for every kind of bad token; here these become values. */
async function outcome<T>(read: () => Promise<T | undefined>): Promise<Result<T, TokenError>> {
  try {
    const value = await read();
    return value === undefined ? err("invalid") : ok(value);
  } catch (error) {
    if (error instanceof errors.JWTExpired) return err("expired");
    // A key set that can not be fetched shows as a plain network error, a timeout, or the
    // library's generic error (an answer other than 200). Everything else is the token's fault.
    const unfetched =
      !(error instanceof errors.JOSEError) ||
      error instanceof errors.JWKSTimeout ||
      error.code === "ERR_JOSE_GENERIC";
    return err(unfetched ? "unavailable" : "invalid");
  }
}

const text = (value: unknown, max: number): string | undefined =>
  typeof value === "string" && value.length <= max ? value : undefined;

function readPerson(claims: JWTPayload): Person | undefined {
  const person = parsePersonId(claims.sub);
  const tenant = text(claims.tenant, 48);
  const role = claims.role === undefined ? "audience" : ROLE(claims.role);
  const name = claims.name === undefined ? "" : text(claims.name, NAME_MAX);
  if (person === undefined || tenant === undefined || !role || name === undefined) return undefined;
  if (!parseRoomId(`${tenant}/room`)) return undefined;
  const rooms = claims.rooms;
  if (rooms === undefined) return { person, tenant, name, role, rooms: undefined };
  const listed = Array.isArray(rooms) && rooms.length <= ROOMS_MAX;
  if (!listed || !rooms.every((room) => typeof room === "string")) return undefined;
  return { person, tenant, name, role, rooms };
}

function readSession(claims: JWTPayload): SessionClaims | undefined {
  const session = parseSessionId(claims.sid);
  const room = parseRoomId(claims.room);
  const person = parsePersonId(claims.sub);
  const { began, tenant, ghost } = claims;
  if (!session || !room || !person || typeof began !== "number") return undefined;
  if (tenant !== roomParts(room).tenant) return undefined;
  return { session, room, person, began, ghost: ghost === true };
}
