import {
  AdditiveBlending,
  BufferAttribute,
  BufferGeometry,
  Color,
  type ColorRepresentation,
  InstancedMesh,
  MeshBasicMaterial,
  Object3D,
  PlaneGeometry,
  Points,
  ShaderMaterial,
} from "three";
import { glowTexture, poolTexture } from "./canvas.ts";

export interface Glow {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly color: ColorRepresentation;
  /** Diameter in metres. */
  readonly size: number;
  /** How much it flickers, 0 to 1. */
  readonly flicker?: number;
}

/** Halos of lamps, all in one draw call. */
export function glows(list: readonly Glow[], time: { value: number }): Points {
  const at = new Float32Array(list.length * 3);
  const tint = new Float32Array(list.length * 3);
  const shape = new Float32Array(list.length * 2);
  const color = new Color();
  list.forEach((glow, i) => {
    at.set([glow.x, glow.y, glow.z], i * 3);
    color.set(glow.color).toArray(tint, i * 3);
    shape.set([glow.size, glow.flicker ?? 0], i * 2);
  });
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(at, 3));
  geometry.setAttribute("tint", new BufferAttribute(tint, 3));
  geometry.setAttribute("shape", new BufferAttribute(shape, 2));
  const material = new ShaderMaterial({
    transparent: true,
    depthWrite: false,
    blending: AdditiveBlending,
    uniforms: { time, map: { value: glowTexture() }, height: { value: 1 } },
    vertexShader: /* glsl */ `
      attribute vec3 tint;
      attribute vec2 shape;
      uniform float time;
      uniform float height;
      varying vec3 light;
      void main() {
        float pulse = 1.0 - shape.y * (0.5 + 0.5 * sin(time * 2.1 + position.x * 5.0 + position.z));
        vec4 seen = modelViewMatrix * vec4(position, 1.0);
        light = tint * pulse * smoothstep(90.0, 20.0, -seen.z);
        gl_Position = projectionMatrix * seen;
        gl_PointSize = shape.x * height * projectionMatrix[1][1] * 0.5 / gl_Position.w;
      }
    `,
    fragmentShader: /* glsl */ `
      uniform sampler2D map;
      varying vec3 light;
      void main() {
        gl_FragColor = vec4(light * texture2D(map, gl_PointCoord).a, 1.0);
      }
    `,
  });
  const points = new Points(geometry, material);
  points.frustumCulled = false;
  points.renderOrder = 5;
  points.onBeforeRender = (renderer) => {
    (material.uniforms.height as { value: number }).value = renderer.domElement.height;
  };
  return points;
}

export interface Pool {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly color: ColorRepresentation;
  readonly size: number;
}

/** Light that falls on the ground, painted instead of computed: any number costs one draw call. */
export function pools(list: readonly Pool[]): InstancedMesh {
  const mesh = new InstancedMesh(
    new PlaneGeometry(1, 1).rotateX(-Math.PI / 2),
    new MeshBasicMaterial({
      map: poolTexture(),
      transparent: true,
      depthWrite: false,
      blending: AdditiveBlending,
      polygonOffset: true,
      polygonOffsetFactor: -2,
    }),
    list.length,
  );
  const at = new Object3D();
  const color = new Color();
  list.forEach((pool, i) => {
    at.position.set(pool.x, pool.y + 0.02, pool.z);
    at.scale.setScalar(pool.size);
    at.updateMatrix();
    mesh.setMatrixAt(i, at.matrix);
    mesh.setColorAt(i, color.set(pool.color));
  });
  mesh.frustumCulled = false;
  mesh.renderOrder = 2;
  return mesh;
}
