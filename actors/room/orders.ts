/** What became of an operator's command. */
export interface Operated {
  readonly status: string;
  readonly data: unknown;
}

/** Operators' commands that have no answer yet. They are asked one by one, with a deadline. */
export class Orders {
  readonly #open = new Map<number, (operated: Operated | undefined) => void>();
  #requests = 0;

  open(): { readonly request: number; readonly answered: Promise<Operated | undefined> } {
    const request = ++this.#requests;
    const answered = new Promise<Operated | undefined>((resolve) => {
      this.#open.set(request, resolve);
    });
    return { request, answered };
  }

  settle(request: number, { status, data }: Operated): void {
    this.#open.get(request)?.({ status, data });
    this.#open.delete(request);
  }

  /** The ownership is over: what it decided last may be durable or not. */
  abandon(): void {
    for (const resolve of this.#open.values()) resolve(undefined);
    this.#open.clear();
  }
}
