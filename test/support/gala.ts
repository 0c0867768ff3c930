import { z } from "zod";
import { defineEvent } from "../../actors/event/define-event.ts";
import type { World } from "../../actors/room/define-room.ts";
import type { GatewayConfig } from "../../gateway/config.ts";
import type { GatewayCore } from "../../gateway/core.ts";
import { EPOCH_NONE, type Epoch, epochAt } from "../../src/kernel/epoch.ts";
import { roomId } from "../../src/kernel/ids.ts";
import type { GatewayMessage } from "../../src/protocol/client-messages.ts";
import { control, decodeControl } from "../../src/protocol/control-messages.ts";
import { shardOf, shardRoom } from "../../src/protocol/event-names.ts";
import { decodeFrame, FRAME_KIND } from "../../src/protocol/frame.ts";
import { encode } from "../../src/protocol/msgpack.ts";
import { nodeControl, PLACE_REQUEST } from "../../src/protocol/subjects.ts";
import { messagesOf } from "./gateway-rig.ts";
import { gatewayOn, MemoryClient } from "./memory-client.ts";
import { RoomHarness, type StartedNode } from "./room-harness.ts";
import { unframe } from "./unframe.ts";

export const STAGE = roomId("demo/gala");
export const worldsOf = (capacity: number, tickHz = 10): readonly [World, World] =>
  defineEvent({
    name: "concert",
    version: 1,
    reactions: ["clap"],
    speech: ["say", "wave"],
    stage: { state: () => ({}), commands: {} },
    shard: {
      ...{ tickHz, capacity, state: () => ({}) },
      commands: { say: { body: z.string(), run: () => null } },
      signals: { wave: z.null() },
    },
  });

export class Visitor extends MemoryClient {
  readonly messages: GatewayMessage[] = [];
  /** Of each write that had frames: their channels. */
  readonly writes: number[][] = [];
  /** What came in a write that had none. */
  readonly apart: GatewayMessage[] = [];
  /** Of the frames on channel 1. */
  readonly ticks: number[] = [];

  override write(bytes: Buffer): void {
    super.write(bytes);
    const payloads = unframe(bytes);
    this.messages.push(...payloads.flatMap(messagesOf));
    const frames = payloads.flatMap((payload) => {
      const frame = payload[0] === FRAME_KIND ? decodeFrame(payload) : undefined;
      if (frame?.ok && frame.value.channel === 1) this.ticks.push(frame.value.tick);
      return frame?.ok ? [frame.value.channel] : [];
    });
    if (frames.length > 0) this.writes.push(frames);
    else this.apart.push(...payloads.flatMap(messagesOf));
  }

  got<T extends GatewayMessage["type"]>(type: T): Extract<GatewayMessage, { type: T }>[] {
    return this.messages.filter(
      (message): message is Extract<GatewayMessage, { type: T }> => message.type === type,
    );
  }
}

/** A node that hosts an event, whose rooms it takes when somebody asks for them. */
export class Gala {
  readonly harness = new RoomHarness(5);
  readonly gateways: readonly GatewayCore[];
  node: StartedNode;
  readonly #worlds: readonly [World, World];

  /** `tickHz`: of shards. */
  constructor(
    gateways: number,
    shardCapacity = 3,
    over: Partial<GatewayConfig> = {},
    tickHz?: number,
  ) {
    this.#worlds = worldsOf(shardCapacity, tickHz);
    this.node = this.harness.node("node-a", this.#worlds);
    this.harness.propose(this.node, this.#worlds[0], EPOCH_NONE, STAGE);
    this.harness.placement.subscribe(PLACE_REQUEST, ({ data, respond }) => {
      const asked = decodeControl(data);
      if (asked?.type !== "locate") return;
      const shard = shardOf(asked.room);
      if (shard) this.harness.propose(this.node, this.#worlds[1], EPOCH_NONE, asked.room);
      const status = shard || asked.room === STAGE ? "placed" : "unknown";
      const located = { type: "located", status, epoch: EPOCH_NONE, owner: null } as const;
      respond(control.encode({ ...located, retryAfterMs: 0 }));
    });
    this.gateways = Array.from({ length: gateways }, (_, n) =>
      gatewayOn(this.harness, over, this.urlOf(n)),
    );
  }

  urlOf(gateway: number): string {
    return `ws://gw-${gateway}`;
  }

  async open(spec: object = {}): Promise<void> {
    await this.harness.run(50);
    const common = { admitPerS: 1_000, doorsAt: null, startsAt: null, endsAt: null, arrivals: [] };
    await this.operate("event.configure", { capacity: 9, shardSize: 3, ...common, ...spec });
    await this.operate("event.phase", "doors_open");
    await this.harness.run(2_000);
  }

  async operate(name: string, body: unknown): Promise<void> {
    const { epoch } = this;
    const order = { type: "operate", room: STAGE, epoch, name, body: encode(body) } as const;
    this.harness.placement.publish(nodeControl(this.node.id), control.encode(order));
    await this.harness.run(100);
  }

  /** Of the stage. */
  get epoch(): Epoch {
    const log = this.harness.stores.logs.get(STAGE)?.records ?? [];
    const at = this.harness.journal(STAGE).findLastIndex(({ type }) => type === "owner");
    return epochAt(this.harness.stores.generation, log[at]?.sequence ?? 0);
  }

  async come(person: string, gateway = 0, beside: string | null = null): Promise<Visitor> {
    return this.join(person, "event/gala", gateway, beside);
  }

  async join(person: string, to: string, gateway = 0, beside: string | null = null) {
    const visitor = new Visitor(this.gateways[gateway] as GatewayCore, person);
    await this.harness.run(5);
    visitor.join(to, beside);
    return visitor;
  }

  /** Somebody goes on, by another socket, in the seat that they have or had. */
  async resume(person: string, to: string, before: Visitor, gateway = 0): Promise<Visitor> {
    const visitor = new Visitor(this.gateways[gateway] as GatewayCore, person);
    await this.harness.run(5);
    visitor.join(to, null, 0, before.got("joined").at(-1)?.token);
    return visitor;
  }

  /** Who sits in a shard, by its journal's attaches and leaves. */
  sitting(shard: number): string[] {
    const sitting = new Map<string, string>();
    for (const record of this.harness.journal(shardRoom(STAGE, shard)))
      for (const entry of record.type === "batch" ? record.entries : []) {
        if (entry.type === "attach") sitting.set(entry.session, entry.person);
        if (entry.type === "leave") sitting.delete(entry.session);
      }
    return [...sitting.values()].sort();
  }
}
