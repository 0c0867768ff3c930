import { holdingClock } from "../kernel/clock.ts";
import { concertVisit } from "./concert/concert-visit.ts";
import { Hud } from "./hud.ts";
import { element } from "./page-elements.ts";
import { plazaVisit } from "./plaza-visit.ts";
import type { Place } from "./visit.ts";

const clock = holdingClock;

/** Draws until the page is closed; resolves with the first frame. */
function run(draw: (seconds: number, dt: number) => void): Promise<void> {
  return new Promise((drawn) => {
    let before = clock.now();
    const frame = (): void => {
      const now = clock.now();
      draw(now / 1000, (now - before) / 1000);
      before = now;
      drawn();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
}

async function main(): Promise<void> {
  const query = new URLSearchParams(location.search);
  const wish = query.get("quality");
  const canvas = element("view") as HTMLCanvasElement;
  const place: Place = {
    ...{ canvas, query, clock, hud: new Hud(clock) },
    quality: wish === "low" || wish === "high" ? wish : "auto",
    onQuality: (shown) => {
      document.body.dataset.quality = shown;
    },
  };
  const event = query.get("event");
  const visit = event === null ? plazaVisit(place) : concertVisit(place, event);
  let draw = visit.wait;
  const drawn = run((seconds, dt) => draw(seconds, dt));
  const inside = await visit.enter(drawn);
  draw = inside;
  document.body.classList.add("inside");
  canvas.focus();
}

main().catch((error: unknown) => {
  const notice = element("notice");
  notice.hidden = false;
  const reason = error instanceof Error ? error.message : String(error);
  notice.textContent = `This place cannot be reached: ${reason}`;
  console.error(error);
});
