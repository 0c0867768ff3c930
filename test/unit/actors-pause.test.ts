import { expect, it } from "vitest";
import { PauseWatch } from "../../actors/pause-watch.ts";
import { Strand } from "../sim/strand.ts";
import { VirtualTime } from "../sim/virtual-time.ts";

/** What a watch says to messages that are sent at these times, while its process stands still. */
function heard(pauseMs: number, sentAtMs: readonly number[]): boolean[] {
  const time = new VirtualTime();
  const strand = new Strand(time, 77);
  const watch = new PauseWatch(strand.clock);
  const answers: boolean[] = [];
  time.at(1_000, () => strand.freeze());
  time.at(1_000 + pauseMs, () => strand.resume());
  for (const at of sentAtMs)
    time.at(at, () => strand.arrive(() => answers.push(watch.readsBacklog)));
  time.run(20_000);
  watch.close();
  expect(strand.timers).toBe(0);
  return answers;
}

it("[OW14] holds for outdated what piled up during a pause (simulation, seed 47)", () => {
  expect(heard(7_600, [900, 1_100, 5_000, 8_700])).toEqual([false, true, true, true]);
});

it("[OW14] reads on as ever soon after, and in a loop that is only busy", () => {
  expect(heard(7_600, [8_900, 12_000])).toEqual([false, false]);
  expect(heard(600, [1_100, 1_700])).toEqual([false, false]);
});
