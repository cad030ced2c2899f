import { floorAt, sceneAt, skyAt } from './scene.mjs';

/**
 * A path tracer: light is followed backwards from the camera over up to `BOUNCES` surfaces; at every matte surface one
 * lamp is sampled directly. The inner loop works on plain numbers and one shared hit record, because objects made
 * per ray would cost more than the tracing itself.
 *
 * Methods: J. Kajiya, "The Rendering Equation" (1986); sampling a sphere's solid angle after P. Shirley et al.,
 * "Monte Carlo Techniques for Direct Lighting Calculations" (1996); reflectance after C. Schlick (1994); tone curve
 * fitted by K. Narkowicz (2016).
 */
const BOUNCES = 6;
const NEAR = 1e-4;
/** Most light that one path may bring. */
const BRIGHTEST = 6;
const GLASS_INDEX = 1.5;
const COAT_INDEX = 1.45;

/** Where a ray met something; filled in by `intersect`. `sphere` is undefined on the floor. */
const hit = { distance: 0, x: 0, y: 0, z: 0, nx: 0, ny: 0, nz: 0, sphere: undefined };
const direction = [0, 0, 0];
const colour = [0, 0, 0];

/**
 * @param options `frame` from 1 to `frames`, `width`, `height`, `samples` a pixel; `progress(done)` is called with a
 *   share from 0 to 1 after every row
 * @returns an image for `encodePng`; the same options always give the same image
 */
export function render({ frame, frames, width, height, samples, progress }) {
  const scene = sceneAt(frame, frames);
  const view = prepareCamera(scene.camera, width / height);
  const grid = Math.max(1, Math.round(Math.sqrt(samples)));
  const pixels = new Uint8Array(width * height * 3);
  const sum = new Float64Array(3);
  const light = new Float64Array(3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const random = randomNumbers(frame, x, y);
      sum.fill(0);
      for (let sample = 0; sample < grid * grid; sample++) {
        // One sample in every cell of a grid over the pixel: less noise than as many free ones.
        const u = (x + ((sample % grid) + random()) / grid) / width;
        const v = (y + (Math.floor(sample / grid) + random()) / grid) / height;
        cameraPath(scene, view, u, v, random, light);
        // A single very bright path would leave a speck that no number of samples averages away.
        const share = Math.min(1, BRIGHTEST / Math.max(light[0], light[1], light[2], 1e-9));
        for (let c = 0; c < 3; c++) sum[c] += light[c] * share;
      }
      for (let c = 0; c < 3; c++) pixels[(y * width + x) * 3 + c] = toByte(sum[c] / (grid * grid));
    }
    progress((y + 1) / height);
  }
  return { width, height, pixels };
}

/** @returns a generator of numbers in [0, 1), seeded by the pixel: a 32-bit counter through a bit mixer. */
function randomNumbers(frame, x, y) {
  const state = new Uint32Array(1);
  state[0] = Math.imul(frame, 0x9e3779b1) ^ Math.imul(x + 1, 0x85ebca77) ^ Math.imul(y + 1, 0xc2b2ae3d);
  return () => {
    state[0] += 0x6d2b79f5;
    let bits = state[0];
    bits = Math.imul(bits ^ (bits >>> 16), 0x7feb352d);
    bits = Math.imul(bits ^ (bits >>> 15), 0x846ca68b);
    return ((bits ^ (bits >>> 16)) >>> 0) / 4_294_967_296;
  };
}

function prepareCamera({ from, to, fieldOfView, aperture, focus }, aspect) {
  const back = normalise([from[0] - to[0], from[1] - to[1], from[2] - to[2]]);
  const right = normalise([back[2], 0, -back[0]]);
  const up = [back[1] * right[2] - back[2] * right[1], back[2] * right[0] - back[0] * right[2], back[0] * right[1] - back[1] * right[0]];
  const halfHeight = Math.tan(fieldOfView / 2) * focus;
  return { from, back, right, up, aperture, focus, halfHeight, halfWidth: halfHeight * aspect };
}

function normalise([x, y, z]) {
  const length = Math.hypot(x, y, z);
  return [x / length, y / length, z / length];
}

/** Starts on the lens and goes through the point of the plane in focus that the pixel sees. */
function cameraPath(scene, view, u, v, random, into) {
  const angle = 2 * Math.PI * random();
  const radius = view.aperture * Math.sqrt(random());
  const lensX = radius * Math.cos(angle);
  const lensY = radius * Math.sin(angle);
  const px = (2 * u - 1) * view.halfWidth - lensX;
  const py = (1 - 2 * v) * view.halfHeight - lensY;
  const { right, up, back, from } = view;
  for (let c = 0; c < 3; c++) direction[c] = px * right[c] + py * up[c] - view.focus * back[c];
  setDirection(direction[0], direction[1], direction[2]);
  tracePath(
    scene,
    from[0] + lensX * right[0] + lensY * up[0],
    from[1] + lensX * right[1] + lensY * up[1],
    from[2] + lensX * right[2] + lensY * up[2],
    random,
    into,
  );
}

function setDirection(x, y, z) {
  const scale = 1 / Math.sqrt(x * x + y * y + z * z);
  direction[0] = x * scale;
  direction[1] = y * scale;
  direction[2] = z * scale;
}

/** Follows one path along `direction` and leaves the light it brings in `into`. */
function tracePath(scene, x, y, z, random, into) {
  into[0] = into[1] = into[2] = 0;
  let red = 1;
  let green = 1;
  let blue = 1;
  // A lamp met after a matte surface was counted there already, by sampling it.
  let lampsCount = true;
  for (let bounce = 0; bounce < BOUNCES; bounce++) {
    if (!intersect(scene.spheres, x, y, z, direction[0], direction[1], direction[2], Number.POSITIVE_INFINITY)) {
      skyAt(direction[1], colour);
      addLight(into, red, green, blue);
      return;
    }
    const { sphere } = hit;
    if (sphere === undefined) floorAt(hit.x, hit.z, colour);
    else for (let c = 0; c < 3; c++) colour[c] = sphere.colour[c];
    if (sphere?.kind === 'light') {
      if (lampsCount) addLight(into, red, green, blue);
      return;
    }
    lampsCount = scatter(sphere, random);
    red *= colour[0];
    green *= colour[1];
    blue *= colour[2];
    x = hit.x;
    y = hit.y;
    z = hit.z;
    if (!lampsCount) sampleLamp(scene, x, y, z, hit.nx, hit.ny, hit.nz, red, green, blue, random, into);
    // Paths that carry little are ended by lot, and the survivors count for more.
    const carried = Math.max(red, green, blue);
    if (bounce > 1 && carried < 0.6) {
      if (random() > carried) return;
      red /= carried;
      green /= carried;
      blue /= carried;
    }
  }
}

function addLight(into, red, green, blue) {
  into[0] += red * colour[0];
  into[1] += green * colour[1];
  into[2] += blue * colour[2];
}

/** Finds the nearest surface closer than `limit` and describes it in `hit`. */
function intersect(spheres, x, y, z, dx, dy, dz, limit) {
  let nearest = limit;
  let found;
  for (let i = 0; i < spheres.length; i++) {
    const sphere = spheres[i];
    const cx = sphere.x - x;
    const cy = sphere.y - y;
    const cz = sphere.z - z;
    const along = cx * dx + cy * dy + cz * dz;
    const root = along * along - (cx * cx + cy * cy + cz * cz) + sphere.radius * sphere.radius;
    if (root <= 0) continue;
    const half = Math.sqrt(root);
    const distance = along - half > NEAR ? along - half : along + half;
    if (distance > NEAR && distance < nearest) {
      nearest = distance;
      found = sphere;
    }
  }
  const toFloor = -y / dy;
  const floor = toFloor > NEAR && toFloor < nearest;
  if (floor) nearest = toFloor;
  else if (found === undefined) return false;
  hit.distance = nearest;
  hit.x = x + nearest * dx;
  hit.y = y + nearest * dy;
  hit.z = z + nearest * dz;
  hit.sphere = floor ? undefined : found;
  hit.nx = floor ? 0 : (hit.x - found.x) / found.radius;
  hit.ny = floor ? 1 : (hit.y - found.y) / found.radius;
  hit.nz = floor ? 0 : (hit.z - found.z) / found.radius;
  return true;
}

/**
 * Turns `direction` to where the path goes on from `hit`, and sets `colour` to what the surface lets through.
 * @returns whether it went on like in a mirror or lens, so that lamps it meets count
 */
function scatter(sphere, random) {
  if (sphere?.kind === 'glass') return refract(random);
  if (sphere?.kind === 'metal') {
    reflect(sphere.roughness, random);
    return true;
  }
  // The floor is polished a little less than the coated spheres.
  const facing = -(direction[0] * hit.nx + direction[1] * hit.ny + direction[2] * hit.nz);
  const mirror = schlick(facing, COAT_INDEX) * (sphere === undefined ? 0.7 : 1);
  // The coat is looked at more often than it reflects, and counts for less: few bright paths are seen as specks.
  const chance = 0.25 + 0.5 * mirror;
  if (random() < chance) {
    colour[0] = colour[1] = colour[2] = mirror / chance;
    reflect(sphere === undefined ? 0.02 : 0, random);
    return true;
  }
  const rest = (1 - mirror) / (1 - chance);
  for (let c = 0; c < 3; c++) colour[c] *= rest;
  scatterMatte(random);
  return false;
}

/** A direction about the normal, as likely as its cosine. */
function scatterMatte(random) {
  const angle = 2 * Math.PI * random();
  const height = 2 * random() - 1;
  const radius = Math.sqrt(1 - height * height);
  // A point of the unit sphere that sits on the surface; never quite the opposite of the normal.
  setDirection(hit.nx * 1.0001 + radius * Math.cos(angle), hit.ny * 1.0001 + radius * Math.sin(angle), hit.nz * 1.0001 + height);
}

function reflect(roughness, random) {
  const twice = 2 * (direction[0] * hit.nx + direction[1] * hit.ny + direction[2] * hit.nz);
  const spread = () => (roughness === 0 ? 0 : roughness * (2 * random() - 1));
  setDirection(
    direction[0] - twice * hit.nx + spread(),
    direction[1] - twice * hit.ny + spread(),
    direction[2] - twice * hit.nz + spread(),
  );
}

function refract(random) {
  let cosine = -(direction[0] * hit.nx + direction[1] * hit.ny + direction[2] * hit.nz);
  const entering = cosine > 0;
  const side = entering ? 1 : -1;
  cosine *= side;
  const ratio = entering ? 1 / GLASS_INDEX : GLASS_INDEX;
  const leaving = 1 - ratio * ratio * (1 - cosine * cosine);
  if (leaving < 0 || random() < schlick(entering ? cosine : Math.sqrt(leaving), GLASS_INDEX)) {
    reflect(0, random);
    return true;
  }
  const along = (ratio * cosine - Math.sqrt(leaving)) * side;
  setDirection(ratio * direction[0] + along * hit.nx, ratio * direction[1] + along * hit.ny, ratio * direction[2] + along * hit.nz);
  return true;
}

/** The share of light that a smooth surface of this refractive index reflects (Schlick's approximation). */
function schlick(cosine, index) {
  const straight = ((index - 1) / (index + 1)) ** 2;
  const grazing = 1 - Math.min(1, Math.max(0, cosine));
  return straight + (1 - straight) * grazing ** 5;
}

/** Adds the light that one lamp, chosen by lot, sends to a matte point: a direction from within the cone it fills. */
function sampleLamp(scene, x, y, z, nx, ny, nz, red, green, blue, random, into) {
  const { lights, spheres } = scene;
  const lamp = lights[Math.floor(random() * lights.length)];
  const tx = lamp.x - x;
  const ty = lamp.y - y;
  const tz = lamp.z - z;
  const squared = tx * tx + ty * ty + tz * tz;
  const widest = Math.sqrt(Math.max(0, 1 - (lamp.radius * lamp.radius) / squared));
  const cosine = 1 - random() * (1 - widest);
  const sine = Math.sqrt(1 - cosine * cosine);
  const angle = 2 * Math.PI * random();
  const length = Math.sqrt(squared);
  const wx = tx / length;
  const wy = ty / length;
  const wz = tz / length;
  // Two axes across w (Duff et al., "Building an Orthonormal Basis, Revisited", 2017).
  const sign = wz >= 0 ? 1 : -1;
  const a = -1 / (sign + wz);
  const b = wx * wy * a;
  const across = sine * Math.cos(angle);
  const over = sine * Math.sin(angle);
  const dx = across * (1 + sign * wx * wx * a) + over * b + cosine * wx;
  const dy = across * sign * b + over * (sign + wy * wy * a) + cosine * wy;
  const dz = across * -sign * wx - over * wy + cosine * wz;
  const facing = dx * nx + dy * ny + dz * nz;
  if (facing <= 0 || !intersect(spheres, x, y, z, dx, dy, dz, Number.POSITIVE_INFINITY) || hit.sphere !== lamp) return;
  // Matte reflectance is colour/π, the cone's solid angle 2π(1 - widest).
  const weight = 2 * (1 - widest) * facing * lights.length;
  into[0] += red * lamp.colour[0] * weight;
  into[1] += green * lamp.colour[1] * weight;
  into[2] += blue * lamp.colour[2] * weight;
}

/** Linear light to a byte of the screen: a film-like curve, then gamma 2.2. */
function toByte(light) {
  const exposed = light * 0.85;
  const curved = (exposed * (2.51 * exposed + 0.03)) / (exposed * (2.43 * exposed + 0.59) + 0.14);
  return Math.round(255 * Math.min(1, Math.max(0, curved)) ** (1 / 2.2));
}
