import type { ProcessId } from "../src/kernel/ids.ts";
import type { Session } from "./session.ts";

type Attaching = Pick<Session, "phase">;

interface Asked {
  readonly sessions: Set<Attaching>;
  /** When it was full and looked through last. */
  clearedAt: number;
}

/**
 * How many attaches one owner may owe this gateway an answer to. When a node with thousands of
 * people dies, all of them are to be attached to its heirs. Sent at once, and again while there is
 * no answer, they would keep an heir so busy that it is taken for stuck, and its own heirs next.
 */
export class AttachWindow {
  readonly #most: number;
  readonly #asked = new Map<ProcessId, Asked>();

  constructor(most: number) {
    this.#most = most;
  }

  /** True where this session may ask that owner now: it has asked before, or there is room. */
  admits(owner: ProcessId, session: Attaching, now: number): boolean {
    let asked = this.#asked.get(owner);
    if (!asked) {
      asked = { sessions: new Set(), clearedAt: Number.NEGATIVE_INFINITY };
      this.#asked.set(owner, asked);
    }
    const { sessions } = asked;
    if (sessions.has(session)) return true;
    if (sessions.size >= this.#most && asked.clearedAt < now) {
      // Thousands may ask in one sweep: it is looked through once for all of them.
      asked.clearedAt = now;
      for (const one of sessions) if (one.phase !== "attaching") sessions.delete(one);
    }
    if (sessions.size >= this.#most) return false;
    sessions.add(session);
    return true;
  }

  /** Forgets all owners but these. */
  sweep(keep: ReadonlySet<ProcessId | undefined>): void {
    for (const owner of this.#asked.keys()) if (!keep.has(owner)) this.#asked.delete(owner);
  }
}
