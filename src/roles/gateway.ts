import type { GatewayKeys } from "../../gateway/auth.ts";
import { GATEWAY_DEFAULTS, type GatewayConfig as GatewayLimits } from "../../gateway/config.ts";
import { socketCap } from "../../gateway/file-limit.ts";
import { type Gateway, startGateway } from "../../gateway/gateway.ts";
import { NatsBus } from "../bus/nats-bus.ts";
import type { GatewayConfig } from "../config/role-config.ts";
import { openNatsJournal } from "../journal/nats-journal.ts";
import { loopUtilisation } from "../kernel/loop-utilisation.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { openFilesMax } from "../observe/open-files.ts";
import { openConnection } from "./connections.ts";
import { EXIT, endWhen, type StartRole } from "./process.ts";

/** Holds client sockets. */
export const startGatewayRole: StartRole<"gateway"> = async (config, runtime) => {
  const limits = gatewayLimits(config, runtime.host);
  const cap = socketCap(limits.socketsMax, limits.descriptorsReserved, openFilesMax());
  // It would turn everybody away, and placement would send them here all the same.
  if (cap.sockets === 0 && cap.why) return err(cap.why);
  const control = await openConnection(config, config.control, "control", runtime);
  if (!control.ok) return control;
  const data = await openConnection(config, config.data, "data", runtime);
  if (!data.ok) return data;
  const journal = await openNatsJournal(control.value);
  if (!journal.ok) {
    return err("The streams are not there: a placement process makes them. Is one running?");
  }
  const controlBus = new NatsBus(control.value);
  const dataBus = new NatsBus(data.value);
  let closing: Promise<void> | undefined;
  const close = (serving: Gateway): Promise<void> => {
    closing ??= serving
      .close()
      .then(() => Promise.all([controlBus.close(), dataBus.close()]))
      .then(() => undefined);
    return closing;
  };
  const ending = { clock: runtime.clock, log: runtime.observer.log };
  const gateway = await listening(
    startGateway({
      ...runtime,
      drained: () => {
        if (gateway.ok) endWhen(close(gateway.value), ending, config.stopMsMax, EXIT.stopped);
      },
      controlBus,
      dataBus,
      journal: journal.value,
      config: limits,
      keys: gatewayKeys(config),
      utilisation: loopUtilisation(),
    }),
    config,
  );
  if (!gateway.ok) return gateway;
  return ok({
    notReady: () => [
      ...(controlBus.connected ? [] : ["the control bus"]),
      ...(dataBus.connected ? [] : ["the data bus"]),
      ...(gateway.value.stats().draining ? ["nothing: it drains"] : []),
    ],
    stop: async () => {
      await gateway.value.drain();
      await close(gateway.value);
    },
  });
};

/** A port that somebody else has is the operator's to solve, so it is a sentence. */
async function listening(
  starting: Promise<Gateway>,
  { gateway }: Pick<GatewayConfig, "gateway">,
): Promise<Result<Gateway, string>> {
  try {
    return ok(await starting);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const { host, port } = gateway.listen;
    const taken = code === "EADDRINUSE" ? "the port is taken" : message;
    return err(`gateway.listen (${host}:${port}): ${taken}.`);
  }
}

/** What the operator's knobs say, over the part's own defaults. */
export function gatewayLimits(
  config: Pick<GatewayConfig, "gateway" | "zone" | "version" | "dev">,
  hostName: string,
): GatewayLimits {
  const { listen, publicUrl, ...limits } = config.gateway;
  const { zone, version, dev } = config;
  return {
    ...GATEWAY_DEFAULTS,
    ...limits,
    ...listen,
    publicUrl,
    hostName,
    zone,
    version,
    devTokens: dev,
  };
}

export function gatewayKeys(config: Pick<GatewayConfig, "people" | "sessionSecret">): GatewayKeys {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const { people } = config;
  return {
    session: bytes(config.sessionSecret),
    person:
      "jwksUrl" in people
        ? { kind: "jwks", url: people.jwksUrl }
        : { kind: "secret", secret: bytes(people.jwtSecret) },
  };
}
