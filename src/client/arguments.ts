import { type Profile, TEXT_MAX } from "../protocol/client-messages.ts";
import type { Pose } from "../protocol/pose-row.ts";
import type { JoinOptions } from "./room-options.ts";

/**
 * What applications give the SDK, checked where they give it. A gateway closes the socket over a
 * message that breaks the protocol, and with it every room: so it is the call that throws, a
 * `TypeError` that names the argument.
 */

const COLOR_MAX = 0xffffffff;

function checkText(what: string, value: unknown, max: number): void {
  if (typeof value !== "string" || value.length > max)
    throw new TypeError(`${what} must be a text of at most ${max} characters`);
}

export function checkProfile(profile: Profile): void {
  if (typeof profile !== "object" || profile === null)
    throw new TypeError("profile must be an object of name, color and model");
  const { name, color, model } = profile;
  checkText("profile.name", name, TEXT_MAX.profileName);
  checkText("profile.model", model, TEXT_MAX.profileModel);
  if (!Number.isInteger(color) || color < 0 || color > COLOR_MAX)
    throw new TypeError(`profile.color must be a whole number from 0 to ${COLOR_MAX}`);
}

export function checkJoin(room: string, options: JoinOptions): void {
  checkText("room", room, TEXT_MAX.room);
  if (typeof options !== "object" || options === null)
    throw new TypeError("join takes options, of which profile has to be there");
  checkProfile(options.profile);
  const { beside, poseHz, resume } = options;
  if (beside !== undefined) checkText("beside", beside, TEXT_MAX.beside);
  if (poseHz !== undefined && !(poseHz > 0)) throw new TypeError("poseHz must be a number above 0");
  if (resume === undefined) return;
  checkText("resume.token", resume?.token, TEXT_MAX.session);
  if (!Number.isInteger(resume.attach))
    throw new TypeError("resume must be what onSession was called with");
}

export const checkSignal = (name: string): void =>
  checkText("a signal's name", name, TEXT_MAX.signal);

export const checkCommand = (name: string): void =>
  checkText("a command's name", name, TEXT_MAX.command);

/** Looked at for every frame that is drawn. */
export function checkPose(pose: Pose): void {
  const { x, y, z, yaw, pitch, reach, animation } = pose;
  const [rx, ry, rz] = reach ?? [];
  // A sum is a finite number where all of its parts are.
  const whole = Number.isInteger(animation) && reach?.length === 3;
  if (whole && Number.isFinite(x + y + z + yaw + pitch + rx + ry + rz)) return;
  throw new TypeError(
    "a pose has finite numbers x, y, z, yaw and pitch, a reach of three, and a whole animation",
  );
}

export interface ConnectArguments {
  readonly urls: unknown;
  readonly token: unknown;
  readonly agent: unknown;
}

export function checkConnect({ urls, token, agent }: ConnectArguments): void {
  if (typeof urls !== "function") {
    if (!Array.isArray(urls) || urls.length === 0)
      throw new TypeError("urls must be a list of gateways, or a function that answers one");
    for (const url of urls)
      if (!isSocketUrl(url)) throw new TypeError(`urls: ${url} is no ws:// or wss:// address`);
  }
  if (typeof token !== "function") checkText("token", token, TEXT_MAX.token);
  checkText("agent", agent, TEXT_MAX.agent);
}

const isSocketUrl = (url: unknown): boolean =>
  typeof url === "string" && URL.canParse(url) && /^wss?:$/.test(new URL(url).protocol);
