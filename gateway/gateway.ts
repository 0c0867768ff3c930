import type { IncomingMessage, ServerResponse } from "node:http";
import { createAuth, type GatewayKeys } from "./auth.ts";
import { type CoreDeps, GatewayCore, type GatewayStats } from "./core.ts";
import { devTokens } from "./dev-token.ts";
import { listen } from "./server.ts";

export interface GatewayDeps extends Omit<CoreDeps, "auth"> {
  readonly keys: GatewayKeys;
  /** Answers plain requests on the clients' port (health, metrics), or says false. */
  readonly http?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

export interface Gateway {
  /** What clients dial. */
  readonly url: string;
  readonly port: number;
  stats(): GatewayStats;
  /**
   * Takes no new socket, and sends clients elsewhere within `drainMs`; resolves when no socket
   * is left, a closing handshake later at the latest.
   */
  drain(): Promise<void>;
  /** At once. The buses stay open: they are the caller's. */
  close(): Promise<void>;
}

/** Listens, and serves until it is closed. */
export async function startGateway(deps: GatewayDeps): Promise<Gateway> {
  const { clock, config, http, keys, observer, self } = deps;
  const auth = createAuth(keys, clock, config);
  const core = new GatewayCore({ ...deps, auth });
  const devToken = config.devTokens ? devTokens(auth, config, observer) : () => false;
  const server = await listen({
    config,
    observer,
    draining: () => core.draining,
    http: (request, response) =>
      devToken(request, response) || (http?.(request, response) ?? false),
    accept: (socket, standing) => core.accept(socket, standing),
  });
  const url = config.publicUrl ?? `ws://${config.host}:${server.port}`;
  core.start({ url, socketsMax: server.socketsMax });
  observer.log.info({ gateway: self, url }, "The gateway listens.");
  return {
    url,
    port: server.port,
    stats: () => core.stats(),
    drain: () => core.drain(),
    close: async () => {
      core.close();
      await server.close();
    },
  };
}
