import { existsSync } from "node:fs";
import { err, ok, type Result } from "../kernel/result.ts";

/**
 * Bundles the demo page into `folder`. It is made from sources only: what is built for production
 * has no page, and says so.
 */
export async function buildPage(folder: string): Promise<Result<void, string>> {
  const builder = new URL("../web/build.ts", import.meta.url);
  if (!existsSync(builder)) return err("it is built from the sources, which are not here");
  try {
    const { buildWeb } = (await import(builder.href)) as {
      readonly buildWeb: (folder: string) => Promise<void>;
    };
    await buildWeb(folder);
    return ok(undefined);
  } catch (error) {
    return err((error as Error).message);
  }
}
