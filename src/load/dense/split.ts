import { err, ok, type Result } from "../../kernel/result.ts";

/** How clients are spread over processes. */
export interface Split {
  readonly processes: number;
  /** Of process i; they differ by one at most. */
  readonly clients: (process: number) => number;
}

/** Which of a crowd's people are one process's: of every `of` those at these places, in order. */
export interface CrowdShare {
  readonly of: number;
  readonly places: readonly number[];
}

/** In the whole crowd, of the nth client of a process. */
export function numberOf({ of, places }: CrowdShare, n: number): number {
  const place = places[n % places.length] as number;
  return Math.floor(n / places.length) * of + place;
}

/** How many of the first `people` of a crowd are a process's. */
export function countOf({ of, places }: CrowdShare, people: number): number {
  const rest = people % of;
  const extra = places.filter((place) => place < rest).length;
  return Math.floor(people / of) * places.length + extra;
}

/** Descriptors that are no client's: a program, its channel, what a library opens. */
const FILES_RESERVED = 100;
/** One event loop carries about so many at the default mix with little to spare. */
const CLIENTS_COMFORTABLE = 6_000;
const PROCESSES_MAX = 256;

/** `filesMax`: what a process may open, undefined where nobody says. */
export function splitClients(
  clients: number,
  wished: number | undefined,
  filesMax: number | undefined,
): Result<Split, string> {
  const roomInOne = filesMax === undefined ? Number.POSITIVE_INFINITY : filesMax - FILES_RESERVED;
  if (roomInOne < 1) return err(`The limit on open files is ${filesMax}. Raise it (ulimit -n).`);
  const needed = Math.ceil(clients / roomInOne);
  const processes = wished ?? Math.max(needed, Math.ceil(clients / CLIENTS_COMFORTABLE));
  if (processes < needed || processes > PROCESSES_MAX) {
    return err(
      `The limit on open files is ${filesMax}, ${FILES_RESERVED} of which are reserved: ${clients} clients need ${needed} processes. Raise it (ulimit -n), or give --processes ${Math.min(needed, PROCESSES_MAX)}.`,
    );
  }
  return ok({
    processes,
    clients: (process) => Math.floor((clients + processes - 1 - process) / processes),
  });
}

/** All of 127.0.0.0/8 is this machine, so there are addresses enough. */
export const CLIENTS_PER_SOURCE = 10_000;

const PORT_FIRST = 10_240;
const PORTS_PER_CLIENT = 5;

/**
 * The port that the client of this place at its address dials from for the nth time. Linux needs a
 * millisecond or two to find a free one where thousands are taken, more than all the rest of a
 * join; nobody else dials from here, so each client has some of its own.
 */
export const portOf = (place: number, dials: number): number =>
  PORT_FIRST + (place % CLIENTS_PER_SOURCE) * PORTS_PER_CLIENT + (dials % PORTS_PER_CLIENT);

/** For the clients of one process; no two processes share an address. */
export function sourcesOf(process: number, clients: number): string[] {
  const count = Math.ceil(clients / CLIENTS_PER_SOURCE);
  return Array.from(
    { length: count },
    (_, i) => `127.${64 + (process % 128)}.${Math.floor(process / 128)}.${i + 1}`,
  );
}

export const isLoopback = (host: string): boolean => host === "localhost" || /^127\./.test(host);
