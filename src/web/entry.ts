import type { Random } from "../kernel/random.ts";
import { randomBelow } from "../kernel/random.ts";
import { SHIRTS } from "./avatar-look.ts";
import { friendlyName } from "./names.ts";
import { element, inputElement } from "./page-elements.ts";
import type { PlazaProfile } from "./plaza-room.ts";

const STORED = "plaza.profile";

function stored(): PlazaProfile | undefined {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(STORED) ?? "null");
    const { name, color } = value as PlazaProfile;
    return typeof name === "string" && Number.isInteger(color)
      ? { name, color, model: "" }
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Who comes in: asked for, with a proposal that can be taken as it is. `?name=` proposes a name,
 * `?auto=1` takes the proposal without asking.
 */
export function askProfile(query: URLSearchParams, random: Random): Promise<PlazaProfile> {
  const before = query.has("name") ? undefined : stored();
  const name = (query.get("name") ?? before?.name ?? friendlyName(random)).slice(0, 24);
  const color = before?.color ?? SHIRTS[randomBelow(random, SHIRTS.length)] ?? 0x4d96ff;
  const model = query.get("model") ?? "";
  if (query.get("auto") === "1") return Promise.resolve({ name, color, model });
  return new Promise((resolve) => prompt({ name, color, model }, resolve));
}

function prompt(proposal: PlazaProfile, done: (profile: PlazaProfile) => void): void {
  const overlay = element("entry");
  const field = inputElement("entry-name");
  const colors = element("entry-colors");
  let { color } = proposal;
  field.value = proposal.name;
  for (const shirt of SHIRTS) {
    const swatch = document.createElement("input");
    swatch.type = "radio";
    swatch.name = "color";
    const hex = `#${shirt.toString(16).padStart(6, "0")}`;
    swatch.setAttribute("aria-label", hex);
    swatch.style.backgroundColor = hex;
    swatch.checked = shirt === color;
    swatch.addEventListener("change", () => {
      color = shirt;
    });
    colors.append(swatch);
  }
  overlay.hidden = false;
  document.body.classList.add("entering");
  field.select();
  element("entry-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = field.value.trim();
    if (name === "") return;
    const profile = { ...proposal, name, color };
    localStorage.setItem(STORED, JSON.stringify(profile));
    overlay.hidden = true;
    document.body.classList.remove("entering");
    field.blur();
    done(profile);
  });
}
