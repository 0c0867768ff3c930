import type { IncomingMessage, ServerResponse } from "node:http";
import { parsePersonId, parseRoomId } from "../src/kernel/ids.ts";
import type { Observer } from "../src/observe/observer.ts";
import { ROLE } from "../src/protocol/client-messages.ts";
import type { Auth, Person } from "./auth.ts";
import type { GatewayConfig } from "./config.ts";
import { originAllowed } from "./server.ts";

const LIFETIME_MS = 3_600_000;

/** `GET /dev/token?person=&name=&role=&tenant=`: a token for whoever asks. Development only. */
export function devTokens(
  auth: Pick<Auth, "signPerson">,
  config: Pick<GatewayConfig, "origins">,
  observer: Observer,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  observer.log.warn({}, "/dev/token signs a token for anyone. Never run this in production.");
  return (request, response) => {
    // Not `new URL`: it throws at targets that any client can send, `//` for one.
    const [path, query] = (request.url ?? "").split("?", 2);
    if (path !== "/dev/token") return false;
    const { origin } = request.headers;
    if (origin !== undefined && originAllowed(origin, config.origins))
      response.setHeader("access-control-allow-origin", origin);
    response.setHeader("vary", "origin");
    response.setHeader("cache-control", "no-store");
    if (request.method !== "GET") return answer(response, 405, { error: "GET only" });
    if (!originAllowed(origin, config.origins))
      return answer(response, 403, { error: "this origin is not allowed" });
    const person = personOf(new URLSearchParams(query));
    if (!person) return answer(response, 400, { error: "person, name, role or tenant is invalid" });
    const token = auth.signPerson(person, LIFETIME_MS);
    if (token) return answer(response, 200, { token });
    return answer(response, 404, { error: "tokens come from the configured key set" });
  };
}

function personOf(query: URLSearchParams): Person | undefined {
  const person = parsePersonId(query.get("person"));
  const role = ROLE(query.get("role") ?? "audience");
  const tenant = query.get("tenant") ?? "dev";
  const name = query.get("name") ?? person ?? "";
  if (!person || !role || name.length > 48 || !parseRoomId(`${tenant}/room`)) return undefined;
  return { person, tenant, name, role, rooms: undefined };
}

function answer(response: ServerResponse, status: number, body: object): true {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  return true;
}
