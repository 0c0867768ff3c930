import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { createAuth, type GatewayKeys, type SessionClaims } from "../../gateway/auth.ts";
import { GATEWAY_DEFAULTS } from "../../gateway/config.ts";
import { personId, roomId, sessionId } from "../../src/kernel/ids.ts";
import { ManualClock } from "../../src/kernel/manual-clock.ts";

const secret = new TextEncoder().encode("a secret for persons, 32 bytes long!");
const session = new TextEncoder().encode("a secret for sessions, 32 bytes long");
const keys: GatewayKeys = { person: { kind: "secret", secret }, session };

const claims: SessionClaims = {
  session: sessionId("aaaaaaaaaaaaaaaaaaaaaa"),
  room: roomId("acme/hall"),
  person: personId("ann"),
  began: 1_000,
  ghost: false,
};

const setUp = (withKeys: GatewayKeys = keys) => {
  const clock = new ManualClock();
  return { clock, auth: createAuth(withKeys, clock, GATEWAY_DEFAULTS) };
};

const sign = (payload: Record<string, unknown>, key: Uint8Array = secret): Promise<string> =>
  new SignJWT(payload).setProtectedHeader({ alg: "HS256" }).sign(key);

describe("a person's token", () => {
  const exp = 1_700_000_000 + 60;

  it("[GW12] names person, tenant, name, role and rooms", async () => {
    const { auth } = setUp();
    const full = { sub: "ann", tenant: "acme", name: "Ann", role: "staff", rooms: ["hall"], exp };
    expect(await auth.verifyPerson(await sign(full))).toEqual({
      ok: true,
      value: { person: "ann", tenant: "acme", name: "Ann", role: "staff", rooms: ["hall"] },
    });
    const least = await auth.verifyPerson(await sign({ sub: "ann", tenant: "acme", exp }));
    expect(least).toMatchObject({ ok: true, value: { role: "audience", name: "" } });
    expect(least.ok && least.value.rooms).toBeUndefined();
  });

  it.each([
    ["no exp", { sub: "ann", tenant: "acme" }],
    ["no sub", { tenant: "acme", exp }],
    ["no tenant", { sub: "ann", exp }],
    ["a tenant that is no subject token", { sub: "ann", tenant: "a.b", exp }],
    ["an unknown role", { sub: "ann", tenant: "acme", role: "king", exp }],
    ["rooms that are no list", { sub: "ann", tenant: "acme", rooms: "hall", exp }],
    ["a name that is too long", { sub: "ann", tenant: "acme", name: "n".repeat(49), exp }],
  ])("[GW12] is invalid with %s", async (_what, payload) => {
    const { auth } = setUp();
    expect(await auth.verifyPerson(await sign(payload))).toEqual({ ok: false, error: "invalid" });
  });

  it("[GW12] expires, with 30 s of leeway", async () => {
    const { auth, clock } = setUp();
    const token = await sign({ sub: "ann", tenant: "acme", exp });
    clock.advance(60_000 + 29_000);
    expect((await auth.verifyPerson(token)).ok).toBe(true);
    clock.advance(2_000);
    expect(await auth.verifyPerson(token)).toEqual({ ok: false, error: "expired" });
  });

  it("[GW12] is invalid with another secret, or with none", async () => {
    const { auth } = setUp();
    const payload = { sub: "ann", tenant: "acme", exp };
    const error = { ok: false, error: "invalid" };
    expect(await auth.verifyPerson(await sign(payload, session))).toEqual(error);
    const none = [{ alg: "none" }, payload].map((part) =>
      Buffer.from(JSON.stringify(part)).toString("base64url"),
    );
    expect(await auth.verifyPerson(`${none.join(".")}.`)).toEqual(error);
    expect(await auth.verifyPerson("")).toEqual(error);
  });

  it("[GW12] is verified by a published key set, and told apart from a key set that is down", async () => {
    const pair = await generateKeyPair("ES256");
    const jwk = { ...(await exportJWK(pair.publicKey)), kid: "k1", alg: "ES256" };
    const server = createServer((_request, response) =>
      response.end(JSON.stringify({ keys: [jwk] })),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
    const { auth } = setUp({ person: { kind: "jwks", url }, session });
    const token = await new SignJWT({ sub: "ann", tenant: "acme", exp })
      .setProtectedHeader({ alg: "ES256", kid: "k1" })
      .sign(pair.privateKey);
    expect((await auth.verifyPerson(token)).ok).toBe(true);
    expect(await auth.verifyPerson(await sign({ sub: "ann", tenant: "acme", exp }))).toEqual({
      ok: false,
      error: "invalid",
    });
    await new Promise((resolve) => server.close(resolve));
    const down = setUp({ person: { kind: "jwks", url }, session });
    expect(await down.auth.verifyPerson(token)).toEqual({ ok: false, error: "unavailable" });
  });
});

describe("a session's token", () => {
  it("[GW13] comes back as it was signed, on any gateway with the secret, until it expires", async () => {
    const { auth } = setUp();
    const token = auth.signSession(claims);
    const other = setUp();
    expect(await other.auth.verifySession(token)).toEqual({ ok: true, value: claims });
    other.clock.advance(GATEWAY_DEFAULTS.sessionTokenMs + 31_000);
    expect(await other.auth.verifySession(token)).toEqual({ ok: false, error: "expired" });
  });

  it("[GW13] does not pass for a person's, nor the other way round, under one secret", async () => {
    const { auth } = setUp({ person: { kind: "secret", secret }, session: secret });
    const person = { person: claims.person, tenant: "acme", name: "", role: "staff" } as const;
    const personToken = auth.signPerson({ ...person, rooms: undefined }, 60_000);
    const error = { ok: false, error: "invalid" };
    expect(await auth.verifyPerson(auth.signSession(claims))).toEqual(error);
    expect(await auth.verifySession(personToken as string)).toEqual(error);
    expect((await auth.verifyPerson(personToken as string)).ok).toBe(true);
  });
});
