import type { ClusterView, NodeView } from "../control/port.ts";
import type { Clock } from "../kernel/clock.ts";

export interface RoomView {
  readonly owner: string | null;
  readonly epoch: number;
  readonly status: string;
}

export interface ClusterLook {
  readonly cluster: ClusterView;
  /** Null while the room is not in the index. */
  readonly room: RoomView | null;
}

const VISIBLE_MS = 500;
const HIDDEN_MS = 1000;
const TIMEOUT_MS = 3000;

async function get<T>(path: string): Promise<T | null> {
  const answer = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (answer.status === 404) return null;
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return (await answer.json()) as T;
}

/** Asks the control API again and again, one round at a time; undefined where it has no answer. */
export function watchCluster(
  roomPath: string,
  clock: Clock,
  show: (look: ClusterLook | undefined) => void,
): void {
  const poll = async (): Promise<void> => {
    try {
      const [cluster, room] = await Promise.all([
        get<ClusterView>("/v1/nodes"),
        get<RoomView>(`/v1/rooms/${roomPath}`),
      ]);
      show(cluster ? { cluster, room } : undefined);
    } catch {
      // The replica of the control API may be the very process that was killed; it comes back.
      show(undefined);
    }
    clock.after(document.hidden ? HIDDEN_MS : VISIBLE_MS, () => void poll());
  };
  void poll();
}

/** Dev mode only: SIGKILL to the node's process. True where the API took it. */
export async function killNode(node: NodeView): Promise<boolean> {
  try {
    return (await fetch(`/v1/nodes/${node.name}/kill`, { method: "POST" })).ok;
  } catch {
    return false;
  }
}
