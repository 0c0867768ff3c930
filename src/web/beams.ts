import {
  AdditiveBlending,
  Color,
  type ColorRepresentation,
  ConeGeometry,
  CylinderGeometry,
  DoubleSide,
  DynamicDrawUsage,
  Euler,
  Group,
  InstancedMesh,
  Matrix4,
  MeshLambertMaterial,
  ShaderMaterial,
} from "three";

export interface Lamp {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly color: ColorRepresentation;
}

interface BeamShape {
  readonly lengthM: number;
  /** At its end. */
  readonly radiusM: number;
  readonly strength: number;
}

/** Light that can be seen in the haze: open cones, brightest at the lamp and at their middle. */
const material = ({ lengthM, strength }: BeamShape): ShaderMaterial =>
  new ShaderMaterial({
    transparent: true,
    depthWrite: false,
    side: DoubleSide,
    blending: AdditiveBlending,
    uniforms: { far: { value: lengthM }, strength: { value: strength } },
    vertexShader: /* glsl */ `
      uniform float far;
      varying float along;
      varying float facing;
      varying vec3 light;
      void main() {
        along = -position.y / far;
        light = instanceColor;
        vec4 seen = modelViewMatrix * instanceMatrix * vec4(position, 1.0);
        vec3 side = normalize(normalMatrix * mat3(instanceMatrix) * normal);
        facing = abs(dot(side, normalize(-seen.xyz)));
        gl_Position = projectionMatrix * seen;
      }
    `,
    fragmentShader: /* glsl */ `
      uniform float strength;
      varying float along;
      varying float facing;
      varying vec3 light;
      void main() {
        float seen = pow(facing, 2.2) * pow(1.0 - along, 1.5) * smoothstep(0.0, 0.04, along);
        gl_FragColor = vec4(light * seen * strength, 1.0);
      }
    `,
  });

/** Moving lamps and their beams, in two draw calls. Hanging straight down until they are turned. */
export class Beams {
  readonly group = new Group();
  readonly lamps: readonly Lamp[];
  readonly #cones: InstancedMesh;
  readonly #heads: InstancedMesh;
  readonly #matrix = new Matrix4();
  readonly #turn = new Euler();
  readonly #color = new Color();

  constructor(lamps: readonly Lamp[], shape: BeamShape) {
    this.lamps = lamps;
    const { lengthM, radiusM } = shape;
    const cone = new ConeGeometry(radiusM, lengthM, 24, 1, true).translate(0, -lengthM / 2, 0);
    const head = new CylinderGeometry(0.16, 0.22, 0.5, 12);
    this.#cones = new InstancedMesh(cone, material(shape), lamps.length);
    this.#cones.renderOrder = 6;
    this.#heads = new InstancedMesh(
      head,
      new MeshLambertMaterial({ color: "#1d1929" }),
      lamps.length,
    );
    for (const mesh of [this.#cones, this.#heads]) {
      mesh.instanceMatrix.setUsage(DynamicDrawUsage);
      mesh.frustumCulled = false;
    }
    lamps.forEach(({ color }, i) => {
      this.turn(i, 0, 0);
      this.tint(i, color, 1);
    });
    this.group.add(this.#cones, this.#heads);
  }

  /** Swings a lamp to and from the audience (x), and across (z); radians. */
  turn(i: number, x: number, z: number): void {
    const lamp = this.lamps[i];
    if (!lamp) return;
    this.#turn.set(x, 0, z);
    this.#matrix.makeRotationFromEuler(this.#turn).setPosition(lamp.x, lamp.y, lamp.z);
    this.#cones.setMatrixAt(i, this.#matrix);
    this.#heads.setMatrixAt(i, this.#matrix);
    this.#cones.instanceMatrix.needsUpdate = true;
    this.#heads.instanceMatrix.needsUpdate = true;
  }

  tint(i: number, color: ColorRepresentation, level: number): void {
    this.#cones.setColorAt(i, this.#color.set(color).multiplyScalar(level));
    if (this.#cones.instanceColor) this.#cones.instanceColor.needsUpdate = true;
  }
}
