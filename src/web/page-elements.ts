import { assert } from "../kernel/assert.ts";

/** An element that index.html has. */
export function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  assert(found, `index.html has #${id}`);
  return found;
}

export function inputElement(id: string): HTMLInputElement {
  const found = element(id);
  assert(found instanceof HTMLInputElement, `#${id} is an input`);
  return found;
}

/** A new element with a class and a text. */
export function made(tag: string, className: string, text = ""): HTMLElement {
  const fresh = document.createElement(tag);
  fresh.className = className;
  fresh.textContent = text;
  return fresh;
}
