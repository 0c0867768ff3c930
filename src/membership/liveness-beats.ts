import type { Bus } from "../bus/bus.ts";
import type { Clock } from "../kernel/clock.ts";
import type { RoomId } from "../kernel/ids.ts";
import { control, decodeControl, type NodeBeat } from "../protocol/control-messages.ts";
import { nodeBeat, nodePing } from "../protocol/subjects.ts";
import { type LivenessCell, RunningAges } from "./liveness-cell.ts";

/** What a node says of itself in every beat and never changes. */
export type NodeFacts = Pick<
  NodeBeat,
  "process" | "capacity" | "arch" | "zone" | "version" | "pricePerHour" | "host" | "pid" | "worlds"
>;

export interface LivenessConfig {
  readonly beatMs: number;
  /** The main loop shows that it turns this often. */
  readonly tickMs: number;
  /** Self-addressed echoes over the control and the data connection. */
  readonly echoMs: number;
  /** An age over this ends the process. */
  readonly ageMsMax: number;
  /** How long the last beat may take to leave the dying process. */
  readonly lastWordsMs: number;
}

export const livenessDefaults: LivenessConfig = {
  beatMs: 250,
  tickMs: 50,
  echoMs: 500,
  ageMsMax: 3_000,
  lastWordsMs: 250,
};

export interface Overdue {
  readonly loopAgeMs: number;
  readonly echoAgeMs: number;
  readonly running: RoomId | null;
}

/**
 * The speaking half of liveness: beats and answers probes from what the cell shows. `overdue` is
 * called once, after the beat that says so was handed to the bus.
 */
export function speakForNode(options: {
  readonly facts: NodeFacts;
  readonly cell: LivenessCell;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly config: LivenessConfig;
  readonly overdue: ((overdue: Overdue) => void) | undefined;
}): { readonly close: () => void } {
  const { facts, cell, bus, clock, config } = options;
  const ages = new RunningAges(2 * config.beatMs, clock.now());
  const look = () => ages.look(cell.counters, bus.connected, clock.now());
  let sequence = 0;
  let told = false;
  const beat = (): void => {
    const { loopAgeMs, echoAgeMs } = look();
    const running = cell.running();
    sequence++;
    const message: NodeBeat = {
      type: "nodeBeat",
      ...facts,
      ...cell.load,
      sequence,
      loopAgeMs,
      echoAgeMs,
      running,
    };
    bus.publish(nodeBeat(facts.process), control.encode(message));
    if (told || Math.max(loopAgeMs, echoAgeMs) <= config.ageMsMax) return;
    told = true;
    options.overdue?.({ loopAgeMs, echoAgeMs, running });
  };
  const pings = bus.subscribe(nodePing(facts.process), (message) => {
    if (decodeControl(message.data)?.type !== "probe") return;
    const { loopAgeMs } = look();
    message.respond(control.encode({ type: "alive", process: facts.process, loopAgeMs }));
  });
  const timer = clock.every(config.beatMs, beat, 0);
  return {
    close: () => {
      timer.cancel();
      pings.close();
    },
  };
}
