import { pino } from "pino";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "./observer.ts";
import { redactFields } from "./redact.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  /** Stands in every line: which process speaks. */
  readonly who: Readonly<Record<string, string>>;
  readonly clock: Pick<Clock, "wallNow">;
  /** One readable line an entry instead of JSON. */
  readonly pretty: boolean;
  /** Receives each line with its end; standard output where it is left out. */
  readonly write?: (line: string) => void;
}

/** JSON lines (pino), or readable ones for a terminal; secrets are redacted in both. */
export function createLog(options: LogOptions): Log {
  const write = options.write ?? standardOutput();
  const stream = { write: options.pretty ? (line: string) => write(prettyLine(line)) : write };
  return pino(
    {
      level: options.level,
      base: options.who,
      timestamp: () => `,"time":"${new Date(options.clock.wallNow()).toISOString()}"`,
      formatters: {
        level: (level) => ({ level }),
        log: redactFields,
      },
    },
    stream,
  );
}

/** Synchronous, so that the line that explains a crash is out before the process is gone. */
function standardOutput(): (line: string) => void {
  const destination = pino.destination({ dest: 1, sync: true });
  // Who reads the log may end before this process does. There is nobody left to tell.
  destination.on("error", () => undefined);
  return (line) => void destination.write(line);
}

/**
 * `12:30:01.250 warn  node-1  The bus is gone.  {"bus":"data"}` from one JSON line of `createLog`.
 * Anything else is passed on as it is: a crash report of Node, say.
 */
export function prettyLine(json: string): string {
  const entry = parseEntry(json);
  if (entry === undefined) return json;
  const { level, time, msg, process, role, name, ...fields } = entry;
  const who = String(process ?? name ?? role ?? "").replace(/\.[a-f0-9]{16}$/, "");
  const text = `${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${who.padEnd(12)} ${msg}`;
  const stack = takeStack(fields);
  const rest = Object.keys(fields).length > 0 ? `  ${JSON.stringify(fields)}` : "";
  return `${text}${rest}${stack}\n`;
}

/** A stack reads better on lines of its own; name and message stand in its first one. */
function takeStack(fields: Record<string, unknown>): string {
  const error = fields.error as Record<string, unknown> | undefined;
  if (typeof error?.stack !== "string") return "";
  const { name: _name, message: _message, stack, ...others } = error;
  if (Object.keys(others).length > 0) fields.error = others;
  else delete fields.error;
  return `\n${stack}`;
}

function parseEntry(json: string): Record<string, unknown> | undefined {
  if (!json.startsWith("{")) return undefined;
  try {
    const entry = JSON.parse(json) as Record<string, unknown>;
    return typeof entry.msg === "string" && typeof entry.time === "string" ? entry : undefined;
  } catch {
    return undefined;
  }
}
