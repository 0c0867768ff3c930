import { expect, test } from "vitest";
import { plaza } from "../../actors/worlds/plaza.ts";
import type { Auth, Person } from "../../gateway/auth.ts";
import { GATEWAY_DEFAULTS } from "../../gateway/config.ts";
import type { ClientSocket } from "../../gateway/connection.ts";
import { GatewayCore } from "../../gateway/core.ts";
import type { Transport } from "../../src/client/transport.ts";
import { EPOCH_NONE, epochAt } from "../../src/kernel/epoch.ts";
import { personId, roomId } from "../../src/kernel/ids.ts";
import { err, ok } from "../../src/kernel/result.ts";
import { Crowd } from "../../src/load/crowd.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { control, decodeControl } from "../../src/protocol/control-messages.ts";
import { PLACE_REQUEST } from "../../src/protocol/subjects.ts";
import { type HostedNode, RoomHarness } from "../support/room-harness.ts";
import { unframe } from "../support/unframe.ts";

const SEED = 31;
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
  signSession: async (claims) => JSON.stringify(claims),
  signPerson: async () => undefined,
};

/** Real nodes, rooms, gateways and clients on virtual time; only sockets and NATS are in memory. */
class Stack {
  readonly harness = new RoomHarness(SEED);
  readonly nodes: HostedNode[];
  readonly #gateways = new Map<string, GatewayCore>();
  readonly #sockets = new Map<string, Set<() => void>>();

  constructor() {
    this.nodes = [this.harness.node("node-a", [plaza]), this.harness.node("node-b", [plaza])];
    this.harness.placement.subscribe(PLACE_REQUEST, ({ data, respond }) => {
      if (decodeControl(data)?.type !== "locate") return;
      const hint = { epoch: EPOCH_NONE, owner: null, retryAfterMs: 0 };
      respond(control.encode({ type: "located", status: "placed", ...hint }));
    });
  }

  gateway(name: string): string {
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
      config: GATEWAY_DEFAULTS,
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

test("[LD9] bots find a real room sound, through takeovers and the death of a gateway", async () => {
  const stack = new Stack();
  const urls = [stack.gateway("gw-a"), stack.gateway("gw-b")];
  stack.place(0);
  await stack.harness.run(500);
  const crowd = new Crowd({
    urls,
    token: async (name) => name,
    bots: 10,
    startsPerSecond: 20,
    clock: stack.harness.clock,
    random: stack.harness.random,
    transport: stack.transport,
    habits: { sayMs: 1_500, emoteMs: 4_000, grabMs: 3_000, carryMs: 2_000 },
  });
  const trail: string[] = [];
  const sound = (after: string) => {
    const report = crowd.report();
    const { lost, doubled, ghosts, regressed, ended, unknown, bots } = report;
    trail.push(`${after}: ${JSON.stringify(report)}`);
    expect({ lost, doubled, ghosts, regressed, ended, unknown, bots }, trail.join("\n")).toEqual({
      lost: 0,
      doubled: 0,
      ghosts: 0,
      regressed: 0,
      ended: 0,
      unknown: 0,
      bots: 10,
    });
    return report;
  };
  await stack.harness.run(8_000);
  sound("all in");
  // Taken from a living owner each time: it has to find out from the journal that it is over.
  const epochs = [stack.epoch];
  for (const node of [1, 0, 1]) {
    stack.place(node);
    await stack.harness.run(4_000);
    epochs.push(stack.epoch);
    const { frameGap, reconnects } = sound(`placed on ${node}`);
    // Virtual time: this bounds what the parts wait for, not what machines need.
    expect({ reconnects, still: frameGap.max < 200 }).toEqual({ reconnects: 0, still: true });
  }
  expect(
    [...new Set(epochs)].sort((x, y) => x - y),
    "each takeover has to happen",
  ).toEqual(epochs);
  const [first = "", second = ""] = urls;
  stack.kill(first);
  await stack.harness.run(10_000);
  const killed = sound("one gateway killed");
  expect(killed.reconnects, "somebody must have been on it").toBeGreaterThan(0);
  expect(killed.frameGap.max).toBeLessThan(2_000);
  const third = stack.gateway("gw-c");
  urls.splice(0, 1, third);
  void stack.core(second).drain();
  await stack.harness.run(25_000);
  const drained = sound("the other one drained");
  expect(drained.reconnects).toBeGreaterThanOrEqual(10);
  expect(drained.commands).toBeGreaterThan(300);
  expect(drained.refused, "two bots want one item now and then").toBeGreaterThan(0);
  await Promise.all([crowd.stop(), stack.harness.run(2_000)]);
  expect(crowd.report()).toMatchObject({ bots: 0, lost: 0, ended: 0 });
});
