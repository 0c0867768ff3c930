import { writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { NatsBus } from "../bus/nats-bus.ts";
import { openNats } from "../bus/nats-connection.ts";
import { NATS_LIMITS } from "../bus/nats-options.ts";
import { assert } from "../kernel/assert.ts";
import { type Clock, delay, systemClock } from "../kernel/clock.ts";
import { systemRandom } from "../kernel/random.ts";
import { silentObserver } from "../observe/observer.ts";
import { livenessConnection } from "../protocol/subjects.ts";
import type { ThreadData, ThreadMessage } from "./liveness.ts";
import { type Overdue, speakForNode } from "./liveness-beats.ts";
import { LivenessCell } from "./liveness-cell.ts";

/**
 * The liveness thread's entry. It never waits for the main loop, because it has to speak and act
 * when that loop is stuck.
 */
assert(parentPort !== null, "the liveness worker runs as a thread");
const port = parentPort;
const { facts, target, buffer, config } = workerData as ThreadData;
const say = (message: ThreadMessage): void => port.postMessage(message);

// A client that leaves its server looks exactly like one that was killed. One that the server sends
// away does not, so this connection stays until it is sent away.
const limits = { ...NATS_LIMITS, leaveMsMax: Number.MAX_VALUE };
const clock: Clock = {
  ...systemClock,
  after: (delayMs, fire) =>
    // Node fires at once what lies further off than 2^31 ms.
    delayMs < 2 ** 31 ? systemClock.after(delayMs, fire) : { cancel: () => undefined },
};
const opened = await openNats(
  { ...target, name: livenessConnection(facts.process), label: "live" },
  { clock, random: systemRandom, observer: silentObserver },
  limits,
);
if (!opened.ok) say({ error: opened.error });
else {
  const bus = new NatsBus(opened.value);
  const cell = new LivenessCell(buffer);
  const speaking = speakForNode({ facts, cell, bus, clock, config, overdue });
  port.once("message", () => {
    speaking.close();
    void bus.close().then(() => process.exit(0));
  });
  say({ ready: true });

  function overdue({ loopAgeMs, echoAgeMs, running }: Overdue): void {
    const line = {
      level: "fatal",
      process: facts.process,
      loopAgeMs,
      echoAgeMs,
      running,
      msg: "the main loop or a connection of it is stuck: the process ends",
    };
    // Not process.stderr: in a thread it goes through the main loop, which is the one that is
    // stuck.
    writeSync(2, `${JSON.stringify(line)}\n`);
    // The beat that tells the cluster which room it was should leave first.
    void Promise.race([bus.flush(), delay(clock, config.lastWordsMs)]).then(() =>
      process.kill(process.pid, "SIGKILL"),
    );
  }
}
