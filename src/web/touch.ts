import chat from "./icons/chat.svg";
import grab from "./icons/grab.svg";
import use from "./icons/use.svg";
import type { Actions, Input } from "./input.ts";
import { element } from "./page-elements.ts";

const STICK_RADIUS_PX = 56;
const RADIANS_PER_PIXEL = 0.0066;
/** Pushed this far out, the stick means to run. */
const RUN_FROM = 0.92;

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

  addButtons(actions);
  if (window.matchMedia("(pointer: coarse)").matches) {
    panel.hidden = false;
    document.body.classList.add("touching");
  }
}

function addButtons(actions: Actions): void {
  const button = (id: string, icon: string, press: (() => void) | undefined): void => {
    const target = element(id);
    target.hidden = press === undefined;
    target.innerHTML = icon;
    if (press) target.addEventListener("click", press);
  };
  button("touch-grab", grab, actions.thumb.grab);
  button("touch-use", use, actions.thumb.use);
  button("touch-chat", chat, actions.thumb.chat);
}
