import { parseArgs } from "node:util";
import { err, ok, type Result } from "../../src/kernel/result.ts";

/** One flag of a tool. A number stays a text, as it was given; its check is here. */
export interface ToolFlag {
  readonly type: "string" | "boolean";
  readonly short?: string;
  readonly default?: string | boolean;
  /** Makes it a number, which is no less. */
  readonly least?: number;
  /** Of a number: whole ones alone. */
  readonly whole?: boolean;
}

type Flags = Readonly<Record<string, ToolFlag>>;
type Values<T extends Flags> = ReturnType<typeof parseArgs<{ options: T }>>["values"];

/** What was given, or the sentence that says what is wrong with it. */
export function readFlags<const T extends Flags>(
  options: T,
  args: readonly string[],
): Result<Values<T>, string> {
  let values: Values<T>;
  try {
    ({ values } = parseArgs({ options, args: [...args] }));
  } catch (error) {
    // Its first sentence says it; the next ones are about flags that begin with a dash.
    return err((error as Error).message.split(/\. |\n/, 1)[0]?.replace(/\.?$/, ".") ?? "");
  }
  for (const [name, { least, whole }] of Object.entries(options)) {
    const given = (values as Readonly<Record<string, unknown>>)[name];
    if (least === undefined || typeof given !== "string") continue;
    const number = /^-?[0-9]+(\.[0-9]+)?$/.test(given) ? Number(given) : Number.NaN;
    if (number >= least && (!whole || Number.isSafeInteger(number))) continue;
    const kind = whole ? "whole number" : "number";
    return err(`--${name} is a ${kind} of at least ${least}, not "${given}".`);
  }
  return ok(values);
}

/** The flags this process was started with. Ends it where they are no flags of this tool. */
export function toolFlags<const T extends Flags>(options: T): Values<T> {
  const args = process.argv.slice(2);
  if (!("help" in options) && args.some((arg) => arg === "--help" || arg === "-h")) {
    console.log(usageOf(options));
    process.exit(0);
  }
  const values = readFlags(options, args);
  if (values.ok) return values.value;
  console.error(`${values.error}\n${usageOf(options)}`);
  process.exit(2);
}

/** All flags, with what they are where nothing is said. */
export function usageOf(options: Flags): string {
  const shown = Object.entries(options).map(([name, { default: usual, type }]) => {
    if (type === "boolean") return `[--${name}]`;
    return typeof usual === "string" ? `[--${name} ${usual}]` : `[--${name} …]`;
  });
  return `Flags: ${shown.join(" ")}`;
}
