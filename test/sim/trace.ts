/** The story of one seed, as a hash of everything that happened, and in words where asked for. */
export class Trace {
  #hash = 0x811c9dc5;
  readonly #now: () => number;
  readonly #tell: ((line: string) => void) | undefined;

  constructor(now: () => number, tell: ((line: string) => void) | undefined) {
    this.#now = now;
    this.#tell = tell;
  }

  /** FNV-1a, 32 bits: two runs that differ anywhere differ here. */
  get hash(): string {
    return this.#hash.toString(16).padStart(8, "0");
  }

  note(who: string, what: string, fields?: object): void {
    const now = this.#now();
    this.#mix(who);
    this.#mix(what);
    this.#mix(String(now));
    this.#tell?.(`${(now / 1000).toFixed(4)} ${who} ${what}${fields ? ` ${told(fields)}` : ""}`);
  }

  #mix(text: string): void {
    let hash = this.#hash;
    for (let i = 0; i < text.length; i++)
      hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
    this.#hash = hash;
  }
}

const told = (fields: object): string =>
  JSON.stringify(fields, (_key, value) => (value instanceof Error ? value.stack : value));
