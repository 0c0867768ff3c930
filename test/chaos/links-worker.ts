import { setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { type LinkState, TcpProxy } from "./proxy.ts";

/**
 * All proxies, in a thread of their own: a link must not become slow because the run is busy with
 * something else, or because the machine is.
 */
export type ToLinks =
  | {
      readonly type: "open";
      readonly id: number;
      readonly target: { readonly host: string; readonly port: number };
      readonly host: string;
    }
  | { readonly type: "set"; readonly ids: readonly number[]; readonly state: LinkState }
  | { readonly type: "reset"; readonly ids: readonly number[] };

export type FromLinks =
  | { readonly id: number; readonly port: number }
  | { readonly id: number; readonly error: string };

const LINKS_PRIORITY = -10;

const proxies = new Map<number, TcpProxy>();
try {
  // On Linux it is this thread's alone.
  setPriority(LINKS_PRIORITY);
} catch {
  // Not allowed to: then it shares the machine like everybody.
}
parentPort?.on("message", (message: ToLinks) => {
  if (message.type === "open") void open(message);
  else if (message.type === "set")
    for (const id of message.ids) proxies.get(id)?.set(message.state);
  else for (const id of message.ids) proxies.get(id)?.reset();
});

async function open({ host, id, target }: Extract<ToLinks, { type: "open" }>): Promise<void> {
  try {
    const proxy = await TcpProxy.listen(target, host);
    proxies.set(id, proxy);
    tell({ id, port: proxy.port });
  } catch (error) {
    tell({ id, error: (error as Error).message });
  }
}

function tell(message: FromLinks): void {
  parentPort?.postMessage(message);
}
