import { systemRandom } from "../kernel/random.ts";
import { listen } from "./controls.ts";
import { makeSeam } from "./demo-seam.ts";
import { askProfile } from "./entry.ts";
import { addBar, addKeys, emoteButtons, PLAZA_KEYS } from "./hud.ts";
import { Picture } from "./picture.ts";
import { Plaza } from "./plaza.ts";
import type { PlazaState } from "./plaza-room.ts";
import { plazaSetting } from "./plaza-setting.ts";
import { disconnects, onConnection, watchRoom } from "./room-watch.ts";
import { joinRoom, openClient, readConfig, TENANT } from "./session.ts";
import { listenToTouch } from "./touch.ts";
import { linkElsewhere, overview, type Place, type Visit } from "./visit.ts";

/** The event that the demo has beside its room. */
const SHOW = "show";

/** The plaza, as the avatar that this tab had before where that still is. */
export function plazaVisit({ canvas, query, clock, hud, quality, onQuality }: Place): Visit {
  const picture = new Picture(canvas, quality, onQuality, plazaSetting);
  return {
    wait: overview(picture, { x: 0, y: 2.4, z: 4 }),
    enter: async (drawn) => {
      const [config, profile] = await Promise.all([readConfig(), askProfile(query, systemRandom)]);
      const client = await openClient(config, { ...profile, role: "audience" }, (...news) =>
        onConnection(hud, ...news),
      );
      const room = await joinRoom<PlazaState>(client, config.room, { profile }, "audience");
      const plaza = new Plaza(room, picture, hud);
      plaza.arrive();
      listen(canvas, plaza.input, plaza);
      listenToTouch(canvas, plaza.input, plaza);
      addBar(emoteButtons((index) => plaza.emote(index)));
      addKeys(PLAZA_KEYS, clock);
      watchRoom(config, { room, name: config.room }, hud, () => room.members.size);
      void linkToShow();
      window.demo = makeSeam(plaza, client, drawn, picture.view, disconnects);
      return (seconds, dt) => plaza.frame(seconds, dt);
    },
  };
}

/** A cluster that was started otherwise may have no event; where only its operator sees, it may. */
async function linkToShow(): Promise<void> {
  const answer = await fetch(`/v1/events/${TENANT}/${SHOW}`).catch(() => undefined);
  if (answer && answer.status !== 404) linkElsewhere(SHOW, "To the concert →");
}
