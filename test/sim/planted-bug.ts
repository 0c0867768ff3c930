/** One sentence of the design, taken out of our own code. */
export interface PlantedBug {
  readonly name: string;
  /** What the code does then. */
  readonly says: string;
  readonly edits: readonly Edit[];
  /** It shows in seeds with an event only, and no others are tried. */
  readonly inEvents?: true;
  /** A seed that showed it, to 500 at most: tried first. */
  readonly seed?: number;
}

export interface Edit {
  /** From the project's root. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly find: string;
  readonly replace: string;
}

export const bug = (
  name: string,
  says: string,
  file: string,
  find: string,
  replace: string,
): PlantedBug => ({ name, says, edits: [{ file, find, replace }], ...hint(name) });

/** Where a bug needs a rare coincidence: the first seed that had it. */
const SEEDS: Readonly<Record<string, number>> = {
  claimWhateverStands: 230,
  compareIncarnation: 50,
  acceptLowerAttach: 63,
  noChain: 49,
  unboundedQueue: 351,
  holdForEver: 9,
  fullForEver: 184,
  countsInMemory: 16,
  firstWordOnly: 24,
  banNotOnResume: 36,
  mutedLater: 12,
};

export const hint = (name: string): Pick<PlantedBug, "seed"> => {
  const seed = SEEDS[name];
  return seed === undefined ? {} : { seed };
};
