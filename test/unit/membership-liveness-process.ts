/**
 * A process with nothing but liveness, for membership-liveness-thread.test.ts to freeze and kill.
 */
import { Worker } from "node:worker_threads";
import { NatsBus } from "../../src/bus/nats-bus.ts";
import { openNats } from "../../src/bus/nats-connection.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { processId, roomId } from "../../src/kernel/ids.ts";
import { systemRandom } from "../../src/kernel/random.ts";
import { startLiveness } from "../../src/membership/liveness.ts";
import { silentObserver } from "../../src/observe/observer.ts";

interface Login {
  readonly user: string;
  readonly password: string;
  readonly inboxPrefix: string;
}
const { id, servers, node, nodeData } = JSON.parse(process.argv[2] as string) as {
  readonly id: string;
  readonly servers: string[];
  readonly node: Login;
  readonly nodeData: Login;
};
const runtime = { clock: systemClock, random: systemRandom, observer: silentObserver };

async function open(login: Login, label: string): Promise<NatsBus> {
  const opened = await openNats({ ...login, servers, name: `${label}:${id}`, label }, runtime);
  if (!opened.ok) throw new Error(opened.error.detail);
  return new NatsBus(opened.value);
}

/** The thread, which liveness keeps to itself. */
let thread: Worker | undefined;
const { unref } = Worker.prototype;
Worker.prototype.unref = function (this: Worker): void {
  thread = this;
  unref.call(this);
};

const liveness = await startLiveness({
  facts: {
    process: processId(id),
    capacity: 1,
    arch: process.arch,
    zone: "z1",
    version: "0",
    pricePerHour: 0,
    host: "test",
    pid: process.pid,
    worlds: [],
  },
  clock: systemClock,
  control: await open(node, "control"),
  data: await open(nodeData, "data"),
  measure: () => ({ rooms: 1, sessions: 2, egressBytesPerS: 3, draining: false, stretch: 1 }),
  target: { ...node, servers },
});
if (!liveness.ok) throw new Error(liveness.error.detail);

process.on("message", (command) => {
  if (command === "end the thread") void thread?.terminate();
  if (command === "close") void liveness.value.close().then(() => process.exit(0));
  if (command !== "block") return;
  liveness.value.enter(roomId("demo/stuck"));
  for (;;) systemClock.now();
});
process.send?.("ready");
