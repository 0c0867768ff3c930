/** One sentence of the design, taken out of our own code. */
export interface PlantedBug {
  readonly name: string;
  /** What the code does then. */
  readonly says: string;
  readonly edits: readonly Edit[];
  /** It shows in seeds with an event only, and no others are tried. */
  readonly inEvents?: true;
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
): PlantedBug => ({ name, says, edits: [{ file, find, replace }] });
