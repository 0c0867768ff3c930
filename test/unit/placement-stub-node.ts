/** A node without rooms for placement tests: it beats, claims what the tail allows, announces. */
import type { Bus, Subscription } from "../../src/bus/bus.ts";
import type { MemoryNetwork } from "../../src/bus/memory-bus.ts";
import type { MemoryStores, StoreAccess } from "../../src/journal/memory-stores.ts";
import type { Clock, Timer } from "../../src/kernel/clock.ts";
import { EPOCH_NONE, type Epoch, epochAt } from "../../src/kernel/epoch.ts";
import { type ProcessId, processName, type RoomId, worldName } from "../../src/kernel/ids.ts";
import { type Liveness, startInlineLiveness } from "../../src/membership/liveness.ts";
import { control, decodeControl, type Proposal } from "../../src/protocol/control-messages.ts";
import { decodeRecord, encodeRecord } from "../../src/protocol/journal-record.ts";
import { nodeControl, routes } from "../../src/protocol/subjects.ts";

export const PLAZA = worldName("plaza");

export interface StubOptions {
  readonly process: ProcessId;
  readonly clock: Clock;
  readonly controlNet: MemoryNetwork;
  readonly dataNet: MemoryNetwork;
  readonly stores: MemoryStores;
  readonly zone?: string;
}

export class StubNode {
  readonly process: ProcessId;
  readonly rooms = new Map<RoomId, Epoch>();
  readonly proposals: Proposal[] = [];
  /** Rooms that crash as soon as they are claimed. */
  readonly poison = new Set<RoomId>();
  /** Claims, and dies of it before it can tell anybody. */
  dieAfterClaim = false;
  /** Has not come to write its claims into the index. */
  indexLags = false;
  draining = false;
  readonly #options: StubOptions;
  readonly #access: StoreAccess;
  readonly #bus: Bus;
  readonly #data: Bus;
  readonly #liveness: Liveness;
  readonly #subscription: Subscription;
  readonly #steady: Timer;
  #dead = false;
  #nonces = 0;

  constructor(options: StubOptions) {
    this.#options = options;
    const { process, clock, controlNet, dataNet, stores, zone = "z1" } = options;
    this.process = process;
    this.#access = stores.open();
    this.#bus = controlNet.open(process);
    this.#data = dataNet.open(process);
    this.#subscription = this.#bus.subscribe(nodeControl(process), ({ data }) => {
      const message = decodeControl(data);
      if (message?.type === "drain") this.draining = true;
      if (message?.type === "closeRoom") this.rooms.delete(message.room);
      if (message?.type === "propose")
        for (const proposal of message.proposals) void this.#claim(proposal);
    });
    this.#steady = clock.every(1_000, () => this.#announce([...this.rooms]));
    this.#liveness = startInlineLiveness({
      facts: {
        process,
        capacity: 1,
        arch: "x64",
        zone,
        version: "1",
        pricePerHour: 0,
        host: "h",
        pid: 1,
        worlds: [{ world: PLAZA, stateVersion: 1 }],
      },
      clock,
      control: this.#bus,
      data: this.#data,
      measure: () => ({
        rooms: this.rooms.size,
        sessions: 0,
        egressBytesPerS: 0,
        draining: this.draining,
        stretch: 1,
      }),
    });
  }

  get dead(): boolean {
    return this.#dead;
  }

  get name(): string {
    return processName(this.process);
  }

  /** As SIGKILL does: nobody is told. */
  kill(): void {
    this.#dead = true;
    this.#subscription.close();
    this.#steady.cancel();
    void this.#bus.close();
    void this.#data.close();
    void this.#liveness.close();
  }

  async #claim(proposal: Proposal): Promise<void> {
    this.proposals.push(proposal);
    const { room, replaces } = proposal;
    const { journal } = this.#access;
    const tail = await journal.readTail(room);
    if (!tail.ok || this.#dead) return;
    const { generation, sequence, record: data } = tail.value;
    const last = data && decodeRecord(data);
    const shown = last ? (last.type === "owner" ? epochAt(generation, sequence) : last.epoch) : 0;
    if (shown !== replaces) return;
    const record = encodeRecord({
      type: "owner",
      index: (last?.index ?? 0) + 1,
      previous: sequence,
      epoch: EPOCH_NONE,
      by: this.process,
      nonce: `${this.name}-${++this.#nonces}`,
      at: 0,
      stateVersion: 1,
      owner: this.process,
      world: proposal.world,
    });
    const appended = await journal.append(room, sequence, record);
    if (this.dieAfterClaim && appended.kind === "accepted") this.kill();
    if (appended.kind !== "accepted" || this.#dead) return;
    const epoch = epochAt(generation, appended.sequence);
    const crashed = this.poison.has(room);
    if (!crashed) {
      this.rooms.set(room, epoch);
      this.#announce([[room, epoch]]);
    }
    if (this.indexLags) return;
    await this.#access.index.change(room, (entry) =>
      entry && entry.epoch < epoch
        ? {
            ...entry,
            epoch,
            owner: crashed ? undefined : this.process,
            crashedOn: crashed ? [...entry.crashedOn, this.process] : entry.crashedOn,
            changedAtMs: Math.floor(this.#options.clock.wallNow()),
          }
        : undefined,
    );
  }

  #announce(owned: readonly (readonly [RoomId, Epoch])[]): void {
    if (owned.length === 0 || this.#dead) return;
    const told = owned.map(([room, epoch]) => ({ room, epoch, sessions: 0 }));
    this.#bus.publish(
      routes(this.process),
      control.encode({ type: "route", owner: this.process, routes: told }),
    );
  }
}
