import { Node } from "../../actors/node.ts";
import type { World } from "../../actors/room/define-room.ts";
import type { ProcessId } from "../../src/kernel/ids.ts";
import { startInlineLiveness } from "../../src/membership/liveness.ts";
import { silentObserver } from "../../src/observe/observer.ts";
import type { RoomHarness } from "./room-harness.ts";

export interface SpeakingNode {
  readonly id: ProcessId;
  readonly node: Node;
  /** Without a word. */
  readonly die: () => void;
}

/** A node that beats, so that a placement uses it. */
export function speakingNode(
  harness: RoomHarness,
  name: string,
  worlds: readonly World[],
  zone = "z1",
): SpeakingNode {
  const self = harness.process(name);
  const controlBus = harness.control.open(self);
  const dataBus = harness.data.open(self);
  const { clock, random } = harness;
  const ports = { self, controlBus, dataBus, ...harness.stores.open(), clock, random };
  const own = { observer: silentObserver, utilisation: () => 0, turn: () => {} };
  const node = new Node({ ...ports, ...own }, worlds);
  const hosted = worlds.map(({ name: world, version }) => ({ world, stateVersion: version }));
  const facts = { process: self, capacity: 1, arch: "x64", zone, version: "1", worlds: hosted };
  const liveness = startInlineLiveness({
    facts: { ...facts, pricePerHour: 0, host: "h", pid: 1 },
    clock,
    control: controlBus,
    data: dataBus,
    measure: () => ({ ...node.stats(), egressBytesPerS: 0 }),
    // That of a busy machine would leave no place for rooms.
    utilisation: () => 0.1,
  });
  const die = (): void => {
    void controlBus.close();
    void dataBus.close();
    node.close();
    void liveness.close();
  };
  return { id: self, node, die };
}
