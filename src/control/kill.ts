import os from "node:os";
import type { KillOutcome } from "./api.ts";
import type { NodeView } from "./port.ts";

/**
 * SIGKILL to a node of this host, for demonstrations. Only what a live heartbeat announced is asked
 * for, so a pid that another program got since is at risk only as long as a heartbeat counts.
 */
export function killLocalNode(node: NodeView): KillOutcome {
  // Pid 0 and below would address whole groups of processes.
  const killable = node.host === os.hostname() && node.pid > 1 && node.pid !== process.pid;
  if (!killable || node.state !== "alive") return "not_here";
  try {
    process.kill(node.pid, "SIGKILL");
    return "killed";
  } catch {
    // ESRCH: it ended by itself. EPERM: it is not ours.
    return "not_here";
  }
}
