import { type Client, connect, type JoinOptions } from "../../src/client/client.ts";
import type { Room } from "../../src/client/room.ts";
import { tokensIn } from "../../src/load/ledger-script.ts";
import type { Cluster } from "./cluster.ts";
import type { LedgerState } from "./ledger-world.ts";

const PROFILE = { name: "crew", color: 0x88aaff, model: "capsule" };

/** What one person saw and did. */
export interface Sailor {
  readonly name: string;
  /** The gateway in use. */
  readonly url: () => string;
  readonly client: Client;
  readonly room: Room<LedgerState>;
  readonly acked: Set<string>;
  readonly sent: Set<string>;
  readonly refused: string[];
  /** Closes of the socket that this side did not ask for. */
  closes: number;
  epochs: number[];
  /** When frames of each epoch were first seen, `performance.now()`. */
  readonly firstFrameAt: Map<number, number>;
  frames: number;
}

export interface Verdict {
  readonly acked: number;
  readonly lost: string[];
  readonly doubled: string[];
}

/** People who walk and put numbered tokens into the ledger of their room, without rest. */
export class Crew {
  readonly sailors: Sailor[] = [];
  readonly #cluster: Cluster;
  #working = true;
  readonly #work: Promise<void>[] = [];

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  async join(
    name: string,
    room: string,
    gateways = this.#cluster.gateways,
    options: Partial<JoinOptions> = {},
  ): Promise<Sailor> {
    let url = "";
    const client = await connect({
      urls: gateways,
      token: (gateway) => this.#cluster.token(gateway, name),
      agent: "crew",
      onConnection: (state, detail) => {
        if (state === "open") url = detail.url ?? "";
      },
    });
    const joined = await client.join<LedgerState>(room, {
      profile: { ...PROFILE, name },
      ...options,
    });
    const sailor: Sailor = {
      url: () => url,
      name,
      client,
      room: joined,
      acked: new Set(),
      sent: new Set(),
      refused: [],
      closes: 0,
      epochs: [joined.epoch],
      firstFrameAt: new Map(),
      frames: 0,
    };
    client.on("connection", (state) => {
      if (state === "reconnecting") sailor.closes++;
    });
    joined.on("epoch", () => sailor.epochs.push(joined.epoch));
    joined.on("frame", () => {
      sailor.frames++;
      if (!sailor.firstFrameAt.has(joined.epoch))
        sailor.firstFrameAt.set(joined.epoch, performance.now());
    });
    this.sailors.push(sailor);
    return sailor;
  }

  /** Each keeps one command in flight and walks about, `everyMs` between commands. */
  work(everyMs: number): void {
    for (const sailor of this.sailors) this.#work.push(this.#labour(sailor, everyMs));
  }

  async #labour(sailor: Sailor, everyMs: number): Promise<void> {
    for (let n = 1; this.#working && !sailor.room.ended; n++) {
      const token = `${sailor.name}-${n}`;
      const x = Math.sin(n / 5) * 8;
      sailor.room.setPose({ x, y: 0, z: n % 7, yaw: 0, pitch: 0, reach: [0, 0, 0], animation: 1 });
      sailor.sent.add(token);
      await sailor.room.command("put", { token }).then(
        () => sailor.acked.add(token),
        (error: Error) => sailor.refused.push(`${token}: ${error.message}`),
      );
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }

  /** Stops giving commands; every one that was sent is answered when this returns. */
  async rest(): Promise<void> {
    this.#working = false;
    await Promise.all(this.#work);
  }

  /** Compares what was acknowledged with what the rooms hold, as a newcomer sees them. */
  async verdict(rooms: readonly string[]): Promise<Verdict> {
    const tokens = new Map<string, number>();
    for (const name of rooms) {
      const reader = await new Crew(this.#cluster).join(`reader-${name}`, name);
      for (const [token, times] of tokensIn(reader.room.state)) tokens.set(token, times);
      await reader.room.leave();
      reader.client.close();
    }
    const acked = this.sailors.flatMap((sailor) => [...sailor.acked]);
    const lost = acked.filter((token) => !tokens.has(token));
    const doubled = [...tokens].flatMap(([token, times]) => (times > 1 ? [token] : []));
    return { acked: acked.length, lost, doubled };
  }

  close(): void {
    this.#working = false;
    for (const { client } of this.sailors) client.close();
  }

  describe(): string {
    return this.sailors
      .map(
        (s) => `${s.name}: acked ${s.acked.size}/${s.sent.size}, epoch ${s.room.epoch},
        frames ${s.frames}, ${s.client.state}, closes ${s.closes}, refused ${s.refused.join("; ")}`,
      )
      .join("\n");
  }
}
