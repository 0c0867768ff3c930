import { pathToFileURL } from "node:url";
import { Audience, type Job, type Measured } from "./audience.ts";
import type { DialectModule } from "./dialect.ts";

/** The clients' process: does what its parent says, one word after the other. */
export type ToDriver =
  | { readonly type: "join"; readonly job: Job; readonly dialect: string }
  | { readonly type: "measure"; readonly seconds: number };
export type FromDriver =
  | { readonly type: "joined" }
  | { readonly type: "measured"; readonly measured: Measured }
  | { readonly type: "failed"; readonly why: string };

let audience: Audience | undefined;
const answer = (message: FromDriver): void => void process.send?.(message);

async function obey(message: ToDriver): Promise<FromDriver> {
  if (message.type === "join") {
    const module: DialectModule = await import(pathToFileURL(message.dialect).href);
    audience = new Audience(message.job, module.dialect);
    await audience.join();
    return { type: "joined" };
  }
  if (!audience) throw new Error("nobody has joined");
  return { type: "measured", measured: await audience.measure(message.seconds) };
}

process.on("message", (message: ToDriver) => {
  obey(message).then(answer, (error: Error) =>
    answer({ type: "failed", why: error.stack ?? error.message }),
  );
});
process.on("disconnect", () => process.exit(0));
