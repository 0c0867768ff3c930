import type { Bus, BusMessage, Subscription } from "../src/bus/bus.ts";
import type { Journal, StoredRecord } from "../src/journal/journal.ts";
import type { Clock, Timer } from "../src/kernel/clock.ts";
import { type Epoch, epochAt } from "../src/kernel/epoch.ts";
import type { ProcessId, RoomId, WorldName } from "../src/kernel/ids.ts";
import { type ControlOf, control, decodeControl } from "../src/protocol/control-messages.ts";
import { decodeRecord, encodeRecord } from "../src/protocol/journal-record.ts";
import { gatewayToRoom, type ToRoom } from "../src/protocol/room-messages.ts";
import { nodePeer } from "../src/protocol/subjects.ts";
import { decodeWarmState, encodeWarmState, type WarmState } from "../src/protocol/warm-state.ts";
import type { RoomStart } from "./room/claim.ts";
import type { World } from "./room/define-room.ts";
import { learnRoom, type ReaderPorts } from "./room/journal-reader.ts";
import { isForwarded } from "./room/letters.ts";
import { type Learned, ownershipOf, type PlacedRecord } from "./room/recovery.ts";
import type { HandedOver } from "./room/room-host.ts";
import type { RoomRuntime } from "./room/runtime.ts";

type Adoption = Extract<RoomStart, { kind: "adopt" }>;

export interface HandOverLimits {
  /** Rooms read in advance at once; one more is declined. */
  readonly learnersMax: number;
  /** How long the owner waits until the target has read the room. */
  readonly prepareMsMax: number;
  /** A room that was read in advance and is not handed over by then is forgotten. */
  readonly learnedMsMax: number;
  /** The word of a hand-over may be lost, so whoever waits for it also reads the tail. */
  readonly tailEveryMs: number;
  /** How long the last owner forwards what gateways still send it. */
  readonly forwardMs: number;
}

export const HAND_OVER_LIMITS: HandOverLimits = {
  learnersMax: 16,
  prepareMsMax: 2_000,
  learnedMsMax: 5_000,
  tailEveryMs: 250,
  forwardMs: 1_000,
};

export interface HandOverParts extends ReaderPorts {
  readonly self: ProcessId;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly room: (room: RoomId) => RoomRuntime | undefined;
  readonly world: (name: WorldName) => World | undefined;
  /** Nothing is forwarded any more. */
  readonly forwarded: () => void;
  /** True where this node may take one more room. */
  readonly roomLeft: () => boolean;
  readonly adopt: (room: RoomId, world: World, adoption: Adoption) => void;
}

/** What the last owner gives along, beside the record. */
interface Told {
  readonly warm?: WarmState | undefined;
  readonly since?: readonly StoredRecord[] | undefined;
}

/** A room that this node owned until it named the next owner. */
interface HandedAway {
  readonly epoch: Epoch;
  readonly target: ProcessId;
  readonly timer: Timer;
}

/** A room that this node has read and that may become its own. */
interface Learner {
  readonly world: World;
  learned: Learned | undefined;
  readonly from: Epoch;
  timers: Timer[];
}

/**
 * Planned moves of rooms from node to node (DESIGN 6): the source asks the target to read the room,
 * brings it to rest, and names the target in the journal. Everything said here only makes it fast:
 * whom the tail names is the owner, and a node that died in between is replaced as any other.
 */
export class HandOvers {
  readonly #parts: HandOverParts;
  readonly #limits: HandOverLimits;
  readonly #learners = new Map<RoomId, Learner>();
  readonly #leaving = new Set<RoomId>();
  readonly #handedAway = new Map<RoomId, HandedAway>();
  readonly #peers: Subscription;
  #closed = false;

  constructor(parts: HandOverParts, limits: HandOverLimits = HAND_OVER_LIMITS) {
    this.#parts = parts;
    this.#limits = limits;
    this.#peers = parts.bus.subscribe(nodePeer(parts.self), (message) => this.#hear(message));
  }

  close(): void {
    this.#closed = true;
    this.#peers.close();
    for (const room of [...this.#learners.keys()]) this.#forget(room);
    for (const { timer } of this.#handedAway.values()) timer.cancel();
    this.#handedAway.clear();
  }

  /** Placement's wish. The room goes on here until the target is ready, and where it declines. */
  async migrate({ room, epoch, target }: ControlOf<"migrate">): Promise<string> {
    const { bus, self, observer } = this.#parts;
    const runtime = this.#parts.room(room);
    if (runtime?.epoch !== epoch || target === self || this.#leaving.has(room)) return "ignored";
    this.#leaving.add(room);
    const world = runtime.world.name;
    runtime.prepareHandOver();
    const prepare = control.encode({ type: "prepare", room, world, epoch });
    const answer = await bus.request(nodePeer(target), prepare, this.#limits.prepareMsMax);
    this.#leaving.delete(room);
    const said = answer.ok ? decodeControl(answer.value) : undefined;
    if (this.#closed || runtime.epoch !== epoch) return "ended";
    if (said?.type !== "prepared") {
      const why = said?.type === "declined" ? said.why : "no_answer";
      observer.log.info({ room, target, why }, "a room was not handed over");
      return why;
    }
    // What a newer version wrote, an older one can not read.
    if (said.stateVersion < runtime.world.version) return "older_state";
    runtime.handOver({ target, stateVersion: said.stateVersion });
    return "resting";
  }

  /** The journal names the target. It is told, so that it need not find out. */
  handedOver({ room, world }: RoomRuntime, to: HandedOver): void {
    const { bus, clock, journal } = this.#parts;
    const { target, claim, letters } = to;
    const { sequence } = claim;
    const epoch = epochAt(journal.generation, sequence);
    const record = encodeRecord(claim.record);
    const warm = encodeWarmState({ ...to.warm, letters });
    const since = to.since ?? null;
    const told = { room, world: world.name, epoch, sequence, record, warm, since } as const;
    bus.publish(nodePeer(target), control.encode({ type: "handOver", ...told }));
    this.#handedAway.get(room)?.timer.cancel();
    const timer = clock.after(this.#limits.forwardMs, () => {
      this.#handedAway.delete(room);
      if (!this.forwards) this.#parts.forwarded();
    });
    this.#handedAway.set(room, { epoch: claim.record.epoch, target, timer });
  }

  /** True while gateways may still send here what is another node's. */
  get forwards(): boolean {
    return this.#handedAway.size > 0;
  }

  /**
   * Passes on what a gateway says to an ownership that ended by a hand-over. Answers the next
   * owner; undefined where this was no such ownership.
   */
  forward(from: ProcessId, message: ToRoom): ProcessId | undefined {
    const { room, epoch } = message;
    const away = this.#handedAway.get(room);
    if (away?.epoch !== epoch) return undefined;
    if (isForwarded(message)) {
      const letters = [{ from, message: gatewayToRoom.encode(message) }];
      const forward = control.encode({ type: "forward", room, epoch, letters });
      this.#parts.bus.publish(nodePeer(away.target), forward);
    }
    return away.target;
  }

  #hear({ data, respond }: BusMessage): void {
    const message = decodeControl(data);
    if (message?.type === "handOver") this.#adopted(message);
    if (message?.type === "forward") {
      // Letters wait for their turn, and the bytes are gone after this call.
      const letters = message.letters.map(({ from, message: letter }) => {
        return { from, message: new Uint8Array(letter) };
      });
      this.#parts.room(message.room)?.forwarded(message.epoch, letters);
    }
    if (message?.type !== "prepare") return;
    void this.#prepare(message).then((answer) => {
      if (!this.#closed) respond(control.encode(answer));
    });
  }

  async #prepare({
    room,
    world: name,
    epoch: from,
  }: ControlOf<"prepare">): Promise<ControlOf<"prepared"> | ControlOf<"declined">> {
    const declined = (why: ControlOf<"declined">["why"]) =>
      ({ type: "declined", room, why }) as const;
    const world = this.#parts.world(name);
    if (!world) return declined("unknown_world");
    if (this.#parts.room(room)) return declined("hosted");
    const { learnersMax, learnedMsMax, tailEveryMs } = this.#limits;
    if (!this.#parts.roomLeft() || this.#learners.size >= learnersMax) return declined("full");
    this.#forget(room);
    const learner: Learner = { world, learned: undefined, from, timers: [] };
    this.#learners.set(room, learner);
    const learned = await learnRoom(this.#parts, room, world);
    if (this.#learners.get(room) !== learner) return declined("unavailable");
    if (!learned) {
      this.#forget(room);
      return declined("unavailable");
    }
    learner.learned = learned;
    const { clock } = this.#parts;
    learner.timers = [
      clock.every(tailEveryMs, () => void this.#look(room, learner)),
      clock.after(learnedMsMax, () => this.#forget(room)),
    ];
    return { type: "prepared", room, stateVersion: world.version };
  }

  /** Perhaps the hand-over has happened and the word of it was lost. */
  async #look(room: RoomId, learner: Learner): Promise<void> {
    const tail = await this.#parts.journal.readTail(room);
    if (this.#learners.get(room) !== learner || !tail.ok || !tail.value.record) return;
    const record = decodeRecord(tail.value.record);
    const now = ownershipOf(tail.value);
    if (!record || !now || now.epoch === learner.from) return;
    const { sequence } = tail.value;
    if (record.type === "owner" && now.owner === this.#parts.self)
      this.#adopt(room, learner.world, now.epoch, { record, sequence }, {});
    // Somebody else's.
    else this.#forget(room);
  }

  #adopted({ room, world: name, epoch, sequence, ...said }: ControlOf<"handOver">): void {
    const record = decodeRecord(said.record);
    const world = this.#parts.world(name);
    if (record?.type !== "owner" || record.owner !== this.#parts.self || !world) return;
    // The stream was restored meanwhile: that ownership is of another time.
    if (epochAt(this.#parts.journal.generation, sequence) !== epoch) return;
    // Kept until the room serves, which the bus does not promise for its own bytes.
    const warm = said.warm ? decodeWarmState(new Uint8Array(said.warm)) : undefined;
    const since = said.since?.map((one) => ({ ...one, data: new Uint8Array(one.data) }));
    this.#adopt(room, world, epoch, { record, sequence }, { warm, since });
  }

  #adopt(
    room: RoomId,
    world: World,
    epoch: Epoch,
    claim: PlacedRecord,
    { warm, since }: Told,
  ): void {
    const read = this.#learners.get(room)?.learned;
    const learned = read && since ? { ...read, since } : read;
    this.#forget(room);
    if (this.#parts.room(room)) return;
    this.#parts.adopt(room, world, { kind: "adopt", epoch, claim, learned, warm });
  }

  #forget(room: RoomId): void {
    for (const timer of this.#learners.get(room)?.timers ?? []) timer.cancel();
    this.#learners.delete(room);
  }
}
