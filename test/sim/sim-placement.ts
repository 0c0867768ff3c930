import { type Placement, placementDefaults, startPlacement } from "../../src/placement/service.ts";
import { SimProcess, type Surroundings } from "./sim-process.ts";

/** A placement replica as its role puts it together. */
export class SimPlacement {
  readonly process: SimProcess;
  readonly placement: Placement;

  constructor(name: string, surroundings: Surroundings) {
    this.process = new SimProcess("placement", name, surroundings);
    const { self, main, random, observer, connections } = this.process;
    const { index, journal } = connections.stores;
    this.placement = startPlacement({
      self,
      url: `http://${name}`,
      host: name,
      pid: 1,
      control: connections.control,
      sys: connections.sys,
      index,
      journal,
      clock: main.clock,
      random,
      observer,
      config: { ...placementDefaults, tickMs: 100 },
    });
  }
}
