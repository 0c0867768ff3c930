import { MemoryNetwork } from "../../src/bus/memory-bus.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { seededRandom } from "../../src/kernel/random.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { type BusHarness, busContract } from "./bus.suite.ts";

function start(delayMsMax: number): () => Promise<BusHarness> {
  return async () => {
    const network = new MemoryNetwork(systemClock, seededRandom(1));
    Object.assign(network.faults.everywhere, { delayMsMin: 0, delayMsMax });
    const names = ["a", "b", "c"];
    return {
      open: async (name, metrics) =>
        network.open(name, { observer: { ...silentObserver, metrics } }),
      disconnect: async () => {
        for (const name of names) network.faults.disconnect(name);
      },
      reconnect: async () => {
        for (const name of names) network.faults.reconnect(name);
      },
      close: async () => undefined,
    };
  };
}

busContract("memory", start(0));
busContract("memory, with delays", start(3));
