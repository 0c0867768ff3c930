import type { Room } from "../../client/client.ts";
import type { BarButton, Hud } from "../hud.ts";
import { element } from "../page-elements.ts";

/** Looks that a visitor on the stage can call: what the demo's band calls, by hand. */
const LOOKS: readonly (readonly [label: string, wash: number, beams: number, band: number])[] = [
  ["Blue", 0x2f6bff, 0x38e1ff, 0x27b8ff],
  ["Red", 0xff2d55, 0xffa14a, 0xff5f7a],
  ["Gold", 0xffb04a, 0xfff0a8, 0xfeca57],
];

const dot = (color: number): string => {
  const hex = `#${color.toString(16).padStart(6, "0")}`;
  return `<svg viewBox="0 0 24 24"><circle cx="12" cy="12" r="7.5" fill="${hex}"/></svg>`;
};
const PAPER =
  '<svg viewBox="0 0 24 24"><g fill="#feca57"><rect x="4" y="4" width="5" height="5"/>' +
  '<rect x="14" y="13" width="5" height="5" fill="#ff7ac2"/>' +
  '<rect x="13" y="3" width="4" height="4" fill="#38e1ff"/>' +
  '<rect x="5" y="14" width="4" height="4" fill="#9dffb0"/></g></svg>';

/** Buttons for whoever is on the stage: lights, which are journaled, and paper, which is not. */
export function cueButtons(stage: Room<unknown>, hud: Hud): BarButton[] {
  const call = (lights: readonly (readonly [string, number])[]): void => {
    for (const [light, color] of lights)
      stage
        .command("light", { light, color, level: 1 })
        .catch((error: unknown) => hud.refused(error));
  };
  const looks = LOOKS.map(([label, wash, beams, band]) => ({
    ...{ label: `${label} light`, icon: dot(wash) },
    press: () =>
      call([
        ["wash", wash],
        ["beams", beams],
        ["crowd", band],
      ]),
  }));
  const paper = () => void stage.signal("pyro", { kind: "confetti" });
  return [...looks, { label: "Paper", icon: PAPER, press: paper }];
}

/** There is nobody to talk to on the stage. */
export const hideChat = (): void => {
  element("chat").hidden = true;
};
