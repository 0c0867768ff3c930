/** Listeners by event name; each name has its own argument list. */
export class Emitter<Events extends { readonly [K in keyof Events]: readonly unknown[] }> {
  readonly #listeners = new Map<keyof Events, Set<(...args: never) => void>>();

  /** Answers the function that takes the listener off again. */
  on<K extends keyof Events>(name: K, listener: (...args: Events[K]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  emit<K extends keyof Events>(name: K, ...args: Events[K]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        (listener as (...args: Events[K]) => void)(...args);
      } catch (error) {
        // An application's mistake must be seen, but must not leave the replica half applied.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
