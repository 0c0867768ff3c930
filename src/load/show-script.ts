import type { Pose } from "../protocol/pose-row.ts";
import type { ScriptCommand } from "./world-script.ts";

/** A song of the demo's show: what it is called, and the colours of its lights in turn. */
interface Song {
  readonly name: string;
  readonly track: string;
  readonly looks: readonly Look[];
}

/** Colours of the stage's wash, its beams, and the bands on the audience's wrists. */
type Look = readonly [wash: number, beams: number, crowd: number];

export const BEATS_PER_MINUTE = 112;
export const BEAT_MS = 60_000 / BEATS_PER_MINUTE;
/** Of one look of the lights. */
const LOOK_BEATS = 8;
const SONG_BEATS = 64;
/** After each song, for the applause. */
const BREAK_BEATS = 16;
const CYCLE_BEATS = SONG_BEATS + BREAK_BEATS;
/** The beat of a song at which everything is let off. */
const CLIMAX_BEAT = 48;
const WARM: Look = [0xffb46a, 0xffd9a0, 0xffc27a];

const SONGS: readonly Song[] = [
  {
    name: "Neon Tide",
    track: `neon-tide@${BEATS_PER_MINUTE}`,
    looks: [
      [0x2f6bff, 0x38e1ff, 0x27b8ff],
      [0x7a3cff, 0xff4fd8, 0xb46bff],
      [0x1fc3d6, 0x6dffcf, 0x2ee6a8],
      [0xff3d81, 0xffa14a, 0xff5fa2],
    ],
  },
  {
    name: "Paper Lanterns",
    track: `paper-lanterns@${BEATS_PER_MINUTE}`,
    looks: [
      [0xff7a3d, 0xffc24a, 0xff9f43],
      [0xff3d5e, 0xff8fb0, 0xff6b6b],
      [0xd94bff, 0xff9df0, 0xff7ac2],
      [0xffb04a, 0xfff0a8, 0xfeca57],
    ],
  },
  {
    name: "Northern Line",
    track: `northern-line@${BEATS_PER_MINUTE}`,
    looks: [
      [0x1fbf7a, 0x8dffb0, 0x2ed194],
      [0x2aa7ff, 0x9be8ff, 0x4dc6ff],
      [0x6b4dff, 0xb9a6ff, 0x9b6bff],
      [0x12d6c0, 0xd6ff7a, 0x7dffb2],
    ],
  },
];

/** Where the show is at a show time: it goes round its songs for ever. */
export interface ShowMoment {
  readonly song: number;
  /** Beats since the song began; from `SONG_BEATS` on it is over and the audience claps. */
  readonly beat: number;
}

export function showMoment(showMs: number): ShowMoment {
  const beats = Math.max(0, showMs) / BEAT_MS;
  const cycle = Math.floor(beats / CYCLE_BEATS);
  return { song: cycle % SONGS.length, beat: beats - cycle * CYCLE_BEATS };
}

/** Of the applause after a song, and for a moment at its climax. */
export function isLoud({ beat }: ShowMoment): boolean {
  return beat >= SONG_BEATS || (beat >= CLIMAX_BEAT && beat < CLIMAX_BEAT + LOOK_BEATS);
}

/** What is called at the whole beats after `fromMs`, up to and with `toMs`, of show time. */
export function cuesBetween(fromMs: number, toMs: number): ScriptCommand[] {
  const called: ScriptCommand[] = [];
  const last = Math.floor(toMs / BEAT_MS);
  for (let beat = Math.floor(fromMs / BEAT_MS) + 1; beat <= last; beat += 1)
    called.push(...cuesAt(beat));
  return called;
}

/** What a show that runs already has to be given, whoever was its performer before. */
export function cuesNow(showMs: number): ScriptCommand[] {
  const beat = Math.floor(Math.max(0, showMs) / BEAT_MS);
  const inCycle = beat % CYCLE_BEATS;
  const first = beat - inCycle;
  if (inCycle >= SONG_BEATS) return cuesAt(first + SONG_BEATS);
  const looked = beat - (inCycle % LOOK_BEATS);
  return looked === first ? cuesAt(first) : [...cuesAt(first).slice(0, 2), ...cuesAt(looked)];
}

function cuesAt(beat: number): ScriptCommand[] {
  const inCycle = beat % CYCLE_BEATS;
  const song = SONGS[Math.floor(beat / CYCLE_BEATS) % SONGS.length];
  if (!song) return [];
  const { name, track, looks } = song;
  if (inCycle === 0)
    return [
      { name: "set", body: { name } },
      { name: "sound", body: { channel: "band", track } },
      ...lightsOf(looks[0] ?? WARM, 1),
    ];
  if (inCycle === SONG_BEATS)
    return [{ name: "sound", body: { channel: "band", track: null } }, ...lightsOf(WARM, 0.55)];
  if (inCycle > SONG_BEATS || inCycle % LOOK_BEATS !== 0) return [];
  return lightsOf(looks[(inCycle / LOOK_BEATS) % looks.length] ?? WARM, 1);
}

function lightsOf([wash, beams, crowd]: Look, level: number): ScriptCommand[] {
  const light = (name: string, color: number) => ({
    ...{ name: "light", body: { light: name, color, level } },
  });
  return [light("wash", wash), light("beams", beams), light("crowd", crowd)];
}

/** Fireworks of paper, when everything is let off. */
export const pyroBetween = (fromMs: number, toMs: number): boolean => {
  const climaxes = (ms: number): number => Math.floor((ms / BEAT_MS - CLIMAX_BEAT) / CYCLE_BEATS);
  return climaxes(toMs) > climaxes(fromMs);
};

/** Metres of the concert's stage that performers keep to, as its world puts them there. */
const STAGE = { y: 1.2, front: -7.6, back: -12 } as const;
const ANIMATION = { idle: 0, walk: 1, wave: 3, clap: 4, dance: 5, jump: 6 } as const;

/** Where one of the band is and what they do: the first leads, the others keep beside. */
export function performerPose(showMs: number, part: number): Pose {
  const moment = showMoment(showMs);
  return part === 0 ? leadPose(moment) : dancerPose(moment, part);
}

const pose = (x: number, z: number, yaw: number, animation: number): Pose => ({
  ...{ x, y: STAGE.y, z, yaw, pitch: 0, reach: [0.3, 1, 0.4], animation },
});

/** Eight beats here, eight beats there, with four to go across: always along the front. */
function leadPose({ beat }: ShowMoment): Pose {
  if (beat >= SONG_BEATS) return pose(0, STAGE.front, 0, ANIMATION.wave);
  const spots = [0, -5.2, 5.2, -2.4, 6.4, -6.4, 2.4, 0];
  const leg = Math.floor(beat / LOOK_BEATS);
  const from = spots[leg % spots.length] ?? 0;
  const to = spots[(leg + 1) % spots.length] ?? 0;
  const gone = Math.max(0, (beat % LOOK_BEATS) - LOOK_BEATS / 2) / (LOOK_BEATS / 2);
  const x = from + (to - from) * gone;
  if (gone > 0 && from !== to)
    return pose(x, STAGE.front, Math.sign(to - from) * 1.2, ANIMATION.walk);
  const wild = beat >= CLIMAX_BEAT && beat < CLIMAX_BEAT + LOOK_BEATS;
  return pose(x, STAGE.front, 0, wild ? ANIMATION.jump : ANIMATION.dance);
}

function dancerPose({ beat }: ShowMoment, part: number): Pose {
  const side = part % 2 === 1 ? -1 : 1;
  const x = side * (3.4 + Math.floor((part - 1) / 2) * 2.6);
  if (beat >= SONG_BEATS) return pose(x, STAGE.back, -side * 0.2, ANIMATION.clap);
  // A step to and fro with each two beats, the two sides as in a mirror.
  const sway = Math.sin((beat / 2) * Math.PI) * 0.55 * side;
  const jumps = Math.floor(beat / LOOK_BEATS) % 4 === 3;
  return pose(x + sway, STAGE.back, -side * 0.2, jumps ? ANIMATION.jump : ANIMATION.dance);
}
