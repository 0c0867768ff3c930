import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Job, Measured } from "./audience.ts";
import type { Contestant } from "./contestant.ts";
import { type Cores, startedOn } from "./cores.ts";
import { type CoreTime, coreTime, processesBelow, spentBetween } from "./cpu.ts";
import type { FromDriver, ToDriver } from "./driver.ts";
import { UPDATES_HZ, usersOf, type Work } from "./work.ts";

const DRIVER = fileURLToPath(new URL("driver.ts", import.meta.url));

export interface TurnOptions {
  readonly round: number;
  readonly cores: Cores | undefined;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly witnessesPerRoom: number;
}

/** One contestant at one work, once. */
export interface Turn {
  readonly round: number;
  readonly work: string;
  readonly contestant: string;
  readonly cpuUsPerUserTick: number;
  /** Of it, each process's part. */
  readonly cpuUsByProcess: Readonly<Record<string, number>>;
  readonly serverCores: number;
  /** Share of the servers' core that went to whatever else runs on this machine, or its host. */
  readonly othersShare: number | null;
  readonly measured: Measured;
  /** Share of (witness, mover, tick) at which the mover's new pose was there. */
  readonly freshShare: number;
  /** What was not as it should be; empty where the figures count. */
  readonly faults: readonly string[];
}

/** Starts the contestant, lets everybody in, and measures it at the work. */
export async function takeTurn(
  contestant: Contestant,
  work: Work,
  options: TurnOptions,
): Promise<Turn> {
  const { cores } = options;
  const before = new Set(processesBelow(process.pid, new Set()).map(({ pid }) => pid));
  const running = await startedOn(cores?.server, () => contestant.start(work));
  const driver = await startedOn(cores?.client, async () => new Driver());
  try {
    const { host, port } = running;
    const { witnessesPerRoom } = options;
    const job: Job = { work, host, port, witnessesPerRoom };
    await driver.ask({ type: "join", job, dialect: contestant.dialect });
    await new Promise((resolve) => setTimeout(resolve, options.warmUpSeconds * 1000));
    const except = new Set([...before, driver.pid]);
    const coreBefore = cores && coreTime(cores.server);
    const cpuBefore = processesBelow(process.pid, except);
    const measured = await driver.ask({ type: "measure", seconds: options.seconds });
    const spentMs = spentBetween(cpuBefore, processesBelow(process.pid, except));
    const core = cores && coreBefore && since(coreBefore, coreTime(cores.server));
    if (measured.type !== "measured") throw new Error(`the clients said ${measured.type}`);
    const figures = figuresOf(contestant, work, measured.measured, { spentMs, core });
    return { round: options.round, ...figures };
  } finally {
    driver.close();
    await running.close();
  }
}

const since = (before: CoreTime, after: CoreTime): CoreTime => ({
  busyMs: after.busyMs - before.busyMs,
  allMs: after.allMs - before.allMs,
});

function figuresOf(
  contestant: Contestant,
  work: Work,
  measured: Measured,
  {
    spentMs,
    core,
  }: {
    readonly spentMs: Readonly<Record<string, number>>;
    readonly core: CoreTime | undefined;
  },
): Omit<Turn, "round"> {
  const usPerUserTick = (ms: number): number => (ms * 1000) / measured.updates;
  const total = Object.values(spentMs).reduce((sum, ms) => sum + ms, 0);
  const due = measured.witnesses.reduce((sum, { movers }) => sum + movers, 0);
  const fresh = measured.witnesses.reduce((sum, witness) => sum + witness.fresh, 0);
  const freshShare = fresh / (due * measured.seconds * UPDATES_HZ);
  return {
    work: work.name,
    contestant: contestant.name,
    cpuUsPerUserTick: usPerUserTick(total),
    cpuUsByProcess: Object.fromEntries(
      Object.entries(spentMs)
        .filter(([, ms]) => ms > 0)
        .map(([name, ms]) => [name, usPerUserTick(ms)]),
    ),
    serverCores: total / 1000 / measured.seconds,
    othersShare: core ? Math.max(0, core.busyMs - total) / core.allMs : null,
    measured,
    freshShare,
    faults: faultsOf(contestant, work, measured, freshShare),
  };
}

/**
 * Two poses that arrive between the same two ticks make one row. For who happens to send just when
 * the room ticks it is chance on which side a pose falls, and a tick in four has none of theirs.
 */
const FRESH_SHARE_MIN = 0.93;
const FRESH_LEAST_SHARE_MIN = 0.55;
/** Who is shown only in turn is still seen anew so often. */
const TURN_SECONDS_MAX = 2.5;
/** Above this the clients may be what is measured. */
const CLIENT_CORES_MAX = 0.85;

function faultsOf(
  contestant: Contestant,
  work: Work,
  measured: Measured,
  freshShare: number,
): string[] {
  const faults: string[] = [];
  const { users, complete, seconds, lost, witnesses, clientCores, sent } = measured;
  const ticks = seconds * UPDATES_HZ;
  if (users !== usersOf(work)) faults.push(`${users} of ${usersOf(work)} people were there`);
  if (lost.length > 0) faults.push(`clients were lost: ${lost[0]}`);
  if (complete < users) faults.push(`${users - complete} of ${users} clients missed updates`);
  const wrong = witnesses.reduce((sum, witness) => sum + witness.wrong, 0);
  if (wrong > 0) faults.push(`${wrong} rows were not what was sent`);
  if (witnesses.length === 0) faults.push("nobody looked");
  if (measured.updates > users * ticks * 1.05) faults.push("more updates than ticks");
  const freshLeast = Math.min(...witnesses.map((witness) => witness.freshLeast));
  if (freshLeast < Math.floor(seconds / TURN_SECONDS_MAX))
    faults.push(`somebody was seen ${freshLeast} times in ${seconds.toFixed(0)} s only`);
  if (contestant.sendsAll(work)) {
    const least = freshLeast / ticks;
    if (freshShare < FRESH_SHARE_MIN)
      faults.push(`only ${(freshShare * 100).toFixed(1)} % of the rows were there`);
    if (least < FRESH_LEAST_SHARE_MIN)
      faults.push(`somebody was seen at ${(least * 100).toFixed(0)} % of the ticks only`);
  }
  const sentDue = (users * ticks * (work.moversOfTen + (10 - work.moversOfTen) * 0.05)) / 10;
  if (sent < sentDue * 0.97)
    faults.push(`the clients sent only ${Math.round((sent / sentDue) * 100)} % of the poses`);
  if (clientCores > CLIENT_CORES_MAX)
    faults.push(`the clients took ${clientCores.toFixed(2)} of their core`);
  return faults;
}

/** The process of the clients. */
class Driver {
  readonly #child: ChildProcess;
  #ended: number | string | undefined;

  constructor() {
    this.#child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), DRIVER], {
      stdio: ["ignore", 2, 2, "ipc"],
      env: { PATH: process.env.PATH, NODE_ENV: "production" },
    });
    this.#child.once("exit", (code, signal) => {
      this.#ended = signal ?? code ?? "unknown";
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  ask(message: ToDriver): Promise<Exclude<FromDriver, { type: "failed" }>> {
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error(`the clients' process ended: ${this.#ended}`));
      if (this.#ended !== undefined) return ended();
      this.#child.once("exit", ended);
      this.#child.once("message", (answer: FromDriver) => {
        this.#child.off("exit", ended);
        if (answer.type === "failed") reject(new Error(answer.why));
        else resolve(answer);
      });
      this.#child.send(message);
    });
  }

  close(): void {
    this.#child.kill("SIGKILL");
  }
}
