/** What the person at the controls wants, whatever the controls are. */
export interface Input {
  /** Right and forward, each -1 to 1. */
  right: number;
  forward: number;
  run: boolean;
  /** Radians since the last frame; the frame takes them and sets them to 0. */
  turn: number;
  tilt: number;
  /** Steps of the wheel since the last frame. */
  zoom: number;
  /** The person turns the camera themselves just now. */
  looking: boolean;
}

export const restingInput = (): Input => ({
  right: 0,
  forward: 0,
  run: false,
  turn: 0,
  tilt: 0,
  zoom: 0,
  looking: false,
});

/** What the person can do at once. */
export interface Actions {
  /** By the code of a key. */
  readonly keys: Readonly<Record<string, () => void>>;
  /** What the buttons beside the thumb do; those that do nothing here are not shown. */
  readonly thumb: Readonly<Partial<Record<"grab" | "use" | "chat", () => void>>>;
}

/** The keys 1, 2, … for what a bar offers in this order. */
export const digitKeys = (
  count: number,
  press: (index: number) => void,
): Record<string, () => void> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`Digit${i + 1}`, () => press(i)]));
