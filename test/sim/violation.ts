/** The promise, broken: what was seen, and when. */
export interface Violation {
  /** Which rule: an invariant of reference/actors.md (I1 to I13) or a name of its own. */
  readonly rule: string;
  readonly atMs: number;
  readonly what: string;
}

/** Told by checkers as soon as they see it. */
export type Accuse = (rule: string, what: string) => void;
