import type { Actions, Input } from "./input.ts";

const KEYS: Record<string, readonly [axis: "right" | "forward", sign: number]> = {
  KeyW: ["forward", 1],
  ArrowUp: ["forward", 1],
  KeyS: ["forward", -1],
  ArrowDown: ["forward", -1],
  KeyA: ["right", -1],
  ArrowLeft: ["right", -1],
  KeyD: ["right", 1],
  ArrowRight: ["right", 1],
};

const RADIANS_PER_PIXEL = 0.0052;

const isTyping = (event: KeyboardEvent): boolean =>
  event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;

/** Keyboard, mouse and wheel. Moves `input`; calls `actions`. */
export function listen(view: HTMLElement, input: Input, actions: Actions): void {
  const held = new Set<string>();
  const settle = (): void => {
    input.right = input.forward = 0;
    for (const code of held) {
      const key = KEYS[code];
      if (key) input[key[0]] = Math.max(-1, Math.min(1, input[key[0]] + key[1]));
    }
  };
  const release = (): void => {
    held.clear();
    input.run = false;
    settle();
  };
  window.addEventListener("keydown", (event) => {
    if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    input.run = event.shiftKey;
    if (KEYS[event.code]) {
      held.add(event.code);
      settle();
      event.preventDefault();
    } else if (!event.repeat && !(event.target instanceof HTMLButtonElement)) {
      const act = actions.keys[event.code];
      act?.();
      if (act) event.preventDefault();
    }
  });
  window.addEventListener("keyup", (event) => {
    input.run = event.shiftKey;
    held.delete(event.code);
    settle();
  });
  window.addEventListener("blur", release);
  window.addEventListener("focusin", (event) => {
    if (event.target instanceof HTMLInputElement) release();
  });
  drag(view, input);
  view.addEventListener(
    "wheel",
    (event) => {
      input.zoom += Math.sign(event.deltaY) * Math.min(1, Math.abs(event.deltaY) / 60);
      event.preventDefault();
    },
    { passive: false },
  );
}

function drag(view: HTMLElement, input: Input): void {
  let pointer: number | undefined;
  view.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "touch") return;
    pointer = event.pointerId;
    input.looking = true;
    view.setPointerCapture(pointer);
    view.focus();
  });
  view.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    input.turn -= event.movementX * RADIANS_PER_PIXEL;
    input.tilt += event.movementY * RADIANS_PER_PIXEL;
  });
  const end = (event: PointerEvent): void => {
    if (event.pointerId !== pointer) return;
    pointer = undefined;
    input.looking = false;
  };
  view.addEventListener("pointerup", end);
  view.addEventListener("pointercancel", end);
  view.addEventListener("contextmenu", (event) => event.preventDefault());
}
