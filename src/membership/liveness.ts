import { Worker } from "node:worker_threads";
import type { Bus } from "../bus/bus.ts";
import type { NatsOpenError, NatsTarget } from "../bus/nats-options.ts";
import { InvariantViolation } from "../kernel/assert.ts";
import type { Clock } from "../kernel/clock.ts";
import type { RoomId } from "../kernel/ids.ts";
import { loopUtilisation } from "../kernel/loop-utilisation.ts";
import { err, ok, type Result } from "../kernel/result.ts";
import { control } from "../protocol/control-messages.ts";
import { dataEcho, nodeEcho } from "../protocol/subjects.ts";
import {
  type LivenessConfig,
  livenessDefaults,
  type NodeFacts,
  type Overdue,
  speakForNode,
} from "./liveness-beats.ts";
import { LivenessCell, type NodeLoad } from "./liveness-cell.ts";

/** A node's word to the outside that it lives. */
export interface Liveness {
  /** The room's turn begins: should it never end, this is the room that is named. */
  enter(room: RoomId): void;
  leave(): void;
  /** The last beat says what is measured now, so it is called before anything else stops. */
  close(): Promise<void>;
}

export interface MainHalfOptions {
  readonly facts: NodeFacts;
  readonly clock: Clock;
  readonly control: Bus;
  readonly data: Bus;
  /** Asked once per tick of 50 ms: it must cost next to nothing. */
  readonly measure: () => NodeLoad;
  /** Share of the loop's time that is spent running; default: as Node measures it. */
  readonly utilisation?: () => number;
  readonly config?: LivenessConfig;
}

/** What the thread would have for itself. */
export interface InlineThread {
  readonly clock: Clock;
  readonly bus: Bus;
  readonly overdue: (overdue: Overdue) => void;
}

export interface LivenessOptions extends MainHalfOptions {
  /** The thread's own login; its connection's name is the liveness name of the process. */
  readonly target: Omit<NatsTarget, "name" | "label">;
}

/** What the thread is started with. */
export interface ThreadData {
  readonly facts: NodeFacts;
  readonly target: Omit<NatsTarget, "name" | "label">;
  readonly buffer: SharedArrayBuffer;
  readonly config: LivenessConfig;
}
/** The thread's only messages. */
export type ThreadMessage = { readonly ready: true } | { readonly error: NatsOpenError };

/** Beats from a thread with a connection of its own. Resolves when the thread is connected. */
export async function startLiveness(
  options: LivenessOptions,
): Promise<Result<Liveness, NatsOpenError>> {
  const cell = new LivenessCell();
  const config = options.config ?? livenessDefaults;
  const main = keepStamps(cell, options, config);
  const { facts, target } = options;
  const data: ThreadData = { facts, target, buffer: cell.buffer, config };
  const worker = startThread(data);
  let closing = false;
  const opened = await new Promise<ThreadMessage>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  if ("error" in opened) {
    main.close();
    await worker.terminate();
    return err(opened.error);
  }
  // A node nobody can hear is worth nothing and must not linger: a bug, so the process ends.
  worker.once("error", (cause) => {
    throw new InvariantViolation("the liveness thread failed", { cause });
  });
  worker.once("exit", (code) => {
    if (!closing) throw new InvariantViolation(`the liveness thread ended by itself (${code})`);
  });
  worker.unref();
  return ok({
    enter: (room) => cell.run(room),
    leave: () => cell.run(undefined),
    close: async () => {
      if (closing) return;
      closing = true;
      main.close();
      const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
      worker.ref();
      worker.postMessage("close");
      await ended;
    },
  });
}

/**
 * The same beats from the main loop itself, where all processes share one: nothing is killed,
 * unless a simulation gives the thread's half a life of its own.
 */
export function startInlineLiveness(options: MainHalfOptions, thread?: InlineThread): Liveness {
  const cell = new LivenessCell();
  const config = options.config ?? livenessDefaults;
  const main = keepStamps(cell, options, config);
  const { facts, clock, control: bus } = options;
  const voice = thread ?? { clock, bus, overdue: undefined };
  const speaking = speakForNode({ facts, cell, config, ...voice });
  return {
    enter: (room) => cell.run(room),
    leave: () => cell.run(undefined),
    close: async () => {
      main.close();
      speaking.close();
    },
  };
}

/** The main loop's half: shows that it turns, and that its connections carry. */
function keepStamps(
  cell: LivenessCell,
  options: MainHalfOptions,
  config: LivenessConfig,
): { readonly close: () => void } {
  const { clock, facts } = options;
  const echoes = [
    { bus: options.control, subject: nodeEcho(facts.process), name: "control" },
    { bus: options.data, subject: dataEcho("n", facts.process), name: "data" },
  ] as const;
  const watched = echoes.map(({ bus, subject, name }) =>
    watchEcho(bus, subject, {
      missedMax: config.echoesMissedMax,
      stamp: () => clock.now(),
      echoed: () => cell.echoed(name),
    }),
  );
  const sendEchoes = (): void => {
    for (const echo of watched) echo.send();
  };
  const utilisation = options.utilisation ?? loopUtilisation();
  const tick = (): void => {
    cell.tick();
    cell.report(options.measure(), utilisation());
  };
  tick();
  const timers = [clock.every(config.tickMs, tick), clock.every(config.echoMs, sendEchoes, 0)];
  return {
    close: () => {
      // For the last beat: what it leaves now, not up to 50 ms ago.
      tick();
      for (const timer of timers) timer.cancel();
      for (const echo of watched) echo.close();
    },
  };
}

/** Messages to oneself over one connection, which is redialled when they do not come back. */
function watchEcho(
  bus: Bus,
  subject: string,
  options: {
    readonly missedMax: number;
    readonly stamp: () => number;
    readonly echoed: () => void;
  },
): { readonly send: () => void; readonly close: () => void } {
  let missed = 0;
  /** An echo has come back since the connection was last made anew. */
  let carried = true;
  const send = (): void => {
    if (!bus.connected) return;
    if (missed >= options.missedMax) bus.redial();
    else {
      missed++;
      bus.publish(subject, control.encode({ type: "echo", stamp: options.stamp() }));
    }
  };
  const echoes = bus.subscribe(subject, () => {
    missed = 0;
    carried = true;
    options.echoed();
  });
  const changes = bus.onConnection((connected) => {
    missed = 0;
    if (!connected) return;
    // A new connection is given the time of an echo, once: one that comes and goes shows nothing.
    if (carried) options.echoed();
    carried = false;
    send();
  });
  return {
    send,
    close: () => {
      echoes.close();
      changes.close();
    },
  };
}

/** Built code runs as it is. From sources, tsx has to be brought into the thread by hand. */
function startThread(data: ThreadData): Worker {
  const options = { workerData: data, name: "liveness" };
  const fromSource = import.meta.url.endsWith(".ts");
  const thread = new URL(`./liveness-worker.${fromSource ? "ts" : "js"}`, import.meta.url);
  if (!fromSource) return new Worker(thread, options);
  // Node 20 gives a thread none of its parent's loaders, and `--import tsx` in execArgv does
  // nothing off the main thread (tsx 4.23).
  const api = JSON.stringify(import.meta.resolve("tsx/esm/api"));
  const start = `({ register }) => { register(); return import(${JSON.stringify(thread.href)}); }`;
  return new Worker(`import(${api}).then(${start})`, { ...options, eval: true });
}
