import "./nats-transport.ts";
import { connect, NatsError } from "nats";
import { delay } from "../kernel/clock.ts";
import { type Random, randomBelow } from "../kernel/random.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { NatsClient } from "./nats-client.ts";
import {
  NATS_LIMITS,
  type NatsLimits,
  type NatsOpenError,
  type NatsRuntime,
  type NatsTarget,
} from "./nats-options.ts";

/** Connects within `limits.openMsMax`; from then on the client reconnects for ever. */
export async function openNats(
  target: NatsTarget,
  runtime: NatsRuntime,
  limits: NatsLimits = NATS_LIMITS,
): Promise<Result<NatsClient, NatsOpenError>> {
  const { clock, random } = runtime;
  const redialMs = (): number =>
    limits.redialMsMin + random.next() * (limits.redialMsMax - limits.redialMsMin);
  const deadline = clock.now() + limits.openMsMax;
  let servers = shuffled(target.servers, random);
  for (;;) {
    let dialled = 0;
    try {
      const connection = await connect({
        servers,
        // Ours is as random, and tells which of them answered.
        noRandomize: true,
        user: target.user,
        pass: target.password,
        name: target.name,
        inboxPrefix: target.inboxPrefix,
        timeout: limits.dialMsMax,
        pingInterval: limits.pingMs,
        maxPingOut: limits.pingsOutMax,
        reconnect: true,
        maxReconnectAttempts: -1,
        // Asked before every dial.
        reconnectDelayHandler: () => {
          dialled++;
          return redialMs();
        },
        // A server that comes up may refuse logins before it has read its accounts.
        ignoreAuthErrorAbort: true,
        // The list given is complete; gossiped addresses may be of another network.
        ignoreClusterUpdates: true,
        // A process measures its own connection by messages addressed to itself.
        noEcho: false,
        noAsyncTraces: true,
      });
      if (dialled === 1 || clock.now() >= deadline)
        return ok(new NatsClient(connection, target, runtime, limits));
      // The library forgets for ever whoever does not answer its first dial.
      servers = [...servers.slice(dialled - 1), ...servers.slice(0, dialled - 1)];
      await connection.close();
      continue;
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      if (cause instanceof NatsError && cause.isAuthError())
        return err({ code: "unauthorized", detail });
      if (clock.now() >= deadline) return err({ code: "unreachable", detail });
    }
    await delay(clock, redialMs());
  }
}

function shuffled(servers: readonly string[], random: Random): string[] {
  const order = [...servers];
  for (let i = order.length - 1; i > 0; i--) {
    const j = randomBelow(random, i + 1);
    [order[i], order[j]] = [order[j] as string, order[i] as string];
  }
  return order;
}
