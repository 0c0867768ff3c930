import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { GATEWAY_DEFAULTS } from "../../gateway/config.ts";
import { CLOSE } from "../../src/protocol/close-codes.ts";
import { Cluster } from "../support/cluster.ts";
import { withoutNats } from "../support/nats-servers.ts";
import { joinOf, RawClient, RawSocket } from "../support/raw-client.ts";
import { waitUntil } from "../support/wait-until.ts";

const FILES_MAX = 400;
const CAP = FILES_MAX - GATEWAY_DEFAULTS.descriptorsReserved;
const GATEWAY = "gateway-1";

/** A command that runs the rest of its line under a lower limit on open files. */
const limited = (files: number): readonly string[] => [
  "sh",
  "-c",
  `ulimit -n ${files} && exec "$@"`,
  "sh",
];

const startLimited = (files: number): Promise<Cluster> =>
  Cluster.start({
    nats: 1,
    placements: 1,
    nodes: 1,
    gateways: 1,
    site: async (name, nats) => ({
      natsUrl: nats.url,
      command: name === GATEWAY ? limited(files) : [],
      host: "127.0.0.1",
    }),
  });

describe.skipIf(withoutNats)("a gateway that may open few files", () => {
  let cluster: Cluster;
  let sockets: RawSocket[] = [];

  beforeAll(async () => {
    cluster = await startLimited(FILES_MAX);
  }, 60_000);
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    sockets = [];
  });
  afterAll(async () => cluster?.close());

  const portOf = (): number => cluster.member(GATEWAY).port;

  it("[GW2] says how many sockets it takes, why, and what would raise it", () => {
    const told = cluster.member(GATEWAY).output.find((line) => line.includes("open files"));
    const { level, socketsMax, msg } = JSON.parse(told ?? "{}");
    expect({ level, socketsMax }).toEqual({ level: "warn", socketsMax: CAP });
    expect(msg).toBe(
      `The limit on open files is ${FILES_MAX}, 256 of which are reserved: this gateway takes ${CAP} sockets, not 17000. Raise it (ulimit -n, LimitNOFILE) or run more gateways.`,
    );
  });

  it("[GW2] turns away what is over, and serves those who are in", async () => {
    await cluster.createRoom("pier");
    const [url = ""] = cluster.gateways;
    const ann = await new RawClient(url).opened();
    ann.hello(await cluster.token(url, "ann"));
    ann.send(joinOf("pier"));
    await ann.until("ann is in", () => ann.got("snapshot").length > 0);
    for (let n = 1; n < CAP; n++) sockets.push(await RawSocket.upgraded(portOf()));
    const over = await new RawClient(url).opened();
    over.hello(await cluster.token(url, "bo"));
    await over.until("one more is told 4001", () => over.closed?.code === CLOSE.overloaded.code);
    // More than there are descriptors, and they do not hang up.
    const late = await Promise.all(
      Array.from({ length: FILES_MAX }, () => RawSocket.dial(portOf())),
    );
    sockets.push(...late);
    await ann.serves();
    expect(await cluster.metric(GATEWAY, "process_open_fds")).toBeLessThan(FILES_MAX);
    const { output, child } = cluster.member(GATEWAY);
    expect(output.filter((line) => line.includes('"level":"error"'))).toEqual([]);
    expect(child.exitCode).toBeNull();
    for (const socket of sockets.splice(0)) socket.destroy();
    const free = async (): Promise<boolean> =>
      (await cluster.metric(GATEWAY, "roomcluster_gateway_sockets")) === 1;
    await waitUntil("the others are forgotten", free, { timeoutMs: 20_000, pollMs: 100 });
    const next = await RawSocket.upgraded(portOf());
    sockets.push(next);
    await ann.serves();
    expect(next.closeCode).toBeUndefined();
  }, 120_000);

  it("[GW2] does not start where no socket is left", async () => {
    const failed = await startLimited(GATEWAY_DEFAULTS.descriptorsReserved).then(
      async (started) => {
        await started.close();
        return "it started";
      },
      (error: Error) => error.message,
    );
    expect(failed).toContain("This process can not start.");
    expect(failed).toContain("this gateway takes 0 sockets");
  }, 60_000);
});
