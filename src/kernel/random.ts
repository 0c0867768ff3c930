/** The only source of randomness. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Fresh random bytes. */
  bytes(count: number): Uint8Array;
}

export const systemRandom: Random = {
  next: () => (systemRandom.bytes(4).reduce((sum, byte) => sum * 256 + byte, 0) >>> 0) / 2 ** 32,
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
};

/** mulberry32 (Tommy Ettinger): small, fast, and the same sequence for the same seed everywhere. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const bytes = (count: number): Uint8Array => {
    const drawn = new Uint8Array(count);
    for (let i = 0; i < count; i++) drawn[i] = next() * 256;
    return drawn;
  };
  return { next, bytes };
}

/** An integer in [0, bound). */
export const randomBelow = (random: Random, bound: number): number =>
  Math.floor(random.next() * bound);

/** `count` random bytes in lower-case hex: 16 digits make an incarnation or a nonce. */
export function randomHex(random: Random, count: number): string {
  let hex = "";
  for (const byte of random.bytes(count)) hex += HEX[byte];
  return hex;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** 128 random bits in base64url: a session id. */
export const randomId = (random: Random): string =>
  btoa(String.fromCharCode(...random.bytes(16)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .slice(0, 22);
