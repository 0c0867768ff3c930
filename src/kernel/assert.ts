/** A bug: something that should be impossible has happened. Never caught in domain code. */
export class InvariantViolation extends Error {
  override readonly name = "InvariantViolation";
}

/**
 * Crashes on a programmer's error. Operating outcomes (a full queue) are values instead. Where it
 * runs often, `message` is a function: a text with a number in it costs more than most checks.
 */
export function assert(condition: unknown, message: string | (() => string)): asserts condition {
  if (!condition) throw new InvariantViolation(typeof message === "string" ? message : message());
}

/** For the `default` of an exhaustive switch: the compiler proves that it is never reached. */
export function unreachable(value: never): never {
  throw new InvariantViolation(`unreachable: ${JSON.stringify(value)}`);
}
