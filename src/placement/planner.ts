import type { Epoch } from "../kernel/epoch.ts";
import type { ProcessId, RoomId, WorldName } from "../kernel/ids.ts";
import type { NodeState, Transition } from "../membership/detector.ts";
import type { ClusterView } from "../membership/view.ts";
import type { ControlOf, Proposal } from "../protocol/control-messages.ts";
import { crashedTooOften, needOf, type Reason } from "./need.ts";
import {
  type PlannerConfig,
  type PlannerEffect,
  type PlannerMessage,
  plannerDefaults,
  type TailOwner,
} from "./planner-types.ts";
import { Questions } from "./questions.ts";
import type { RoomLine, RoomTable } from "./room-table.ts";
import { hostedVersion, roomLoad } from "./score.ts";
import { Targets } from "./targets.ts";

/** What was decided for a room and has not shown effect yet. */
interface Pending {
  readonly replaces: Epoch;
  /** Undefined: no node could take it. */
  readonly target: ProcessId | undefined;
  readonly tried: ReadonlySet<ProcessId>;
  readonly attempts: number;
  readonly retryAt: number;
}

export interface PlannerParts {
  readonly self: ProcessId;
  readonly view: ClusterView;
  readonly rooms: RoomTable;
  /** The detector's verdict, which knows the dead as well. */
  readonly stateOf: (process: ProcessId) => NodeState | undefined;
  readonly autoCreate: (room: RoomId) => WorldName | undefined;
  readonly config?: PlannerConfig;
}

/** Decides which rooms need an owner and who is asked to be it. Pure: see SPEC.md. */
export class Planner {
  readonly #parts: PlannerParts;
  readonly #config: PlannerConfig;
  readonly #targets: Targets;
  readonly #pending = new Map<RoomId, Pending>();
  /** When rooms in need are to be proposed: rank and warm-up hold them back. */
  readonly #due = new Map<RoomId, number>();
  readonly #questions: Questions;
  #listeningSince: number;
  #scannedAt: number;
  #effects: PlannerEffect[] = [];

  constructor(parts: PlannerParts, now: number) {
    this.#parts = parts;
    this.#config = parts.config ?? plannerDefaults;
    this.#targets = new Targets(parts.view, parts.rooms, this.#config);
    this.#listeningSince = now;
    this.#scannedAt = now;
    this.#questions = new Questions({
      ...parts,
      config: this.#config,
      planner: {
        needsOwner: (line, at) => this.#need(line, at) !== undefined,
        isStuck: (room) => this.#pending.has(room) && !this.#pending.get(room)?.target,
        hasSpace: (at) => this.#hasSpace({ status: "wanted" }, at, undefined),
        place: (room, at) => {
          this.#consider(room, at, 0);
          this.#proposeDue(at);
        },
        learn: (entry, at) => this.#onEntries([entry], at, undefined),
      },
      act: (effect) => void this.#effects.push(effect),
    });
  }

  /** Rooms that wait for an owner. */
  get unsettled(): number {
    return this.#due.size + this.#pending.size;
  }

  /** Of these, rooms that a node could take: all but those that wait for capacity. */
  get underWay(): number {
    let underWay = this.#due.size;
    for (const { target } of this.#pending.values()) if (target) underWay++;
    return underWay;
  }

  decide(message: PlannerMessage, now: number): PlannerEffect[] {
    this.#effects = [];
    switch (message.type) {
      case "transition":
        this.#onTransition(message, now);
        break;
      case "route":
        this.#onRoute(message.route, now);
        break;
      case "entry":
        this.#onEntries([message.entry], now, undefined);
        break;
      case "index":
        this.#onEntries(message.entries, now, message.readAt);
        break;
      case "tail":
        this.#onTail(message.room, message.tail, now);
        break;
      case "locate":
        this.#questions.locate(message.ask, message.room, now);
        break;
      case "lookedUp":
        this.#questions.lookedUp(message, now);
        break;
      case "tick":
        this.#onTick(now, message.wallNow);
        break;
      case "paused":
        for (const room of [...this.#pending.keys()]) this.#forget(room);
        this.#due.clear();
        this.#listeningSince = now;
        this.#effects.push({ type: "reread" });
        break;
    }
    this.#proposeDue(now);
    return this.#effects;
  }

  #onTransition({ process, to, reason }: Transition, now: number): void {
    if (to === "alive") {
      // The first of several starting nodes must not get all that waits.
      const retryAt = now + this.#config.joinSettleMs;
      for (const [room, pending] of this.#pending)
        if (!pending.target && pending.retryAt > retryAt)
          this.#pending.set(room, { ...pending, retryAt });
    }
    if (to === "stalled" && reason === "loop_age") this.#blameRunning(process, now);
    for (const room of this.#parts.rooms.ownedBy(process)) this.#consider(room, now);
    if (to === "alive") return;
    for (const [room, pending] of this.#pending)
      if (pending.target === process) this.#retry(room, pending, now);
  }

  /** The room that a stalled loop is stuck in should not be tried on one node after the other. */
  #blameRunning(process: ProcessId, now: number): void {
    const running = this.#parts.view.nodes.get(process)?.beat.running;
    const line = running ? this.#parts.rooms.get(running) : undefined;
    if (!line || line.owner !== process || line.crashedOn.at(-1) === process) return;
    line.crashedOn = [...line.crashedOn, process];
    line.giveUps++;
    line.touchedAt = now;
    const change = { kind: "crashed", room: line.room, epoch: line.epoch, owner: process } as const;
    this.#effects.push({ type: "changeIndex", change });
  }

  #onRoute({ owner, routes }: ControlOf<"route">, now: number): void {
    const { rooms, view } = this.#parts;
    for (const { room, epoch, sessions } of routes) {
      const known = rooms.applyOwner(room, epoch, owner, now);
      if (known === "unknown") this.#questions.lookUp(room, undefined);
      if (known === "unknown" || known === "older") continue;
      const line = rooms.get(room) as RoomLine;
      if (line.owner !== owner) continue;
      line.announcedAt = now;
      line.sessions = sessions;
      // The word was lost, or came while the room changed owners.
      if (line.status === "closed")
        this.#effects.push({ type: "closeRoom", node: owner, room, epoch });
      const node = view.nodes.get(owner);
      if (node) {
        line.load = roomLoad(node, sessions, this.#config.score);
        const hosted = hostedVersion(node, line.world) ?? 0;
        line.stateVersionMin = Math.max(line.stateVersionMin, hosted);
      }
      if (known === "advanced" || this.#pending.has(room)) this.#consider(room, now);
    }
  }

  #onEntries(
    entries: readonly Parameters<RoomTable["applyEntry"]>[0][],
    now: number,
    readAt: number | undefined,
  ): void {
    const { rooms } = this.#parts;
    if (readAt !== undefined) rooms.forgetClosed(new Set(entries.map(({ room }) => room)), readAt);
    for (const entry of entries) {
      if (!rooms.lines.has(entry.room) && !this.#hasSpace(entry, now, readAt)) continue;
      if (rooms.applyEntry(entry, now, readAt)) this.#consider(entry.room, now);
    }
  }

  /** The many closed rooms of the index must not take turns in the table at each reading. */
  #hasSpace(
    { status }: Pick<RoomLine, "status">,
    now: number,
    readAt: number | undefined,
  ): boolean {
    const { rooms } = this.#parts;
    const { roomsMax, closedKeepMs } = this.#config;
    if (status === "closed" && readAt !== undefined) return rooms.lines.size < roomsMax;
    // Nobody serves a room that would need an owner, were it wanted.
    const settled = (line: RoomLine): boolean =>
      now - line.closedAt >= closedKeepMs &&
      this.#need({ ...line, status: "wanted" }, now) !== undefined;
    return rooms.makeSpace(roomsMax, settled);
  }

  #onTail(room: RoomId, tail: TailOwner | undefined, now: number): void {
    if (!tail) return;
    const { rooms } = this.#parts;
    const known = rooms.applyOwner(room, tail.epoch, tail.owner, now);
    const line = rooms.get(room);
    if (!line) return;
    line.stateVersionMin = Math.max(line.stateVersionMin, tail.stateVersion);
    if (known === "advanced") this.#consider(room, now);
  }

  #onTick(now: number, wallNow: number): void {
    this.#targets.expire(now);
    let tailReads = 0;
    for (const [room, pending] of this.#pending) {
      if (pending.retryAt > now) continue;
      this.#retry(room, pending, now);
      if (pending.target && tailReads++ < this.#config.tailReadsMax)
        this.#effects.push({ type: "readTail", room });
    }
    if (now - this.#scannedAt < this.#config.scanMs) return;
    this.#scannedAt = now;
    for (const line of this.#parts.rooms.lines.values()) {
      this.#consider(line.room, now);
      this.#forgetCrashes(line, now, wallNow);
    }
  }

  #forgetCrashes(line: RoomLine, now: number, wallNow: number): void {
    const { crashMemoryMs } = this.#config;
    if (line.crashedOn.length === 0 || line.owner === undefined || line.status !== "wanted") return;
    if (wallNow - line.changedAtMs < crashMemoryMs || now - line.ownerSince < crashMemoryMs) return;
    line.crashedOn = [];
    line.giveUps = 0;
    line.touchedAt = now;
    const { room, epoch, owner } = line;
    const change = { kind: "forget_crashes", room, epoch, owner } as const;
    this.#effects.push({ type: "changeIndex", change });
  }

  /** Makes the room due where it needs an owner and nothing is under way; else settles it. */
  #consider(room: RoomId, now: number, rank = this.#parts.view.rank(this.#parts.self)): void {
    const line = this.#parts.rooms.get(room);
    const need = line && this.#need(line, now);
    const pending = this.#pending.get(room);
    if (!line || !need) {
      this.#forget(room);
      return;
    }
    if (need === "crashes" && this.#quarantine(line, now)) return;
    if (pending) {
      if (pending.replaces === line.epoch) return;
      this.#pending.delete(room);
    }
    const { rankDelayMs, warmUpMs } = this.#config;
    const at = Math.max(now + rank * rankDelayMs, this.#listeningSince + warmUpMs);
    this.#due.set(room, Math.min(at, this.#due.get(room) ?? at));
  }

  /** Nothing is under way for the room any more. Its load stays reserved until beats show it. */
  #forget(room: RoomId): void {
    this.#pending.delete(room);
    this.#due.delete(room);
    this.#parts.rooms.expect(room, undefined);
  }

  #need(line: RoomLine, now: number): Reason | undefined {
    return needOf(line, now, this.#listeningSince, this.#parts.stateOf, this.#config);
  }

  /** True where the room crashed too often to be tried again. */
  #quarantine(line: RoomLine, now: number): boolean {
    const hosting = [...this.#parts.view.nodes.values()].filter(
      (node) => hostedVersion(node, line.world) !== undefined,
    ).length;
    if (!crashedTooOften(line, hosting, this.#config)) return false;
    line.status = "quarantined";
    line.touchedAt = now;
    this.#forget(line.room);
    const { room, epoch, owner } = line;
    const change = { kind: "quarantine", room, epoch, owner } as const;
    this.#effects.push({ type: "changeIndex", change });
    return true;
  }

  #retry(room: RoomId, pending: Pending, now: number): void {
    this.#pending.delete(room);
    const line = this.#parts.rooms.get(room);
    if (line && this.#need(line, now)) this.#propose(line, pending, now);
  }

  #proposeDue(now: number): void {
    const ready: RoomLine[] = [];
    for (const [room, at] of this.#due) {
      if (at > now) continue;
      this.#due.delete(room);
      const line = this.#parts.rooms.get(room);
      if (line && this.#need(line, now)) ready.push(line);
    }
    ready.sort(
      (a, b) =>
        Number(b.immovable) - Number(a.immovable) ||
        b.asked - a.asked ||
        (a.room < b.room ? -1 : 1),
    );
    for (const line of ready) this.#propose(line, undefined, now);
  }

  #propose(line: RoomLine, before: Pending | undefined, now: number): void {
    const { retryMsMin, retryMsMax, noCapacityRetryMs } = this.#config;
    const reason = this.#need(line, now);
    if (!reason) return;
    const { room, world, epoch: replaces } = line;
    const target = this.#targets.take(line, reason, before?.tried ?? new Set(), now);
    if (!target) {
      const retryAt = now + noCapacityRetryMs;
      const attempts = before?.attempts ?? 0;
      this.#pending.set(room, { replaces, target, tried: new Set(), attempts, retryAt });
      return;
    }
    const attempts = (before?.attempts ?? 0) + 1;
    const retryAt = now + Math.min(retryMsMax, retryMsMin * 2 ** Math.min(attempts - 1, 30));
    const tried = new Set(before?.tried).add(target);
    this.#pending.set(room, { replaces, target, tried, attempts, retryAt });
    this.#send(target, { room, world, replaces, reason });
  }

  #send(node: ProcessId, proposal: Proposal): void {
    const { proposalsPerMessageMax } = this.#config;
    const open = this.#effects.findLast(
      (effect) => effect.type === "propose" && effect.node === node,
    );
    if (open?.type === "propose" && open.proposals.length < proposalsPerMessageMax)
      (open.proposals as Proposal[]).push(proposal);
    else this.#effects.push({ type: "propose", node, proposals: [proposal] });
  }
}
