/** Run as a process of its own: subscribes with a bug, publishes, and must not live to say so. */
import { NatsBus } from "../../src/bus/nats-bus.ts";
import { openNats } from "../../src/bus/nats-connection.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { systemRandom } from "../../src/kernel/random.ts";
import { silentObserver } from "../../src/observe/observer.ts";

const login = { user: "any", password: "any", inboxPrefix: "_INBOX_any" };
const target = { ...login, servers: process.argv.slice(2), name: "faulty", label: "control" };
const runtime = { clock: systemClock, random: systemRandom, observer: silentObserver };
const opened = await openNats(target, runtime);
if (!opened.ok) throw new Error(opened.error.detail);
const bus = new NatsBus(opened.value);
bus.subscribe("x", () => {
  throw new Error("a bug in a receiver");
});
bus.publish("x", new Uint8Array(1));
await bus.flush();
await bus.flush();
await bus.close();
process.exit(0);
