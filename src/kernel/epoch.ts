import { assert } from "./assert.ts";

declare const brand: unique symbol;

/**
 * The fencing token of one ownership of a room: (stream generation, stream sequence of the owner
 * record). Sequences rise within a stream, generations rise when a stream is restored or rebuilt:
 * a later ownership always compares higher. There is no arithmetic on epochs but comparing.
 *
 * Carried as one safe integer: 13 bits of generation above 40 bits of sequence.
 */
export type Epoch = number & { readonly [brand]: "Epoch" };

const SEQUENCE_SPAN = 2 ** 40;
const GENERATION_MAX = 2 ** 13 - 1;

/** Below every ownership: what a process believes before it has read a tail. */
export const EPOCH_NONE = 0 as Epoch;

/** The epoch that an owner record written at `sequence` of a stream of `generation` opens. */
export function epochAt(generation: number, sequence: number): Epoch {
  assert(Number.isInteger(generation) && generation >= 0, "a generation is a natural number");
  assert(generation <= GENERATION_MAX, `generations end at ${GENERATION_MAX}`);
  assert(Number.isInteger(sequence) && sequence > 0, "an owner record has a positive sequence");
  assert(sequence < SEQUENCE_SPAN, "sequences end at 2^40");
  return (generation * SEQUENCE_SPAN + sequence) as Epoch;
}

/** The stream generation in an epoch: it differs where a journal was restored or rebuilt. */
export const epochGeneration = (epoch: Epoch): number => Math.floor(epoch / SEQUENCE_SPAN);

/** Negative where `a` is the older ownership, 0 where they are the same, positive where newer. */
export const epochCompare = (a: Epoch, b: Epoch): number => a - b;

/** Reads an epoch that came from outside; undefined where it cannot be one. */
export function parseEpoch(value: unknown): Epoch | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as Epoch) : undefined;
}
