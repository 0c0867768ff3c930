import { fileURLToPath } from "node:url";
import { buildProduct } from "../../support/built-product.ts";
import { type Cores, startedOn } from "../density/cores.ts";
import { Crowd } from "./crowd.ts";
import { CROWD, ROOM_SIZE } from "./mix.ts";
import { Product, type ServerCpu } from "./product.ts";
import type { Say } from "./progress.ts";

const WORLD = "plain";
const WORLD_FILE = fileURLToPath(new URL("../density/plain-world.ts", import.meta.url));

export interface ShowOptions {
  readonly usersMax: number;
  readonly gateways: number;
  readonly nodes: number;
  readonly processes: number;
  readonly joinsPerSecond: number;
  /** Given: each gateway alone on the server's core, everything else on the other. */
  readonly cores: Cores | undefined;
  readonly judgesTime: boolean;
  readonly seed: number;
  readonly say: Say;
}

/** The built product with a crowd that grows by rooms; ends by `close`, however it went. */
export class Show {
  readonly product: Product;
  readonly crowd: Crowd;
  readonly cpu: ServerCpu;

  private constructor(product: Product, crowd: Crowd) {
    this.product = product;
    this.crowd = crowd;
    this.cpu = product.cpu(crowd.pids);
  }

  static async start(options: ShowOptions): Promise<Show> {
    const { cores, gateways, nodes } = options;
    const built = buildProduct(WORLD_FILE);
    const rooms = Math.ceil(options.usersMax / ROOM_SIZE);
    const product = await startedOn(cores?.client, () =>
      Product.start({ built, gateways, nodes, rooms }),
    );
    for (let gateway = 1; gateway <= gateways; gateway++)
      product.pin(`gateway-${gateway}`, cores?.server);
    try {
      const crowd = await startedOn(
        cores?.client,
        async () =>
          new Crowd({
            ...CROWD,
            main: built.main,
            gateways: product.cluster.gateways,
            rooms: product.rooms,
            processes: options.processes,
            joinsPerSecond: options.joinsPerSecond,
            judgesTime: options.judgesTime,
            seed: options.seed,
            say: options.say,
          }),
      );
      if (!crowd.onlookersFirst)
        options.say("onlookers do not go before others here: their wait is in what they measure");
      return new Show(product, crowd);
    } catch (error) {
      await product.close();
      throw error;
    }
  }

  /** So many people are in when this is done; whole rooms. */
  async grow(users: number): Promise<void> {
    const rooms = Math.ceil(users / ROOM_SIZE);
    await this.product.open(rooms, WORLD);
    await this.crowd.fill(rooms);
  }

  async close(): Promise<void> {
    await this.crowd.stop();
    await this.product.close();
  }

  /** At once, where something went wrong. */
  async kill(): Promise<void> {
    this.crowd.kill();
    await this.product.close();
  }
}
