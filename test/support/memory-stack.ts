import { plaza } from "../../actors/worlds/plaza.ts";
import type { Auth, Person } from "../../gateway/auth.ts";
import { GATEWAY_DEFAULTS, type GatewayConfig } from "../../gateway/config.ts";
import type { ClientSocket } from "../../gateway/connection.ts";
import { GatewayCore } from "../../gateway/core.ts";
import type { Transport } from "../../src/client/transport.ts";
import { EPOCH_NONE, epochAt } from "../../src/kernel/epoch.ts";
import { personId, roomId } from "../../src/kernel/ids.ts";
import { err, ok } from "../../src/kernel/result.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { control, decodeControl } from "../../src/protocol/control-messages.ts";
import { PLACE_REQUEST } from "../../src/protocol/subjects.ts";
import { type HostedNode, RoomHarness } from "./room-harness.ts";
import { unframe } from "./unframe.ts";

const PLAZA = roomId("demo/plaza");

const person = (token: string): Person => ({
  person: personId(token),
  tenant: "demo",
  name: token,
  role: "audience",
  rooms: undefined,
});
const auth: Auth = {
  verifyPerson: async (token) => ok(person(token)),
  verifySession: async (token) => (token.startsWith("{") ? ok(JSON.parse(token)) : err("expired")),
  signSession: (claims) => JSON.stringify(claims),
  signPerson: () => undefined,
};

/**
 * The plaza on real nodes and gateways, for real clients, on virtual time: only sockets and NATS
 * are in memory.
 */
export class MemoryStack {
  readonly harness: RoomHarness;
  readonly nodes: HostedNode[];
  readonly #gateways = new Map<string, GatewayCore>();
  readonly #sockets = new Map<string, Set<() => void>>();

  constructor(seed: number) {
    this.harness = new RoomHarness(seed);
    this.nodes = [this.harness.node("node-a", [plaza]), this.harness.node("node-b", [plaza])];
    this.harness.placement.subscribe(PLACE_REQUEST, ({ data, respond }) => {
      if (decodeControl(data)?.type !== "locate") return;
      const hint = { epoch: EPOCH_NONE, owner: null, retryAfterMs: 0 };
      respond(control.encode({ type: "located", status: "placed", ...hint }));
    });
  }

  gateway(name: string, over: Partial<GatewayConfig> = {}): string {
    const { harness } = this;
    const url = `ws://${name}`;
    const core = new GatewayCore({
      self: harness.process(name),
      controlBus: harness.control.open(name),
      dataBus: harness.data.open(name),
      journal: harness.stores.open().journal,
      clock: harness.clock,
      random: harness.random,
      observer: silentObserver,
      config: { ...GATEWAY_DEFAULTS, ...over },
      auth,
      utilisation: () => 0,
    });
    core.start({ url, socketsMax: 1_000 });
    this.#gateways.set(url, core);
    this.#sockets.set(url, new Set());
    return url;
  }

  core(url: string): GatewayCore {
    return this.#gateways.get(url) as GatewayCore;
  }

  /** The gateway's process dies: every socket breaks, and no new one opens. */
  kill(url: string): void {
    this.core(url).close();
    this.#gateways.delete(url);
    for (const sever of [...(this.#sockets.get(url) ?? [])]) sever();
  }

  readonly transport: Transport = {
    open: (url, _, handlers) => {
      const core = this.#gateways.get(url);
      const severs = this.#sockets.get(url);
      if (!core || !severs) {
        queueMicrotask(() => handlers.close(1006, "refused"));
        return { send() {}, close() {}, bufferedBytes: 0 };
      }
      let over = false;
      const end = (code: number, reason: string): void => {
        if (over) return;
        over = true;
        severs.delete(sever);
        queueMicrotask(() => {
          handler.closed();
          handlers.close(code, reason);
        });
      };
      const sever = (): void => end(1006, "");
      severs.add(sever);
      // Bytes arrive in a later turn, as on a real socket: nothing answers within a call.
      const far: ClientSocket = {
        pendingBytes: 0,
        get open() {
          return !over;
        },
        write: (buffer) => {
          for (const data of unframe(buffer)) queueMicrotask(() => !over && handlers.message(data));
        },
        close: (code, reason) => queueMicrotask(() => end(code, reason)),
        terminate: sever,
      };
      const handler = core.accept(far, "welcome");
      queueMicrotask(() => handlers.open());
      return {
        send: (data) => queueMicrotask(() => !over && handler.receive(data)),
        close: (code = 1000, reason = "") => end(code, reason),
        bufferedBytes: 0,
      };
    },
  };

  /** Has the plaza claimed by that node, from whoever owns it now. */
  place(node: number): void {
    const target = this.nodes[node] as HostedNode;
    this.harness.propose(target, plaza, this.epoch, PLAZA);
  }

  get epoch() {
    // The tail tells it; the owner record itself may have been trimmed.
    const record = this.harness.journal(PLAZA).at(-1);
    if (record?.type !== "owner") return record?.epoch ?? EPOCH_NONE;
    return epochAt(1, this.harness.stores.logs.get(PLAZA)?.records.at(-1)?.sequence ?? 0);
  }
}
