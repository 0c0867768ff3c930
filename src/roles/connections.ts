import type { NatsClient } from "../bus/nats-client.ts";
import { openNats } from "../bus/nats-connection.ts";
import type { NatsTarget } from "../bus/nats-options.ts";
import { natsPassword } from "../config/keys.ts";
import type { NatsConfig, NatsLogin } from "../config/role-config.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { redact } from "../observe/redact.ts";
import type { RoleRuntime } from "./process.ts";

/** Whose connection: its place in metrics and in the server's listings. */
type Label = "control" | "data" | "sys";

/** Everything of a login but the name of the one connection. */
export const targetOf = (
  nats: NatsConfig,
  login: NatsLogin,
): Omit<NatsTarget, "name" | "label"> => ({
  servers: nats.servers,
  user: login.user,
  // A server without users ignores it.
  password: login.password ?? "",
  inboxPrefix: `_INBOX_${login.user}`,
});

/** Where machines start in any order NATS may be late; for so long it is nobody's business. */
const QUIET_MS = 3_000;

/** A connection to NATS, or a sentence for the operator. */
export async function openConnection(
  config: { readonly nats: NatsConfig },
  login: NatsLogin,
  label: Label,
  runtime: Pick<RoleRuntime, "self" | "clock" | "random" | "observer">,
): Promise<Result<NatsClient, string>> {
  const target = targetOf(config.nats, login);
  const servers = redact(target.servers.join(", "));
  const late = runtime.clock.after(QUIET_MS, () =>
    runtime.observer.log.warn(
      { servers, connection: label },
      "NATS can not be reached yet: this process goes on trying.",
    ),
  );
  const opened = await openNats({ ...target, name: `${label}:${runtime.self}`, label }, runtime);
  late.cancel();
  if (opened.ok) return ok(opened.value);
  if (opened.error.code === "unauthorized") {
    return err(
      `NATS (${servers}) refuses the user ${login.user}: is ${natsPassword(login.user).variable} the one of its accounts?`,
    );
  }
  return err(`NATS (${servers}) can not be reached: ${opened.error.detail}.`);
}
