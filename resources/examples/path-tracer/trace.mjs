import { mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { encodePng } from './png.mjs';
import { render } from './tracer.mjs';

/**
 * Renders one frame of the example animation:
 *   node trace.mjs --frame 1 --frames 24 --size 320x180 --samples 49 --out frames/frame-0001.png
 * Needs Node 18 or newer and nothing else. The same arguments always give the same picture.
 */
const { values } = parseArgs({
  options: {
    frame: { type: 'string', default: '1' },
    frames: { type: 'string', default: '24' },
    size: { type: 'string', default: '320x180' },
    samples: { type: 'string', default: '49' },
    out: { type: 'string', default: 'frame.png' },
  },
});

const size = /^(\d{1,4})x(\d{1,4})$/.exec(values.size);
if (size === null) fail(`--size ${values.size}: expected WIDTHxHEIGHT in pixels, such as 320x180`);
const options = {
  frame: wholeNumber('frame', 1_000_000),
  frames: wholeNumber('frames', 1_000_000),
  samples: wholeNumber('samples', 100_000),
  width: Math.max(1, Number(size[1])),
  height: Math.max(1, Number(size[2])),
};

const startedAt = Date.now();
console.log(`frame ${options.frame} of ${options.frames}: ${values.size}, ${options.samples} samples a pixel, on ${hostname()}`);
let nextMark = 0.25;
const image = render({
  ...options,
  progress(done) {
    if (done < nextMark) return;
    console.log(`frame ${options.frame}: ${Math.floor(done * 100)} %`);
    nextMark += 0.25;
  },
});
const png = encodePng(image);
mkdirSync(dirname(values.out), { recursive: true });
writeFileSync(values.out, png);
console.log(`frame ${options.frame}: wrote ${values.out}, ${png.length} bytes, in ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);

function wholeNumber(name, most) {
  const number = Number(values[name]);
  if (!Number.isInteger(number) || number < 1 || number > most)
    fail(`--${name} ${values[name]}: expected a whole number from 1 to ${most}`);
  return number;
}

function fail(message) {
  console.error(message);
  process.exit(2);
}
