import type { Bus, Subscription } from "../../src/bus/bus.ts";
import { type Random, randomBelow } from "../../src/kernel/random.ts";
import { waitUntil } from "./wait-until.ts";

/** One turn: who listens from now on, then what is said. Subscriptions are named by numbers. */
export interface Phase {
  readonly closed: readonly number[];
  readonly opened: readonly Listener[];
  readonly said: readonly Saying[];
}

export interface Listener {
  readonly id: number;
  readonly by: number;
  readonly subject: string;
  /** Members of one queue all answer, or none does, so that no draw decides what a request gets. */
  readonly queue: "answering" | "silent" | undefined;
  readonly answers: boolean;
}

export interface Saying {
  readonly text: string;
  readonly by: number;
  readonly subject: string;
  readonly asks: boolean;
}

export const PROCESSES = 3;
const LISTENERS_MAX = 12;
const PATTERNS = ["t.a", "t.b", "t.a.b", "t.*", "t.>", "t.*.b", "*.a", "t.a.>", "*.*", "u.a"];
const SUBJECTS = ["t.a", "t.b", "t.a.b", "t.c", "t.c.b", "u.a", "u.b", "t.a.b.c", "nobody"];

export function generatePhases(random: Random, phases: number, sayings: number): Phase[] {
  const below = (bound: number): number => randomBelow(random, bound);
  const chance = (share: number): boolean => random.next() < share;
  const of = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const open = new Set<number>();
  let ids = 0;
  let texts = 0;
  const listener = (): Listener => {
    const queue = chance(0.5) ? undefined : of(["answering", "silent"] as const);
    const answers = queue ? queue === "answering" : chance(0.3);
    return { id: ids++, by: below(PROCESSES), subject: of(PATTERNS), queue, answers };
  };
  return Array.from({ length: phases }, () => {
    const closed = [...open].filter(() => chance(0.2));
    for (const id of closed) open.delete(id);
    const opened: Listener[] = [];
    while (open.size < LISTENERS_MAX && chance(0.8)) {
      opened.push(listener());
      open.add(opened.at(-1)?.id as number);
    }
    const said = Array.from({ length: sayings }, () => {
      const by = below(PROCESSES);
      return { text: `m${texts++}`, by, subject: of(SUBJECTS), asks: chance(0.15) };
    });
    return { closed, opened, said };
  });
}

/** What was heard in a phase, without what the network may choose. */
export interface Heard {
  /** Of each listener without a queue and each publisher: the texts in their order. */
  readonly plain: Readonly<Record<string, readonly string[]>>;
  /** Of each queue: every text it was given, as often as it was. */
  readonly queues: Readonly<Record<string, readonly string[]>>;
  /** Where a process heard one publisher out of order. */
  readonly outOfOrder: readonly string[];
}

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** Plays phases on one network, three processes each with a bus of its own. */
export class BusPlayer {
  /** What became of every request, by its text. They are over long after their phase. */
  readonly requests = new Map<string, Promise<string>>();
  readonly #buses: readonly Bus[];
  readonly #requestMs: number;
  readonly #open = new Map<number, Subscription>();
  readonly #barriers = new Set<string>();
  #plain: Record<string, string[]> = {};
  #queues: Record<string, string[]> = {};
  #last: Record<string, number> = {};
  #outOfOrder: string[] = [];
  #phase = 0;

  constructor(buses: readonly Bus[], requestMs: number) {
    this.#buses = buses;
    this.#requestMs = requestMs;
    for (const [to, bus] of buses.entries())
      bus.subscribe(`barrier.for.${to}`, ({ data }) =>
        this.#barriers.add(`${text.decode(data)} ${to}`),
      );
  }

  async play({ closed, opened, said }: Phase): Promise<Heard> {
    this.#plain = {};
    this.#queues = {};
    this.#outOfOrder = [];
    for (const id of closed) this.#open.get(id)?.close();
    for (const listener of opened) this.#listen(listener);
    await this.#barrier();
    for (const saying of said) this.#say(saying);
    await this.#barrier();
    const queues = Object.entries(this.#queues).map(([queue, texts]) => [queue, texts.sort()]);
    const plain = this.#plain;
    return { plain, queues: Object.fromEntries(queues), outOfOrder: this.#outOfOrder };
  }

  #listen({ id, by, subject, queue, answers }: Listener): void {
    const subscription = this.#bus(by).subscribe(
      subject,
      ({ data, respond }) => {
        const [words = "", publisher = ""] = text.decode(data).split(" ");
        this.#checkOrder(`${publisher} to ${by}`, Number(words.slice(1)));
        if (queue) add(this.#queues, queue, words);
        else add(this.#plain, `${id} ${subject} of ${by}, from ${publisher}`, words);
        if (answers) respond(utf8.encode("answered"));
      },
      queue ? { queue } : {},
    );
    this.#open.set(id, subscription);
  }

  #say({ text: words, by, subject, asks }: Saying): void {
    const data = utf8.encode(`${words} ${by}`);
    if (!asks) {
      this.#bus(by).publish(subject, data);
      return;
    }
    const answer = this.#bus(by).request(subject, data, this.#requestMs);
    this.requests.set(
      words,
      answer.then((got) => (got.ok ? text.decode(got.value) : got.error)),
    );
  }

  #checkOrder(way: string, number: number): void {
    if (number < (this.#last[way] ?? 0))
      this.#outOfOrder.push(`${way}: ${number} after ${this.#last[way]}`);
    this.#last[way] = number;
  }

  /**
   * Everyone hears a word of everyone else: what was subscribed, closed and said before it is known
   * everywhere, since interest and messages of one process go the same way.
   */
  async #barrier(): Promise<void> {
    const phase = this.#phase++;
    await Promise.all(this.#buses.map((bus) => bus.flush()));
    const wanted = this.#buses.flatMap((_, from) =>
      this.#buses.map((_, to) => ({ from, to, key: `${phase} ${from} ${to}` })),
    );
    const missing = () => wanted.filter(({ key }) => !this.#barriers.has(key));
    await waitUntil(
      "everyone to hear everyone",
      async () => {
        for (const { from, to } of missing())
          this.#bus(from).publish(`barrier.for.${to}`, utf8.encode(`${phase} ${from}`));
        await waitUntil("a barrier", () => missing().length === 0, {
          timeoutMs: 500,
          pollMs: 1,
        }).catch(() => undefined);
        return missing().length === 0;
      },
      { timeoutMs: 20_000, dump: missing },
    );
  }

  #bus(process: number): Bus {
    return this.#buses[process] as Bus;
  }
}

function add(lists: Record<string, string[]>, key: string, item: string): void {
  const list = lists[key];
  if (list) list.push(item);
  else lists[key] = [item];
}
