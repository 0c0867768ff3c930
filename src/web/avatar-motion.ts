import { ANIMATION } from "./plaza-room.ts";

/** Angles of the joints, radians: legs turn forward, arms backward (swing) and outward (lift). */
export interface Joints {
  bob: number;
  lean: number;
  sway: number;
  twist: number;
  stretch: number;
  headPitch: number;
  headTilt: number;
  legLeft: number;
  legRight: number;
  armLeftSwing: number;
  armLeftLift: number;
  armRightSwing: number;
  armRightLift: number;
}

export const restingJoints = (): Joints => ({
  bob: 0,
  lean: 0,
  sway: 0,
  twist: 0,
  stretch: 1,
  headPitch: 0,
  headTilt: 0,
  legLeft: 0,
  legRight: 0,
  armLeftSwing: 0,
  armLeftLift: 0.14,
  armRightSwing: 0,
  armRightLift: 0.14,
});

/** Radians of stride for each metre walked. */
const STRIDE = 3.5;
export const strideOf = (metres: number): number => metres * STRIDE;

interface Moment {
  readonly animation: number;
  /** Seconds since the animation began. */
  readonly age: number;
  /** Where in the stride the legs are, radians. */
  readonly stride: number;
  readonly seconds: number;
  readonly carrying: boolean;
}

function striding(to: Joints, stride: number, running: boolean): void {
  const wide = running ? 1.05 : 0.66;
  const swing = Math.sin(stride);
  to.legLeft = swing * wide;
  to.legRight = -swing * wide;
  to.armLeftSwing = swing * wide * 0.85;
  to.armRightSwing = -swing * wide * 0.85;
  to.bob = Math.abs(Math.cos(stride)) * (running ? 0.085 : 0.045);
  to.lean = running ? 0.2 : 0.07;
  to.sway = Math.sin(stride) * 0.035;
  to.twist = swing * 0.09;
  to.armLeftLift = to.armRightLift = running ? 0.3 : 0.17;
}

function dancing(to: Joints, age: number): void {
  const beat = age * 7.4;
  to.bob = Math.abs(Math.sin(beat)) * 0.1;
  to.stretch = 1 + Math.sin(beat * 2) * 0.035;
  to.twist = Math.sin(beat * 0.5) * 0.5;
  to.sway = Math.sin(beat) * 0.13;
  to.legLeft = Math.max(0, Math.sin(beat)) * 0.5;
  to.legRight = Math.max(0, -Math.sin(beat)) * 0.5;
  to.armLeftLift = 1.9 + Math.sin(beat) * 0.75;
  to.armRightLift = 1.9 - Math.sin(beat) * 0.75;
  to.headTilt = Math.sin(beat) * 0.22;
}

/** Writes into `to` how a body stands at one moment. Pure: same moment, same joints. */
export function moveJoints(to: Joints, moment: Moment): void {
  const breath = Math.sin(moment.seconds * 1.9);
  Object.assign(to, RESTING);
  to.stretch = 1 + breath * 0.008;
  to.headTilt = Math.sin(moment.seconds * 0.6) * 0.035;
  const { animation, age } = moment;
  if (animation === ANIMATION.walk) striding(to, moment.stride, false);
  else if (animation === ANIMATION.run) striding(to, moment.stride, true);
  else if (animation === ANIMATION.dance) dancing(to, age);
  else if (animation === ANIMATION.wave) {
    to.armRightLift = 2.55 + Math.sin(age * 11) * 0.38;
    to.headTilt = -0.14;
    to.sway = 0.04;
  } else if (animation === ANIMATION.clap) {
    const clap = Math.abs(Math.sin(age * 9));
    to.armLeftSwing = to.armRightSwing = -1.35;
    to.armLeftLift = to.armRightLift = -0.5 + clap * 0.42;
    to.bob = clap * 0.02;
  } else if (animation === ANIMATION.jump) {
    const arc = (age % 0.9) / 0.72;
    const up = arc < 1 ? 4 * arc * (1 - arc) : 0;
    to.bob = up * 0.75;
    to.stretch = arc < 1 ? 1 + up * 0.05 : 0.9;
    to.armLeftLift = to.armRightLift = 0.3 + up * 2.3;
    to.legLeft = up * 0.5;
    to.legRight = -up * 0.35;
  } else {
    to.armLeftSwing = breath * 0.03;
    to.armRightSwing = -breath * 0.03;
  }
  if (!moment.carrying) return;
  to.armLeftSwing = to.armRightSwing = -1.12;
  to.armLeftLift = to.armRightLift = -0.16;
  to.lean -= 0.06;
}

const RESTING = restingJoints();
