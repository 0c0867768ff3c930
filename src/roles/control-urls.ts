const UNSPECIFIED = /^(0\.0\.0\.0|\[::\])$/;
const LOOPBACK = /^(127\.|localhost$|\[::1\]$)/;
/** More replicas than these are not remembered. */
const LEARNED_MAX = 16;

/**
 * The operator APIs of one cluster: those that the operator named, and those that the replicas
 * themselves announce. They are sent the operator's token, so only where it goes already: no other
 * protocol, and no loopback of this machine unless that was named.
 */
export class ControlUrls {
  readonly #named: readonly string[];
  readonly #isAllowed: (url: URL) => boolean;
  #learned: readonly string[] = [];
  /** Who answered last is asked first. */
  #last: string | undefined;

  constructor(named: readonly string[]) {
    this.#named = [...new Set(named.map(tidied))];
    const urls = this.#named.map((url) => new URL(url));
    const protocols = new Set(urls.map(({ protocol }) => protocol));
    const isHere = urls.some(({ hostname }) => LOOPBACK.test(hostname));
    this.#isAllowed = ({ protocol, hostname }) =>
      protocols.has(protocol) &&
      !UNSPECIFIED.test(hostname) &&
      (isHere || !LOOPBACK.test(hostname));
  }

  /** What the replicas that are there now say of themselves. */
  learn(announced: readonly string[]): void {
    const urls = announced.filter((url) => URL.canParse(url) && this.#isAllowed(new URL(url)));
    this.#learned = urls.map(tidied).slice(0, LEARNED_MAX);
  }

  answers(url: string): void {
    this.#last = url;
  }

  /** In which to ask. */
  inOrder(): { readonly url: string; readonly named: boolean }[] {
    const known = new Set([...this.#named, ...this.#learned]);
    const last = this.#last !== undefined && known.has(this.#last) ? [this.#last] : [];
    return [...new Set([...last, ...known])].map((url) => ({
      url,
      named: this.#named.includes(url),
    }));
  }
}

const tidied = (url: string): string => url.replace(/\/+$/, "");
