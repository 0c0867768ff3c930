import { PMREMGenerator } from "three";
import { addFountain } from "./fountain.ts";
import { addGround } from "./ground.ts";
import { plazaTerrain } from "./layout.ts";
import type { Setting, Site } from "./picture.ts";
import { addScenery } from "./scenery.ts";
import { addSky, DUSK } from "./sky.ts";
import { addStage } from "./stage.ts";

/** The plaza without its people and things. */
export function plazaSetting({ scene, time, renderer }: Site): Setting {
  const sky = addSky(scene, time, DUSK);
  const generator = new PMREMGenerator(renderer);
  scene.environment = generator.fromScene(scene, 0.03).texture;
  scene.environmentIntensity = 0.3;
  generator.dispose();
  addGround(scene);
  addScenery(scene, time);
  addFountain(scene, time);
  const stage = addStage(scene, time);
  return {
    terrain: plazaTerrain,
    framing: { distanceM: 5.6, tilt: 0.2, aimM: 1.45 },
    sun: sky.sun,
    lights: stage.lights,
    update: (seconds, at) => {
      stage.update(seconds);
      sky.follow(at.x, at.z);
    },
  };
}
