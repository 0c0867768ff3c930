import net from "node:net";
import { randomBelow, systemRandom } from "../kernel/random.ts";
import { err, ok, type Result } from "../kernel/result.ts";

/** True where this machine lets us listen there now. */
export function isFree(port: number, host = "127.0.0.1"): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
}

/**
 * So many ports that nobody uses, all different. They are below the range that outgoing connections
 * use, so they are still free when somebody listens there, or restarts.
 */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = 10_000 + randomBelow(systemRandom, 22_000);
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}

export interface ClusterPorts {
  readonly control: number;
  readonly gateways: readonly number[];
}

/** `first`, and those after it for the gateways; all free ones where it is 0. */
export async function clusterPorts(
  first: number,
  gateways: number,
): Promise<Result<ClusterPorts, string>> {
  if (first === 0) {
    const [control = 0, ...rest] = await freePorts(gateways + 1);
    return ok({ control, gateways: rest });
  }
  const uses = [
    { port: first, use: "the control API" },
    ...Array.from({ length: gateways }, (_, i) => ({
      port: first + 1 + i,
      use: `gateway ${i + 1}`,
    })),
  ];
  for (const { port, use } of uses) {
    if (await isFree(port)) continue;
    return err(
      `Port ${port}, for ${use}, is taken. Free it, name another first port with --port, or let the system choose with --port 0.`,
    );
  }
  return ok({ control: first, gateways: uses.slice(1).map(({ port }) => port) });
}

/** True where somebody accepts connections at one of these `scheme://host:port`. */
export async function anyAnswers(urls: readonly string[], timeoutMs: number): Promise<boolean> {
  const answers = await Promise.all(urls.map((url) => answersAt(url, timeoutMs)));
  return answers.includes(true);
}

function answersAt(text: string, timeoutMs: number): Promise<boolean> {
  if (!URL.canParse(text)) return Promise.resolve(false);
  const url = new URL(text);
  return new Promise((resolve) => {
    const socket = net.connect({ host: url.hostname, port: Number(url.port || NATS_PORT) });
    const done = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(timeoutMs, () => done(false));
    socket.once("error", () => done(false));
    socket.once("connect", () => done(true));
  });
}
const NATS_PORT = 4222;
