import type { Auth, Person } from "../../gateway/auth.ts";
import { GATEWAY_DEFAULTS } from "../../gateway/config.ts";
import { GatewayCore } from "../../gateway/core.ts";
import { personId } from "../../src/kernel/ids.ts";
import { err, ok } from "../../src/kernel/result.ts";
import { SimProcess, type Surroundings } from "./sim-process.ts";

const CONFIG = {
  ...GATEWAY_DEFAULTS,
  drainMs: 3_000,
  newsMax: 16,
  // Rooms tick twice a second at most.
  frameMsMax: 1_000,
  // Slower than in earnest: sweeps and frames are most of what a seed costs.
  flushMs: 100,
  // The gateway's own counters are not what is tested here.
  messagesPerSecond: 200,
};

/** A gateway as its role puts it together, without its listener: sockets are simulated too. */
export class SimGateway {
  readonly process: SimProcess;
  readonly core: GatewayCore;
  readonly url: string;

  constructor(name: string, surroundings: Surroundings) {
    this.process = new SimProcess("gateway", name, surroundings);
    const { self, main, random, observer, connections } = this.process;
    const { clock } = main;
    this.url = `sim://${name}`;
    this.core = new GatewayCore({
      self,
      controlBus: connections.control,
      dataBus: connections.data,
      journal: connections.stores.journal,
      clock,
      random,
      observer,
      config: CONFIG,
      auth,
      utilisation: () => this.process.utilisation(),
    });
    this.core.start({ url: this.url, socketsMax: 1_000 });
  }

  /** SIGTERM. */
  drain(): void {
    void this.core.drain().then(() => this.process.exit("drained"));
  }
}

/** Signatures take real time in threads of their own; what they protect is tested elsewhere. */
const auth: Auth = {
  verifyPerson: async (token) => {
    const person: Person = {
      person: personId(token),
      tenant: "sim",
      name: token,
      role: "audience",
      rooms: undefined,
    };
    return ok(person);
  },
  verifySession: async (token) => (token.startsWith("{") ? ok(JSON.parse(token)) : err("invalid")),
  signSession: (claims) => JSON.stringify(claims),
  signPerson: () => undefined,
};
