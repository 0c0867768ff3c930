import type { Work } from "./work.ts";

/** A server that is up; its processes are children of this one. */
export interface Running {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

export interface Contestant {
  readonly name: string;
  /** What it is, with its version and settings, for the report. */
  readonly about: string;
  /** The module that knows how to be its client. */
  readonly dialect: string;
  /** False where it sends only some of the rows at full rate, on purpose. */
  readonly sendsAll: (work: Work) => boolean;
  start(work: Work): Promise<Running>;
}
