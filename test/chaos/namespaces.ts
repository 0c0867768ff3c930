import { execFileSync } from "node:child_process";

/** A network of its own, joined to the machine's by one cable that can be pulled. */
export interface Zone {
  readonly namespace: string;
  /** The machine's end of the cable, where proxies listen for those inside. */
  readonly hostAddress: string;
  readonly address: string;
  /** What runs a program inside: it replaces itself by the program. */
  readonly command: readonly string[];
}

const PREFIX = "rc-chaos-";
/** A neighbour that nobody is: what is sent there is dropped without a word. */
const NOBODY = "02:00:00:00:00:99";

const ip = (...args: readonly string[]): string =>
  execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/**
 * Network namespaces that this process made, with addresses that are known on this machine only.
 * They are gone after `close()`, and when the process just exits.
 */
export class Namespaces {
  readonly zones: readonly Zone[];
  readonly #cables: ReadonlyMap<Zone, { readonly host: string; readonly inside: string }>;

  private constructor(count: number) {
    const cables = new Map<Zone, { host: string; inside: string }>();
    this.#cables = cables;
    const net = process.pid % 250;
    for (let i = 0; i < count; i++) {
      const zone: Zone = {
        namespace: `${PREFIX}${process.pid}-${i}`,
        hostAddress: `10.213.${net}.${i * 4 + 1}`,
        address: `10.213.${net}.${i * 4 + 2}`,
        command: ["ip", "netns", "exec", `${PREFIX}${process.pid}-${i}`],
      };
      const id = process.pid.toString(36);
      cables.set(zone, { host: `rcc${id}${i}h`, inside: `rcc${id}${i}n` });
    }
    this.zones = [...cables.keys()];
  }

  /** Makes them, or says in a sentence why this machine does not have it. */
  static open(count: number): Namespaces | { readonly refused: string } {
    const made = new Namespaces(count);
    process.once("exit", made.close);
    try {
      sweep();
      for (const zone of made.zones) made.#make(zone);
      return made;
    } catch (error) {
      made.close();
      const text = (error as { stderr?: string }).stderr || (error as Error).message;
      return { refused: text.trim().split("\n")[0] ?? "" };
    }
  }

  #make(zone: Zone): void {
    const { host, inside } = this.#cable(zone);
    const { namespace, address, hostAddress } = zone;
    const within = (...args: readonly string[]): string => ip("-n", namespace, ...args);
    ip("netns", "add", namespace);
    ip("link", "add", host, "type", "veth", "peer", "name", inside, "netns", namespace);
    ip("addr", "add", `${hostAddress}/30`, "dev", host);
    ip("link", "set", host, "up");
    within("addr", "add", `${address}/30`, "dev", inside);
    within("link", "set", inside, "up");
    within("link", "set", "lo", "up");
  }

  /** Nothing passes, in neither direction. */
  cut(zone: Zone): void {
    ip("link", "set", this.#cable(zone).host, "down");
  }

  /** What those inside send reaches nobody; what is sent to them does. */
  mute(zone: Zone): void {
    const { inside } = this.#cable(zone);
    const { hostAddress, namespace } = zone;
    ip("-n", namespace, "neigh", "replace", hostAddress, "lladdr", NOBODY, "dev", inside);
  }

  mend(zone: Zone): void {
    const { host, inside } = this.#cable(zone);
    ip("link", "set", host, "up");
    ip("-n", zone.namespace, "neigh", "flush", "dev", inside, "nud", "all");
  }

  close = (): void => {
    process.off("exit", this.close);
    for (const zone of this.zones) {
      tryTo(() => ip("link", "del", this.#cable(zone).host));
      tryTo(() => ip("netns", "del", zone.namespace));
    }
  };

  #cable(zone: Zone): { readonly host: string; readonly inside: string } {
    const cable = this.#cables.get(zone);
    if (!cable) throw new Error(`${zone.namespace} is none of these`);
    return cable;
  }
}

/** Removes what a run left behind that was killed before it could. */
function sweep(): void {
  for (const line of ip("netns", "list").split("\n")) {
    const [namespace = ""] = line.split(" ");
    const pid = /^rc-chaos-(\d+)-\d+$/.exec(namespace)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) ip("netns", "del", namespace);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function tryTo(deed: () => void): void {
  try {
    deed();
  } catch {
    // Already gone, or never made.
  }
}
