import { mkdtemp, readdir, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";

/** A folder for what one cluster on this machine keeps while it runs. */
export interface WorkDir {
  readonly path: string;
  remove(): Promise<void>;
}

const NAME = /^roomcluster-run-(\d+)-/;

/** Makes one, and removes those of clusters that were killed before they could. */
export async function makeWorkDir(): Promise<WorkDir> {
  for (const name of await readdir(os.tmpdir()).catch(() => [])) {
    const pid = NAME.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    // Somebody else's can not be removed, and need not be.
    await removeAll(path.join(os.tmpdir(), name)).catch(() => undefined);
  }
  const folder = await mkdtemp(path.join(os.tmpdir(), `roomcluster-run-${process.pid}-`));
  return { path: folder, remove: () => removeAll(folder) };
}

/** A server that has just ended may leave a file behind while its folder is being removed. */
const removeAll = (folder: string): Promise<void> =>
  rm(folder, { recursive: true, force: true, maxRetries: 3 });

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
