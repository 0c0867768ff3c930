import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { WebSocket } from "ws";

/** Memory of a Node process by V8's own account, in bytes. */
export interface HeapFigures {
  readonly rss: number;
  /** In use, the nursery not counted: what a full collection has just left is in use. */
  readonly old: number;
  /** Physical memory of the nursery: room for garbage, of a size that V8 chooses by itself. */
  readonly nursery: number;
  /** Physical memory of all of the heap. */
  readonly heap: number;
  /** Outside the heap, of buffers. */
  readonly arrayBuffers: number;
}

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly chunk?: string };
  readonly result?: { readonly result?: { readonly value?: unknown } };
  readonly error?: { readonly message: string };
}

const FIGURES = `(() => {
  const spaces = process.getBuiltinModule("v8").getHeapSpaceStatistics();
  const sum = (of, which) => spaces.filter(which).reduce((total, space) => total + space[of], 0);
  const young = ({ space_name: name }) => name.startsWith("new_");
  const { rss, arrayBuffers } = process.memoryUsage();
  return {
    rss,
    old: sum("space_used_size", (space) => !young(space)),
    nursery: sum("physical_space_size", young),
    heap: sum("physical_space_size", () => true),
    arrayBuffers,
  };
})()`;

/** Looks into a running process by the protocol that Node's debuggers speak (`--inspect`). */
export class Inspector {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #id = 0;
  #chunk: ((text: string) => void) | undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data: Buffer) => {
      const answer = JSON.parse(data.toString()) as Answer;
      if (answer.method === "HeapProfiler.addHeapSnapshotChunk")
        this.#chunk?.(answer.params?.chunk ?? "");
      if (answer.id === undefined) return;
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
  }

  /** `output`: lines that the process has said. */
  static async open(output: readonly string[]): Promise<Inspector> {
    const url = output.map((line) => /ws:\/\/127\S+/.exec(line)?.[0]).find((found) => found);
    if (url === undefined) throw new Error("the process does not let anybody inspect it");
    const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 0 });
    await once(socket, "open");
    return new Inspector(socket);
  }

  /** What is reachable, after a full collection. */
  async figures(): Promise<HeapFigures> {
    await this.#ask("HeapProfiler.collectGarbage");
    const { result } = await this.#ask("Runtime.evaluate", {
      expression: FIGURES,
      returnByValue: true,
    });
    return result?.result?.value as HeapFigures;
  }

  /** All of the heap, as a file for a browser's memory tools. */
  async snapshot(file: string): Promise<void> {
    const out = createWriteStream(file);
    this.#chunk = (text) => out.write(text);
    await this.#ask("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
    this.#chunk = undefined;
    out.end();
    await once(out, "finish");
  }

  close(): void {
    this.#socket.close();
  }

  async #ask(method: string, params: object = {}): Promise<Answer> {
    const id = ++this.#id;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params }));
    const answer = await answered;
    if (answer.error) throw new Error(`${method}: ${answer.error.message}`);
    return answer;
  }
}
