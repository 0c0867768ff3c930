const FNV_PRIME = 0x01000193;
/** A moment's bits: its decimal digits take longer to make than all the rest of a note. */
const MOMENT = new Float64Array(1);
const MOMENT_WORDS = new Int32Array(MOMENT.buffer);

/** The story of one seed, as a hash of everything that happened, and in words where asked for. */
export class Trace {
  #hash = 0x811c9dc5 | 0;
  readonly #now: () => number;
  readonly #tell: ((line: string) => void) | undefined;

  constructor(now: () => number, tell: ((line: string) => void) | undefined) {
    this.#now = now;
    this.#tell = tell;
  }

  /** As FNV-1a, 32 bits: two runs that differ anywhere differ here. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  note(who: string, what: string, fields?: object): void {
    const now = this.#now();
    this.#mix(who);
    this.#mix(what);
    MOMENT[0] = now;
    this.#mixWord(MOMENT_WORDS[0] as number);
    this.#mixWord(MOMENT_WORDS[1] as number);
    this.#tell?.(`${(now / 1000).toFixed(4)} ${who} ${what}${fields ? ` ${told(fields)}` : ""}`);
  }

  #mix(text: string): void {
    let hash = this.#hash;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
    this.#hash = hash;
  }

  #mixWord(word: number): void {
    this.#hash = Math.imul(this.#hash ^ word, FNV_PRIME);
  }
}

const told = (fields: object): string =>
  JSON.stringify(fields, (_key, value) => (value instanceof Error ? value.stack : value));
