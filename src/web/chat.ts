import type { Clock, Timer } from "../kernel/clock.ts";
import { lookOf } from "./avatar-look.ts";
import type { Avatars } from "./avatars.ts";
import { element, inputElement, made } from "./page-elements.ts";
import { type ChatLine, type ChatRoom, nameOf } from "./plaza-room.ts";

/** Lines kept on the page. */
const LINES_MAX = 80;
const NAMES_MAX = 500;
const TYPING_REPEAT_MS = 2000;
const TYPING_FOR_MS = 3500;

interface Hooks {
  readonly failed: (error: unknown) => void;
}

/** What people say: a list that grows, bubbles over heads, and who is about to. */
export class Chat {
  readonly #room: ChatRoom;
  readonly #avatars: Avatars;
  readonly #clock: Clock;
  readonly #hooks: Hooks;
  readonly #panel = element("chat");
  readonly #lines = element("chat-lines");
  readonly #typing = element("chat-typing");
  readonly #input = inputElement("chat-input");
  /** People who left keep their name here. */
  readonly #names = new Map<string, string>();
  readonly #typists = new Map<number, Timer>();
  #lastN = -1;
  #fresh = false;
  #typingToldAt = Number.NEGATIVE_INFINITY;

  constructor(room: ChatRoom, avatars: Avatars, clock: Clock, hooks: Hooks) {
    this.#room = room;
    this.#avatars = avatars;
    this.#clock = clock;
    this.#hooks = hooks;
    element("chat-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#input.value.trim();
      this.#input.value = "";
      this.#input.blur();
      this.#tellTyping(false);
      if (text !== "") this.say(text).catch(this.#hooks.failed);
    });
    this.#input.addEventListener("input", () => this.#tellTyping(this.#input.value !== ""));
    this.#input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#input.blur();
    });
    this.#input.addEventListener("focus", () => this.#panel.classList.add("open"));
    this.#input.addEventListener("blur", () => this.#panel.classList.remove("open"));
    this.refresh();
    // What was said before I came is history, not news.
    this.#fresh = true;
  }

  focus(): void {
    // Hidden on touch screens until it is wanted, and what is hidden takes no focus.
    this.#panel.classList.add("open");
    this.#input.focus();
  }

  say(text: string): Promise<unknown> {
    return this.#room.command("say", { text });
  }

  #tellTyping(on: boolean): void {
    const now = this.#clock.now();
    if (on && now - this.#typingToldAt < TYPING_REPEAT_MS) return;
    this.#typingToldAt = on ? now : Number.NEGATIVE_INFINITY;
    this.#room.signal("typing", { on });
  }

  heardTyping(slot: number, on: boolean): void {
    this.#typists.get(slot)?.cancel();
    this.#typists.delete(slot);
    this.#avatars.label(slot)?.typing(on);
    if (on && this.#typists.size < NAMES_MAX) {
      const over = this.#clock.after(TYPING_FOR_MS, () => this.heardTyping(slot, false));
      this.#typists.set(slot, over);
    }
    const names: string[] = [];
    for (const typist of this.#typists.keys()) {
      const member = this.#room.members.get(typist);
      if (member && typist !== this.#room.me.slot && names.length < 3) {
        names.push(nameOf(this.#room, typist, member.person));
      }
    }
    const verb = names.length === 1 ? "is" : "are";
    this.#typing.textContent = names.length > 0 ? `${names.join(", ")} ${verb} typing…` : "";
  }

  #nameOf(line: ChatLine): string {
    const known = [...this.#room.members.values()].some((member) => member.person === line.person);
    if (known && this.#names.size < NAMES_MAX) {
      this.#names.set(line.person, nameOf(this.#room, line.slot, line.person));
    }
    return this.#names.get(line.person) ?? nameOf(this.#room, line.slot, line.person);
  }

  /** Shows the lines that are new in the room's state. */
  refresh(): void {
    const lines: ChatLine[] = [];
    for (const key in this.#room.state.chat) {
      const line = this.#room.state.chat[key];
      if (line && line.n > this.#lastN) lines.push(line);
    }
    if (lines.length === 0) return;
    lines.sort((a, b) => a.n - b.n);
    const atEnd = this.#lines.scrollTop + this.#lines.clientHeight >= this.#lines.scrollHeight - 30;
    for (const line of lines) this.#show(line);
    while (this.#lines.children.length > LINES_MAX) this.#lines.firstElementChild?.remove();
    if (atEnd || !this.#fresh) this.#lines.scrollTop = this.#lines.scrollHeight;
  }

  #show(line: ChatLine): void {
    this.#lastN = Math.max(this.#lastN, line.n);
    const name = this.#nameOf(line);
    const member = this.#room.members.get(line.slot);
    const color = member?.person === line.person ? member.profile?.color : undefined;
    const tint = lookOf(line.person, color, "").shirt;
    const entry = made("li", line.person === this.#room.me.person ? "mine" : "");
    const who = made("b", "", name);
    who.style.color = `color-mix(in srgb, #${tint.toString(16).padStart(6, "0")} 58%, white)`;
    entry.title = new Date(line.at).toLocaleTimeString();
    entry.append(who, made("span", "", line.text));
    this.#lines.append(entry);
    if (!this.#fresh) return;
    this.heardTyping(line.slot, false);
    if (member?.person === line.person) {
      this.#avatars.label(line.slot)?.say(line.text, this.#clock.now());
    }
  }
}
