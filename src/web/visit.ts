import type { Clock } from "../kernel/clock.ts";
import type { Hud } from "./hud.ts";
import { restingInput } from "./input.ts";
import { element } from "./page-elements.ts";
import type { DrawQuality, Picture, QualityWish } from "./picture.ts";

/** What the page lends to a visit. */
export interface Place {
  readonly canvas: HTMLCanvasElement;
  readonly query: URLSearchParams;
  readonly clock: Clock;
  readonly hud: Hud;
  readonly quality: QualityWish;
  readonly onQuality: (shown: DrawQuality) => void;
}

export type Draw = (seconds: number, dt: number) => void;

/** One place that the page can show. */
export interface Visit {
  /** Draws it behind the prompt. */
  readonly wait: Draw;
  /** Asks who comes, and goes in; answers what draws from then on. `drawn`: the first frame. */
  readonly enter: (drawn: Promise<void>) => Promise<Draw>;
}

const still = restingInput();

/** The camera swings to and fro over a spot. */
export function overview(picture: Picture, at: { x: number; y: number; z: number }): Draw {
  return (seconds, dt) => {
    const heading = Math.PI + Math.sin(seconds * 0.08) * 0.5;
    picture.view.heading = heading;
    picture.view.follow({ ...at, yaw: heading }, still, dt);
    picture.draw(seconds, dt, at);
  };
}

/** The way to an event, or back: as who one is, without being asked again. */
export function linkElsewhere(event: string | undefined, text: string): void {
  const link = element("elsewhere");
  const query = new URLSearchParams(location.search);
  for (const part of ["event", "role"]) query.delete(part);
  if (event !== undefined) query.set("event", event);
  query.set("auto", "1");
  link.setAttribute("href", `./?${query}`);
  link.textContent = text;
  link.hidden = false;
}
