import { type HttpAnswer, type HttpRequest, json, methodNotAllowed } from "./http-answers.ts";
import type { MetricsRegistry } from "./metrics.ts";

export interface Health {
  /** What this process still waits for before it can serve; empty when it is ready. */
  notReady(): readonly string[];
}

/**
 * `/healthz`, `/readyz` and `/metrics`; undefined for anything else. Healthy means that the main
 * loop runs, which the answer itself proves: restarting a process that merely waits for the bus
 * would make an outage worse.
 */
export function healthHandler(
  health: Health,
  metrics: Pick<MetricsRegistry, "text" | "contentType">,
): (request: HttpRequest) => Promise<HttpAnswer> | undefined {
  const routes: Readonly<Record<string, () => Promise<HttpAnswer>>> = {
    "/healthz": async () => json(200, { healthy: true }),
    "/readyz": async () => {
      const waitingFor = health.notReady();
      const ready = waitingFor.length === 0;
      return json(ready ? 200 : 503, { ready, waitingFor });
    },
    "/metrics": async () => ({
      status: 200,
      headers: { "content-type": metrics.contentType, "cache-control": "no-store" },
      body: await metrics.text(),
    }),
  };
  return (request) => {
    const route = Object.hasOwn(routes, request.path) ? routes[request.path] : undefined;
    if (route === undefined) return undefined;
    if (request.method === "GET" || request.method === "HEAD") return route();
    return Promise.resolve(methodNotAllowed(["GET", "HEAD"]));
  };
}
