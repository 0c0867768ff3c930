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

export interface Actions {
  readonly grabOrPlace: () => void;
  readonly use: () => void;
  /** Brings something new to the plaza. */
  readonly bring: () => void;
  readonly chat: () => void;
  /** 0 for the first emote. */
  readonly emote: (index: number) => void;
}
