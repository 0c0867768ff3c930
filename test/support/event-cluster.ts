import { concert } from "../../actors/worlds/concert.ts";
import { plaza } from "../../actors/worlds/plaza.ts";
import { controlHandler } from "../../src/control/api.ts";
import type { ControlPort } from "../../src/control/port.ts";
import { type RoomId, roomId } from "../../src/kernel/ids.ts";
import type { HttpAnswer } from "../../src/observe/http-answers.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import { type Placement, placementDefaults, startPlacement } from "../../src/placement/service.ts";
import { control, decodeControl } from "../../src/protocol/control-messages.ts";
import { PLACE_REQUEST } from "../../src/protocol/subjects.ts";
import { controlPort } from "../../src/roles/placement.ts";
import { RoomHarness } from "./room-harness.ts";
import { type SpeakingNode, speakingNode } from "./speaking-node.ts";

export const GALA = roomId("demo/gala");
export const SPEC = { capacity: 400, shardSize: 200 };

/** Real nodes that host the demo's event, a placement and its operator API, on virtual time. */
export class EventCluster {
  readonly harness = new RoomHarness();
  readonly nodes: SpeakingNode[] = [];
  readonly placement: Placement;
  readonly #handle;

  /** `port`: what answers otherwise than the placement would. */
  constructor(port: Partial<ControlPort> = {}) {
    const self = this.harness.process("placement-1");
    const { index, journal } = this.harness.stores.open();
    const { clock, random } = this.harness;
    this.placement = startPlacement({
      ...{ self, url: "", host: "h", pid: 1, sys: undefined, index, journal, clock, random },
      control: this.harness.control.open(self),
      observer: silentObserver,
      config: { ...placementDefaults, autoCreate: { "gala*": "plaza" } },
    });
    this.#handle = controlHandler({
      port: { ...controlPort(this.placement, index, clock), ...port },
      access: { token: undefined, dev: true },
      health: () => undefined,
      devTools: undefined,
    });
  }

  /** Of `count` nodes, in turn in two zones. */
  static async start(count: number): Promise<EventCluster> {
    const cluster = new EventCluster();
    for (let i = 1; i <= count; i++) cluster.join(`node-${i}`, `z${i % 2}`);
    await cluster.run(1_000);
    return cluster;
  }

  join(name: string, zone = "z1"): SpeakingNode {
    const node = speakingNode(this.harness, name, [plaza, ...concert], zone);
    this.nodes.push(node);
    return node;
  }

  run(ms: number): Promise<void> {
    return this.harness.run(ms);
  }

  /** Runs the clock until there is an answer, for 30 s at most. */
  async settle<T>(asked: Promise<T>): Promise<T> {
    let answer: { readonly value: T } | undefined;
    void asked.then((value) => {
      answer = { value };
    });
    for (let i = 0; i < 6_000 && !answer; i++) await this.run(5);
    if (!answer) throw new Error("no answer in 30 s");
    return answer.value;
  }

  /** As `curl` would ask: status, and the body or its error's code. */
  async ask(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ readonly status: number; readonly body: Answered; readonly code?: string }> {
    const [target = "", query = ""] = path.split("?");
    const answer = await this.settle<HttpAnswer>(
      Promise.resolve(
        this.#handle({
          method,
          path: target,
          query: new URLSearchParams(query),
          headers: { host: "127.0.0.1:7070", "content-type": "application/json" },
          body: new TextEncoder().encode(body === undefined ? "" : JSON.stringify(body)),
          fromLoopback: true,
        }),
      ),
    );
    const said = JSON.parse(String(answer.body)) as Answered & { error?: { code: string } };
    const retry = answer.headers?.["retry-after"];
    const code = said.error && `${said.error.code}${retry === undefined ? "" : ` ${retry}`}`;
    return { status: answer.status, body: said, ...(code === undefined ? {} : { code }) };
  }

  gala = (extra: object = {}) =>
    this.ask("POST", "/v1/events", { event: GALA, world: "concert", ...SPEC, ...extra });

  /** As a gateway asks. */
  async locate(room: RoomId): Promise<string> {
    const asked = control.encode({ type: "locate", room });
    const { placement } = this.harness;
    const answer = await this.settle(placement.request(PLACE_REQUEST, asked, 1_000));
    const located = answer.ok ? decodeControl(answer.value) : undefined;
    return located?.type === "located" ? located.status : "no answer";
  }

  /** Asks for shards as people come, and waits until all of them are served. */
  async seat(shards: number): Promise<void> {
    for (let shard = 0; shard < shards; shard++)
      for (let i = 0; i < 100 && (await this.locate(roomId(`${GALA}--${shard}`))) !== "placed"; i++)
        await this.run(100);
  }

  owner(room: RoomId): SpeakingNode | undefined {
    const line = this.placement.snapshot().rooms.find((one) => one.room === room);
    return this.nodes.find(({ id }) => id === line?.owner);
  }

  close(): void {
    this.placement.close();
    for (const { die } of this.nodes) die();
  }
}

interface Answered {
  readonly [key: string]: unknown;
  readonly shards?: readonly Record<string, unknown>[];
}
