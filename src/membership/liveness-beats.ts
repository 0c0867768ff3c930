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
  /** So often the main loop shows that it turns, and the thread looks whether it does. */
  readonly tickMs: number;
  /** Self-addressed echoes over the control and the data connection. */
  readonly echoMs: number;
  /**
   * A connection on which this many echoes in a row did not come back is redialled when the next is
   * due: after echoMs × (echoesMissedMax + 1). One server may then be dialled in vain, and the
   * first echo over the next one still has to be back within ageMsMax. A loop that paused missed
   * one at most, because it reads what came between any two.
   */
  readonly echoesMissedMax: number;
  /** The thread's own connection carries while its server answers one of so many beats in a row. */
  readonly unansweredBeatsMax: number;
  /** An age over this ends the process. */
  readonly ageMsMax: number;
  /** How long the last beat may take to leave the dying process. */
  readonly lastWordsMs: number;
}

export const livenessDefaults: LivenessConfig = {
  beatMs: 250,
  tickMs: 50,
  echoMs: 500,
  echoesMissedMax: 2,
  unansweredBeatsMax: 4,
  ageMsMax: 3_000,
  lastWordsMs: 250,
};

export interface Overdue {
  readonly loopAgeMs: number;
  readonly echoAgeMs: number;
  readonly running: RoomId | null;
}

/**
 * The speaking half of liveness: beats and answers probes from what the cell shows, and beats once
 * more when it is closed. `overdue` is called once, after the beat that says so was handed to the
 * bus.
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
  const carries = watchServer(bus, config.unansweredBeatsMax);
  const look = () => ages.look(cell.counters, carries.now, clock.now());
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
    carries.ask();
    if (told || !isOverdue({ loopAgeMs, echoAgeMs }, config)) return;
    told = true;
    options.overdue?.({ loopAgeMs, echoAgeMs, running });
  };
  // People wait for a loop that hangs: by beats alone both its last turn and the end of its time
  // would be noticed late.
  const glance = (): void => {
    if (!told && isOverdue(look(), config)) beat();
  };
  const pings = bus.subscribe(nodePing(facts.process), (message) => {
    if (decodeControl(message.data)?.type !== "probe") return;
    const { loopAgeMs } = look();
    message.respond(control.encode({ type: "alive", process: facts.process, loopAgeMs }));
  });
  const timers = [clock.every(config.beatMs, beat, 0), clock.every(config.tickMs, glance)];
  return {
    close: () => {
      beat();
      for (const timer of timers) timer.cancel();
      pings.close();
    },
  };
}

const isOverdue = (
  ages: { readonly loopAgeMs: number; readonly echoAgeMs: number },
  { ageMsMax }: LivenessConfig,
): boolean => Math.max(ages.loopAgeMs, ages.echoAgeMs) > ageMsMax;

/**
 * Whether a connection carries: one to a frozen server counts as up until its pongs are missed,
 * which takes about as long as an echo may.
 */
function watchServer(bus: Bus, unansweredMax: number): { readonly now: boolean; ask(): void } {
  let asking = false;
  let unanswered = 0;
  return {
    get now() {
      return bus.connected && unanswered <= unansweredMax;
    },
    ask: () => {
      unanswered++;
      if (asking) return;
      asking = true;
      void bus.flush().then(() => {
        asking = false;
        unanswered = 0;
      });
    },
  };
}
