import type { ProcessId } from "../kernel/ids.ts";
import { processOfLiveness } from "../protocol/subjects.ts";

/** Far above any advisory; a larger one is not read. */
const BYTES_MAX = 64 * 1024;

/**
 * A server that stops sends its clients away. They come back elsewhere: it says nothing of them.
 */
const SENT_AWAY = "Server Shutdown";

/**
 * Whose liveness connection ended; undefined for other connections, and where the server ended it.
 */
export function disconnectOf(data: Uint8Array): ProcessId | undefined {
  if (data.length > BYTES_MAX) return undefined;
  let advisory: { client?: { name?: unknown }; reason?: unknown } | null;
  try {
    advisory = JSON.parse(new TextDecoder().decode(data)) as typeof advisory;
  } catch {
    return undefined;
  }
  const name = advisory?.client?.name;
  if (typeof name !== "string" || advisory?.reason === SENT_AWAY) return undefined;
  return processOfLiveness(name);
}
