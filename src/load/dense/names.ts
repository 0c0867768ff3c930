/** Who a bot of a run is, in the id by which everybody in the room is told of it. */
export interface BotNames {
  nameOf(n: number, beacon: boolean): string;
  /** True of beacons of this very run: their rows carry stamps. */
  isBeacon(person: string): boolean;
}

export const botNames = (run: string): BotNames => ({
  nameOf: (n, beacon) => `load-${run}-${beacon ? "b" : "p"}${n}`,
  isBeacon: (person) => person.startsWith(`load-${run}-b`),
});
