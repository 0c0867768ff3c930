import type { Client, JoinOptions, Role, Room } from "../../client/client.ts";
import type { Waiting } from "../../client/room-options.ts";
import { systemRandom } from "../../kernel/random.ts";
import { listen } from "../controls.ts";
import { EMOTE } from "../emotes.ts";
import { askProfile } from "../entry.ts";
import {
  AUDIENCE_KEYS,
  addBar,
  addKeys,
  type BarButton,
  emoteButtons,
  PERFORMER_KEYS,
} from "../hud.ts";
import cheer from "../icons/cheer.svg";
import { digitKeys } from "../input.ts";
import { element } from "../page-elements.ts";
import { Picture } from "../picture.ts";
import type { PlazaProfile } from "../plaza-room.ts";
import { onConnection, tellEnd, watchRoom } from "../room-watch.ts";
import { joinRoom, openClient, readConfig } from "../session.ts";
import { listenToTouch } from "../touch.ts";
import { linkElsewhere, overview, type Place, type Visit } from "../visit.ts";
import { arenaSetting } from "./arena-setting.ts";
import { Concert, type ConcertRooms } from "./concert.ts";
import type { ShardState, StageState } from "./concert-room.ts";
import { cueButtons, hideChat } from "./cues.ts";
import { makeShowSeam } from "./show-seam.ts";

/** The concert: in the audience, or on its stage with `?role=performer`. */
export function concertVisit(place: Place, event: string): Visit {
  const { canvas, clock, hud, onQuality, quality, query } = place;
  const role: Role = query.get("role") === "performer" ? "performer" : "audience";
  const performs = role === "performer";
  document.title = "The concert · roomcluster";
  document.body.classList.add("concert");
  element("entry-title").textContent = "The concert";
  element("entry-words").textContent = performs
    ? "You are on the stage. Everybody sees you."
    : "An event of the cluster. Come in, clap, cheer.";
  const picture = new Picture(canvas, quality, onQuality, (site) => arenaSetting(site, performs));
  return {
    wait: overview(picture, { x: 0, y: 2.4, z: 8 }),
    enter: async (drawn) => {
      const [config, profile] = await Promise.all([readConfig(), askProfile(query, systemRandom)]);
      const client = await openClient(config, { ...profile, role }, (...news) =>
        onConnection(hud, ...news),
      );
      const onWaiting = (waiting: Waiting): void => hud.notice(waitingText(waiting));
      const rooms = await takeSeat(client, event, { profile, onWaiting }, role);
      hud.notice(undefined);
      const buttons = (): BarButton[] => barOf(concert, rooms, () => cueButtons(rooms.stage, hud));
      const keys = digitKeys(9, (i) => buttons()[i]?.press());
      const concert = new Concert(rooms, picture, hud, keys);
      concert.arrive();
      if (performs) hideChat();
      listen(canvas, concert.input, concert);
      listenToTouch(canvas, concert.input, concert);
      addBar(buttons());
      addKeys(performs ? PERFORMER_KEYS : AUDIENCE_KEYS, clock);
      watchRoom(config, { room: rooms.stage, name: event }, hud, () => concert.people);
      if (rooms.shard) tellEnd(rooms.shard, hud);
      linkElsewhere(undefined, "← To the plaza");
      window.show = makeShowSeam(concert, picture, drawn);
      return (seconds, dt) => concert.frame(seconds, dt);
    },
  };
}

/** Performers come onto the stage; others sit in a shard and watch it from there. */
async function takeSeat(
  client: Client,
  event: string,
  options: JoinOptions & { readonly profile: PlazaProfile },
  role: Role,
): Promise<ConcertRooms> {
  const seat: Room<unknown> = await joinRoom(client, `event/${event}`, options, role);
  if (role === "performer") return { stage: seat as Room<StageState>, shard: undefined };
  const { profile } = options;
  const stage = await client.join<StageState>(`stage/${event}`, { profile });
  return { stage, shard: seat as Room<ShardState> };
}

function barOf(concert: Concert, { shard }: ConcertRooms, cues: () => BarButton[]): BarButton[] {
  const emotes = emoteButtons((index) => concert.emote(index));
  if (!shard) return [...emotes, ...cues()];
  return [
    { icon: EMOTE.clap.icon, label: "Clap", main: true, press: () => concert.react(0) },
    { icon: cheer, label: "Cheer", main: true, press: () => concert.react(1) },
    // Clapping is counted here, so the emote of that name has no place.
    ...emotes.filter(({ label }) => label !== EMOTE.clap.label),
  ];
}

function waitingText({ ahead, etaMs }: Waiting): string {
  if (etaMs === null) return `You are in line: ${ahead} before you. Doors are not open yet.`;
  return `You are in line: ${ahead} before you, about ${Math.ceil(etaMs / 1000)} s.`;
}
