import { icon } from "./emotes.ts";
import type { Actions, Input } from "./input.ts";
import { element } from "./page-elements.ts";

const STICK_RADIUS_PX = 56;
const RADIANS_PER_PIXEL = 0.0066;
/** Pushed this far out, the stick means to run. */
const RUN_FROM = 0.92;

const GRAB = `<path fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" d="M7.5 12V6.500a1.5 1.5 0 0 1 3 0V11m0-5.500V5a1.5 1.5 0 0 1 3 0v6m0-4.500a1.5 1.5 0 0 1 3 0V12m0-2.500a1.5 1.5 0 0 1 3 0V14c0 4-2.5 6.5-6.2 6.5-3 0-4.6-1.2-6-3.600L4.7 13.500c-.8-1.4 1-2.7 2.1-1.500l1.7 2"/>`;
const USE = `<path fill="none" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" d="M12 3v8M6.8 6.300a8 8 0 1 0 10.4 0"/>`;
const CHAT = `<path fill="none" stroke="currentColor" stroke-width="1.8" stroke-linejoin="round" d="M4 5h16v11h-9l-4.5 4v-4H4z"/>`;

/** Left half: a stick where the thumb lands. Right half: look. Buttons for the rest. */
export function listenToTouch(view: HTMLElement, input: Input, actions: Actions): void {
  const panel = element("touch");
  const stick = element("stick");
  const knob = stick.firstElementChild as HTMLElement;
  let stickPointer: number | undefined;
  let lookPointer: number | undefined;
  let origin = { x: 0, y: 0 };
  let last = { x: 0, y: 0 };

  const push = (dx: number, dy: number): void => {
    const length = Math.hypot(dx, dy);
    const part = length > STICK_RADIUS_PX ? STICK_RADIUS_PX / length : 1;
    input.right = (dx * part) / STICK_RADIUS_PX;
    input.forward = (-dy * part) / STICK_RADIUS_PX;
    input.run = Math.hypot(input.right, input.forward) > RUN_FROM;
    knob.style.transform = `translate(${dx * part}px,${dy * part}px)`;
  };

  view.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") return;
    panel.hidden = false;
    document.body.classList.add("touching");
    (document.activeElement as HTMLElement | null)?.blur();
    view.setPointerCapture(event.pointerId);
    if (event.clientX < window.innerWidth / 2 && stickPointer === undefined) {
      stickPointer = event.pointerId;
      origin = { x: event.clientX, y: event.clientY };
      stick.style.left = `${origin.x}px`;
      stick.style.top = `${origin.y}px`;
      stick.classList.add("held");
    } else if (lookPointer === undefined) {
      lookPointer = event.pointerId;
      input.looking = true;
      last = { x: event.clientX, y: event.clientY };
    }
  });
  view.addEventListener("pointermove", (event) => {
    if (event.pointerId === stickPointer) push(event.clientX - origin.x, event.clientY - origin.y);
    if (event.pointerId !== lookPointer) return;
    input.turn -= (event.clientX - last.x) * RADIANS_PER_PIXEL;
    input.tilt += (event.clientY - last.y) * RADIANS_PER_PIXEL;
    last = { x: event.clientX, y: event.clientY };
  });
  const end = (event: PointerEvent): void => {
    if (event.pointerId === stickPointer) {
      stickPointer = undefined;
      stick.classList.remove("held");
      stick.style.left = stick.style.top = "";
      push(0, 0);
    }
    if (event.pointerId === lookPointer) {
      lookPointer = undefined;
      input.looking = false;
    }
  };
  view.addEventListener("pointerup", end);
  view.addEventListener("pointercancel", end);

  const button = (id: string, inner: string, press: () => void): void => {
    const target = element(id);
    target.innerHTML = icon(inner);
    target.addEventListener("click", press);
  };
  button("touch-grab", GRAB, actions.grabOrPlace);
  button("touch-use", USE, actions.use);
  button("touch-chat", CHAT, actions.chat);
  if (window.matchMedia("(pointer: coarse)").matches) {
    panel.hidden = false;
    document.body.classList.add("touching");
  }
}
