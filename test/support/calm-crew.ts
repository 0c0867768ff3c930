import { readFileSync } from "node:fs";
import { SignJWT } from "jose";
import { expect } from "vitest";
import { tokensIn } from "../../src/load/ledger-script.ts";
import { CLOSE, type CloseName } from "../../src/protocol/close-codes.ts";
import { Cluster, SECRET } from "./cluster.ts";
import { Crew, type Sailor } from "./crew.ts";
import { RawClient } from "./raw-client.ts";
import { waitUntil } from "./wait-until.ts";

export const GATEWAY = "gateway-1";
export const ROOM = "pier";
const KEY = new TextEncoder().encode(SECRET);

/** A counter, part of its labels, and by how much it should rise. */
export type Count = readonly [metric: string, label: string, by: number, member?: string];

export const closed = (why: CloseName, by = 1): Count => [
  "roomcluster_gateway_closes_total",
  `reason="${why}"`,
  by,
];

/** A cluster with three people at work in a room, who must not notice what others do. */
export class CalmCrew {
  readonly cluster: Cluster;
  readonly crew: Crew;
  readonly #rssBefore: number;
  #people = 0;

  private constructor(cluster: Cluster, crew: Crew) {
    this.cluster = cluster;
    this.crew = crew;
    this.#rssBefore = this.rssKiB();
  }

  static async start(): Promise<CalmCrew> {
    const cluster = await Cluster.start({
      nats: 1,
      placements: 1,
      nodes: 2,
      gateways: 1,
      set: { gateway: ["gateway.helloMsMax=1000", "gateway.pingMs=1000"] },
    });
    try {
      await cluster.createRoom(ROOM);
      const crew = new Crew(cluster);
      await Promise.all(["ada", "bo", "cy"].map((name) => crew.join(name, ROOM)));
      crew.work(60);
      const calm = new CalmCrew(cluster, crew);
      await calm.undisturbed();
      return calm;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.crew.close();
    await this.cluster.close();
  }

  get url(): string {
    return this.cluster.gateways[0] as string;
  }

  get port(): number {
    return this.cluster.member(GATEWAY).port;
  }

  get sailor(): Sailor {
    return this.crew.sailors[0] as Sailor;
  }

  get tokens(): Readonly<Record<string, number>> {
    return Object.fromEntries(tokensIn(this.sailor.room.state));
  }

  /** What the gateway holds in memory, which `/proc` tells of any process of this user. */
  rssKiB(): number {
    const { pid } = this.cluster.member(GATEWAY);
    const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return Number(found?.[1]);
  }

  get grownKiB(): number {
    return this.rssKiB() - this.#rssBefore;
  }

  newPerson = (): string => `raw-${++this.#people}`;

  /** A token as an identity provider signs it, with claims changed or (undefined) left out. */
  token(
    over: Record<string, unknown> = {},
    key: Uint8Array = KEY,
    header: { readonly alg?: string; readonly typ?: string } = {},
  ): Promise<string> {
    const exp = Math.floor(Date.now() / 1000) + 600;
    const claims = { sub: this.newPerson(), tenant: "demo", exp, ...over };
    return new SignJWT(claims).setProtectedHeader({ alg: "HS256", ...header }).sign(key);
  }

  dial(options: { origin?: string; protocol?: string } = {}): RawClient {
    return new RawClient(this.url, options);
  }

  async welcomed(claims: Record<string, unknown> = {}): Promise<RawClient> {
    const client = await this.dial().opened();
    client.hello(await this.token(claims));
    await client.take("welcome");
    return client;
  }

  async member(claims: Record<string, unknown> = {}): Promise<RawClient> {
    const client = await this.welcomed(claims);
    client.join(ROOM);
    await client.until("it is in", () => client.got("snapshot").length > 0);
    return client;
  }

  count = ([metric, label, , member = GATEWAY]: Count): Promise<number> =>
    this.cluster.metric(member, metric, label);

  /** Does it, and waits until every counter has risen by what it should, and by no more. */
  async counted(counts: readonly Count[], deed: () => Promise<void>): Promise<void> {
    const before = await Promise.all(counts.map(this.count));
    await deed();
    for (const [at, count] of counts.entries()) {
      let risen = 0;
      const rise = async (): Promise<boolean> => {
        risen = (await this.count(count)) - (before[at] as number);
        return risen >= count[2];
      };
      const dump = (): string => `it rose by ${risen}`;
      await waitUntil(`${count[0]}{${count[1]}} rises by ${count[2]}`, rise, { dump });
      expect(risen, `${count[0]}{${count[1]}}`).toBe(count[2]);
    }
  }

  /** The socket ends with exactly this code. */
  async closes(client: RawClient, why: CloseName, timeoutMs?: number): Promise<void> {
    expect(await client.end(timeoutMs)).toEqual(CLOSE[why]);
  }

  /** Nobody of the crew was closed or refused, work goes on, and no process died or complained. */
  async undisturbed(): Promise<void> {
    const { sailors } = this.crew;
    const was = sailors.map(({ acked, frames }) => ({ acked: acked.size, frames }));
    const describe = (): string => `${this.crew.describe()}\n${this.cluster.dump()}`;
    const moved = (sailor: Sailor, at: number): boolean =>
      sailor.acked.size > (was[at]?.acked ?? 0) && sailor.frames > (was[at]?.frames ?? 0);
    await waitUntil("the crew works on and sees frames", () => sailors.every(moved), {
      dump: describe,
    });
    for (const { closes, refused, room } of sailors)
      expect({ closes, refused, ended: room.ended }, describe()).toEqual({
        closes: 0,
        refused: [],
        ended: false,
      });
    for (const { child, name, output } of this.cluster.members) {
      expect([child.exitCode, child.signalCode], `${name}\n${output.join("\n")}`).toEqual([
        null,
        null,
      ]);
      const loud = output.filter((line) => /"level":"(error|fatal)"/.test(line));
      expect(loud, name).toEqual([]);
    }
  }
}
