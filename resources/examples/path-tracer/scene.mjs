/**
 * The animated scene: glass, metal and coated spheres on a tiled floor at dusk, lit by one large soft lamp and
 * two small ones that circle. Everything is a function of the frame, and the last frame leads back to the first, but that
 * the colours of the ring have moved on by one sphere.
 *
 * Units are metres, y is up, colours are linear RGB.
 */
const RING = 7;
const RING_COLOURS = [
  [0.83, 0.16, 0.11],
  [0.93, 0.47, 0.09],
  [0.93, 0.77, 0.2],
  [0.2, 0.62, 0.28],
  [0.1, 0.5, 0.66],
  [0.21, 0.25, 0.72],
  [0.58, 0.17, 0.58],
];

/**
 * @param frame from 1 on
 * @param frames length of the loop
 * @returns the camera and the spheres; spheres with `light` come first
 */
export function sceneAt(frame, frames) {
  const turn = ((frame - 1) / frames) * 2 * Math.PI;
  const spheres = [
    sphere([-4.5, 7.5, 3], 1.7, 'light', [15, 12.6, 9.6]),
    ...[0, Math.PI].map((offset, which) =>
      sphere(
        [2.25 * Math.cos(offset - turn), 1.15 + 0.25 * Math.sin(2 * turn + offset), 2.25 * Math.sin(offset - turn)],
        0.14,
        'light',
        which === 0 ? [1.5, 9, 26] : [30, 6, 4],
      ),
    ),
    sphere([0, 1.02 + 0.1 * Math.sin(turn), 0], 0.82, 'glass', [0.97, 0.99, 0.98]),
  ];
  for (const [position, colour] of RING_COLOURS.entries()) {
    const angle = turn / RING + (position / RING) * 2 * Math.PI;
    const hop = 0.55 * Math.max(0, Math.sin(turn + (position / RING) * 2 * Math.PI)) ** 2;
    spheres.push(sphere([1.72 * Math.cos(angle), 0.4 + hop, 1.72 * Math.sin(angle)], 0.4, 'coated', colour));
  }
  spheres.push(
    sphere([-2.6, 0.9, -2.9], 0.9, 'metal', [0.95, 0.72, 0.42], 0.04),
    sphere([2.5, 1.15, -3.4], 1.15, 'metal', [0.78, 0.81, 0.86], 0.01),
    sphere([0.2, 0.55, -4.2], 0.55, 'coated', [0.75, 0.75, 0.72]),
    sphere([3.9, 0.45, -0.6], 0.45, 'metal', [0.9, 0.48, 0.36], 0.18),
  );
  return { camera: cameraAt(turn), spheres, lights: spheres.filter((one) => one.kind === 'light') };
}

function sphere([x, y, z], radius, kind, colour, roughness = 0) {
  return { x, y, z, radius, kind, colour, roughness };
}

/** Sways around the middle rather than circling, so that the large spheres stay in the picture. */
function cameraAt(turn) {
  const angle = Math.PI / 2 + 0.35 * Math.sin(turn);
  return {
    from: [6.4 * Math.cos(angle), 2.35 + 0.35 * Math.cos(turn), 6.4 * Math.sin(angle)],
    to: [0, 0.78, 0],
    fieldOfView: 0.66,
    aperture: 0.035,
    focus: 5.7,
  };
}

/** The sky in a direction: a warm band at the horizon under deep blue. */
export function skyAt(dy, into) {
  const height = Math.max(0, dy);
  const band = Math.exp(-7 * height);
  into[0] = 0.09 + 0.62 * band;
  into[1] = 0.15 + 0.36 * band;
  into[2] = 0.33 + 0.17 * band;
}

/** The floor's colour at a point: large tiles of two greys with thin joints. */
export function floorAt(x, z, into) {
  const joint = Math.min(distanceToWhole(x), distanceToWhole(z)) < 0.012;
  const dark = ((Math.floor(x) + Math.floor(z)) & 1) === 0;
  const grey = joint ? 0.08 : dark ? 0.2 : 0.52;
  into[0] = grey;
  into[1] = grey * 0.97;
  into[2] = grey * 0.93;
}

function distanceToWhole(value) {
  return Math.abs(value - Math.round(value));
}
