import { writeFileSync } from "node:fs";
import path from "node:path";
import { randomBelow, randomHex, systemRandom } from "../kernel/random.ts";
import type { LoadFlags } from "../load/dense/flags.ts";
import { LiveView } from "../load/dense/live-view.ts";
import { failuresOf, tableOf } from "../load/dense/report.ts";
import { htmlOf } from "../load/dense/report-html.ts";
import { LoadRun } from "../load/dense/run.ts";
import { splitClients } from "../load/dense/split.ts";
import { openFilesMax } from "../observe/open-files.ts";
import { EXIT } from "./process.ts";
import { mainFile } from "./project.ts";

/** `roomcluster load`: a run against any deployment, until it is over or Ctrl-C. */
export async function runLoad(flags: LoadFlags, args: readonly string[]): Promise<void> {
  const view = new LiveView({
    isTTY: process.stderr.isTTY === true,
    write: (text) => void process.stderr.write(text),
  });
  const fail = (sentence: string, code: number): void => {
    view.say(`roomcluster load: ${sentence}`);
    process.exitCode = code;
  };
  const split = splitClients(flags.clients, flags.processes, openFilesMax());
  if (!split.ok) return fail(split.error, EXIT.usage);
  const seed = flags.seed ?? randomBelow(systemRandom, 1_000_000);
  const started = await LoadRun.start({
    flags,
    split: split.value,
    worker: [mainFile(), "load", "--worker"],
    view,
    seed,
    run: randomHex(systemRandom, 3),
    command: commandOf(args),
  });
  if (!started.ok) return fail(started.error, EXIT.failed);
  const run = started.value;
  endOnSignals(run, view);
  const report = await run.toEnd();
  view.keep();
  process.stdout.write(`${tableOf(report)}\n`);
  if (flags.json !== undefined) write(flags.json, `${JSON.stringify(report, undefined, 2)}\n`);
  if (flags.html !== undefined) write(flags.html, htmlOf(report));
  const failures = failuresOf(report);
  for (const failure of failures) view.say(`FAILED: ${failure}`);
  process.exit(failures.length === 0 ? EXIT.stopped : EXIT.failed);

  function write(file: string, text: string): void {
    writeFileSync(file, text);
    view.say(`wrote ${path.resolve(file)}`);
  }
}

/** What was typed, without what is secret in it. */
const commandOf = (args: readonly string[]): string =>
  ["npm run load --", ...args].join(" ").replace(/(--token(?:-secret)?)[= ]\S+/g, "$1 …");

function endOnSignals(run: LoadRun, view: LiveView): void {
  let asked = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (asked) {
        run.kill();
        process.exit(EXIT.failed);
      }
      asked = true;
      view.say(`${signal}: everybody leaves; once more to end at once`);
      run.end(`ended by ${signal}`);
    });
  }
}
