import { made } from "./page-elements.ts";

const ASKS = "What the cluster does is for its operator: enter the control token to see it.";
const REFUSED = "That is not this cluster's control token.";

/** Where the operator enters the token that the control API asks for. */
export class ClusterLock {
  readonly element = document.createElement("form");
  readonly #text = made("label", "");
  readonly #field = document.createElement("input");

  constructor(unlock: (token: string) => void) {
    this.element.id = "cluster-lock";
    this.element.hidden = true;
    this.element.autocomplete = "off";
    this.#text.setAttribute("for", "cluster-token");
    this.#field.id = "cluster-token";
    this.#field.type = "password";
    this.#field.placeholder = "ROOMCLUSTER_CONTROL_TOKEN";
    this.#field.required = true;
    this.#field.autocomplete = "off";
    this.#field.spellcheck = false;
    const button = document.createElement("button");
    button.textContent = "Unlock";
    const row = made("div", "");
    row.append(this.#field, button);
    this.element.append(this.#text, row);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      const token = this.#field.value;
      // It has no business in the page once it was taken.
      this.#field.value = "";
      this.#field.blur();
      unlock(token);
    });
  }

  /** Undefined: the panel is open. */
  show(locked: { readonly refused: boolean } | undefined): void {
    this.element.hidden = locked === undefined;
    if (locked) this.#text.textContent = locked.refused ? REFUSED : ASKS;
    this.element.classList.toggle("refused", locked?.refused === true);
  }
}
