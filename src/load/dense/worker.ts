import { Swarm, type SwarmPlan, type SwarmSample } from "./swarm.ts";

/** What the command tells a process of clients, and what it answers. */
export type WorkerOrder =
  | { readonly type: "start"; readonly plan: SwarmPlan }
  | { readonly type: "admit"; readonly clients: number }
  | { readonly type: "begin" }
  | { readonly type: "rates" }
  | { readonly type: "stop" };
export type WorkerWord =
  | ({ readonly type: "sample" } & SwarmSample)
  | { readonly type: "rates"; readonly rates: readonly number[] };

const SAMPLE_MS = 1_000;

/** A process of clients: does what it is told over IPC, and ends with whoever told it. */
export function runWorker(): void {
  let swarm: Swarm | undefined;
  // Ctrl-C reaches the whole group; who started this one says when to stop.
  process.on("SIGINT", () => undefined);
  process.on("disconnect", () => process.exit(0));
  const say = (word: WorkerWord): void => {
    process.send?.(word);
  };
  process.on("message", (order: WorkerOrder) => {
    if (order.type === "start") {
      const started = new Swarm(order.plan);
      swarm = started;
      setInterval(() => say({ type: "sample", ...started.sample() }), SAMPLE_MS);
    } else if (order.type === "admit") swarm?.admit(order.clients);
    else if (order.type === "begin") swarm?.begin();
    else if (order.type === "rates") say({ type: "rates", rates: swarm?.rates() ?? [] });
    else void stop();
  });
  const stop = async (): Promise<void> => {
    if (swarm) {
      say({ type: "sample", ...swarm.sample() });
      await swarm.stop();
    }
    process.disconnect();
  };
}
